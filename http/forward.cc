#include "http/forward.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "http/accept_types.h"
#include "http/connection_options.h"
#include "http/held_back.h"

namespace perigee::http {
namespace {

/// What a fill leaves out: it is unconditional, whole, and nobody's directives pierce it.
bool is_for_one_client(const Field& field, bool send_client_directives) {
  switch (field.token) {
    case FieldName::kIfMatch:
    case FieldName::kIfNoneMatch:
    case FieldName::kIfModifiedSince:
    case FieldName::kIfUnmodifiedSince:
    case FieldName::kIfRange:
    case FieldName::kRange:
    case FieldName::kAcceptEncoding:
      return true;
    case FieldName::kCacheControl:
      return !send_client_directives;
    case FieldName::kPragma:
      // Whatever else it says is no directive, but an order to one CDN or another.
      return !send_client_directives || !base::iequals(field.value, "no-cache");
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
      return true;
    default:
      return false;
  }
}

template <typename Names>
bool is_named(const Field& field, const Names& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return base::iequals(name, field.name); });
}

/// What could poison goes on where the site answers for it, or where it selects (http-rules 5.1).
bool is_let_through(const Field& field, const PolicyOptions& policy, VaryNames vary_names) {
  switch (held_back(field)) {
    case Hold::kNo:
      return true;
    case Hold::kShared:
      return is_named(field, policy.forward_headers) || is_named(field, policy.key_fields) ||
             is_named(field, vary_names);
    default:
      return false;
  }
}

/// Both write them: our own member stands behind the client's.
bool is_appended_to(FieldName token) {
  return token == FieldName::kVia || token == FieldName::kCdnLoop;
}

/// What no request takes to the origin, whoever may get the answer.
bool is_stripped(const Field& field, const ConnectionOptions& connection) {
  return is_ours(field.token) || connection.ends_here(field) || held_back(field) == Hold::kAlways;
}

/// What a shared request leaves out besides.
bool is_shared(const Field& field, const ConnectionOptions& connection, const PolicyOptions& policy,
               VaryNames vary_names) {
  if (is_ours(field.token) || connection.ends_here(field)) return false;
  if (!is_let_through(field, policy, vary_names)) return false;
  if (is_for_one_client(field, policy.honour_client_directives)) return false;
  return is_appended_to(field.token) || policy.forward_headers.empty() ||
         is_named(field, policy.forward_headers) || is_named(field, policy.key_fields);
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

/// RFC 7239: an address of IPv6 is bracketed and quoted, and so is a host with a port.
std::string_view forwarded_value(const ForwardOptions& options, Arena& arena) {
  const bool v6 = options.client_address.find(':') != std::string_view::npos;
  std::string text = v6 ? "for=\"[" : "for=";
  text.append(options.client_address).append(v6 ? "]\"" : "");
  const bool token = is_token(options.site_name);
  text.append(token ? ";host=" : ";host=\"").append(options.site_name).append(token ? "" : "\"");
  return arena.copy(text.append(";proto=").append(options.scheme));
}

/// The field as it goes on: the hop to the origin is counted (RFC 9110 §7.6.2).
Field counted_down(const Field& field, const RequestHead& request, Arena& arena) {
  const std::optional<uint64_t> hops = max_forwards(request);
  if (field.token != FieldName::kMaxForwards || !hops || *hops == 0) return field;
  return {field.token, field.name, arena.copy(base::Decimal(*hops - 1).text())};
}

/// Accept as all requests that select alike send it (http-rules 4.7).
bool reduce_accept(const PolicyOptions& policy, Arena& arena, HeaderList& out) {
  std::string text;
  append_accept_types(out, policy.vary_accept, text);
  out.remove(FieldName::kAccept);
  const std::string_view value = arena.copy(text);
  return value.data() != nullptr &&
         out.add(Field{FieldName::kAccept, field_text(FieldName::kAccept), value});
}

bool add_own_fields(const RequestHead& request, const ForwardOptions& options, Arena& arena,
                    HeaderList& out) {
  const auto add = [&](FieldName token, std::string_view value) {
    return value.data() != nullptr && out.add(Field{token, field_text(token), value});
  };
  const std::string_view version = request.version_minor == 0 && request.version_major == 1 ? "1.0 "
                                   : request.version_major == 1                             ? "1.1 "
                                                                                            : "2 ";
  bool room = add(FieldName::kVia,
                  with_member(request.fields, FieldName::kVia, version, options.cdn_id, arena)) &&
              add(FieldName::kCdnLoop,
                  with_member(request.fields, FieldName::kCdnLoop, "", options.cdn_id, arena)) &&
              add(FieldName::kXForwardedProto, options.scheme) &&
              add(FieldName::kXForwardedHost, options.site_name);
  if (!options.shared && !options.client_address.empty()) {
    const auto came = [&](FieldName token) {
      return options.extends_chain && request.fields.find(token) != nullptr;
    };
    const auto add_hop = [&](FieldName token, FieldName other, std::string_view hop) {
      if (came(token)) return add(token, with_member(request.fields, token, "", hop, arena));
      return came(other) || add(token, hop);
    };
    room =
        room && add_hop(FieldName::kXForwardedFor, FieldName::kForwarded, options.client_address) &&
        add_hop(FieldName::kForwarded, FieldName::kXForwardedFor, forwarded_value(options, arena));
  }
  if (options.shared && !options.accept_encoding.empty()) {
    room = room && add(FieldName::kAcceptEncoding, options.accept_encoding);
  }
  return room;
}

}  // namespace

bool is_unusual_request(const RequestHead& request, const PolicyOptions& policy,
                        VaryNames vary_names) {
  constexpr size_t kLineBytes = 4;  // ": " and CRLF
  size_t bytes = request.target.size();
  for (const Field& field : request.fields) {
    bytes += field.name.size() + field.value.size() + kLineBytes;
    const bool plain = std::all_of(field.value.begin(), field.value.end(),
                                   [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
    if (!plain) return true;
    // What a trusted proxy writes stands in all its requests, and reaches no origin.
    if (request.from_proxy && held_back(field) == Hold::kAlways) continue;
    if (!is_let_through(field, policy, vary_names)) return true;
  }
  return bytes > base::limits::kUsualRequestBytes;
}

bool keys_what_was_sent(const HeaderList& sent, VaryNames sent_for,
                        const std::vector<std::string>& names) {
  return std::none_of(sent.begin(), sent.end(), [&](const Field& field) {
    return held_back(field) == Hold::kShared && is_named(field, sent_for) &&
           !is_named(field, names);
  });
}

HeaderList shared_fields(const HeaderList& request, const PolicyOptions& policy,
                         VaryNames vary_names, std::span<Field> storage) {
  const ConnectionOptions connection(request);
  HeaderList out(storage);
  for (const Field& field : request) {
    if (is_shared(field, connection, policy, vary_names)) out.add(field);
  }
  return out;
}

bool forwarded_fields(const RequestHead& request, const ForwardOptions& options,
                      const PolicyOptions& policy, Arena& arena, HeaderList& out) {
  const ConnectionOptions connection(request.fields);
  for (const Field& field : request.fields) {
    if (is_appended_to(field.token)) continue;
    const bool sent = options.shared ? is_shared(field, connection, policy, options.vary_names)
                                     : !is_stripped(field, connection);
    if (sent && !out.add(counted_down(field, request, arena))) return false;
  }
  if (options.shared && reduces_accept(policy) && !reduce_accept(policy, arena, out)) return false;
  return add_own_fields(request, options, arena, out);
}

bool add_validators(const StoredResponse& stored, HeaderList& out) {
  bool room = true;
  if (!stored.etag.empty()) {
    room =
        out.add(Field{FieldName::kIfNoneMatch, field_text(FieldName::kIfNoneMatch), stored.etag});
  }
  if (!stored.last_modified.empty()) {
    room = out.add(Field{FieldName::kIfModifiedSince, field_text(FieldName::kIfModifiedSince),
                         stored.last_modified}) &&
           room;
  }
  return room;
}

std::optional<uint64_t> max_forwards(const RequestHead& request) {
  if (request.method != Method::kOptions) return std::nullopt;
  const Field* field = request.fields.find(FieldName::kMaxForwards);
  if (field == nullptr) return std::nullopt;
  const std::string_view text = field->value;
  uint64_t hops = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hops);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return hops;
}

bool loops(const RequestHead& request, std::string_view cdn_id) {
  for (const Field& field : request.fields) {
    if (field.token != FieldName::kCdnLoop) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (base::iequals(trim_ows(member->substr(0, member->find(';'))), cdn_id)) return true;
    }
  }
  return false;
}

}  // namespace perigee::http
