// What of a client's request reaches the origin (RFC 9110 §7.6): end-to-end fields, nothing that
// poisons, and what we add.
#include "http/forward.h"

#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

using http::ForwardOptions;
using http::PolicyOptions;
using Strings = std::vector<std::string>;

ForwardOptions shared() { return {.site_name = "site.test", .scheme = "https"}; }
ForwardOptions alone() {
  return {.site_name = "site.test",
          .scheme = "https",
          .accept_encoding = {},
          .client_address = "192.0.2.7",
          .shared = false};
}

Strings forwarded(const Request& request, const ForwardOptions& options = shared(),
                  const PolicyOptions& policy = {}) {
  http::Arena arena;
  std::vector<http::Field> storage(100);
  http::HeaderList out(storage);
  EXPECT_TRUE(http::forwarded_fields(request.head(), options, policy, arena, out));
  return lines_of(out);
}

const Strings kOwn = {"Via: 1.1 perigee", "CDN-Loop: perigee", "X-Forwarded-Proto: https",
                      "X-Forwarded-Host: site.test", "Accept-Encoding: identity"};

/// The client's fields that reach the origin, without ours.
Strings passed(const Request& request, const PolicyOptions& policy = {}) {
  Strings lines = forwarded(request, shared(), policy);
  EXPECT_TRUE(std::equal(kOwn.rbegin(), kOwn.rend(), lines.rbegin()));
  lines.resize(lines.size() - kOwn.size());
  return lines;
}

// --- end-to-end fields ---

RULE(Forwarded, EndToEndFields, "RFC 9110 §7.6; http-rules 2.7",
     "A proxy forwards the fields that it does not know",
     "all of them as they came, in order, so that Vary on any field works", "forward_headers") {
  const std::initializer_list<std::string> lines = {
      "Accept: text/html",   "User-Agent: x", "Cookie: a=b", "Authorization: Basic eA==",
      "Accept-Language: de", "Referer: ",     "X-Custom: 1", "x-custom: 2",
      "Origin: https://a",   "From: me@b",    "DNT: 1",      "X_Under: 3"};
  EXPECT_EQ(passed(lines), Strings(lines));
}

RULE(Forwarded, NotHopByHop, "RFC 9110 §7.6.1; http-rules 1.13, 2.12",
     "An intermediary removes Connection and what it names, and known hop-by-hop fields",
     "none of them is forwarded; TE and Upgrade neither", "") {
  const Request request({"Connection: keep-alive, X-Hop , x-other", "X-Hop: 1", "X-OTHER: 2",
                         "Keep-Alive: 5", "Proxy-Connection: x", "Proxy-Authorization: x",
                         "Proxy-Authenticate: x", "TE: trailers", "Trailer: X",
                         "Transfer-Encoding: chunked", "Upgrade: h2c", "HTTP2-Settings: x",
                         "Connection: third", "Third: 3", "X-Kept: 1"});
  EXPECT_EQ(passed(request), Strings{"X-Kept: 1"});
  EXPECT_EQ(forwarded(request, alone()).front(), "X-Kept: 1");
}

RULE(Forwarded, FramingAndRoutingAreOurs, "RFC 9110 §7.6; RFC 9112 §6; http-rules 3.5",
     "What is forwarded is our own serialisation", "Host, Content-Length and Expect are not copied",
     "host_header") {
  EXPECT_EQ(passed({"Host: evil.test", "Content-Length: 5", "Expect: 100-continue", "X: 1"}),
            Strings{"X: 1"});
}

// --- a fill ---

RULE(Fill, UnconditionalAndWhole, "RFC 9111 §4.3.1; http-rules 2.9",
     "A stored response must be complete, whatever one client asked for",
     "conditions, Range and If-Range are not sent on fills", "") {
  EXPECT_EQ(passed({"If-Match: x", "If-None-Match: x", "If-Modified-Since: x",
                    "If-Unmodified-Since: x", "If-Range: x", "Range: bytes=0-1", "X: 1"}),
            Strings{"X: 1"});
}

RULE(Fill, ClientDirectivesDoNotPierce, "RFC 9111 §5.2.1; http-rules 3.1",
     "A reload would pass through a tier of caches to the origin",
     "Cache-Control and Pragma are not sent on fills, unless the site honours them",
     "honour_client_directives") {
  const Request request({"Cache-Control: no-cache", "Pragma: no-cache", "X: 1"});
  EXPECT_EQ(passed(request), Strings{"X: 1"});
  PolicyOptions honouring;
  honouring.honour_client_directives = true;
  EXPECT_EQ(passed(request, honouring),
            (Strings{"Cache-Control: no-cache", "Pragma: no-cache", "X: 1"}));
}

RULE(Fill, AcceptEncodingIsConstant, "RFC 9110 §12.5.3; http-rules 3.3",
     "One representation is fetched for all clients",
     "the site's Accept-Encoding is sent, identity unless configured", "accept_encoding") {
  EXPECT_EQ(forwarded({"Accept-Encoding: br"}), kOwn);
  ForwardOptions options = shared();
  options.accept_encoding = "gzip";
  EXPECT_EQ(forwarded({"Accept-Encoding: br"}, options).back(), "Accept-Encoding: gzip");
}

RULE(Fill, NoPoison, "http-rules 3.14, 5.1",
     "A field that changes the answer but is not keyed poisons a cache",
     "those known to are not sent on fills, in any case, with _ for - too", "") {
  for (const std::string name : {"X-Forwarded-Host",
                                 "X-Forwarded-Proto",
                                 "X-Forwarded-Port",
                                 "X-Forwarded-Scheme",
                                 "X-Forwarded-Server",
                                 "X-Forwarded-SSL",
                                 "X-Forwarded-Prefix",
                                 "X-Forwarded-For",
                                 "X-Forwarded",
                                 "Forwarded",
                                 "X-Original-URL",
                                 "X-Original-Host",
                                 "X-Rewrite-URL",
                                 "X-HTTP-Method",
                                 "X-HTTP-Method-Override",
                                 "X-Method-Override",
                                 "X-Host",
                                 "X-HTTP-Host-Override",
                                 "X-Real-IP",
                                 "Front-End-Https",
                                 "X-Url-Scheme",
                                 "Proxy",
                                 "True-Client-IP",
                                 "CF-Connecting-IP",
                                 "Fastly-Client-IP",
                                 "Client-IP",
                                 "X-Client-IP",
                                 "X-Cluster-Client-IP",
                                 "Content_Length",
                                 "TRANSFER_ENCODING",
                                 "x_forwarded_host",
                                 "X_Original-URL",
                                 "x-rewrite_url"}) {
    EXPECT_EQ(passed({name + ": evil", "X: 1"}), Strings{"X: 1"}) << name;
  }
  for (const std::string name : {"X-Forwarded-Hosts", "Proxys", "X-Real", "Forwarde", "X-Hosts"}) {
    EXPECT_EQ(passed({name + ": 1"}), Strings{name + ": 1"}) << name;
  }
}

RULE(Fill, OnlyListedFields, "http-rules 5.1", "A site may say which fields its origin reads",
     "with a list only those reach it on fills, and can select; Via and CDN-Loop always do",
     "forward_headers") {
  PolicyOptions listing;
  listing.forward_headers = {"accept-language", "X-Forwarded-Host", "Range"};
  const Request request(
      {"Accept-Language: de", "Cookie: a=b", "X-Forwarded-Host: evil", "Range: bytes=0-1", "X: 1"});
  EXPECT_EQ(passed(request, listing), Strings{"Accept-Language: de"});
  EXPECT_EQ(forwarded({"Via: 1.1 a", "CDN-Loop: b"}, shared(), listing).front(),
            "Via: 1.1 a, 1.1 perigee");
  EXPECT_EQ(forwarded(request, alone(), listing).size(), 4u + 6u);
}

// --- a request that nobody shares ---

RULE(Alone, ConditionsAndRangeGoAlong, "RFC 9110 §13, §14; http-rules 1.15",
     "A relayed request means what the client wrote",
     "conditions, Range, directives, Accept-Encoding and method overrides are sent as they came",
     "") {
  const std::initializer_list<std::string> lines = {"If-Match: \"a\"",
                                                    "Range: bytes=0-1",
                                                    "If-Range: \"a\"",
                                                    "Cache-Control: no-cache",
                                                    "Pragma: no-cache",
                                                    "Accept-Encoding: br",
                                                    "X-HTTP-Method-Override: PUT"};
  Strings sent = forwarded(Request("POST", lines), alone());
  sent.resize(lines.size());
  EXPECT_EQ(sent, Strings(lines));
}

RULE(
    Alone, WhereItCameFrom, "RFC 7239; RFC 9110 §7.6.3; http-rules 4.1",
    "A gateway tells the origin about the client",
    "X-Forwarded-For and Forwarded on requests that are not shared, X-Forwarded-Proto and -Host on "
    "all; the client's own are removed",
    "") {
  EXPECT_EQ(forwarded({"X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6",
                       "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil"},
                      alone()),
            (Strings{"Via: 1.1 perigee", "CDN-Loop: perigee", "X-Forwarded-Proto: https",
                     "X-Forwarded-Host: site.test", "X-Forwarded-For: 192.0.2.7",
                     "Forwarded: for=192.0.2.7;host=site.test;proto=https"}));
}

RULE(Alone, TheChainOfATrustedProxyGoesOn, "RFC 7239 §4; RFC 7239 §7.4; http-rules 4.1",
     "A proxy adds itself behind the proxies before it",
     "behind those of X-Forwarded-For and Forwarded that came; where one came, the other, which "
     "would know less, is not begun",
     "trusted_proxies") {
  ForwardOptions options = alone();
  options.extends_chain = true;
  const std::string own = "for=192.0.2.7;host=site.test;proto=https";
  const auto chain = [&](const Request& request) {
    const Strings lines = forwarded(request, options);
    return Strings(lines.begin() + 4, lines.end());
  };
  EXPECT_EQ(chain({}), (Strings{"X-Forwarded-For: 192.0.2.7", "Forwarded: " + own}));
  EXPECT_EQ(chain({"X-Forwarded-For: a", "X-Forwarded-For: b, c"}),
            Strings{"X-Forwarded-For: a, b, c, 192.0.2.7"});
  EXPECT_EQ(chain({"Forwarded: for=a"}), Strings{"Forwarded: for=a, " + own});
  EXPECT_EQ(chain({"Forwarded: for=a", "X-Forwarded-For: a"}),
            (Strings{"X-Forwarded-For: a, 192.0.2.7", "Forwarded: for=a, " + own}));
  options.shared = true;
  EXPECT_EQ(chain({"Forwarded: for=a", "X-Forwarded-For: a"}), Strings{}) << "a fill is nobody's";
}

RULE(Alone, ForwardedQuotesWhatIsNoToken, "RFC 7239 §6",
     "An IPv6 address in Forwarded is bracketed and quoted", "so is a host with a port", "") {
  ForwardOptions options = alone();
  options.client_address = "2001:db8::7";
  options.site_name = "site.test:8443";
  EXPECT_EQ(forwarded({}, options).back(),
            "Forwarded: for=\"[2001:db8::7]\";host=\"site.test:8443\";proto=https");
}

// --- Via and CDN-Loop ---

RULE(Forwarded, Via, "RFC 9110 §7.6.3", "An intermediary appends itself to Via",
     "the version that the request came with and our name, behind what was there", "cdn_id") {
  EXPECT_EQ(forwarded({"Via: 1.0 a", "Via: 2 b (c, d)"}).front(),
            "Via: 1.0 a, 2 b (c, d), 1.1 perigee");
  const Request request({});
  http::RequestHead old = request.head();
  old.version_minor = 0;
  http::RequestHead two = request.head();
  two.version_major = 2;
  two.version_minor = 0;
  for (const auto& [head, via] : {std::pair{&old, "1.0 perigee"}, std::pair{&two, "2 perigee"}}) {
    http::Arena arena;
    std::vector<http::Field> storage(20);
    http::HeaderList out(storage);
    EXPECT_TRUE(http::forwarded_fields(*head, shared(), {}, arena, out));
    EXPECT_EQ(out.value(http::FieldName::kVia), via);
  }
}

RULE(Forwarded, CdnLoop, "RFC 8586 §2; http-rules 4.19",
     "A CDN appends its identifier to CDN-Loop and must not remove others",
     "appended behind what was there, on every request", "cdn_id") {
  EXPECT_EQ(forwarded({"CDN-Loop: a; x=\"1, 2\"", "CDN-Loop: b"})[1],
            "CDN-Loop: a; x=\"1, 2\", b, perigee");
}

RULE(Forwarded, LoopsAreSeen, "RFC 8586 §2; http-rules 4.19",
     "A request that carries the CDN's own identifier was here before",
     "508; compared whole and in any case; Via alone is no loop", "cdn_id") {
  const auto loops = [](std::initializer_list<std::string> lines) {
    return http::loops(Request(lines).head(), "perigee");
  };
  EXPECT_TRUE(loops({"CDN-Loop: perigee"}));
  EXPECT_TRUE(loops({"CDN-Loop: a, Perigee; v=1"}));
  EXPECT_TRUE(loops({"CDN-Loop: a", "CDN-Loop: perigee ;v=1"}));
  EXPECT_FALSE(loops({"CDN-Loop: perigee2, my-perigee"}));
  EXPECT_FALSE(loops({"CDN-Loop: a; by=\"perigee, perigee\""}));
  EXPECT_FALSE(loops({"Via: 1.1 perigee"}));
}

// --- validation ---

Strings validators(const Answer& answer) {
  std::vector<http::Field> storage(4);
  http::HeaderList out(storage);
  EXPECT_TRUE(http::add_validators(answer.stored(), out));
  return lines_of(out);
}

RULE(Validation, StoredValidators, "RFC 9111 §4.3.1; http-rules 2.9, 3.12",
     "A validation carries If-None-Match with the stored tag and If-Modified-Since with "
     "Last-Modified",
     "both, where stored, as they came: weak and unquoted tags too", "") {
  EXPECT_EQ(validators(Answer({"ETag: \"a\"", last_modified(-5)})),
            (Strings{"If-None-Match: \"a\"", "If-Modified-Since: " + at(-5)}));
  EXPECT_EQ(validators(Answer({"ETag: W/\"a\""})), Strings{"If-None-Match: W/\"a\""});
  EXPECT_EQ(validators(Answer({"ETag: abc"})), Strings{"If-None-Match: abc"});
  EXPECT_EQ(validators(Answer({last_modified(-5)})), Strings{"If-Modified-Since: " + at(-5)});
  EXPECT_EQ(validators(Answer({"X: 1"})), Strings{});
}

// --- bounds ---

TEST(ForwardedMemory, NoRoomIsSaid) {
  const Request request({"A: 1", "B: 2"});
  http::Arena arena;
  std::vector<http::Field> storage(6);
  for (size_t room = 0; room < storage.size(); ++room) {
    http::HeaderList out(std::span<http::Field>(storage).first(room));
    EXPECT_FALSE(http::forwarded_fields(request.head(), shared(), {}, arena, out)) << room;
  }
  http::Arena none({}, 0);
  std::vector<http::Field> enough(20);
  http::HeaderList out(enough);
  EXPECT_FALSE(http::forwarded_fields(request.head(), shared(), {}, none, out));
}

RULE(Forwarded, CriticalConnectionOptions, "RFC 9110 §7.6.1",
     "Connection must not name fields that all recipients need",
     "a request whose Connection names Host, Content-Length, Authorization, Cookie, Range, "
     "Cache-Control or a condition is refused with 400",
     "") {
  const auto critical = [](const std::string& name, bool response) {
    return http::connection_names_critical(Lines({"X: 1", "Connection: close, " + name}).fields(),
                                           response);
  };
  for (const std::string name :
       {"Host", "content-length", "Transfer-Encoding", "Authorization", "Cookie", "Cache-Control",
        "Range", "Age", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
        "If-Range"}) {
    EXPECT_TRUE(critical(name, false)) << name;
  }
  for (const std::string name : {"keep-alive", "TE", "Upgrade", "HTTP2-Settings", "X-Any"}) {
    EXPECT_FALSE(critical(name, false)) << name;
    EXPECT_FALSE(critical(name, true)) << name;
  }
  EXPECT_FALSE(http::connection_names_critical(Lines({"Host: a"}).fields(), false));
}

}  // namespace
}  // namespace perigee::test
