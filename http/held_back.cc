#include "http/held_back.h"

#include <algorithm>
#include <array>

namespace perigee::http {
namespace {

/// What proxies tell the origin about the client's connection: ours, never a client's
/// (http-rules 4.1). Folded names.
constexpr std::string_view kFromProxies[] = {
    "forwarded",          "front-end-https",  "proxy",
    "x-forwarded",        "x-forwarded-port", "x-forwarded-prefix",
    "x-forwarded-scheme", "x-forwarded-ssl",  "x-forwarded-server",
    "x-url-scheme",
};

/// What frameworks, gateways and CDNs are known to read as another target, host, method, scheme or
/// client than the request's own, or as an order to answer in another way. Folded names; a `*` at
/// an end stands for any bytes there.
constexpr std::string_view kPoison[] = {
    // The target.
    "base-url",
    "path-info",
    "request-uri",
    "request-url",
    "script-name",
    "url-prefix",
    "x-base-path",
    "x-base-url",
    "x-matched-*",
    "x-original-*",
    "x-override-*",
    "x-path-info",
    "x-request-uri",
    "x-request-url",
    "x-rewrite*",
    "x-script-name",
    "x-uri",
    "x-url",
    // The host and the scheme.
    "disguised-host",
    "forwarded*",
    "front-end-*",
    "host-*",
    "http-*",
    "https",
    "original-host",
    "was-default-hostname",
    "x-backend*",
    "x-forward-*",
    "x-forwarded*",
    "x-host",
    "x-host-*",
    "x-https",
    "x-proto",
    "x-protocol",
    "x-scheme",
    "x-ssl",
    // The method.
    "x-http-*",
    "x-method",
    "x-method-*",
    // The client, and what a proxy found out about it.
    "*client-ip",
    "proxy*",
    "remote-*",
    "ssl-client-*",
    "wl-proxy-*",
    "x-client-cert*",
    "x-client-verify",
    "x-originating-*",
    "x-proxy-*",
    "x-real-*",
    "x-remote-*",
    "x-ssl-*",
    // Clouds, CDNs and gateways.
    "akamai-*",
    "ali-cdn-*",
    "cdn-src-ip",
    "cf-*",
    "cloudfront-*",
    "fastly-*",
    "incap-*",
    "surrogate-*",
    "x-akamai-*",
    "x-amz*",
    "x-appengine-*",
    "x-arr-*",
    "x-azure-*",
    "x-cdn-*",
    "x-edge-*",
    "x-envoy-*",
    "x-fd-*",
    "x-goog-*",
    "x-kong-*",
    "x-ms-*",
    "x-oss-*",
    "x-sucuri-*",
    "x-vercel-*",
    "x-waws-*",
    // Frameworks: another form of the page, or another page.
    "next-*",
    "rsc",
    "spring-cloud-*",
    "x-accel-*",
    "x-astro-*",
    "x-invoke-*",
    "x-middleware-*",
    "x-nextjs-*",
    "x-now-*",
    "x-nuxt-*",
    "x-php-ob-level",
    "x-react-router-*",
    "x-remix-*",
    "x-sendfile-*",
    "x-sveltekit-*",
};

bool starts_folded(std::string_view name, std::string_view folded) {
  return name.size() >= folded.size() &&
         std::equal(folded.begin(), folded.end(), name.begin(),
                    [](char wanted, char c) { return wanted == fold_name_byte(c); });
}

bool matches(std::string_view name, std::string_view pattern) {
  if (pattern.front() == '*') {
    pattern.remove_prefix(1);
    return name.size() >= pattern.size() &&
           starts_folded(name.substr(name.size() - pattern.size()), pattern);
  }
  if (pattern.back() == '*') return starts_folded(name, pattern.substr(0, pattern.size() - 1));
  return name.size() == pattern.size() && starts_folded(name, pattern);
}

template <size_t kCount>
bool is_among(const std::string_view (&patterns)[kCount], std::string_view name) {
  return std::any_of(std::begin(patterns), std::end(patterns),
                     [&](std::string_view pattern) { return matches(name, pattern); });
}

constexpr size_t kFoldedBytes = 32;  ///< no name that we know is longer

/// The field that a name is to an origin that folds names, when its own spelling is another one.
FieldName folded_field(std::string_view name) {
  if (name.size() > kFoldedBytes) return FieldName::kOther;
  std::array<char, kFoldedBytes> folded;
  std::transform(name.begin(), name.end(), folded.begin(), fold_name_byte);
  return field_name({folded.data(), name.size()});
}

/// Frames or routes a message, or is written by proxies: whoever reads it by another spelling is
/// told something else than what we made sure of.
bool frames_or_routes(FieldName token) {
  switch (token) {
    case FieldName::kCdnLoop:
    case FieldName::kContentLength:
    case FieldName::kHttp2Settings:
    case FieldName::kKeepAlive:
    case FieldName::kProxyAuthenticate:
    case FieldName::kProxyAuthenticationInfo:
    case FieldName::kProxyAuthorization:
    case FieldName::kProxyConnection:
    case FieldName::kTransferEncoding:
    case FieldName::kXForwardedFor:
    case FieldName::kXForwardedHost:
    case FieldName::kXForwardedProto:
    case FieldName::kXRealIp:
      return true;
    default:
      return false;
  }
}

/// A field that we know, in its own spelling.
Hold held_back(FieldName token) {
  switch (token) {
    case FieldName::kForwarded:
    case FieldName::kXForwardedFor:
    case FieldName::kXForwardedHost:
    case FieldName::kXForwardedProto:
    case FieldName::kXRealIp:
      return Hold::kAlways;
    default:
      return Hold::kNo;
  }
}

}  // namespace

bool folded_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return fold_name_byte(x) == fold_name_byte(y);
         });
}

Hold held_back(const Field& field) {
  if (field.token != FieldName::kOther) return held_back(field.token);
  const FieldName folded = folded_field(field.name);
  if (folded != FieldName::kOther) {
    return frames_or_routes(folded) ? Hold::kAlways : Hold::kFolded;
  }
  if (is_among(kFromProxies, field.name)) return Hold::kAlways;
  return is_among(kPoison, field.name) ? Hold::kShared : Hold::kNo;
}

}  // namespace perigee::http
