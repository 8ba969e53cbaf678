#include "http/connection_options.h"

#include <algorithm>

#include "base/text.h"

namespace perigee::http {
namespace {

/// Hop-by-hop whether Connection names it or not.
bool is_hop_by_hop(FieldName token) {
  switch (token) {
    case FieldName::kConnection:
    case FieldName::kHttp2Settings:
    case FieldName::kKeepAlive:
    case FieldName::kProxyConnection:
    case FieldName::kProxyAuthenticate:
    case FieldName::kProxyAuthenticationInfo:
    case FieldName::kProxyAuthorization:
    case FieldName::kTe:
    case FieldName::kTrailer:
    case FieldName::kTransferEncoding:
    case FieldName::kUpgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool is_critical_field(FieldName token, bool response) {
  switch (token) {
    case FieldName::kAge:
    case FieldName::kCacheControl:
    case FieldName::kContentLength:
      return true;
    case FieldName::kHost:
    case FieldName::kTransferEncoding:
    case FieldName::kAuthorization:
    case FieldName::kCookie:
    case FieldName::kRange:
    case FieldName::kIfMatch:
    case FieldName::kIfNoneMatch:
    case FieldName::kIfModifiedSince:
    case FieldName::kIfUnmodifiedSince:
    case FieldName::kIfRange:
      return !response;
    case FieldName::kVary:
    case FieldName::kSetCookie:
    case FieldName::kEtag:
    case FieldName::kContentType:
    case FieldName::kDate:
    case FieldName::kExpires:
    case FieldName::kContentEncoding:
    case FieldName::kLastModified:
    case FieldName::kCdnCacheControl:
      return response;
    default:
      return false;
  }
}

ConnectionOptions::ConnectionOptions(const HeaderList& fields) {
  for (const Field& field : fields) {
    if (field.token == FieldName::kConnection) add(field.value);
  }
}

void ConnectionOptions::add(std::string_view value) {
  ListCursor cursor(value);
  while (const auto member = cursor.next()) {
    ++words_;
    // Nothing that follows makes the message well-formed again.
    if (too_many()) return;
    if (base::iequals(*member, "close")) {
      close_ = true;
      continue;
    }
    const FieldName token = field_name(*member);
    critical_in_request_ |= is_critical_field(token, /*response=*/false);
    critical_in_response_ |= is_critical_field(token, /*response=*/true);
    keep_alive_ |= token == FieldName::kKeepAlive;
    upgrades_ |= token == FieldName::kUpgrade;
    if (is_hop_by_hop(token)) continue;
    if (count_ < names_.size()) names_[count_] = *member;
    count_ = std::min(count_ + 1, names_.size() + 1);
  }
}

bool ConnectionOptions::names(std::string_view name) const {
  if (too_many()) return true;
  return std::any_of(names_.begin(), names_.begin() + count_,
                     [&](std::string_view other) { return base::iequals(other, name); });
}

bool ConnectionOptions::ends_here(const Field& field) const {
  return is_hop_by_hop(field.token) || names(field.name);
}

}  // namespace perigee::http
