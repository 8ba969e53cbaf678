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

RULE(FlowFields, ACodedBodyGoesToEverybody, "RFC 9110 §12.5.3; http-rules 3.4",
     "A server may send a coding that was not asked for when it has nothing else",
     "what the origin coded by itself is sent as it was stored, whatever Accept-Encoding says",
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

}  // namespace
}  // namespace perigee::test
