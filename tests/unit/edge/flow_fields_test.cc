// Fields and bytes of the origin that pass through as they came, on a miss and on every hit.
#include <gtest/gtest.h>

#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("http::make_head_image, http::make_response");

std::vector<std::string> values_of(const Answer& answer, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& [line, value] : answer.lines) {
    if (line == name) values.push_back(value);
  }
  return values;
}

RULE(FlowFields, VaryAsItCame, "RFC 9110 §12.5.5; http-rules 1.1",
     "Vary names what the answer depends on",
     "the origin's lines as they came, on the miss, the hit and the 304; nothing is added to an "
     "answer that is not coded here",
     "") {
  Stand stand;
  stand.origin.on("/a", Reply(200)
                            .cache("max-age=60")
                            .etag("\"v1\"")
                            .line("Vary", "accept-language ,Origin")
                            .line("Vary", "X-Other")
                            .body(std::string(2048, 'x')));
  const std::vector<std::string> sent = {"accept-language ,Origin", "X-Other"};
  EXPECT_EQ(values_of(stand.get("/a"), "Vary"), sent);
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(values_of(hit, "Vary"), sent);
  const Answer not_modified = stand.get("/a", "If-None-Match: \"v1\"\r\n");
  EXPECT_EQ(not_modified.status, 304);
  EXPECT_EQ(values_of(not_modified, "Vary"), sent);
}

RULE(FlowFields, ACodedBodyGoesToEverybody, "RFC 9110 §12.5.3; http-rules 2.12",
     "A server may send a coding that was not asked for when it has nothing else",
     "what the origin coded, and is of no type that is coded here, is sent as it was stored, "
     "whatever "
     "Accept-Encoding says",
     "") {
  Stand stand;
  stand.origin.on(
      "/a",
      Reply(200).cache("max-age=60").etag("\"v1\"").line("Content-Encoding", "br").body("coded"));
  stand.get("/a");
  for (const std::string_view accepted :
       {"", "Accept-Encoding: \r\n", "Accept-Encoding: gzip\r\n",
        "Accept-Encoding: identity;q=1, *;q=0\r\n", "Accept-Encoding: *;q=0\r\n"}) {
    const Answer hit = stand.get("/a", accepted);
    EXPECT_EQ(hit.cache(), "perigee; hit; ttl=60") << accepted;
    EXPECT_EQ(hit["Content-Encoding"], "br") << accepted;
    EXPECT_EQ(hit["ETag"], "\"v1\"") << accepted;
    EXPECT_EQ(hit.body, "coded") << accepted;
  }
}

RULE(FlowFields, ContentEncodingIsNeverRead, "RFC 9110 §8.4; http-rules 3.16, 4.12, 2.12",
     "Content-Encoding may be unknown, several, or untrue",
     "relayed and stored as it came, never decoded and never a 502", "") {
  for (const std::string_view coding :
       {"gzip", "x-gzip", "identity", "br, gzip", "zstd", "unheard"}) {
    Stand stand;
    stand.origin.on(
        "/a", Reply(200).cache("max-age=60").line("Content-Encoding", coding).body("not coded"));
    for (const std::string_view cache :
         {"perigee; fwd=uri-miss; fwd-status=200; stored", "perigee; hit; ttl=60"}) {
      const Answer answer = stand.get("/a");
      EXPECT_EQ(answer.cache(), cache) << coding;
      EXPECT_EQ(answer["Content-Encoding"], coding);
      EXPECT_EQ(answer.body, "not coded") << coding;
    }
  }
}

RULE(FlowFields, LinesKeepTheirOrder, "RFC 9110 §5.3; http-rules 4.23",
     "Lines of one name keep their order; Set-Cookie must not be joined",
     "every line is sent by itself, in its order, as relayed and as stored", "set_cookie") {
  Stand stand("set_cookie = \"store\"");
  stand.origin.on("/a", Reply(200)
                            .cache("max-age=60")
                            .line("Set-Cookie", "a=1; Expires=Sun, 06 Nov 2044 08:49:37 GMT")
                            .line("Link", "</one>; rel=preload")
                            .line("Set-Cookie", "b=2")
                            .line("Link", "</two>; rel=preload")
                            .body("x"));
  const std::vector<std::string> cookies = {"a=1; Expires=Sun, 06 Nov 2044 08:49:37 GMT", "b=2"};
  const std::vector<std::string> links = {"</one>; rel=preload", "</two>; rel=preload"};
  for (const Answer& answer : {stand.get("/a"), stand.get("/a"), stand.ask("POST", "/a")}) {
    EXPECT_EQ(values_of(answer, "Set-Cookie"), cookies) << answer.cache();
    EXPECT_EQ(values_of(answer, "Link"), links) << answer.cache();
  }
}

RULE(FlowFields, KeyFieldsSelectAsIfVaryNamedThem, "RFC 9111 §4.1; http-rules 4.25",
     "S3 sends Vary: Origin only to requests that have Origin",
     "a variant per value of the named fields, absent apart from present; Vary tells it to "
     "whoever stands behind",
     "key_fields") {
  Stand stand("key_fields = [\"Origin\"]\nforward_headers = [\"Accept\"]");
  stand.origin.on("/font", [](const Asked& asked) {
    Reply reply = Reply(200).cache("max-age=60").body("for " + asked["Origin"]);
    if (asked["Origin"].empty()) return reply;
    return reply.line("Access-Control-Allow-Origin", asked["Origin"]).line("Vary", "Origin");
  });
  for (int round = 0; round < 2; ++round) {
    for (const std::string origin : {"", "https://a.test", "https://b.test"}) {
      const Answer answer = stand.get("/font", origin.empty() ? "" : "Origin: " + origin + "\r\n");
      EXPECT_EQ(answer.body, "for " + origin);
      EXPECT_EQ(answer["Access-Control-Allow-Origin"], origin);
      EXPECT_EQ(answer["Vary"], "Origin");
      EXPECT_EQ(answer.count("Vary"), 1u);
    }
    stand.settle();
  }
  EXPECT_EQ(stand.origin.asked.size(), 3u);
}

RULE(FlowFields, AShorterVaryIn304LosesNoVariant, "RFC 9111 §4.1, §4.3.4; http-rules 2.9",
     "The npm registry answers 304 with less in Vary than its 200 had",
     "one client's JSON is no other client's HTML, before and after", "") {
  Stand stand;
  stand.origin.on("/p", [](const Asked& asked) {
    if (!asked["If-None-Match"].empty()) {
      return Reply(304)
          .cache("max-age=60")
          .etag(asked["If-None-Match"])
          .line("Vary", "accept-encoding");
    }
    return Reply(200)
        .cache("max-age=60")
        .etag("\"" + asked["Accept"] + "\"")
        .line("Vary", "accept-encoding, accept")
        .body(asked["Accept"]);
  });
  const auto get = [&](const std::string& type) {
    const Answer answer = stand.get("/p", "Accept: " + type + "\r\n");
    stand.settle();
    return answer;
  };
  for (const char* type : {"text/html", "application/json"}) EXPECT_EQ(get(type).body, type);
  stand.env.step_wall(120'000);
  for (const char* type : {"text/html", "application/json", "text/html"}) {
    EXPECT_EQ(get(type).body, type);
  }
  EXPECT_EQ(get("text/plain").body, "text/plain");
}

RULE(FlowFields, InterimsCanBeDropped, "RFC 9110 §15.2; http-rules 2.13",
     "Python's http.client takes a 103 for the answer",
     "a site or rule drops 1xx responses; the final one comes all the same", "interim") {
  for (const bool bypass : {false, true}) {
    Stand stand(std::string("interim = \"drop\"\nbypass = ") + (bypass ? "true" : "false"));
    stand.origin.on("/a", Reply(200)
                              .cache("max-age=60")
                              .body("x")
                              .after_interim("103 Early Hints\r\nLink: </a.css>\r\n"));
    Client client(stand);
    client.ask("GET", "/a");
    EXPECT_TRUE(client.arrived().starts_with("HTTP/1.1 200 OK\r\n"));
  }
}

RULE(FlowFields, SurrogateControlGovernsAndEndsHere, "Edge Architecture 1.0 §2.4; http-rules 2.6",
     "An origin writes it for the cache before it alone",
     "where the site reads it: its lifetime counts, and neither field goes to clients; elsewhere "
     "both are fields like others",
     "surrogate_control") {
  for (const bool reads : {false, true}) {
    Stand stand(reads ? "surrogate_control = true" : "");
    stand.origin.on("/a", Reply(200)
                              .cache("no-store")
                              .line("Surrogate-Control", "max-age=60")
                              .line("X-Accel-Expires", "0")
                              .body("x"));
    for (int round = 0; round < 2; ++round) {
      const Answer answer = stand.get("/a");
      EXPECT_EQ(answer["Cache-Control"], "no-store");
      EXPECT_EQ(answer["Surrogate-Control"], reads ? "" : "max-age=60");
      EXPECT_EQ(answer["X-Accel-Expires"], reads ? "" : "0");
      stand.settle();
    }
    EXPECT_EQ(stand.origin.asked.size(), reads ? 1u : 2u);
  }
}

}  // namespace
}  // namespace perigee::test
