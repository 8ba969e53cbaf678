#include "http/head_image.h"

#include <bit>
#include <cstring>

#include "base/limits.h"
#include "base/text.h"
#include "http/line_breaks.h"

namespace perigee::http {
namespace {

/// The version of the layout. An image of another one is not read: a miss, and nothing else.
constexpr uint32_t kImageMagic = 0x32686770;  // "pgh2"
constexpr uint16_t kNoLine = 0xffff;

/// What an image begins with. Behind it stand the table, the reason, the received Age, the text.
struct ImageHeader {
  uint32_t magic;
  uint16_t lines;           ///< of the table: coded, common and identity lines
  uint16_t coded_lines;     ///< the first of them
  uint16_t identity_lines;  ///< the last of them
  uint16_t reason_size;
  uint16_t age_size;
  uint16_t text_size;
  uint16_t coded_size;          ///< of the coded lines' text, which stands first
  uint16_t identity_size;       ///< of the identity lines' text, which stands last
  uint16_t etag_line;           ///< in the table, of the ETag as it came; kNoLine: none
  uint16_t last_modified_line;  ///< kNoLine: none
  int64_t date_ms;
  int64_t last_modified_ms;  ///< -1: absent or unparsable
  int64_t content_length;    ///< -1: no such line
};
static_assert(sizeof(ImageHeader) == 48 && offsetof(ImageHeader, lines) == 4 &&
              offsetof(ImageHeader, text_size) == 14 && offsetof(ImageHeader, etag_line) == 20 &&
              offsetof(ImageHeader, date_ms) == 24 && offsetof(ImageHeader, content_length) == 40);
static_assert(std::endian::native == std::endian::little, "images are little-endian");

/// Lines that describe the very bytes of the identity form.
bool is_identity_line(FieldName token) {
  switch (token) {
    case FieldName::kEtag:
    case FieldName::kAcceptRanges:
    case FieldName::kContentEncoding:
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

/// The weak form of an entity tag (RFC 9110 §8.8.1); empty for what is none.
std::string weak_form(std::string_view etag) {
  if (etag.starts_with("W/\"")) return std::string(etag);
  return etag.starts_with('"') ? "W/" + std::string(etag) : std::string();
}

size_t text_bytes(const std::vector<Field>& lines) {
  size_t bytes = 0;
  for (const Field& field : lines) bytes += field.name.size() + field.value.size() + 4;
  return bytes;
}

/// Where the text of line `i` begins; of all lines, where it ends.
size_t begin_of_line(std::span<const FieldEntry> table, size_t i) {
  return i == 0 ? 0 : size_t{table[i - 1].value_offset} + table[i - 1].value_length + 2;
}

/// The groups end where lines do.
bool has_whole_groups(const ImageHeader& header, std::span<const FieldEntry> table) {
  if (header.coded_lines + header.identity_lines > header.lines) return false;
  const size_t identity_begin = begin_of_line(table, header.lines - header.identity_lines);
  return begin_of_line(table, header.coded_lines) == header.coded_size &&
         identity_begin + header.identity_size == header.text_size;
}

}  // namespace

/// An image that is being written.
struct HeadImageWriter::Draft {
  ImageHeader header{};
  std::vector<FieldEntry> table;
  std::string text;

  void append(const std::vector<Field>& lines, int64_t now_ms) {
    for (const Field& field : lines) append(field, now_ms);
  }
  void append(const Field& field, int64_t now_ms) {
    const auto line = static_cast<uint16_t>(table.size());
    if (field.token == FieldName::kEtag && header.etag_line == kNoLine) header.etag_line = line;
    if (field.token == FieldName::kLastModified && header.last_modified_line == kNoLine) {
      header.last_modified_line = line;
      header.last_modified_ms = parse_date(field.value, now_ms).value_or(-1);
    }
    if (field.token == FieldName::kDate) {
      header.date_ms = parse_date(field.value, now_ms).value_or(now_ms);
    }
    append_line(field);
  }
  void append_line(const Field& field) {
    table.push_back({static_cast<uint16_t>(field.token), static_cast<uint16_t>(field.name.size()),
                     static_cast<uint16_t>(text.size() + field.name.size() + 2),
                     static_cast<uint16_t>(field.value.size())});
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
};

void HeadImageWriter::add(const Field& field) {
  (is_identity_line(field.token) ? identity_ : common_).push_back(field);
  if (field.token == FieldName::kEtag && weak_etag_.empty()) weak_etag_ = weak_form(field.value);
}

void HeadImageWriter::add_content_length(uint64_t length) {
  length_text_ = base::Decimal(length);
  add({FieldName::kContentLength, "Content-Length", length_text_.text()});
  content_length_ = static_cast<int64_t>(length);
}

void HeadImageWriter::add_date(int64_t ms) {
  date_ms_ = ms;
  add({FieldName::kDate, "Date", format_date(ms, date_text_)});
}

std::vector<std::byte> HeadImageWriter::write(std::string_view reason, std::string_view age,
                                              int64_t now_ms) {
  std::vector<Field> coded;
  if (!weak_etag_.empty()) coded.push_back({FieldName::kEtag, "ETag", weak_etag_});
  const size_t text_size = text_bytes(coded) + text_bytes(common_) + text_bytes(identity_);
  const size_t lines = coded.size() + common_.size() + identity_.size();
  const size_t size =
      sizeof(ImageHeader) + lines * sizeof(FieldEntry) + reason.size() + age.size() + text_size;
  if (size > base::limits::kHeadImageBytes || text_size > UINT16_MAX) return {};
  Draft draft;
  draft.table.reserve(lines);
  draft.text.reserve(text_size);
  ImageHeader& header = draft.header;
  header.magic = kImageMagic;
  header.lines = static_cast<uint16_t>(lines);
  header.coded_lines = static_cast<uint16_t>(coded.size());
  header.identity_lines = static_cast<uint16_t>(identity_.size());
  header.reason_size = static_cast<uint16_t>(reason.size());
  header.age_size = static_cast<uint16_t>(age.size());
  header.text_size = static_cast<uint16_t>(text_size);
  header.coded_size = static_cast<uint16_t>(text_bytes(coded));
  header.identity_size = static_cast<uint16_t>(text_bytes(identity_));
  header.etag_line = header.last_modified_line = kNoLine;
  header.last_modified_ms = -1;
  header.content_length = content_length_;
  for (const Field& field : coded) draft.append_line(field);
  draft.append(common_, now_ms);
  draft.append(identity_, now_ms);
  if (date_ms_ >= 0) header.date_ms = date_ms_;
  std::vector<std::byte> image;
  image.reserve(size);
  const auto put = [&](const void* bytes, size_t n) {
    const auto* begin = static_cast<const std::byte*>(bytes);
    image.insert(image.end(), begin, begin + n);
  };
  put(&header, sizeof header);
  put(draft.table.data(), draft.table.size() * sizeof(FieldEntry));
  put(reason.data(), reason.size());
  put(age.data(), age.size());
  put(draft.text.data(), draft.text.size());
  return image;
}

std::optional<StoredResponse> view_head_image(std::span<const std::byte> image,
                                              const base::ReuseFacts& policy) {
  ImageHeader header;
  if (image.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, image.data(), sizeof header);
  const size_t table_size = header.lines * sizeof(FieldEntry);
  const size_t size =
      sizeof header + table_size + header.reason_size + header.age_size + header.text_size;
  if (header.magic != kImageMagic || size != image.size()) return std::nullopt;
  const std::byte* at = image.data() + sizeof header;
  // Records are aligned to 64 bytes and the header's size keeps the table aligned.
  if (reinterpret_cast<uintptr_t>(at) % alignof(FieldEntry) != 0) return std::nullopt;
  const char* chars = reinterpret_cast<const char*>(at + table_size);
  const FieldBlock all{{chars + header.reason_size + header.age_size, header.text_size},
                       {reinterpret_cast<const FieldEntry*>(at), header.lines}};
  if (!all.is_whole_lines() || !has_whole_groups(header, all.table)) return std::nullopt;
  StoredResponse result;
  result.policy = policy;
  result.reason = {chars, header.reason_size};
  result.received_age = {chars + header.reason_size, header.age_size};
  if (line_break_bytes(result.reason) + line_break_bytes(result.received_age) > 0) {
    return std::nullopt;
  }
  result.block = {all.text.substr(header.coded_size), all.table.subspan(header.coded_lines),
                  header.coded_size};
  result.coded_block = {all.text.substr(0, header.text_size - header.identity_size),
                        all.table.first(header.lines - header.identity_lines)};
  if (header.etag_line < header.lines) result.etag = all.at(header.etag_line).value;
  if (header.last_modified_line < header.lines) {
    result.last_modified = all.at(header.last_modified_line).value;
  }
  result.date_ms = header.date_ms;
  result.last_modified_ms = header.last_modified_ms;
  if (header.content_length >= 0) {
    result.content_length = static_cast<uint64_t>(header.content_length);
  }
  return result;
}

}  // namespace perigee::http
