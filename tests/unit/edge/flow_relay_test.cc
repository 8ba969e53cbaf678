// Requests that change something: relayed alone with their bodies, and what they make invalid.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/limits.h"
#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::RequestFlow, edge::Relayed, http::same_origin_target");

Reply fresh(std::string body) { return Reply(200).cache("max-age=60").body(body); }

TEST(FlowRelay, APostIsRelayedWithItsBodyAndItsOwnFields) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) { return Reply(200).body("got " + asked.body); });
  const Answer answer = stand.ask("POST", "/a", "Cookie: c=1\r\nAccept-Encoding: br\r\n", "data");
  EXPECT_EQ(answer.body, "got data");
  EXPECT_EQ(answer.cache(), "perigee; fwd=method; fwd-status=200");
  const Asked& asked = stand.origin.asked[0];
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked["Cookie"], "c=1");
  EXPECT_EQ(asked["Accept-Encoding"], "br");
  EXPECT_EQ(asked["X-Forwarded-For"], "203.0.113.9");
  EXPECT_EQ(asked["X-Forwarded-Host"], "site.test");
}

TEST(FlowRelay, AChunkedRequestStreamsUp) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) { return Reply(200).body(asked.body); });
  Client client(stand);
  client.ask("PUT", "/a", "Transfer-Encoding: chunked\r\n");
  client.write(chunk("abc"));
  stand.run();
  client.write(chunk("def") + "0\r\n\r\n");
  EXPECT_EQ(client.answer().body, "abcdef");
}

RULE(FlowRelay, EveryMethodThatTheParserKnowsIsRelayed, "RFC 9110 §9; http-rules 1.6",
     "an intermediary forwards methods that it does not act on", "relayed alone", "") {
  Stand stand;
  stand.origin.on("/a", Reply(207).body("x"));
  for (const std::string_view method :
       {"PUT", "DELETE", "PATCH", "PROPFIND", "REPORT", "SEARCH", "MKCOL", "LOCK", "M-SEARCH"}) {
    EXPECT_EQ(stand.ask(method, "/a").cache(), "perigee; fwd=method; fwd-status=207") << method;
    EXPECT_EQ(stand.origin.asked.back().method, method);
  }
}

RULE(FlowRelay, ASuccessfulUnsafeMethodInvalidatesItsTarget, "RFC 9111 §4.4; http-rules 1.7",
     "a 2xx or 3xx answer to an unsafe method invalidates the target", "with all variants", "") {
  for (const int status : {200, 204, 303}) {
    Stand stand;
    stand.origin.on("/a", [status](const Asked& asked) {
      return asked.method == "GET" ? fresh("x") : Reply(static_cast<uint16_t>(status));
    });
    stand.get("/a");
    EXPECT_EQ(stand.ask("DELETE", "/a").status, status);
    EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=uri-miss; fwd-status=200; stored") << status;
  }
}

RULE(FlowRelay, AnUnsafeMethodThatFailedInvalidatesNothing, "RFC 9111 §4.4; http-rules 2.14",
     "only non-error answers invalidate", "4xx and 5xx change nothing; nor do safe methods", "") {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    if (asked.method == "GET") return fresh("x");
    if (asked.method == "PATCH") return Reply(400);
    return Reply(asked.method == "POST" ? 409 : asked.method == "PUT" ? 500 : 200);
  });
  stand.get("/a");
  for (const std::string_view method : {"POST", "PUT", "PATCH", "OPTIONS", "PROPFIND"}) {
    stand.ask(method, "/a");
    EXPECT_EQ(stand.get("/a").cache(), "perigee; hit; ttl=60") << method;
  }
}

RULE(FlowRelay, LocationAndContentLocationOfTheSameOriginAreInvalidated,
     "RFC 9111 §4.4; http-rules 2.14", "the URIs in Location and Content-Location are invalidated",
     "within the same scheme, host and port", "") {
  Stand stand;
  for (const std::string target : {"/a", "/b", "/c"}) {
    stand.origin.on(target, fresh(target));
    stand.get(target);
  }
  stand.origin.on("/form",
                  Reply(303).line("Location", "/a").line("Content-Location", "http://site.test/b"));
  stand.ask("POST", "/form");
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
  EXPECT_EQ(stand.stored("/b").state, cache_store::Found::kMiss);
  stand.origin.on("/form", Reply(303).line("Location", "http://other.test/c"));
  stand.ask("POST", "/form");
  EXPECT_EQ(stand.get("/c").cache(), "perigee; hit; ttl=60");
}

TEST(FlowRelay, WhatLocationNamesIsKeyedAsTheSiteKeysQueries) {
  Stand stand("query_sort = true\nquery_strip = [\"utm_*\"]");
  stand.origin.on("/a?a=1&b=2", fresh("x"));
  stand.get("/a?b=2&a=1");
  stand.origin.on("/form", Reply(303).line("Location", "/a?b=2&utm_source=form&a=1"));
  stand.ask("POST", "/form");
  EXPECT_EQ(stand.stored("/a?a=1&b=2").state, cache_store::Found::kMiss);
}

TEST(FlowRelay, InvalidationIsInForceBeforeTheFirstByteOfTheAnswer) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return asked.method == "GET" ? fresh("x") : Reply(200).body("0123456789").stops_after(1);
  });
  stand.get("/a");
  Client client(stand);
  client.ask("POST", "/a");
  EXPECT_NE(client.arrived().find("200 OK"), std::string::npos);
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

TEST(FlowRelay, AnAnswerThatInvalidatesWaitsForTheJournal) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return asked.method == "GET" ? fresh("x") : Reply(200).body("done");
  });
  stand.get("/a");
  Client client(stand);
  stand.env.hold_jobs = true;
  client.ask("POST", "/a");
  EXPECT_EQ(client.arrived(), "");
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
  stand.env.hold_jobs = false;
  EXPECT_EQ(client.answer().body, "done");
  // Nothing to invalidate: nothing to wait for.
  stand.env.hold_jobs = true;
  EXPECT_EQ(client.ask("POST", "/a").answer().body, "done");
  stand.env.hold_jobs = false;
}

TEST(FlowRelay, AnAnswerThatInvalidatesComesThoughTheLaneIsFull) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return asked.method == "GET" ? fresh("x") : Reply(200).body("done");
  });
  stand.get("/a");
  stand.env.lane_capacity[static_cast<size_t>(base::Lane::kLatency)] = 0;
  EXPECT_EQ(stand.ask("POST", "/a").body, "done");
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
  EXPECT_EQ(stand.metrics.loop(0).unwritten, 1u);
}

TEST(FlowRelay, AnAnswerThatInvalidatesComesThoughTheJournalFailsAndItIsWrittenLater) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return asked.method == "GET" ? fresh("x") : Reply(200).body("done");
  });
  stand.get("/a");
  stand.ask("POST", "/a");
  EXPECT_EQ(stand.metrics.loop(0).unwritten, 0u);
  stand.get("/a");
  stand.io->refuse_writes = true;
  EXPECT_EQ(stand.ask("POST", "/a").body, "done") << "the origin has done it";
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
  EXPECT_TRUE(stand.store().stats().journal_bad);
  EXPECT_EQ(stand.metrics.loop(0).unwritten, 1u);
  stand.io->refuse_writes = false;
  while (stand.store().maintain({.wall_ms = stand.env.wall().ms})) {
  }
  EXPECT_FALSE(stand.store().stats().journal_bad);
}

RULE(FlowRelay, ConditionsOfOtherMethodsAreTheOrigins, "RFC 9110 §13.2.1; http-rules 1.15",
     "Conditions of a request that changes something are for the origin to judge",
     "they go on as they came, and its answer is relayed whatever they say", "") {
  Stand stand;
  stand.origin.on("/a", Reply(200).etag("\"v1\"").body("done"));
  for (const std::string line : {"If-None-Match: \"v1\"", "If-Match: \"v2\""}) {
    const Answer answer = stand.ask("PUT", "/a", line + "\r\n", "x");
    EXPECT_EQ(answer.status, 200) << line;
    EXPECT_EQ(answer.body, "done") << line;
    EXPECT_EQ(stand.origin.asked.back()[line.substr(0, line.find(':'))],
              line.substr(line.find(':') + 2));
  }
}

TEST(FlowRelay, WhatWasFetchedBeforeAnInvalidationIsNotStoredAfterIt) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) {
    return asked.method == "GET" ? fresh("0123456789").stops_after(3) : Reply(204);
  });
  Client reader(stand);
  reader.ask("GET", "/a");
  stand.run();
  EXPECT_EQ(stand.ask("PUT", "/a").status, 204);
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

/// Anybody can send requests to URLs that are not stored, however many.
TEST(FlowRelay, InvalidatingWhatIsNotStoredKeepsNothingElseOutOfTheStore) {
  Stand stand;
  stand.origin.on("/slow", fresh("slow"));
  stand.origin.otherwise(Reply(204));
  stand.origin.hold("GET", "/slow");
  Client reader(stand);
  reader.ask("GET", "/slow");
  stand.run();
  const uint64_t purges = stand.store().stats().purges;
  Client writer(stand);
  for (size_t i = 0; i < base::limits::kPurgesRemembered + 100; ++i) {
    ASSERT_EQ(writer.ask("POST", "/absent" + std::to_string(i)).answer().status, 204);
  }
  EXPECT_EQ(stand.store().stats().purges, purges);
  stand.origin.release();
  EXPECT_EQ(reader.answer().cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_EQ(stand.get("/slow").cache(), "perigee; hit; ttl=60");
}

TEST(FlowRelay, InvalidatingWhatIsOnItsWayKeepsItOutOfTheStore) {
  Stand stand;
  stand.origin.on(
      "/a", [](const Asked& asked) { return asked.method == "GET" ? fresh("old") : Reply(204); });
  stand.origin.hold("GET", "/a");
  Client reader(stand);
  reader.ask("GET", "/a");
  stand.run();
  EXPECT_EQ(stand.ask("DELETE", "/a").status, 204);
  stand.origin.release();
  EXPECT_EQ(reader.answer().body, "old");
  EXPECT_EQ(stand.stored("/a").state, cache_store::Found::kMiss);
}

/// What goes to one client alone must not take the connections that fills need.
TEST(FlowRelay, RelaysTakeTheirShareOfTheOriginsConnections) {
  for (const bool one_network : {false, true}) {
    Stand stand;
    stand.origin.hold();
    std::vector<std::unique_ptr<Client>> clients;
    for (size_t i = 0; i < base::limits::kOriginConnections; ++i) {
      const std::string network = one_network ? "198.51.100.1" : "198.51.100." + std::to_string(i);
      clients.push_back(std::make_unique<Client>(stand, network + ":1"));
      clients.back()->ask("POST", "/a", "", "x");
    }
    stand.run();
    const size_t relays = base::limits::kOriginConnections / base::limits::kRelayShare;
    EXPECT_EQ(stand.origin.open_connections(),
              one_network ? relays / base::limits::kClientShare : relays);
    stand.origin.release();
    for (const auto& client : clients) EXPECT_EQ(client->answer().status, 404);
  }
}

/// It was asked for with fields of one client that no fill sends (a method override,
/// Accept-Encoding), so that it may be another answer than the one a GET would get.
TEST(FlowRelay, InterimResponsesOfTheOriginComeFirst) {
  Stand stand;
  stand.origin.on("/a", Reply(200).body("x").after_interim("103 Early Hints\r\nLink: </b>\r\n"));
  Client client(stand);
  client.ask("POST", "/a", "", "content");
  const Answer interim = client.answer();
  EXPECT_EQ(interim.status, 103);
  EXPECT_EQ(interim["Link"], "</b>");
  EXPECT_EQ(client.answer().body, "x");
}

RULE(FlowRelay, AnAnswerToPostIsNeverStored, "RFC 9110 §9.3.3; http-rules 2.14",
     "an answer to POST with explicit freshness and a Content-Location equal to the target may be "
     "reused for GET",
     "it is relayed and not stored", "") {
  for (const bool chunked : {false, true}) {
    Stand stand;
    stand.origin.on("/a", [&](const Asked& asked) {
      if (asked.method == "GET") return fresh("got");
      Reply reply = Reply(200).cache("max-age=60").line("Content-Location", "/a");
      return chunked ? reply.chunked("posted") : reply.body("posted");
    });
    const Answer posted = stand.ask("POST", "/a", "X-HTTP-Method-Override: PUT\r\n", "x");
    EXPECT_EQ(posted.body, "posted");
    EXPECT_EQ(posted.cache(), "perigee; fwd=method; fwd-status=200");
    EXPECT_EQ(stand.get("/a").body, "got");
  }
}

RULE(FlowRelay, ContentOfGetGoesOnWhereARuleSaysBypass,
     "RFC 9110 §9.3.1; RFC 9110 §9.3.2; http-rules 1.20",
     "content in GET has no meaning that a cache could key by; clients of Elasticsearch send it",
     "400 and close, and relayed with its content where a rule says bypass", "bypass") {
  Stand stand("[[site.rule]]\nprefix = \"/search\"\nbypass = true\n");
  stand.origin.on("/search", [](const Asked& asked) { return Reply(200).body(asked.body); });
  for (const std::string method : {"GET", "HEAD"}) {
    Client refused(stand);
    refused.ask(method, "/a", "", "GET /smuggled HTTP/1.1\r\n\r\n").ask("GET", "/b");
    const Answer answer = refused.answer();
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer["Connection"], "close");
    EXPECT_EQ(refused.answer().status, 0) << "nothing behind it is read";
  }
  EXPECT_EQ(stand.origin.asked.size(), 0u);
  EXPECT_EQ(stand.ask("GET", "/search", "", "{\"query\": 1}").body, "{\"query\": 1}");
  EXPECT_EQ(stand.ask("HEAD", "/search", "", "x").status, 200);
  EXPECT_EQ(stand.origin.asked.back().method, "HEAD");
  EXPECT_EQ(stand.origin.asked.back().body, "x");
}

RULE(FlowRelay, CredentialsOfAConnectionStayOnTheClientsOwn,
     "RFC 4559 §6; RFC 9110 §11.6.2; http-rules 5.10",
     "NTLM and Negotiate authenticate a connection: what follows on it is that user's",
     "such requests are relayed on a connection of the client's own, never pooled, neither served "
     "from the store nor stored; it ends with the client's connection",
     "") {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("public, max-age=60").body("x"));
  for (const std::string scheme : {"NTLM", "negotiate"}) {
    auto user = std::make_unique<Client>(stand);
    const size_t before = stand.origin.open_connections();
    const size_t asked = stand.origin.asked.size();
    for (int round = 0; round < 3; ++round) {
      user->ask("GET", "/a", "Authorization: " + scheme + " abc=\r\n");
      EXPECT_EQ(user->answer().cache(), "perigee; fwd=request; fwd-status=200");
    }
    EXPECT_EQ(stand.origin.asked.size(), asked + 3);
    EXPECT_EQ(stand.origin.open_connections(), before + 1) << "one, kept";
    Client stranger(stand);
    stranger.ask("POST", "/a");
    EXPECT_EQ(stranger.answer().status, 200);
    EXPECT_EQ(stand.origin.open_connections(), std::max<size_t>(before, 1) + 1) << "another one";
    user.reset();
    stand.run();
    EXPECT_EQ(stand.origin.open_connections(), std::max<size_t>(before, 1)) << "gone with its user";
  }
}

}  // namespace
}  // namespace perigee::test
