#include "http/preflight.h"

#include <algorithm>

namespace perigee::http {
namespace {

constexpr std::string_view kAllowMethods = "Access-Control-Allow-Methods";
constexpr std::string_view kAllowHeaders = "Access-Control-Allow-Headers";
constexpr std::string_view kMaxAge = "Access-Control-Max-Age";
constexpr size_t kLinesMost = 3;
constexpr size_t kNamesAndDigits = 128;  ///< bytes of those lines besides their lists

/// Access-Control-Allow-Origin for this one; empty: it is not allowed.
std::string_view allowed_origin(std::string_view origin, const PreflightOptions& options) {
  const auto& listed = options.origins;
  if (std::find(listed.begin(), listed.end(), "*") != listed.end()) return "*";
  return std::find(listed.begin(), listed.end(), origin) != listed.end() ? origin
                                                                         : std::string_view();
}

}  // namespace

bool is_preflight(const RequestHead& request) {
  return request.method == Method::kOptions && request.fields.find(FieldName::kOrigin) != nullptr &&
         request.fields.find("Access-Control-Request-Method") != nullptr;
}

std::optional<ResponseHead> answer_preflight(const RequestHead& request,
                                             const PreflightOptions& options, Arena& arena) {
  ResponseHead head;
  head.status = 204;
  head.add_fresh(FieldName::kVary, "Origin, Access-Control-Request-Method");
  const std::string_view origin = allowed_origin(request.fields.value(FieldName::kOrigin), options);
  if (origin.empty()) return head;
  head.add_fresh(FieldName::kAccessControlAllowOrigin, origin);
  FieldBlockBuilder lines(arena, options.methods.size() + options.headers.size() + kNamesAndDigits,
                          kLinesMost);
  if (!options.methods.empty()) lines.add(kAllowMethods, options.methods);
  if (!options.headers.empty()) lines.add(kAllowHeaders, options.headers);
  if (options.max_age_s) lines.add(kMaxAge, std::to_string(*options.max_age_s));
  if (!lines.ok()) return std::nullopt;
  head.block = lines.block();
  return head;
}

}  // namespace perigee::http
