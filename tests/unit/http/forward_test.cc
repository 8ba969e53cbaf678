// What of a client's request reaches the origin (RFC 9110 §7.6): end-to-end fields, nothing that
// poisons, and what we add.
#include "http/forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS(
    "http::forwarded_fields, http::shared_fields, http::held_back, http::add_validators, "
    "http::is_unusual_request, http::keys_what_was_sent");

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

RULE(Forwarded, NotWhatWeWriteOurselves, "RFC 9110 §7.2, §8.6, §10.1.1; http-rules 3.5",
     "A proxy makes Host, the framing and Expect of its own request",
     "none of the client's is copied, on shared requests and on those that go alone", "") {
  const Request request({"Host: site.test", "Content-Length: 5", "Expect: 100-continue", "X: 1"});
  EXPECT_EQ(passed(request), Strings{"X: 1"});
  const Strings lines = forwarded(request, alone());
  for (const std::string line : {"Host: site.test", "Content-Length: 5", "Expect: 100-continue"}) {
    EXPECT_EQ(std::count(lines.begin(), lines.end(), line), 0) << line;
  }
}

TEST(Forward, WithoutRoomNothingIsForwarded) {
  PolicyOptions policy;
  policy.vary_accept = {"image/webp"};
  const Request request("OPTIONS", {"X: 1", "Max-Forwards: 3", "Via: 1.1 a", "CDN-Loop: a"});
  for (const ForwardOptions& options : {shared(), alone()}) {
    const size_t needed = forwarded(request, options, policy).size();
    for (size_t room = 0; room < needed; ++room) {
      http::Arena arena;
      std::vector<http::Field> storage(room);
      http::HeaderList out(storage);
      EXPECT_FALSE(http::forwarded_fields(request.head(), options, policy, arena, out)) << room;
    }
    http::Arena full;
    while (full.alloc(1000) != nullptr) {
    }
    while (full.alloc(1) != nullptr) {
    }
    std::vector<http::Field> storage(100);
    http::HeaderList out(storage);
    EXPECT_FALSE(http::forwarded_fields(request.head(), options, policy, full, out));
  }
  const Answer stored({"ETag: \"a\"", last_modified(-5)});
  for (size_t room = 0; room <= 2; ++room) {
    std::vector<http::Field> storage(room);
    http::HeaderList out(storage);
    EXPECT_EQ(http::add_validators(stored.stored(), out), room == 2) << room;
  }
}

TEST(Forward, MaxForwardsCountsForOptionsAlone) {
  EXPECT_EQ(http::max_forwards(Request("OPTIONS", {"Max-Forwards: 3"}).head()), 3u);
  EXPECT_EQ(http::max_forwards(Request("GET", {"Max-Forwards: 3"}).head()), std::nullopt);
  EXPECT_EQ(http::max_forwards(Request("OPTIONS", {}).head()), std::nullopt);
  const auto sent = [](std::string_view method, std::string_view hops) {
    Strings lines =
        forwarded(Request(method, {"X: 1", "Max-Forwards: " + std::string(hops)}), alone());
    lines.resize(2);
    return lines;
  };
  EXPECT_EQ(sent("OPTIONS", "3"), (Strings{"X: 1", "Max-Forwards: 2"}));
  EXPECT_EQ(sent("OPTIONS", "many"), (Strings{"X: 1", "Max-Forwards: many"}));
  EXPECT_EQ(sent("POST", "3"), (Strings{"X: 1", "Max-Forwards: 3"}));
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
  EXPECT_EQ(passed({"Pragma: akamai-x-cache-on, akamai-x-get-cache-key"}, honouring), Strings{});
}

RULE(Fill, AcceptEncodingIsConstant, "RFC 9110 §12.5.3; http-rules 3.3",
     "One representation is fetched for all clients",
     "the site's Accept-Encoding is sent, identity unless configured", "accept_encoding") {
  EXPECT_EQ(forwarded({"Accept-Encoding: br"}), kOwn);
  ForwardOptions options = shared();
  options.accept_encoding = "gzip";
  EXPECT_EQ(forwarded({"Accept-Encoding: br"}, options).back(), "Accept-Encoding: gzip");
}

/// What could poison: none of it reaches the origin on a fill.
const char* const kHeldBack[] = {"X-Forwarded-Host",
                                 "X-Forwarded-Proto",
                                 "X-Forwarded-Port",
                                 "X-Forwarded-Scheme",
                                 "X-Forwarded-Server",
                                 "X-Forwarded-SSL",
                                 "X-Forwarded-Prefix",
                                 "X-Forwarded-For",
                                 "X-Forwarded",
                                 "X-Forwarded-By",
                                 "X-Forwarded-Path",
                                 "X-Forwarded-Protocol",
                                 "X-Forwarded-Uri",
                                 "X-Forwarded-Anything",
                                 "Forwarded",
                                 "Forwarded-For",
                                 "Forwarded-Proto",
                                 "X-Forward-Proto",
                                 "X-Original-URL",
                                 "X-Original-Host",
                                 "X-Original-Anything",
                                 "X-Rewrite-URL",
                                 "X-HTTP-Method",
                                 "X-HTTP-Method-Override",
                                 "X-Method-Override",
                                 "X-HTTP-Host-Override",
                                 "X-HTTP-DestinationURL",
                                 "X-HTTP-Path-Override",
                                 "X-Override-URL",
                                 "HTTP-Host",
                                 "Http-Method-Override",
                                 "X-Host",
                                 "X-Host-Override",
                                 "X-Backend-Host",
                                 "Base-Url",
                                 "Request-Uri",
                                 "X-Url",
                                 "X-Script-Name",
                                 "X-Scheme",
                                 "X-Url-Scheme",
                                 "Front-End-Https",
                                 "X-Real-IP",
                                 "True-Client-IP",
                                 "CF-Connecting-IP",
                                 "CF-Visitor",
                                 "Fastly-Client-IP",
                                 "Fastly-SSL",
                                 "Client-IP",
                                 "X-Client-IP",
                                 "X-Cluster-Client-IP",
                                 "WL-Proxy-Client-IP",
                                 "Incap-Client-IP",
                                 "Proxy",
                                 "Proxy-Host",
                                 "X-Proxy-Url",
                                 "X-Amz-Website-Redirect-Location",
                                 "X-Amz-Server-Side-Encryption",
                                 "X-Goog-Date",
                                 "X-Ms-Version",
                                 "X-Envoy-Original-Path",
                                 "X-Kong-Route",
                                 "X-Azure-Ref",
                                 "X-ARR-SSL",
                                 "CloudFront-Forwarded-Proto",
                                 "Akamai-Origin-Hop",
                                 "Surrogate-Capability",
                                 "X-Middleware-Subrequest",
                                 "X-Middleware-Prefetch",
                                 "X-Invoke-Path",
                                 "X-Invoke-Status",
                                 "X-Matched-Path",
                                 "X-Now-Route-Matches",
                                 "X-Nextjs-Data",
                                 "RSC",
                                 "Next-Router-State-Tree",
                                 "Next-Router-Prefetch",
                                 "Next-Action",
                                 "X-Nuxt-No-SSR",
                                 "X-React-Router-SPA-Mode",
                                 "X-Astro-Path",
                                 "Spring.Cloud.Function.Routing-Expression",
                                 "X-Sendfile-Type",
                                 "X-Accel-Mapping",
                                 "X-Accel-Redirect"};

RULE(Fill, NoPoison, "http-rules 3.14, 5.1",
     "A field that changes the answer but is not keyed poisons a cache",
     "those known to, by pattern, are not sent on fills: in any case, with any byte for the -",
     "forward_headers") {
  for (const std::string name : kHeldBack) {
    for (const char byte : {'-', '_', '.', '~'}) {
      std::string spelling = name;
      std::replace(spelling.begin(), spelling.end(), '-', byte);
      EXPECT_EQ(passed({spelling + ": evil", "X: 1"}), Strings{"X: 1"}) << spelling;
      std::transform(spelling.begin(), spelling.end(), spelling.begin(), ::toupper);
      EXPECT_EQ(passed({spelling + ": evil", "X: 1"}), Strings{"X: 1"}) << spelling;
    }
  }
  for (const std::string name :
       {"X-Forward", "X-Real", "Forwarde", "X-Hosts", "X-Original", "Nextjs", "CF", "X-Am",
        "Client-Ips", "X-Requested-With", "Upgrade-Insecure-Requests", "Sec-Fetch-Mode", "DNT",
        "Sec-CH-UA", "Priority", "Save-Data", "X-CSRF-Token", "HX-Request", "Prefer"}) {
    EXPECT_EQ(passed({name + ": 1"}), Strings{name + ": 1"}) << name;
  }
}

RULE(Fill, NoFoldedSpelling, "http-rules 3.14, 5.1",
     "CGI and WSGI read `_` and other bytes in a field name as `-`",
     "a field that we know by another spelling is not sent on fills, whatever the site or Vary "
     "names",
     "") {
  PolicyOptions listing;
  listing.forward_headers = {"If_None_Match", "Accept_Language", "X"};
  for (const std::string name :
       {"If_None_Match", "If.Modified.Since", "If_Range", "Accept_Encoding", "Accept_Language",
        "Cache_Control", "Max_Forwards", "User_Agent", "Content_Length", "Content.Length",
        "TRANSFER_ENCODING", "Keep_Alive", "X.Forwarded.Host", "x_forwarded_for", "X_Real-IP",
        "CDN_Loop", "Proxy_Authorization", "HTTP2_Settings"}) {
    EXPECT_EQ(passed({name + ": evil", "X: 1"}), Strings{"X: 1"}) << name;
    EXPECT_EQ(passed({name + ": evil", "X: 1"}, listing), Strings{"X: 1"}) << name;
  }
}

RULE(Alone, NoFoldedFraming, "RFC 9112 §6; http-rules 3.14, 4.1",
     "An origin that folds names would see framing and routing that nobody checked",
     "folded spellings of framing, of hop-by-hop fields and of what proxies write go nowhere", "") {
  for (const std::string name :
       {"Content_Length", "Content.Length", "content~length", "Transfer_Encoding", "Keep_Alive",
        "Proxy_Authorization", "Proxy_Authenticate", "Proxy_Authentication_Info",
        "Proxy_Connection", "HTTP2_Settings", "X_Forwarded_For", "X_Forwarded_Host",
        "X.Forwarded.Proto", "x_real_ip", "CDN_Loop", "Front_End_Https", "X_Url_Scheme"}) {
    EXPECT_EQ(forwarded(Request("POST", {name + ": evil", "X: 1"}), alone()).front(), "X: 1")
        << name;
  }
  EXPECT_EQ(forwarded(Request("POST", {"If_Match: x"}), alone()).front(), "If_Match: x");
}

RULE(Fill, WhatSelectsGoesOn, "RFC 9111 §4.1; http-rules 5.1",
     "A field that Vary names is keyed, so that it poisons nobody",
     "a name of a pattern goes on where the site lists it or the stored Vary holds it, in its own "
     "spelling; what we write ourselves never does",
     "forward_headers") {
  const std::string_view vary[] = {"rsc", "x-forwarded-host", "x-original-lang", "range"};
  const Request request({"RSC: 1", "X-Original-Lang: de", "X_Original_Lang: evil",
                         "X-Forwarded-Host: evil", "X-Host: evil", "Range: bytes=0-1"});
  ForwardOptions options = shared();
  options.vary_names = vary;
  EXPECT_EQ(forwarded(request, options).size(), 2 + kOwn.size());
  std::vector<http::Field> storage(request.head().fields.size());
  EXPECT_EQ(lines_of(http::shared_fields(request.head().fields, {}, vary, storage)),
            (Strings{"RSC: 1", "X-Original-Lang: de"}));
  PolicyOptions listing;
  listing.forward_headers = {"rsc"};
  EXPECT_EQ(passed(request, listing), Strings{"RSC: 1"});
}

RULE(Fill, AcceptIsWhatIsKeyed, "RFC 9111 §4.1; http-rules 4.7",
     "What an origin sees beyond what is keyed fills a variant for others",
     "where a site names types, a shared request carries Accept reduced to them; any other request "
     "carries the client's",
     "vary_accept") {
  PolicyOptions policy;
  policy.vary_accept = {"image/webp"};
  const auto accept_of = [&](const Request& request, const ForwardOptions& options) {
    Strings accepts;
    for (const std::string& line : forwarded(request, options, policy)) {
      if (line.starts_with("Accept:")) accepts.push_back(line);
    }
    return accepts;
  };
  const Request refusing({"Accept: text/html", "Accept: image/webp;q=0.0, image/webp, evil/type"});
  EXPECT_EQ(accept_of(refusing, shared()), Strings{"Accept: image/webp;q=0, */*;q=0.8"});
  EXPECT_EQ(accept_of({"Accept: image/webp, evil/type"}, shared()),
            Strings{"Accept: image/webp, */*;q=0.8"});
  EXPECT_EQ(accept_of({"Accept: evil/type"}, shared()), Strings{"Accept: */*"});
  EXPECT_EQ(accept_of({}, shared()), Strings{"Accept: */*"});
  EXPECT_EQ(accept_of(refusing, alone()).size(), 2u);
  policy.forward_headers = {"X"};
  EXPECT_EQ(accept_of({"Accept: image/webp"}, shared()), Strings{});
}

TEST(WhatWasSent, IsKeyedOnlyWhileVaryNamesIt) {
  const Lines sent({"RSC: 1", "X-Any: 1"});
  const std::string_view vary[] = {"rsc", "x-any"};
  EXPECT_TRUE(http::keys_what_was_sent(sent.fields(), vary, {"rsc"}));
  EXPECT_FALSE(http::keys_what_was_sent(sent.fields(), vary, {"x-any"}));
  EXPECT_FALSE(http::keys_what_was_sent(sent.fields(), vary, {}));
  EXPECT_TRUE(http::keys_what_was_sent(sent.fields(), {}, {})) << "the site lists it";
  EXPECT_TRUE(http::keys_what_was_sent(Lines({"X-Any: 1"}).fields(), vary, {}));
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
  EXPECT_FALSE(loops({"X: perigee"}));
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

}  // namespace
}  // namespace perigee::test
