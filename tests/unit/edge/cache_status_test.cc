// What Cache-Status says of each way in which a request can end: one row a way.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::RequestFlow, http::format_cache_status");

constexpr int64_t kSecond = 1000;
constexpr std::string_view kUpstream = "upstream; hit; ttl=9";

/// What the origin says, with a Cache-Status of a cache before us.
Reply said(uint16_t status, std::string_view directives = "max-age=60") {
  return Reply(status)
      .cache(directives)
      .etag("\"v1\"")
      .line("Cache-Status", kUpstream)
      .body("hello");
}

Reply not_modified(std::string_view tag) {
  return Reply(304).etag(tag).cache("max-age=60").line("Cache-Status", kUpstream);
}

/// The members of all lines.
std::string chain(const Answer& answer) {
  std::string members;
  for (const auto& [name, value] : answer.lines) {
    if (name == "Cache-Status") members.append(members.empty() ? "" : ", ").append(value);
  }
  return members;
}

/// A stand whose /a was stored and is 20 s old. `directives` govern it.
void store_and_age(Stand& stand, std::string_view directives) {
  stand.origin.on("/a", said(200, directives));
  stand.get("/a");
  stand.env.step_wall(20 * kSecond);
}

struct Way {
  const char* name;
  const char* site;  ///< lines of the site's section
  std::function<Answer(Stand&)> go;
  int status;
  const char* ours;     ///< our member, without the name
  bool relayed = true;  ///< it stands behind the origin's
};

Answer again(Stand& stand, std::string_view method, std::string_view lines) {
  stand.origin.on("/a", said(200));
  stand.get("/a");
  return stand.ask(method, "/a", lines);
}

const Way kFromTheStore[] = {
    {"a hit", "", [](Stand& s) { return again(s, "GET", ""); }, 200, "hit; ttl=60"},
    {"a hit answered 304", "",
     [](Stand& s) { return again(s, "GET", "If-None-Match: \"v1\"\r\n"); }, 304, "hit; ttl=60"},
    {"a hit answered 206", "", [](Stand& s) { return again(s, "GET", "Range: bytes=1-2\r\n"); },
     206, "hit; ttl=60"},
    {"a hit answered 206 in parts", "",
     [](Stand& s) { return again(s, "GET", "Range: bytes=0-0,4-4\r\n"); }, 206, "hit; ttl=60"},
    {"a hit answered 416", "", [](Stand& s) { return again(s, "GET", "Range: bytes=9-\r\n"); }, 416,
     "hit; ttl=60"},
    {"a hit for a HEAD", "", [](Stand& s) { return again(s, "HEAD", ""); }, 200, "hit; ttl=60"},
    {"stale, refreshed behind", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10, stale-while-revalidate=60");
       return s.get("/a");
     },
     200, "hit; ttl=-10; detail=stale-while-revalidate"},
    {"stale, and the origin must not be asked", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10, stale-while-revalidate=60");
       return s.get("/a", "Cache-Control: only-if-cached\r\n");
     },
     200, "hit; ttl=-10; detail=stale-while-revalidate"},
    {"stale, since the origin is gone", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10");
       s.origin.go_away();
       return s.get("/a");
     },
     200, "fwd=stale; ttl=-10; detail=stale-if-error"},
    {"stale, since the origin failed", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10, stale-if-error=60");
       s.origin.on("/a", Reply(500).body("broken"));
       return s.get("/a");
     },
     200, "fwd=stale; fwd-status=500; ttl=-10; detail=stale-if-error"},
    {"stale, since the origin is slow", "stale_if_slow = \"500ms\"",
     [](Stand& s) {
       store_and_age(s, "max-age=10, stale-if-error=60");
       s.origin.hold();
       Client client(s);
       client.ask("GET", "/a");
       s.pass_ms(600);
       return client.answer();
     },
     200, "fwd=stale; ttl=-11; detail=stale-if-slow"},
    {"stale, freshened by a 304", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10");
       s.origin.on("/a", not_modified("\"v1\""));
       return s.get("/a");
     },
     200, "fwd=stale; fwd-status=304; stored; detail=revalidated"},
};

const Way kFromTheOrigin[] = {
    {"a miss that is stored", "",
     [](Stand& s) {
       s.origin.on("/a", said(200));
       return s.get("/a");
     },
     200, "fwd=uri-miss; fwd-status=200; stored"},
    {"a miss that is not", "",
     [](Stand& s) {
       s.origin.on("/a", said(200, "no-store"));
       return s.get("/a");
     },
     200, "fwd=uri-miss; fwd-status=200"},
    {"a miss for a HEAD", "",
     [](Stand& s) {
       s.origin.on("/a", said(200));
       return s.ask("HEAD", "/a");
     },
     200, "fwd=uri-miss; fwd-status=200"},
    {"a miss that waited for another's", "",
     [](Stand& s) {
       s.origin.on("/a", said(200));
       s.origin.hold();
       Client first(s);
       Client second(s);
       first.ask("GET", "/a");
       s.run();
       second.ask("GET", "/a");
       s.run();
       s.origin.release();
       return second.answer();
     },
     200, "fwd=uri-miss; fwd-status=200; stored; collapsed"},
    {"the first of a key that cannot be shared", "",
     [](Stand& s) {
       s.origin.on("/a", said(200, "private"));
       return s.get("/a");
     },
     200, "fwd=uri-miss; fwd-status=200"},
    {"the next of it", "",
     [](Stand& s) {
       s.origin.on("/a", said(200, "private"));
       s.get("/a");
       return s.get("/a");
     },
     200, "fwd=uri-miss; fwd-status=200; detail=hit-for-miss"},
    {"the next of it, with the origin gone", "",
     [](Stand& s) {
       s.origin.on("/a", said(200, "private"));
       s.get("/a");
       s.origin.go_away();
       return s.get("/a");
     },
     502, "fwd=uri-miss; detail=hit-for-miss", false},
    {"one that turns out storable after all", "",
     [](Stand& s) {
       s.origin.on("/a", said(200, "private"));
       s.get("/a");
       s.origin.on("/a", said(200));
       return s.get("/a");
     },
     200, "fwd=uri-miss; fwd-status=200; stored; detail=hit-for-miss"},
    {"another variant", "",
     [](Stand& s) {
       s.origin.on("/a", said(200).line("Vary", "X-Kind"));
       s.get("/a", "X-Kind: 1\r\n");
       return s.get("/a", "X-Kind: 2\r\n");
     },
     200, "fwd=vary-miss; fwd-status=200; stored"},
    {"fetched again after a 304 that is another's", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10");
       s.origin.on("/a", [](const Asked& asked) {
         return asked["If-None-Match"].empty() ? said(200) : not_modified("\"v2\"");
       });
       return s.get("/a");
     },
     200, "fwd=stale; fwd-status=200; stored"},
    {"an error in place of a stale copy", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10");
       s.origin.on("/a", said(503, "no-store"));
       return s.get("/a");
     },
     503, "fwd=stale; fwd-status=503"},
};

const Way kNeverShared[] = {
    {"an unsafe method", "",
     [](Stand& s) {
       s.origin.on("/a", said(201));
       return s.ask("POST", "/a", "", "x");
     },
     201, "fwd=method; fwd-status=201"},
    {"a site that is bypassed", "bypass = true",
     [](Stand& s) {
       s.origin.on("/a", said(200));
       return s.get("/a");
     },
     200, "fwd=bypass; fwd-status=200"},
    {"a condition that does not hold here", "",
     [](Stand& s) {
       s.origin.on("/a", said(200));
       return s.get("/a", "If-Match: \"v0\"\r\n");
     },
     412, "fwd=uri-miss; fwd-status=200; stored", false},
    {"a reload that the site honours", "honour_client_directives = true",
     [](Stand& s) {
       s.origin.on("/a", said(200));
       s.get("/a");
       s.origin.on("/a", not_modified("\"v1\""));
       return s.get("/a", "Cache-Control: no-cache\r\n");
     },
     200, "fwd=request; fwd-status=304; stored; detail=revalidated"},
};

const Way kOurOwn[] = {
    {"only-if-cached, and nothing is", "",
     [](Stand& s) { return s.get("/a", "Cache-Control: only-if-cached\r\n"); }, 504, "fwd=uri-miss",
     false},
    {"only-if-cached, and what is is stale", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10");
       return s.get("/a", "Cache-Control: only-if-cached\r\n");
     },
     504, "fwd=stale", false},
    {"an unknown name", "", [](Stand& s) { return s.get("/a", "Host: other.test\r\n"); }, 421,
     "fwd=bypass", false},
    {"a purge that is not allowed", "", [](Stand& s) { return s.ask("PURGE", "/a"); }, 403,
     "fwd=bypass", false},
    {"a purge", "",
     [](Stand& s) {
       Client client(s, "127.0.0.1:1");
       return client.ask("PURGE", "/a").answer();
     },
     200, "fwd=bypass", false},
    {"a purge that is not durable", "",
     [](Stand& s) {
       s.env.lane_capacity[0] = 0;
       Client client(s, "127.0.0.1:1");
       return client.ask("PURGE", "/a").answer();
     },
     503, "fwd=bypass", false},
    {"OPTIONS *", "", [](Stand& s) { return s.ask("OPTIONS", "*"); }, 204, "fwd=bypass", false},
    {"a loop", "cdn_id = \"perigee\"",
     [](Stand& s) { return s.get("/a", "CDN-Loop: perigee\r\n"); }, 508, "fwd=bypass", false},
    {"an origin that is gone", "",
     [](Stand& s) {
       s.origin.go_away();
       return s.get("/a");
     },
     502, "fwd=uri-miss", false},
    {"an origin that is gone, for a POST", "",
     [](Stand& s) {
       s.origin.go_away();
       return s.ask("POST", "/a", "", "x");
     },
     502, "fwd=method", false},
    {"an origin that does not answer", "",
     [](Stand& s) {
       s.origin.hold();
       Client client(s);
       client.ask("GET", "/a");
       s.pass_ms(base::limits::kOriginHeadMs + kSecond);
       return client.answer();
     },
     504, "fwd=uri-miss", false},
    {"a copy that must not be used stale", "",
     [](Stand& s) {
       store_and_age(s, "max-age=10, must-revalidate");
       s.origin.go_away();
       return s.get("/a");
     },
     504, "fwd=stale", false},
    {"too many fills", "",
     [](Stand& s) {
       s.origin.hold();
       std::vector<std::unique_ptr<Client>> clients;
       for (size_t i = 0; i < base::limits::kFills + base::limits::kFillsWaiting; ++i) {
         clients.push_back(std::make_unique<Client>(s));
         clients.back()->ask("GET", "/" + std::to_string(i));
       }
       s.run();
       return s.get("/a");
     },
     503, "fwd=uri-miss", false},
};

void expect_said(const Way& way) {
  SCOPED_TRACE(way.name);
  Stand stand(way.site);
  const Answer answer = way.go(stand);
  EXPECT_EQ(answer.status, way.status);
  const std::string ours = "perigee; " + std::string(way.ours);
  EXPECT_EQ(chain(answer), way.relayed ? std::string(kUpstream) + ", " + ours : ours);
  EXPECT_EQ(answer.count("Date"), 1u);
}

RULE(CacheStatus, FromTheStore, "RFC 9211 §2.1; RFC 9211 §2.5",
     "hit: answered without going forward; ttl: what is left of the lifetime",
     "hit, also when answered 304, 206 or 416; fwd=stale with a detail where a copy covers the "
     "origin",
     "") {
  for (const Way& way : kFromTheStore) expect_said(way);
}

RULE(CacheStatus, FromTheOrigin, "RFC 9211 §2.2; RFC 9211 §2.3",
     "fwd: why the request went forward; fwd-status: with what it came back",
     "fwd, fwd-status, stored, collapsed; appended to what caches before us said", "") {
  for (const Way& way : kFromTheOrigin) expect_said(way);
}

RULE(CacheStatus, NeverShared, "RFC 9211 §2.2",
     "method, bypass and request: a stored response could not be looked for or used",
     "the first that applies", "") {
  for (const Way& way : kNeverShared) expect_said(way);
}

RULE(CacheStatus, OurOwn, "RFC 9211 §2", "a cache may say what it did in a response of its own too",
     "fwd=bypass where no cache was involved, else why the origin would have been asked", "") {
  for (const Way& way : kOurOwn) expect_said(way);
}

}  // namespace
}  // namespace perigee::test
