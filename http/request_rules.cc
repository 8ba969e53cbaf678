#include "http/request_rules.h"

#include <algorithm>

#include "base/text.h"
#include "http/cache_key.h"

namespace perigee::http {
namespace {

/// Methods that are relayed by their name alone, beside those of Method (RFC 9110 §16.1.1). Absent
/// on purpose: CONNECT and SOURCE, which make tunnels, and what is not HTTP's.
constexpr std::string_view kRelayedMethods[] = {
    "ACL",    "BIND",       "CHECKOUT",   "COPY",   "LINK",   "LOCK",        "M-SEARCH",
    "MERGE",  "MKACTIVITY", "MKCALENDAR", "MKCOL",  "MOVE",   "NOTIFY",      "PROPPATCH",
    "REBIND", "SUBSCRIBE",  "UNBIND",     "UNLINK", "UNLOCK", "UNSUBSCRIBE",
};

void count(size_t& lines, std::string_view& first, std::string_view value) {
  if (lines++ == 0) first = value;
}

}  // namespace

void RequestLines::add(const Field& field) {
  switch (field.token) {
    case FieldName::kHost:
      return count(hosts, host, field.value);
    case FieldName::kExpect:
      return count(expectations, expectation, field.value);
    case FieldName::kConnection:
      return connection.add(field.value);
    case FieldName::kUpgrade:
    case FieldName::kHttp2Settings:
      upgrade = true;
      return;
    default:
      return;
  }
}

Refusal judge_method(Method method, std::string_view text) {
  if (method == Method::kTrace) return {405, "TRACE is not allowed"};
  if (method != Method::kOther) return {};
  const auto end = std::end(kRelayedMethods);
  if (std::find(std::begin(kRelayedMethods), end, text) != end) return {};
  return {501, "this method is not implemented"};
}

Refusal take_options(const RequestLines& lines, bool has_content, RequestHead& head) {
  if (lines.connection.too_many()) return {400, "Connection names too many fields"};
  if (lines.connection.names_critical(/*response=*/false)) {
    return {400, "Connection names a field that is not the connection's"};
  }
  head.asks_upgrade = lines.upgrade;
  if (lines.expectations > 0 && head.version_minor > 0) {
    if (lines.expectations > 1 || !base::iequals(lines.expectation, "100-continue")) {
      return {417, "this expectation cannot be met"};
    }
    head.expect_continue = has_content;
  }
  return {};
}

Refusal take_host(const RequestLines& lines, RequestScratch& scratch, RequestHead& head) {
  if (lines.hosts > 1) return {400, "more than one Host"};
  if (lines.hosts == 0 && head.version_minor > 0) return {400, "no Host"};
  head.authority = lines.host;
  if (lines.hosts == 1 && !scratch.valid_authority(head.authority, head.scheme)) {
    return {400, "Host is malformed"};
  }
  return {};
}

Refusal take_target(RequestScratch& scratch, RequestHead& head) {
  std::string_view target = head.target;
  if (target == "*") {
    if (head.method == Method::kOptions) return {};
    return {400, "the target * is for OPTIONS"};
  }
  if (target.front() != '/') {
    const size_t colon = target.find("://");
    if (colon == std::string_view::npos) return {400, "the target is malformed"};
    if (!base::iequals(target.substr(0, colon), head.scheme)) {
      return {400, "the target's scheme is not this listener's"};
    }
    target.remove_prefix(colon + 3);
    const size_t end = std::min(target.find_first_of("/?"), target.size());
    head.authority = target.substr(0, end);
    if (!scratch.valid_authority(head.authority, head.scheme)) {
      return {400, "the target's authority is malformed"};
    }
    target.remove_prefix(end);
    if (target.empty()) target = "/";
    if (target.front() == '?') target = scratch.with_slash(target);
  }
  const std::optional<std::string_view> normal = scratch.normal_target(target);
  if (!normal) return {400, "the target is malformed"};
  head.target = *normal;
  return {};
}

}  // namespace perigee::http
