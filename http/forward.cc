#include "http/forward.h"

#include <algorithm>

namespace perigee::http {
namespace {

/// Fields known to poison caches when they are forwarded but not keyed (protocol notes; `_` equals `-`,
/// since CGI origins fold them).
constexpr std::string_view kPoison[] = {
    "x-forwarded-host",   "x-forwarded-proto",  "x-forwarded-port",       "x-forwarded-scheme",
    "x-forwarded-server", "x-forwarded-ssl",    "x-forwarded-prefix",     "x-forwarded-for",
    "x-forwarded",        "forwarded",          "x-original-url",         "x-original-host",
    "x-rewrite-url",      "x-http-method",      "x-http-method-override", "x-method-override",
    "x-host",             "x-http-host-override", "x-real-ip",            "front-end-https",
    "x-url-scheme",       "proxy",
};

bool folded_equal(std::string_view name, std::string_view wanted) {
  if (name.size() != wanted.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    char c = name[i] == '_' ? '-' : name[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (c != wanted[i]) return false;
  }
  return true;
}

bool is_poison(std::string_view name) {
  const char first = name.empty() ? '\0' : static_cast<char>(name.front() | 0x20);
  if (first != 'x' && first != 'f' && first != 'p') return false;
  return std::any_of(std::begin(kPoison), std::end(kPoison),
                     [&](std::string_view wanted) { return folded_equal(name, wanted); });
}

/// What a fill leaves out: it is unconditional, whole, and nobody's directives pierce it.
bool is_for_one_client(FieldName token, bool send_client_directives) {
  switch (token) {
    case FieldName::kIfMatch:
    case FieldName::kIfNoneMatch:
    case FieldName::kIfModifiedSince:
    case FieldName::kIfUnmodifiedSince:
    case FieldName::kIfRange:
    case FieldName::kRange:
    case FieldName::kAcceptEncoding:
      return true;
    case FieldName::kCacheControl:
    case FieldName::kPragma:
      return !send_client_directives;
    default:
      return false;
  }
}

/// Never forwarded as they came: framing, routing, and what we answer ourselves.
bool is_ours(FieldName token) {
  switch (token) {
    case FieldName::kHost:
    case FieldName::kContentLength:
    case FieldName::kExpect:
    case FieldName::kHttp2Settings:
    case FieldName::kVia:
    case FieldName::kCdnLoop:
      return true;
    default:
      return false;
  }
}

bool allowed(const Field& field, const std::vector<std::string>* allow) {
  if (allow == nullptr) return true;
  return std::any_of(allow->begin(), allow->end(),
                     [&](const std::string& name) { return iequals(name, field.name); });
}

bool connection_names(const HeaderList& all, std::string_view name) {
  for (const Field& field : all) {
    if (field.token != FieldName::kConnection) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (iequals(*member, name)) return true;
    }
  }
  return false;
}

/// All lines of a list field with our own member behind them.
std::string_view with_member(const HeaderList& fields, FieldName token, std::string_view before,
                             std::string_view member, Arena& arena) {
  size_t size = before.size() + member.size();
  for (const Field& field : fields) {
    if (field.token == token) size += field.value.size() + 2;
  }
  const std::span<char> text = arena.alloc_span<char>(size);
  if (text.empty()) return {};
  size_t at = 0;
  const auto put = [&](std::string_view bytes) {
    bytes.copy(text.data() + at, bytes.size());
    at += bytes.size();
  };
  for (const Field& field : fields) {
    if (field.token != token) continue;
    put(field.value);
    put(", ");
  }
  put(before);
  put(member);
  return {text.data(), at};
}

bool add_own_fields(const RequestHead& request, const ForwardOptions& options, Arena& arena,
                    HeaderList& out) {
  const auto add = [&](FieldName token, std::string_view value) {
    return value.data() != nullptr && out.add(Field{token, field_text(token), value});
  };
  const std::string_view version = request.version_minor == 0 && request.version_major == 1
                                       ? "1.0 "
                                       : request.version_major == 1 ? "1.1 " : "2 ";
  bool room = add(FieldName::kVia, with_member(request.fields, FieldName::kVia, version,
                                               options.cdn_id, arena)) &&
              add(FieldName::kCdnLoop, with_member(request.fields, FieldName::kCdnLoop, "",
                                                   options.cdn_id, arena)) &&
              add(FieldName::kXForwardedProto, options.scheme) &&
              add(FieldName::kXForwardedHost, options.site_name);
  if (!options.shared && !options.client_address.empty()) {
    room = room && add(FieldName::kXForwardedFor, options.client_address);
  }
  if (options.shared && !options.accept_encoding.empty()) {
    room = room && add(FieldName::kAcceptEncoding, options.accept_encoding);
  }
  return room;
}

}  // namespace

bool is_hop_by_hop(const Field& field, const HeaderList& all) {
  switch (field.token) {
    case FieldName::kConnection:
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
      return connection_names(all, field.name);
  }
}

bool connection_names_critical(const HeaderList& fields, bool response) {
  static constexpr std::string_view kRequest[] = {
      "host",  "content-length", "transfer-encoding", "authorization", "cookie", "cache-control",
      "range", "age",            "if-match",          "if-none-match", "if-modified-since",
      "if-unmodified-since",     "if-range"};
  static constexpr std::string_view kResponse[] = {
      "cache-control", "vary", "set-cookie", "etag",           "age",          "content-length",
      "content-type",  "date", "expires",    "content-encoding", "last-modified", "cdn-cache-control"};
  const auto names = [&](const auto& list) {
    return std::any_of(std::begin(list), std::end(list),
                       [&](std::string_view name) { return connection_names(fields, name); });
  };
  if (fields.find(FieldName::kConnection) == nullptr) return false;
  return response ? names(kResponse) : names(kRequest);
}

bool forwarded_fields(const RequestHead& request, const ForwardOptions& options, Arena& arena,
                      HeaderList& out) {
  for (const Field& field : request.fields) {
    if (is_ours(field.token) || is_hop_by_hop(field, request.fields)) continue;
    if (is_poison(field.name)) continue;
    if (options.shared) {
      if (is_for_one_client(field.token, options.send_client_directives)) continue;
      if (!allowed(field, options.allow)) continue;
    }
    if (!out.add(field)) return false;
  }
  return add_own_fields(request, options, arena, out);
}

bool add_validators(const StoredResponse& stored, HeaderList& out) {
  bool room = true;
  if (!stored.etag.empty()) {
    room = out.add(Field{FieldName::kIfNoneMatch, field_text(FieldName::kIfNoneMatch), stored.etag});
  }
  if (!stored.last_modified.empty()) {
    room = out.add(Field{FieldName::kIfModifiedSince, field_text(FieldName::kIfModifiedSince),
                         stored.last_modified}) &&
           room;
  }
  return room;
}

bool loops(const RequestHead& request, std::string_view cdn_id) {
  for (const Field& field : request.fields) {
    if (field.token != FieldName::kCdnLoop) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (iequals(trim_ows(member->substr(0, member->find(';'))), cdn_id)) return true;
    }
  }
  return false;
}

}  // namespace perigee::http
