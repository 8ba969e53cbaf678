// A deployment at the origin does not break the site: pages in place of assets, and assets that
// were deleted.
#include <gtest/gtest.h>

#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("http::stands_in, http::is_misshapen, http::is_missing_asset, origin::FillOwner");

constexpr int64_t kDay = 86'400'000;

Reply script(std::string text, std::string_view directives = "max-age=60, immutable") {
  return Reply(200).cache(directives).line("Content-Type", "text/javascript").body(std::move(text));
}

Reply page() {
  return Reply(200)
      .cache("public, max-age=31536000, immutable")
      .line("Content-Type", "text/html; charset=utf-8")
      .line("Expires", "Fri, 01 Jan 2038 00:00:00 GMT")
      .body("<p>start</p>");
}

RULE(AssetShape, APageInPlaceOfAScriptIsNotStored, "http-rules 5.8",
     "An origin that lacks a file often answers with a page and the status 200",
     "it goes on with no-store instead of its own Cache-Control, and is stored under no asset's "
     "name",
     "shape_guard") {
  for (const std::string target :
       {"/app.js", "/app.css?v=1", "/a.woff2", "/a.PNG", "/a.wasm", "/app.js.map"}) {
    Stand stand;
    stand.origin.on(target, page());
    const Answer answer = stand.get(target);
    EXPECT_EQ(answer.status, 200) << target;
    EXPECT_EQ(answer.body, "<p>start</p>");
    EXPECT_EQ(answer["Cache-Control"], "no-store");
    EXPECT_EQ(answer.count("Cache-Control"), 1u);
    EXPECT_EQ(answer["Expires"], "");
    EXPECT_EQ(answer.cache(), "perigee; fwd=uri-miss; fwd-status=200; detail=shape");
    EXPECT_EQ(stand.stored(target).state, cache_store::Found::kMiss);
    EXPECT_EQ(stand.metrics.misshapen(), 1u);
    stand.origin.on(target, script("good"));
    EXPECT_EQ(stand.get(target).body, "good");
    stand.settle();
    EXPECT_EQ(stand.get(target).cache().substr(0, 12), "perigee; hit");
  }
}

RULE(AssetShape, ThePagesOwnUrlIsNoAsset, "http-rules 5.8", "A page is a page",
     "stored under names that promise nothing else, and where a rule turns the guard off",
     "shape_guard") {
  Stand stand("shape_guard = true\n[[site.rule]]\nprefix = \"/odd/\"\nshape_guard = false\n");
  for (const std::string target : {"/", "/about", "/a.html", "/a.php", "/odd/app.js"}) {
    stand.origin.on(target, page());
    stand.get(target);
    EXPECT_EQ(stand.stored(target).state, cache_store::Found::kHit) << target;
  }
}

RULE(AssetShape, TheLastGoodVersionIsServed, "http-rules 5.8; RFC 9111 §4.2.4",
     "What is stored is better than a page that is none",
     "the stored response, stale, while the origin answers with a page, for GET and HEAD",
     "shape_guard, retain") {
  Stand stand;
  stand.origin.on("/app.js", script("good", "max-age=60"));
  stand.get("/app.js");
  stand.origin.on("/app.js", page());
  stand.env.step_wall(120'000);
  const Answer answer = stand.get("/app.js");
  EXPECT_EQ(answer.body, "good");
  EXPECT_EQ(answer["Content-Type"], "text/javascript");
  EXPECT_EQ(answer["Cache-Control"], "max-age=60");
  EXPECT_EQ(answer["Age"], "120");
  EXPECT_EQ(answer.cache(), "perigee; fwd=stale; fwd-status=200; detail=shape");
  const Answer head = stand.ask("HEAD", "/app.js");
  EXPECT_EQ(head["Content-Type"], "text/javascript");
  EXPECT_EQ(head.cache(), "perigee; fwd=stale; fwd-status=200; ttl=-60; detail=shape");
  stand.origin.on("/app.js", script("better", "max-age=60"));
  EXPECT_EQ(stand.get("/app.js").body, "better");
}

RULE(AssetShape, WhatMustBeValidatedIsNotServedStale, "RFC 9111 §4.2.4, §5.2.2.2",
     "must-revalidate forbids stale responses", "the page goes on, with no-store", "shape_guard") {
  Stand stand;
  stand.origin.on("/app.js", script("good", "max-age=60, must-revalidate"));
  stand.get("/app.js");
  stand.origin.on("/app.js", page());
  stand.env.step_wall(120'000);
  const Answer answer = stand.get("/app.js");
  EXPECT_EQ(answer.body, "<p>start</p>");
  EXPECT_EQ(answer["Cache-Control"], "no-store");
}

RULE(Retention, WhatWasImmutableOutlivesItsDeletion, "http-rules 5.9; RFC 8246; RFC 9111 §4.2.4",
     "Pages that are open ask for the files of the release before",
     "a stored 200 that said immutable is served while the origin answers 404 or 410, for `retain`",
     "retain") {
  for (const uint16_t status : {uint16_t{404}, uint16_t{410}}) {
    Stand stand("retain = \"7d\"");
    stand.origin.on("/app.js", script("old"));
    stand.get("/app.js");
    stand.origin.on("/app.js", Reply(status).cache("max-age=3600").body("gone"));
    stand.env.step_wall(7 * kDay + 59'000);
    const Answer answer = stand.get("/app.js");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "old");
    EXPECT_EQ(answer.cache(),
              "perigee; fwd=stale; fwd-status=" + std::to_string(status) + "; detail=retained");
    EXPECT_EQ(stand.ask("HEAD", "/app.js").status, 200);
    EXPECT_EQ(stand.get("/app.js", "Range: bytes=0-1\r\n").body, "ol");
    EXPECT_EQ(stand.metrics.retained(), 3u);
    stand.env.step_wall(2'000);
    EXPECT_EQ(stand.get("/app.js").status, status);
  }
}

RULE(Retention, ASoftPurgeKeepsItAHardPurgeEndsIt, "http-rules 5.9",
     "Deployments purge softly; who wants it gone purges", "retained, then 404", "retain") {
  Stand stand("purge_from = [\"203.0.113.0/24\"]");
  stand.origin.on("/app.js", script("old", "max-age=31536000, immutable"));
  stand.get("/app.js");
  stand.settle();
  stand.origin.on("/app.js", Reply(404));
  EXPECT_EQ(stand.ask("PURGE", "/app.js", "Soft-Purge: 1\r\n").status, 200);
  stand.env.step_wall(5'000);
  EXPECT_EQ(stand.get("/app.js").body, "old");
  EXPECT_EQ(stand.ask("PURGE", "/app.js").status, 200);
  EXPECT_EQ(stand.get("/app.js").status, 404);
}

RULE(Retention, OthersAreGoneWhenTheOriginSaysSo, "http-rules 5.9; RFC 9111 §4.2.4",
     "Without immutable nobody has agreed to old content",
     "404 for what was not immutable, must be validated, says s-maxage, or `retain` = 0; with "
     "retain_hashed, names with a hash of the content are retained too",
     "retain, retain_hashed") {
  struct Row {
    const char* site;
    const char* target;
    const char* directives;
    int status;
  };
  const Row rows[] = {
      {"", "/app.js", "max-age=60", 404},
      {"", "/app.3f9c2b1a.js", "max-age=60", 404},
      {"", "/app.js", "max-age=60, immutable, must-revalidate", 404},
      {"", "/app.js", "max-age=60, immutable, s-maxage=60", 404},
      {"retain = \"0s\"", "/app.js", "max-age=60, immutable", 404},
      {"retain_hashed = true", "/app.js", "max-age=60", 404},
      {"retain_hashed = true", "/app.3f9c2b1a.js", "max-age=60", 200},
      {"", "/no-suffix", "max-age=60, immutable", 200},
  };
  for (const Row& row : rows) {
    Stand stand(row.site);
    stand.origin.on(row.target, script("old", row.directives));
    stand.get(row.target);
    stand.origin.on(row.target, Reply(404));
    stand.env.step_wall(120'000);
    EXPECT_EQ(stand.get(row.target).status, row.status)
        << row.site << " " << row.target << " " << row.directives;
  }
}

TEST(Retention, ACrowdAsksOnceAndIsAnswered) {
  Stand stand;
  stand.origin.on("/app.js", script("old"));
  stand.get("/app.js");
  stand.settle();
  stand.origin.on("/app.js", Reply(404).body("gone"));
  stand.env.step_wall(120'000);
  stand.origin.hold();
  std::vector<std::unique_ptr<Client>> crowd;
  for (int i = 0; i < 20; ++i) {
    crowd.push_back(std::make_unique<Client>(stand));
    crowd.back()->ask("GET", "/app.js");
  }
  stand.run();
  stand.origin.release();
  for (const auto& client : crowd) EXPECT_EQ(client->answer().body, "old");
  EXPECT_EQ(stand.origin.asked_for("/app.js"), 2u);
}

RULE(NegativeCaching, NoAssetThatIsMissing, "http-rules 5.9",
     "The next release may have it at any moment",
     "a 404 of a script or the like is not stored, whatever it says; those who wait share it",
     "negative_ttl") {
  Stand stand("negative_ttl = \"1h\"");
  stand.origin.on("/app.js", Reply(404).cache("max-age=60").body("gone"));
  stand.origin.on("/none", Reply(404).body("gone"));
  for (const std::string target : {"/app.js", "/none"}) stand.get(target);
  EXPECT_EQ(stand.stored("/app.js").state, cache_store::Found::kMiss);
  EXPECT_EQ(stand.stored("/none").state, cache_store::Found::kHit);
  stand.origin.hold();
  Client first(stand);
  Client second(stand);
  first.ask("GET", "/app.js");
  second.ask("GET", "/app.js");
  stand.run();
  stand.origin.release();
  EXPECT_EQ(first.answer().status, 404);
  EXPECT_EQ(second.answer().status, 404);
  EXPECT_EQ(stand.origin.asked_for("/app.js"), 2u);
}

}  // namespace
}  // namespace perigee::test
