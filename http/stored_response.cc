#include "http/stored_response.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"
#include "base/text.h"
#include "http/connection_options.h"
#include "http/date.h"
#include "http/digest_fields.h"
#include "http/head_image.h"
#include "http/preconditions.h"
#include "http/vary.h"

namespace perigee::http {
namespace {

/// A message with this status has no Content-Length of its own.
bool lacks_length(uint16_t status) { return status < 200 || status == 204 || status == 304; }

bool named(std::span<const std::string_view> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view other) { return base::iequals(other, name); });
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
    case FieldName::kAcceptRanges:
    // Those that are stored were compared with the body.
    case FieldName::kReprDigest:
    case FieldName::kContentDigest:
      return false;
    default:
      return !is_never_kept(field, connection);
  }
}

/// What of a 304 does not replace what is stored, though its name would: a tag that only weakly
/// equals the stored weak one, and a Vary, which may leave names out (http-rules 2.9).
bool is_held(const Field& field, const StoredResponse& stored) {
  if (field.token == FieldName::kVary) return stored.block.find(FieldName::kVary).has_value();
  return field.token == FieldName::kEtag && stored.etag.starts_with("W/") &&
         weakly_equal(field.value, stored.etag);
}

/// The members of Vary in `fresh` that the stored Vary does not have, as a list.
std::string added_vary(const StoredResponse& stored, const HeaderList& fresh) {
  std::string added;
  const auto has = [&](std::string_view name) {
    for (size_t i = 0; i < stored.block.size(); ++i) {
      const Field field = stored.block.at(i);
      if (field.token != FieldName::kVary) continue;
      ListCursor cursor(field.value);
      while (const auto member = cursor.next()) {
        if (base::iequals(*member, name)) return true;
      }
    }
    return false;
  };
  size_t members = 0;
  for (const Field& field : fresh) {
    if (field.token != FieldName::kVary) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      // Beyond the bound it names whatever it likes, as anywhere.
      if (++members > base::limits::kVaryMembers) return "*";
      if (!has(*member)) added.append(added.empty() ? "" : ", ").append(*member);
    }
  }
  return added;
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
    for (const char c : name)
      hash = (hash ^ static_cast<uint8_t>(base::to_lower(c))) * 1099511628211u;
    return hash;
  }
  /// Where that name stands, or is to stand.
  size_t place_of(std::string_view name) const {
    const uint64_t hash = hash_of(name);
    size_t at = (hash ^ hash >> 32) % slots_.size();
    while (slots_[at].field != nullptr &&
           (slots_[at].hash != hash || !base::iequals(slots_[at].field->name, name))) {
      at = (at + 1) % slots_.size();
    }
    return at;
  }

  std::vector<Slot> slots_;
};

std::vector<std::byte> rewrite(const StoredResponse& stored,
                               std::span<const std::string_view> drop_names,
                               std::optional<uint64_t> content_length, std::string_view sha256) {
  HeadImageWriter writer;
  bool told = sha256.empty();
  for (size_t i = 0; i < stored.block.size(); ++i) {
    const Field field = stored.block.at(i);
    if (field.token == FieldName::kContentLength || named(drop_names, field.name)) continue;
    writer.add(field);
    told = told || (field.token == FieldName::kReprDigest && names_sha256(field.value));
  }
  if (content_length) writer.add_content_length(*content_length);
  const std::string digest = sha256_value(sha256);
  if (!told) writer.add({FieldName::kReprDigest, "Repr-Digest", digest});
  return writer.write(stored.reason, stored.received_age, stored.date_ms);
}

const Field* valid_date(const HeaderList& fields, int64_t now_ms) {
  const Field* date = fields.find(FieldName::kDate);
  return date != nullptr && parse_date(date->value, now_ms) ? date : nullptr;
}

}  // namespace

std::vector<std::byte> make_head_image(const ReceivedResponse& received, const ResponseTimes& times,
                                       const ImageOptions& options) {
  HeadImageWriter writer;
  const Field* date = valid_date(received.fields, times.response_ms);
  const ConnectionOptions connection(received.fields);
  for (const Field& field : received.fields) {
    if (is_never_kept(field, connection) || named(options.drop_names, field.name)) continue;
    if (field.token == FieldName::kDate && &field != date) continue;
    if (field.token == FieldName::kSetCookie && options.drop_set_cookie) continue;
    if (field.token == FieldName::kAcceptRanges && options.accepts_ranges) continue;
    writer.add(field);
  }
  if (options.codable && !varies_by(received.fields, "Accept-Encoding")) {
    writer.add({FieldName::kVary, "Vary", "Accept-Encoding"});
  }
  if (options.accepts_ranges) writer.add({FieldName::kAcceptRanges, "Accept-Ranges", "bytes"});
  if (date == nullptr) writer.add_date(times.response_ms);
  if (options.content_length && !lacks_length(received.status)) {
    writer.add_content_length(*options.content_length);
  }
  return writer.write(received.reason, received.fields.value(FieldName::kAge), times.response_ms);
}

std::vector<std::byte> freshen_head_image(const StoredResponse& stored,
                                          const ReceivedResponse& update,
                                          const ResponseTimes& times) {
  HeadImageWriter writer;
  const HeaderList& fresh = update.fields;
  const ConnectionOptions connection(fresh);
  const NameIndex names(fresh);
  const auto replaces = [&](const Field& field) {
    return is_merged(field, connection) && !is_held(field, stored);
  };
  for (size_t i = 0; i < stored.block.size(); ++i) {
    const Field field = stored.block.at(i);
    if (field.token == FieldName::kContentLength || field.token == FieldName::kDate) continue;
    const Field* replacement = names.find(field.name);
    if (replacement != nullptr && replaces(*replacement)) continue;
    writer.add(field);
  }
  for (const Field& field : fresh) {
    if (replaces(field)) writer.add(field);
  }
  const std::string vary = added_vary(stored, fresh);
  if (stored.block.find(FieldName::kVary) && !vary.empty()) {
    writer.add({FieldName::kVary, "Vary", vary});
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
  return stored ? rewrite(*stored, names, stored->content_length, {}) : std::vector<std::byte>();
}

std::vector<std::byte> with_whole_body(std::span<const std::byte> image, uint64_t length,
                                       std::string_view sha256) {
  const std::optional<StoredResponse> stored = view_head_image(image, {});
  return stored ? rewrite(*stored, {}, length, sha256) : std::vector<std::byte>();
}

}  // namespace perigee::http
