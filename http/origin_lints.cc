#include "http/origin_lints.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "http/date.h"
#include "http/vary.h"

namespace perigee::http {

std::optional<int64_t> late_date_ms(const ReceivedResponse& received, const ResponseTimes& times) {
  const HeaderList& fields = received.fields;
  const Field* date = fields.find(FieldName::kDate);
  if (date == nullptr || fields.find(FieldName::kAge) != nullptr ||
      fields.find(FieldName::kVia) != nullptr) {
    return std::nullopt;
  }
  const std::optional<int64_t> at_ms = parse_date(date->value, times.response_ms);
  if (!at_ms || times.response_ms - *at_ms <= kLateDateMs) return std::nullopt;
  return times.response_ms - *at_ms;
}

std::string_view directive_with_semicolon(const HeaderList& fields) {
  size_t looked_at = 0;
  for (const Field& field : fields) {
    if (field.token != FieldName::kCacheControl) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (++looked_at > base::limits::kDirectives) return {};
      // What stands behind a quote is an argument, and may hold anything.
      const std::string_view bare = member->substr(0, member->find('"'));
      if (bare.find(';') != std::string_view::npos) return *member;
    }
  }
  return {};
}

bool is_cors_without_vary(const HeaderList& fields, std::span<const std::string> key_fields) {
  const std::string_view allowed = fields.value(FieldName::kAccessControlAllowOrigin);
  if (allowed.empty() || allowed == "*") return false;
  const auto is_origin = [](std::string_view name) { return base::iequals(name, "origin"); };
  if (std::any_of(key_fields.begin(), key_fields.end(), is_origin)) return false;
  const auto names = vary_names(fields);
  return names && std::none_of(names->begin(), names->end(), is_origin);
}

}  // namespace perigee::http
