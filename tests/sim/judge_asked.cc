#include "tests/sim/judge_asked.h"

#include <algorithm>
#include <cstdio>

namespace perigee::sim {

namespace {

using Names = std::vector<std::string>;

/// What the node writes itself, and what is of one connection: nobody's words go on.
const Names kNowhere = {"host",
                        "content-length",
                        "transfer-encoding",
                        "expect",
                        "http2-settings",
                        "connection",
                        "keep-alive",
                        "proxy-connection",
                        "proxy-authenticate",
                        "proxy-authentication-info",
                        "proxy-authorization",
                        "te",
                        "trailer",
                        "upgrade",
                        "x-forwarded",
                        "x-forwarded-for",
                        "x-forwarded-host",
                        "x-forwarded-port",
                        "x-forwarded-prefix",
                        "x-forwarded-proto",
                        "x-forwarded-scheme",
                        "x-forwarded-server",
                        "x-forwarded-ssl",
                        "x-real-ip",
                        "x-url-scheme",
                        "forwarded",
                        "front-end-https",
                        "proxy"};
/// What goes on to the origin with our own member behind it.
const Names kAppended = {"via", "cdn-loop"};
/// What is of one client alone, and what a spelling of it would be.
const Names kNotShared = {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
                          "if-range", "range",         "accept-encoding"};
const Names kDirectives = {"cache-control", "pragma"};
/// Lines of the node's own, which are looked at one by one.
const Names kOwn = {"host",     "content-length",    "transfer-encoding", "via",
                    "cdn-loop", "x-forwarded-proto", "x-forwarded-host",  "x-forwarded-for",
                    "forwarded"};

bool is_among(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

size_t count(const Fields& fields, const std::string& name) {
  return static_cast<size_t>(std::count_if(fields.begin(), fields.end(), [&](const auto& field) {
    return same_name(field.first, name);
  }));
}

/// One line of that name, with that value.
bool has_one(const Fields& fields, const std::string& name, const std::string& value) {
  return count(fields, name) == 1 && first_of(fields, name) == value;
}

bool is_safe(const std::string& method) { return method == "GET" || method == "HEAD"; }

/// A client's lines of a list with our own member behind them.
std::string with_member(const Fields& fields, const std::string& name, const std::string& member) {
  const auto before = joined(fields, name);
  return before ? *before + ", " + member : member;
}

/// The bytes, fit to be printed.
std::string shown(const std::string& bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 400)) {
    char text[8];
    std::snprintf(text, sizeof text, "\\x%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    if (c == '\n') {
      out += "|";
    } else if (c != '\r') {
      out += c >= 0x20 && c < 0x7f ? std::string(1, c) : text;
    }
  }
  return out;
}

}  // namespace

void AskedJudge::run(std::vector<std::string>& violations) {
  for (const AskedBytes& bytes : ledger_.asked) {
    Case asked{bytes, read_strictly(bytes.raw), nullptr, true};
    const std::string why = why_not(asked);
    if (why.empty()) continue;
    violations.push_back("the origin of site " + std::to_string(bytes.site) + " was asked: " + why +
                         " in " + shown(bytes.raw));
  }
}

const SitePolicy& AskedJudge::policy_of(const Case& asked) const {
  return site_of(asked).policy_of(ledger_.resource(asked.client->resource).target);
}

const SiteOptions& AskedJudge::site_of(const Case& asked) const {
  return options_.sites[static_cast<size_t>(asked.bytes.site)];
}

/// Empty: the node may have sent it.
std::string AskedJudge::why_not(Case& asked) {
  if (!asked.sent.error.empty()) return asked.sent.error;
  if (!asked.sent.head_whole) return "";
  if (asked.sent.whole != asked.bytes.ended) return "two readers see two requests";
  asked.shared = !has(asked.sent.fields, "X-Forwarded-For") && !has(asked.sent.fields, "Forwarded");
  if (std::string why = wrong_cause(asked); !why.empty()) return why;
  for (const auto look :
       {&AskedJudge::wrong_method, &AskedJudge::wrong_place, &AskedJudge::wrong_fields,
        &AskedJudge::wrong_own_fields, &AskedJudge::wrong_chain, &AskedJudge::wrong_validators,
        &AskedJudge::wrong_content}) {
    if (std::string why = (this->*look)(asked); !why.empty()) return why;
  }
  return "";
}

std::string AskedJudge::wrong_cause(Case& asked) {
  const auto id = number(first_of(asked.sent.fields, "X-Client").value_or(""));
  if (!id || *id >= static_cast<int64_t>(ledger_.clients.size())) return "nobody asked for this";
  asked.client = &ledger_.clients[static_cast<size_t>(*id)];
  const Stamp taken = asked.client->taken();
  if (!taken || taken.seq > asked.bytes.begun().seq) return "sent before its client had asked";
  if (is_safe(asked.sent.method) || asked.sent.method == "OPTIONS") return "";
  return ++unsafe_[asked.client->id] > 1 ? "sent twice, and not safe" : "";
}

/// A GET stands for a HEAD where a copy is refreshed; nothing else stands for anything.
std::string AskedJudge::wrong_method(const Case& asked) const {
  const std::string& method = asked.sent.method;
  const std::string& wanted = asked.client->method;
  if (wanted == "PURGE") return "a PURGE is the node's own";
  if (asked.client->own_options) return "an OPTIONS that is the node's own";
  if (asked.client->only_if_cached()) {
    return "asked for a client that wants only what is cached";
  }
  const bool stands_in = method == "GET" && wanted == "HEAD" && asked.shared;
  if (method != wanted && !stands_in) return "another method than the client's";
  if (asked.shared) return is_safe(method) ? "" : "said to be for everybody, and not safe";
  const bool own_conditions =
      has(asked.client->fields, "If-Match") || has(asked.client->fields, "If-Unmodified-Since");
  const bool may_be_alone =
      !is_safe(method) || own_conditions || policy_of(asked).bypass ||
      // What nobody shares is not fetched whole for a part of it.
      has(asked.client->fields, "Range") ||
      (policy_of(asked).honour_client_directives && has(asked.client->fields, "Cache-Control"));
  return may_be_alone ? "" : "names its client though everybody may get the answer";
}

std::string AskedJudge::wrong_place(const Case& asked) const {
  const Resource& resource = ledger_.resource(asked.client->resource);
  const SiteOptions& site = site_of(asked);
  const Fields& fields = asked.sent.fields;
  if (resource.site != asked.bytes.site) return "the origin of another site";
  const std::string host = site.host_sent(resource.name);
  if (!has_one(fields, "Host", host)) return "Host is not " + host;
  if (!has_one(fields, "X-Forwarded-Host", resource.name)) {
    return "X-Forwarded-Host is not " + resource.name;
  }
  if (!has_one(fields, "X-Forwarded-Proto", resource.scheme)) {
    return "X-Forwarded-Proto is not " + resource.scheme;
  }
  return asked.sent.target == resource.target ? "" : "the target is not " + resource.target;
}

bool AskedJudge::goes_on(const Case& asked,
                         const std::pair<std::string, std::string>& field) const {
  const std::string name = folded(field.first);
  if (is_among(kNowhere, name) || is_among(kAppended, lower(field.first))) return false;
  for (const std::string& hop : members(joined(asked.client->fields, "Connection").value_or(""))) {
    if (same_name(hop, field.first)) return false;
  }
  if (!asked.shared) return true;
  if (is_poison(name)) return false;
  const bool directive = is_among(kDirectives, name);
  if (directive && !policy_of(asked).honour_client_directives) return false;
  return is_forwarded(policy_of(asked), field.first) && !is_among(kNotShared, name);
}

/// The client's fields in their order; what is not in the list of the node's own is one of them.
std::string AskedJudge::wrong_fields(const Case& asked) const {
  // Poison hurts only its own client where nobody else gets the answer: it may go on there, or not.
  const auto matters = [&](const auto& field) {
    return asked.shared || !is_poison(folded(field.first));
  };
  Fields right;
  for (const auto& field : asked.client->fields) {
    if (!matters(field) || !goes_on(asked, field)) continue;
    const auto hops = asked.client->method == "OPTIONS" && same_name(field.first, "Max-Forwards")
                          ? number(field.second)
                          : std::nullopt;
    right.emplace_back(field.first, hops ? std::to_string(*hops - 1) : trim(field.second));
  }
  if (asked.shared && policy_of(asked).reduces_accept()) {
    remove_all(right, "Accept");
    right.emplace_back("Accept", policy_of(asked).reduced_accept(asked.client->fields));
  }
  Fields got;
  for (const auto& field : asked.sent.fields) {
    const std::string name = lower(field.first);
    if (!is_among(kOwn, name) && !matters(field)) {
      if (is_among(kNowhere, folded(name))) return "what clients may not say: " + field.first;
      continue;
    }
    const bool of_shared = name == "accept-encoding" || name == "if-none-match" ||
                           name == "if-modified-since" || name == "range" || name == "if-range";
    if (!is_among(kOwn, name) && !(asked.shared && of_shared)) got.push_back(field);
  }
  if (got == right) return "";
  for (const auto& field : got) {
    if (std::find(right.begin(), right.end(), field) == right.end()) {
      return "not a field of its client: " + field.first + ": " + field.second;
    }
  }
  for (const auto& field : right) {
    if (std::find(got.begin(), got.end(), field) == got.end()) {
      return "lacks its client's " + field.first + ": " + field.second;
    }
  }
  return "fields in another order or number than its client's";
}

std::string AskedJudge::wrong_own_fields(const Case& asked) const {
  const SiteOptions& site = site_of(asked);
  const Fields& fields = asked.sent.fields;
  const ClientExchange& client = *asked.client;
  const std::string hop = client.version.substr(client.version.find('/') + 1) + " " + site.cdn_id;
  if (!has_one(fields, "Via", with_member(client.fields, "Via", hop))) return "wrong Via";
  if (!has_one(fields, "CDN-Loop", with_member(client.fields, "CDN-Loop", site.cdn_id))) {
    return "wrong CDN-Loop";
  }
  if (asked.shared && !has_one(fields, "Accept-Encoding", site.accept_encoding)) {
    return "Accept-Encoding is not the site's";
  }
  return "";
}

/// Who the client is: only on what is for it alone, and in its own words only if it is trusted.
std::string AskedJudge::wrong_chain(const Case& asked) const {
  if (asked.shared) return "";
  const Resource& resource = ledger_.resource(asked.client->resource);
  const Fields& told = asked.client->fields;
  const std::string peer(kPeerAddress);
  const bool token = resource.name.find_first_of(":[]") == std::string::npos;
  const std::string host = token ? resource.name : "\"" + resource.name + "\"";
  const std::string hop = "for=" + peer + ";host=" + host + ";proto=" + resource.scheme;
  const auto is_right = [&](const char* name, const char* other, const std::string& member) {
    const bool own = options_.trusted && has(told, name);
    const bool left_out = options_.trusted && !own && has(told, other);
    if (left_out) return !has(asked.sent.fields, name);
    return has_one(asked.sent.fields, name, own ? with_member(told, name, member) : member);
  };
  if (!is_right("X-Forwarded-For", "Forwarded", peer)) return "wrong X-Forwarded-For";
  return is_right("Forwarded", "X-Forwarded-For", hop) ? "" : "wrong Forwarded";
}

/// Of a response that this origin gave for this very resource.
std::string AskedJudge::wrong_validators(const Case& asked) const {
  const Fields& fields = asked.sent.fields;
  if (!asked.shared) return "";
  if (count(fields, "If-None-Match") > 1 || count(fields, "If-Modified-Since") > 1) {
    return "more than one validator of a kind";
  }
  if (std::string why = wrong_part(asked); !why.empty()) return why;
  if (!has(fields, "If-None-Match") && !has(fields, "If-Modified-Since")) return "";
  const bool known =
      std::any_of(ledger_.origin.begin(), ledger_.origin.end(), [&](const OriginExchange& earlier) {
        return earlier.resource == asked.client->resource &&
               first_of(earlier.fields, "ETag") == first_of(fields, "If-None-Match") &&
               (!has(fields, "If-Modified-Since") ||
                first_of(earlier.fields, "Last-Modified") == first_of(fields, "If-Modified-Since"));
      });
  return known ? "" : "validators of another response";
}

/// A part of what a client wants, aligned, or of an object that is stored, under its strong tag.
std::string AskedJudge::wrong_part(const Case& asked) const {
  const Fields& fields = asked.sent.fields;
  const auto range = first_of(fields, "Range");
  const auto tag = first_of(fields, "If-Range");
  if (!range) return tag ? "If-Range without Range" : "";
  if (count(fields, "Range") > 1 || count(fields, "If-Range") > 1 || asked.sent.method != "GET") {
    return "a range of something else";
  }
  if (!tag) return has(asked.client->fields, "Range") ? "" : "a range that nobody asked for";
  if (tag->starts_with("W/")) return "a part under a weak tag";
  const bool known =
      std::any_of(ledger_.origin.begin(), ledger_.origin.end(), [&](const OriginExchange& earlier) {
        return earlier.resource == asked.client->resource &&
               first_of(earlier.fields, "ETag") == tag;
      });
  return known ? "" : "a part of another response";
}

std::string AskedJudge::wrong_content(const Case& asked) const {
  const std::string& content = asked.client->content;
  const bool framed =
      has(asked.sent.fields, "Content-Length") || has(asked.sent.fields, "Transfer-Encoding");
  if (is_safe(asked.sent.method)) return framed ? "content where none belongs" : "";
  const auto length = first_of(asked.sent.fields, "Content-Length");
  if (length && *length != std::to_string(content.size()))
    return "another length than the content's";
  if (!content.starts_with(asked.sent.content)) return "content that is not its client's";
  return asked.sent.whole && asked.sent.content != content ? "content that looks whole and is not"
                                                           : "";
}

}  // namespace perigee::sim
