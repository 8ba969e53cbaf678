#include "http/content_range.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "http/preconditions.h"

namespace perigee::http {
namespace {

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

const Field* only_line(const HeaderList& fields, FieldName name) {
  const Field* only = nullptr;
  for (const Field& field : fields) {
    if (field.token != name) continue;
    if (only != nullptr) return nullptr;
    only = &field;
  }
  return only;
}

/// What the Content-Range of a 206 says, if its length does not contradict it.
std::optional<ContentRange> range_brought(const ReceivedResponse& response) {
  const Field* line = only_line(response.fields, FieldName::kContentRange);
  if (response.status != 206 || line == nullptr) return std::nullopt;
  const std::optional<ContentRange> range = parse_content_range(line->value);
  const bool agrees =
      range && response.content_length.value_or(range->span.size()) == range->span.size();
  return agrees ? range : std::nullopt;
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view value) {
  const size_t space = value.find(' ');
  if (space == std::string_view::npos || !base::iequals(value.substr(0, space), "bytes")) {
    return std::nullopt;
  }
  value.remove_prefix(space + 1);
  const size_t dash = value.find('-');
  const size_t slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) {
    return std::nullopt;
  }
  const std::optional<uint64_t> first = parse_number(value.substr(0, dash));
  const std::optional<uint64_t> last = parse_number(value.substr(dash + 1, slash - dash - 1));
  const std::string_view size_text = value.substr(slash + 1);
  const std::optional<uint64_t> size = parse_number(size_text);
  if (!first || !last || *last < *first || *last == UINT64_MAX) return std::nullopt;
  if (size_text != "*" && (!size || *size <= *last)) return std::nullopt;
  return ContentRange{{*first, *last + 1}, size};
}

std::string_view range_of(const ByteSpan& span, Arena& arena) {
  CHECK(span.size() > 0);
  return arena.copy("bytes=" + std::to_string(span.begin) + "-" + std::to_string(span.end - 1));
}

bool add_part_fields(const Part& part, Arena& arena, HeaderList& fields) {
  const std::string_view range = range_of(part.span, arena);
  return range.data() != nullptr && fields.add({FieldName::kRange, "Range", range}) &&
         fields.add({FieldName::kIfRange, "If-Range", part.etag});
}

uint64_t bytes_brought(const ReceivedResponse& response, const Part& part) {
  const std::optional<ContentRange> range = range_brought(response);
  const Field* etag = only_line(response.fields, FieldName::kEtag);
  const bool same = range && etag != nullptr && strongly_equal(etag->value, part.etag) &&
                    range->size.value_or(part.object_size) == part.object_size &&
                    range->span.begin == part.span.begin && range->span.end <= part.span.end;
  return same ? range->span.size() : 0;
}

std::optional<FirstWanted> first_wanted(std::string_view range_field) {
  const size_t equals = range_field.find('=');
  if (equals == std::string_view::npos || !base::iequals(range_field.substr(0, equals), "bytes")) {
    return std::nullopt;
  }
  ListCursor cursor(range_field.substr(equals + 1));
  const auto spec = cursor.next();
  if (!spec) return std::nullopt;
  const size_t dash = spec->find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view last_text = spec->substr(dash + 1);
  const std::optional<uint64_t> last = parse_number(last_text);
  if (!last && !last_text.empty()) return std::nullopt;
  if (dash == 0) {
    return last && *last > 0 ? std::optional(FirstWanted{true, *last, true}) : std::nullopt;
  }
  const std::optional<uint64_t> first = parse_number(spec->substr(0, dash));
  if (!first || (last && *last < *first)) return std::nullopt;
  return FirstWanted{false, *first, !last};
}

ByteSpan aligned_span(const FirstWanted& wanted, uint64_t each, uint64_t size) {
  CHECK(each > 0);
  if (wanted.from_end) return {size - std::min(each, size), size};
  const uint64_t begin = std::min(wanted.at / each * each, size);
  return {begin, begin + std::min(each, size - begin)};
}

std::string_view aligned_range(const FirstWanted& wanted, uint64_t each, Arena& arena) {
  if (wanted.from_end) return arena.copy("bytes=-" + std::to_string(each));
  return range_of(aligned_span(wanted, each, UINT64_MAX), arena);
}

std::optional<ContentRange> usable_part(const ReceivedResponse& response) {
  const std::optional<ContentRange> range = range_brought(response);
  const Field* etag = only_line(response.fields, FieldName::kEtag);
  const bool usable = range && range->size && response.content_length && etag != nullptr &&
                      strongly_equal(etag->value, etag->value);
  return usable ? range : std::nullopt;
}

ReceivedResponse whole_of(const ReceivedResponse& part, uint64_t size,
                          std::vector<Field>& storage) {
  ReceivedResponse whole = part;
  whole.status = 200;
  whole.reason = reason_phrase(200);
  whole.content_length = size;
  storage.resize(part.fields.size());
  whole.fields = HeaderList(storage);
  for (const Field& field : part.fields) {
    const bool of_part = field.token == FieldName::kContentRange ||
                         field.token == FieldName::kContentDigest ||
                         field.token == FieldName::kContentMd5;
    if (!of_part) whole.fields.add(field);
  }
  return whole;
}

}  // namespace perigee::http
