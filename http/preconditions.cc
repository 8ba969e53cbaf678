#include "http/preconditions.h"

#include <algorithm>

#include "base/limits.h"
#include "http/content_coding.h"
#include "http/date.h"

namespace perigee::http {
namespace {

/// A quoted tag, without what makes it weak.
bool is_quoted(std::string_view tag) {
  return tag.size() >= 2 && tag.find('"', 1) == tag.size() - 1 && tag.front() == '"';
}

/// What weak comparison looks at: a tag that does not parse is taken whole.
std::string_view opaque(std::string_view tag) {
  return tag.starts_with("W/") && is_quoted(tag.substr(2)) ? tag.substr(2) : tag;
}

/// The next member of a list of entity-tags, in which a backslash escapes nothing. Empty: the end.
std::string_view next_tag(std::string_view& rest) {
  const size_t begin = rest.find_first_not_of(" \t,");
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(begin);
  size_t end = std::min(rest.find(','), rest.size());
  // Only as far as the comma: looked for in the whole rest, each tag would cost the length of all.
  const size_t quote = rest.substr(0, end).find('"');
  if (quote != std::string_view::npos) {
    const size_t closing = rest.find('"', quote + 1);
    end = std::min(rest.find(',', closing == std::string_view::npos ? end : closing), rest.size());
  }
  const std::string_view tag = trim_ows(rest.substr(0, end));
  rest.remove_prefix(end);
  return tag;
}

/// `stored` is among the tags of that field's lines, or one of them is `*`. `weak`: what makes a
/// tag weak does not count; else neither may be weak.
bool any_tag(const HeaderList& fields, FieldName name, std::string_view stored, bool weak) {
  const std::string_view wanted = weak ? opaque(stored) : stored;
  const bool comparable = weak ? !stored.empty() : is_quoted(stored);
  size_t compared = 0;
  for (const Field& field : fields) {
    if (field.token != name) continue;
    if (trim_ows(field.value) == "*") return true;
    std::string_view rest = field.value;
    while (comparable && compared < base::limits::kTagsCompared) {
      const std::string_view tag = next_tag(rest);
      if (tag.empty()) break;
      ++compared;
      if ((weak ? opaque(tag) : tag) == wanted) return true;
    }
  }
  return false;
}

bool is_condition(const Field& field) {
  static_assert(FieldName::kIfMatch < FieldName::kIfNoneMatch &&
                FieldName::kIfNoneMatch < FieldName::kIfUnmodifiedSince);
  return field.token >= FieldName::kIfMatch && field.token <= FieldName::kIfUnmodifiedSince;
}

/// Of a field with one line; anything else is no date (RFC 9110 §13.1.3).
std::optional<int64_t> date_of(const HeaderList& fields, FieldName name, int64_t now_ms) {
  const Field* field = fields.find(name);
  if (field == nullptr || fields.count(name) != 1) return std::nullopt;
  return parse_date(field->value, now_ms);
}

}  // namespace

bool weakly_equal(std::string_view a, std::string_view b) {
  return !a.empty() && opaque(a) == opaque(b);
}

bool strongly_equal(std::string_view a, std::string_view b) { return a == b && is_quoted(a); }

Precondition evaluate(const StoredResponse& stored, const RequestHead& request) {
  const uint16_t status = stored.policy.status;
  if (status < 200 || status >= 300) return Precondition::kNone;
  const HeaderList& fields = request.fields;
  if (std::none_of(fields.begin(), fields.end(), is_condition)) return Precondition::kNone;
  const int64_t now_ms = stored.date_ms;
  const int64_t modified_ms = stored.last_modified_ms;
  if (fields.find(FieldName::kIfMatch) != nullptr) {
    if (!any_tag(fields, FieldName::kIfMatch, stored.etag, false)) {
      return Precondition::kFailed;
    }
  } else if (const auto since = date_of(fields, FieldName::kIfUnmodifiedSince, now_ms)) {
    if (modified_ms < 0 || modified_ms > *since) return Precondition::kFailed;
  }
  if (fields.find(FieldName::kIfNoneMatch) != nullptr) {
    const bool match = any_tag(fields, FieldName::kIfNoneMatch, stored.etag, true);
    return match ? Precondition::kNotModified : Precondition::kNone;
  }
  if (const auto since = date_of(fields, FieldName::kIfModifiedSince, now_ms)) {
    // Without Last-Modified its Date stands in (RFC 9111 §4.3.2).
    const int64_t changed_ms = stored.last_modified.empty() ? stored.date_ms : modified_ms;
    if (changed_ms >= 0 && changed_ms <= *since) return Precondition::kNotModified;
  }
  return Precondition::kNone;
}

bool is_conditional_on_origin(const RequestHead& request) {
  return request.fields.find(FieldName::kIfMatch) != nullptr ||
         request.fields.find(FieldName::kIfUnmodifiedSince) != nullptr;
}

bool if_range_holds(const StoredResponse& stored, const RequestHead& request) {
  const Field* condition = request.fields.find(FieldName::kIfRange);
  if (condition == nullptr) return true;
  if (request.fields.count(FieldName::kIfRange) != 1) return false;
  if (strongly_equal(condition->value, stored.etag)) return true;
  // What this client holds may be coded, under the same date.
  const bool coded = (stored.policy.flags & ReuseFlag::kCodable) != 0 &&
                     !accepted_codings(request.fields, CodingSet::all()).sets[0].empty();
  if (coded) return false;
  return !stored.last_modified.empty() && condition->value == stored.last_modified &&
         stored.last_modified_ms >= 0 && stored.date_ms - stored.last_modified_ms >= 1000;
}

}  // namespace perigee::http
