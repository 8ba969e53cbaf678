#include "http/stored_response.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "http/connection_options.h"
#include "http/date.h"
#include "http/line_breaks.h"

namespace perigee::http {
namespace {

constexpr uint32_t kImageMagic = 0x31686770;  // "pgh1"
constexpr uint16_t kNoLine = 0xffff;

/// The image: this header, the table, the reason, the received Age, the text. Fields are
/// little-endian, as the store's records are.
struct ImageHeader {
  uint32_t magic;
  uint16_t lines;
  uint16_t reason_size;
  uint16_t age_size;
  uint16_t etag_line;
  uint16_t last_modified_line;
  uint16_t spare;
  uint32_t text_size;
  uint32_t spare2;
  int64_t date_ms;
  int64_t last_modified_ms;
  int64_t content_length;  ///< -1: no such line
};
static_assert(sizeof(ImageHeader) == 48);

/// Lines that describe the very bytes of the identity form stand last, behind the common ones.
bool is_identity_line(FieldName token) {
  switch (token) {
    case FieldName::kEtag:
    case FieldName::kContentLength:
    case FieldName::kContentDigest:
    case FieldName::kReprDigest:
    case FieldName::kDigest:
    case FieldName::kContentMd5:
      return true;
    default:
      return false;
  }
}

/// Collects lines and writes the image.
class ImageWriter {
 public:
  /// `lines` that are expected; there may be more.
  explicit ImageWriter(size_t lines) { common_.reserve(lines); }
  void add(const Field& field) {
    (is_identity_line(field.token) ? identity_ : common_).push_back(field);
  }
  void add_content_length(uint64_t length) {
    const auto end = std::to_chars(length_text_, length_text_ + sizeof length_text_, length).ptr;
    add({FieldName::kContentLength,
         "Content-Length",
         {length_text_, static_cast<size_t>(end - length_text_)}});
    content_length_ = static_cast<int64_t>(length);
  }
  void add_date(int64_t ms) {
    date_ms_ = ms;
    add({FieldName::kDate, "Date", format_date(ms, date_text_)});
  }
  /// Empty when it would be larger than a head may be.
  std::vector<std::byte> write(std::string_view reason, std::string_view age, int64_t now_ms) {
    ImageHeader header{};
    header.magic = kImageMagic;
    header.etag_line = header.last_modified_line = kNoLine;
    header.last_modified_ms = -1;
    header.content_length = content_length_;
    std::vector<FieldEntry> table;
    std::string text;
    table.reserve(common_.size() + identity_.size());
    text.reserve(text_bytes());
    for (const auto* lines : {&common_, &identity_}) {
      for (const Field& field : *lines) append(field, header, table, text, now_ms);
    }
    if (date_ms_ >= 0) header.date_ms = date_ms_;
    const size_t size = sizeof header + table.size() * sizeof(FieldEntry) + reason.size() +
                        age.size() + text.size();
    if (size > base::limits::kHeadImageBytes || text.size() > UINT16_MAX) return {};
    header.lines = static_cast<uint16_t>(table.size());
    header.reason_size = static_cast<uint16_t>(reason.size());
    header.age_size = static_cast<uint16_t>(age.size());
    header.text_size = static_cast<uint32_t>(text.size());
    std::vector<std::byte> image;
    image.reserve(size);
    const auto put = [&](const void* bytes, size_t n) {
      const auto* begin = static_cast<const std::byte*>(bytes);
      image.insert(image.end(), begin, begin + n);
    };
    put(&header, sizeof header);
    put(table.data(), table.size() * sizeof(FieldEntry));
    put(reason.data(), reason.size());
    put(age.data(), age.size());
    put(text.data(), text.size());
    return image;
  }

 private:
  size_t text_bytes() const {
    size_t bytes = 0;
    for (const auto* lines : {&common_, &identity_}) {
      for (const Field& field : *lines) bytes += field.name.size() + field.value.size() + 4;
    }
    return bytes;
  }
  static void append(const Field& field, ImageHeader& header, std::vector<FieldEntry>& table,
                     std::string& text, int64_t now_ms) {
    const auto line = static_cast<uint16_t>(table.size());
    if (field.token == FieldName::kEtag && header.etag_line == kNoLine) header.etag_line = line;
    if (field.token == FieldName::kLastModified && header.last_modified_line == kNoLine) {
      header.last_modified_line = line;
      header.last_modified_ms = parse_date(field.value, now_ms).value_or(-1);
    }
    if (field.token == FieldName::kDate) {
      header.date_ms = parse_date(field.value, now_ms).value_or(now_ms);
    }
    table.push_back({static_cast<uint16_t>(field.token), static_cast<uint16_t>(field.name.size()),
                     static_cast<uint16_t>(text.size() + field.name.size() + 2),
                     static_cast<uint16_t>(field.value.size())});
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }

  std::vector<Field> common_;
  std::vector<Field> identity_;
  char length_text_[20];
  char date_text_[kDateSize];
  int64_t content_length_ = -1;
  int64_t date_ms_ = -1;
};

/// A message with this status has no Content-Length of its own.
bool lacks_length(uint16_t status) { return status < 200 || status == 204 || status == 304; }

bool named(std::span<const std::string_view> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view other) { return iequals(other, name); });
}

/// Neither kept nor merged, whatever the response: framing is each hop's own, an Age is kept apart,
/// and Alt-Svc would lead clients around us (http-rules 4.14).
bool is_never_kept(const Field& field, const ConnectionOptions& connection) {
  return field.token == FieldName::kContentLength || field.token == FieldName::kAge ||
         field.token == FieldName::kAltSvc || connection.ends_here(field);
}

/// Fields of a 304 that replace those of their name (http-rules 2.9).
bool is_merged(const Field& field, const ConnectionOptions& connection) {
  switch (field.token) {
    case FieldName::kContentEncoding:
    case FieldName::kContentRange:
    case FieldName::kSetCookie:
    case FieldName::kDate:
      return false;
    default:
      return !is_never_kept(field, connection);
  }
}

/// The names of a list of fields, found in any case without comparing each with each.
class NameIndex {
 public:
  explicit NameIndex(const HeaderList& fields) {
    slots_.resize(std::bit_ceil(2 * fields.size() + 1));
    for (const Field& field : fields) {
      Slot& slot = slots_[place_of(field.name)];
      if (slot.field == nullptr) slot = {hash_of(field.name), &field};
    }
  }
  /// The first field of that name, or null.
  const Field* find(std::string_view name) const { return slots_[place_of(name)].field; }

 private:
  struct Slot {
    uint64_t hash = 0;
    const Field* field = nullptr;
  };
  static uint64_t hash_of(std::string_view name) {
    uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (const char c : name) hash = (hash ^ static_cast<uint8_t>(to_lower(c))) * 1099511628211u;
    return hash;
  }
  /// Where that name stands, or is to stand.
  size_t place_of(std::string_view name) const {
    const uint64_t hash = hash_of(name);
    size_t at = (hash ^ hash >> 32) % slots_.size();
    while (slots_[at].field != nullptr &&
           (slots_[at].hash != hash || !iequals(slots_[at].field->name, name))) {
      at = (at + 1) % slots_.size();
    }
    return at;
  }

  std::vector<Slot> slots_;
};

std::vector<std::byte> rewrite(const StoredResponse& stored,
                               std::span<const std::string_view> drop_names,
                               std::optional<uint64_t> content_length) {
  ImageWriter writer(stored.block.size());
  for (size_t i = 0; i < stored.block.size(); ++i) {
    const Field field = stored.block.at(i);
    if (field.token == FieldName::kContentLength || named(drop_names, field.name)) continue;
    writer.add(field);
  }
  if (content_length) writer.add_content_length(*content_length);
  return writer.write(stored.reason, stored.received_age, stored.date_ms);
}

const Field* valid_date(const HeaderList& fields, int64_t now_ms) {
  const Field* date = fields.find(FieldName::kDate);
  return date != nullptr && parse_date(date->value, now_ms) ? date : nullptr;
}

}  // namespace

std::vector<std::byte> make_head_image(const ReceivedResponse& received, const ResponseTimes& times,
                                       const ImageOptions& options) {
  ImageWriter writer(received.fields.size() + 1);
  const Field* date = valid_date(received.fields, times.response_ms);
  const ConnectionOptions connection(received.fields);
  for (const Field& field : received.fields) {
    if (is_never_kept(field, connection) || named(options.drop_names, field.name)) continue;
    if (field.token == FieldName::kDate && &field != date) continue;
    if (field.token == FieldName::kSetCookie && options.drop_set_cookie) continue;
    writer.add(field);
  }
  if (date == nullptr) writer.add_date(times.response_ms);
  if (options.content_length && !lacks_length(received.status)) {
    writer.add_content_length(*options.content_length);
  }
  return writer.write(received.reason, received.fields.value(FieldName::kAge), times.response_ms);
}

std::vector<std::byte> freshen_head_image(const StoredResponse& stored,
                                          const ReceivedResponse& update,
                                          const ResponseTimes& times) {
  ImageWriter writer(stored.block.size() + update.fields.size());
  const HeaderList& fresh = update.fields;
  const ConnectionOptions connection(fresh);
  const NameIndex names(fresh);
  for (size_t i = 0; i < stored.block.size(); ++i) {
    const Field field = stored.block.at(i);
    if (field.token == FieldName::kContentLength || field.token == FieldName::kDate) continue;
    const Field* replacement = names.find(field.name);
    if (replacement != nullptr && is_merged(*replacement, connection)) continue;
    writer.add(field);
  }
  for (const Field& field : fresh) {
    if (is_merged(field, connection)) writer.add(field);
  }
  if (const Field* date = valid_date(fresh, times.response_ms); date != nullptr) {
    writer.add(*date);
  } else {
    writer.add_date(times.response_ms);
  }
  if (stored.content_length) writer.add_content_length(*stored.content_length);
  return writer.write(stored.reason, fresh.value(FieldName::kAge), times.response_ms);
}

std::vector<std::byte> without_fields(std::span<const std::byte> image,
                                      std::span<const std::string_view> names) {
  const std::optional<StoredResponse> stored = view_head_image(image, {});
  return stored ? rewrite(*stored, names, stored->content_length) : std::vector<std::byte>();
}

std::vector<std::byte> with_content_length(std::span<const std::byte> image, uint64_t length) {
  const std::optional<StoredResponse> stored = view_head_image(image, {});
  return stored ? rewrite(*stored, {}, length) : std::vector<std::byte>();
}

std::optional<StoredResponse> view_head_image(std::span<const std::byte> image,
                                              const base::ReuseFacts& policy) {
  ImageHeader header;
  if (image.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, image.data(), sizeof header);
  const size_t table_size = header.lines * sizeof(FieldEntry);
  const size_t size =
      sizeof header + table_size + header.reason_size + header.age_size + size_t{header.text_size};
  if (header.magic != kImageMagic || size != image.size()) return std::nullopt;
  StoredResponse result;
  result.policy = policy;
  const std::byte* at = image.data() + sizeof header;
  // Records are aligned to 64 bytes and the header's size keeps the table aligned.
  if (reinterpret_cast<uintptr_t>(at) % alignof(FieldEntry) != 0) return std::nullopt;
  result.block.table = {reinterpret_cast<const FieldEntry*>(at), header.lines};
  const char* chars = reinterpret_cast<const char*>(at + table_size);
  result.reason = {chars, header.reason_size};
  result.received_age = {chars + header.reason_size, header.age_size};
  result.block.text = {chars + header.reason_size + header.age_size, header.text_size};
  if (!result.block.is_whole_lines()) return std::nullopt;
  if (line_break_bytes(result.reason) + line_break_bytes(result.received_age) > 0) {
    return std::nullopt;
  }
  if (header.etag_line < header.lines) result.etag = result.block.at(header.etag_line).value;
  if (header.last_modified_line < header.lines) {
    result.last_modified = result.block.at(header.last_modified_line).value;
  }
  result.date_ms = header.date_ms;
  result.last_modified_ms = header.last_modified_ms;
  if (header.content_length >= 0) {
    result.content_length = static_cast<uint64_t>(header.content_length);
  }
  return result;
}

}  // namespace perigee::http
