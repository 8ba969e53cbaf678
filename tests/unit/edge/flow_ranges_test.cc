// Several ranges through a whole node: of a hit, of a body that arrives, of one that is not kept.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::RequestFlow, http::select, http::multipart_plan");

constexpr std::string_view kTen = "0123456789";

Reply ten() {
  return Reply(200)
      .cache("max-age=60")
      .etag("\"v1\"")
      .line("Content-Type", "text/plain")
      .body(std::string(kTen));
}

struct Part {
  std::string type;
  std::string range;
  std::string bytes;
  bool operator==(const Part&) const = default;
};

/// Takes a multipart body apart as a client does: by the boundary of the message's Content-Type.
std::vector<Part> parts_of(const Answer& answer) {
  const std::string type = answer["Content-Type"];
  constexpr std::string_view kType = "multipart/byteranges; boundary=";
  EXPECT_TRUE(type.starts_with(kType)) << type;
  const std::string delimiter = "\r\n--" + type.substr(kType.size());
  const std::string& whole = answer.body;
  std::vector<Part> parts;
  size_t at = whole.find(delimiter);
  EXPECT_EQ(at, 0u);
  while (at != std::string::npos && whole.substr(at + delimiter.size(), 2) == "\r\n") {
    const size_t fields = at + delimiter.size() + 2;
    const size_t body = whole.find("\r\n\r\n", fields) + 4;
    at = whole.find(delimiter, body);
    Part part;
    part.bytes = whole.substr(body, at - body);
    Lines lines;
    for (size_t line = fields; line < body - 2;) {
      const size_t end = whole.find("\r\n", line);
      const size_t colon = whole.find(": ", line);
      lines.emplace_back(whole.substr(line, colon - line),
                         whole.substr(colon + 2, end - colon - 2));
      line = end + 2;
    }
    part.type = value_of(lines, "Content-Type");
    part.range = value_of(lines, "Content-Range");
    parts.push_back(part);
  }
  EXPECT_EQ(whole.substr(at), delimiter + "--\r\n");
  return parts;
}

const std::vector<Part> kTwoParts = {{"text/plain", "bytes 0-1/10", "01"},
                                     {"text/plain", "bytes 8-9/10", "89"}};

RULE(FlowRanges, SeveralRangesOfAHit, "RFC 9110 §14.6; RFC 9110 §15.3.7.2",
     "several ranges are answered by one multipart/byteranges body",
     "Content-Range and the Content-Type of the whole in each part, no Content-Range in the head",
     "") {
  Stand stand;
  stand.origin.on("/a", ten());
  stand.get("/a");
  const Answer answer = stand.get("/a", "Range: bytes=0-1, 8-\r\n");
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(parts_of(answer), kTwoParts);
  EXPECT_EQ(answer["Content-Range"], "");
  EXPECT_EQ(answer["Content-Length"], std::to_string(answer.body.size()));
  EXPECT_EQ(answer.count("Content-Type"), 1u);
  EXPECT_EQ(answer["ETag"], "\"v1\"");
  EXPECT_EQ(answer.cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.get("/a").body, kTen) << "the connection goes on";
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

RULE(FlowRanges, PartsInTheOrderOfTheRanges, "RFC 9110 §15.3.7.2",
     "parts should come in the order in which they were asked for", "they do", "") {
  Stand stand;
  stand.origin.on("/a", ten());
  stand.get("/a");
  const std::vector<Part> parts = parts_of(stand.get("/a", "Range: bytes=-1,0-0,4-5\r\n"));
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].bytes + parts[1].bytes + parts[2].bytes, "9045");
}

RULE(FlowRanges, RangesThatJoinAreOnePart, "RFC 9110 §15.3.7.2",
     "ranges that overlap may be joined", "one that is left is no multipart", "") {
  Stand stand;
  stand.origin.on("/a", ten());
  stand.get("/a");
  const Answer answer = stand.get("/a", "Range: bytes=0-3,2-5,6-7\r\n");
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer["Content-Range"], "bytes 0-7/10");
  EXPECT_EQ(answer["Content-Type"], "text/plain");
  EXPECT_EQ(answer.body, "01234567");
}

RULE(FlowRanges, ColdRangesFillTheWholeOnce, "RFC 9110 §14.2; http-rules 2.11",
     "a cold range fetches the object and answers the ranges while it fills",
     "parts of the arriving body, in any order where it is kept", "") {
  for (const std::string_view ranges : {"0-1,8-9", "8-9,0-1"}) {
    Stand stand;
    stand.origin.on("/a", ten().stops_after(5));
    Client client(stand);
    client.ask("GET", "/a", "Range: bytes=" + std::string(ranges) + "\r\n");
    stand.run();
    stand.origin.send(kTen.substr(5));
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, 206);
    std::vector<Part> parts = parts_of(answer);
    if (ranges.front() == '8') std::swap(parts[0], parts[1]);
    EXPECT_EQ(parts, kTwoParts);
    EXPECT_EQ(stand.get("/a").body, kTen);
    ASSERT_EQ(stand.origin.asked.size(), 1u);
    EXPECT_TRUE(stand.origin.asked[0]["Range"].starts_with("bytes=0-")) << "and it ignored that";
  }
}

RULE(FlowRanges, ABodyThatIsNotKeptIsCutForwardsOnly, "RFC 9110 §14.2",
     "ranges that are not ascending may be ignored",
     "parts of a body that is not stored ascend, else the whole is sent", "") {
  Stand stand;
  const std::string large(3 << 20, 'x');
  stand.origin.on("/a", Reply(200).cache("no-store").body(large));
  const Answer forwards = stand.get("/a", "Range: bytes=5-6,2000000-2000009,-3\r\n");
  EXPECT_EQ(forwards.status, 206);
  const std::vector<Part> parts = parts_of(forwards);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[1].bytes, "xxxxxxxxxx");
  EXPECT_EQ(parts[2].range, "bytes 3145725-3145727/3145728");
  const Answer backwards = stand.get("/a", "Range: bytes=-3,5-6\r\n");
  EXPECT_EQ(backwards.status, 200);
  EXPECT_EQ(backwards.body.size(), large.size());
}

RULE(FlowRanges, WithoutALengthTheWholeIsSent, "RFC 9110 §14.2", "a server may ignore Range",
     "ignored while the length of an arriving body is not known", "") {
  Stand stand;
  stand.origin.on("/a", Reply(200).cache("max-age=60").chunked(std::string(kTen)).stops_after(4));
  {
    Client client(stand);
    client.write("GET /a HTTP/1.1\r\nHost: site.test\r\nRange: bytes=0-1,8-9\r\n\r\n");
    EXPECT_TRUE(client.arrived().starts_with("HTTP/1.1 200 "));
  }
  stand.origin.on("/b", Reply(200).cache("max-age=60").chunked(std::string(kTen)));
  stand.get("/b");
  EXPECT_EQ(stand.get("/b", "Range: bytes=0-1,8-9\r\n").status, 206);
}

TEST(FlowRanges, PartsOfARevalidatedBody) {
  Stand stand;
  stand.origin.on("/a", ten());
  stand.get("/a");
  stand.env.step_wall(100'000);
  stand.origin.on("/a", Reply(304).cache("max-age=60"));
  EXPECT_EQ(parts_of(stand.get("/a", "Range: bytes=0-1,8-9\r\n")), kTwoParts);
  // All of it is there, so it is cut in any order, also where it is not stored again.
  stand.env.step_wall(100'000);
  stand.origin.on("/a", Reply(304).cache("no-store"));
  EXPECT_EQ(parts_of(stand.get("/a", "Range: bytes=8-9,0-1\r\n")).size(), 2u);
}

RULE(FlowRanges, OfAnEmptyBodyThereIsNoPart, "RFC 9110 §15.5.17; http-rules 2.11",
     "a range that lies behind the end of what is there is 416",
     "416 with Content-Range: bytes */0, on a miss as on a hit", "") {
  Stand stand;
  for (const std::string target : {"/a", "/b"}) {
    stand.origin.on(target, Reply(200).cache("max-age=60").etag("\"v1\"").body(""));
    for (const std::string_view forward : {"fwd=uri-miss", "hit"}) {
      const Answer answer =
          stand.get(target, target == "/a" ? "Range: bytes=0-\r\n" : "Range: bytes=0-0,3-4\r\n");
      EXPECT_EQ(answer.status, 416);
      EXPECT_EQ(answer["Content-Range"], "bytes */0");
      EXPECT_EQ(answer["Content-Length"], "0");
      EXPECT_NE(answer.cache().find(forward), std::string::npos) << answer.cache();
    }
    EXPECT_EQ(stand.get(target, "Range: bytes=-5\r\n").status, 200)
        << "all of it, which is nothing";
    EXPECT_EQ(stand.get(target).status, 200);
  }
  EXPECT_EQ(stand.origin.asked.size(), 2u);
}

RULE(FlowRanges, ABoundaryNobodyKnowsBefore, "RFC 9110 §14.6; RFC 2046 §5.1.1",
     "a boundary must not stand in a part", "drawn anew for each answer, on hits and on misses",
     "") {
  Stand stand;
  std::set<std::string> types;
  for (const std::string target : {"/a", "/b"}) {
    stand.origin.on(target, ten());
    for (int i = 0; i < 3; ++i) {
      types.insert(stand.get(target, "Range: bytes=0-1,8-9\r\n")["Content-Type"]);
    }
  }
  EXPECT_EQ(types.size(), 6u);
}

TEST(FlowRanges, PartsThatAreCutShortAreACut) {
  Stand stand;
  stand.origin.on("/a", ten().stops_after(5));
  Client client(stand);
  client.ask("GET", "/a", "Range: bytes=0-1,8-9\r\n");
  stand.run();
  stand.origin.reset();
  EXPECT_EQ(client.answer().status, 0);
  EXPECT_TRUE(client.saw_reset());
}

TEST(FlowRanges, AClientThatGoesAwayLetsGoOfThePin) {
  Stand stand;
  const std::string body(60'000, 'x');
  stand.origin.on("/a", Reply(200).cache("max-age=60").body(body));
  stand.get("/a");
  const uint64_t before = stand.pins("/a");
  {
    Client client(stand);
    client.reading().capacity = 1000;
    client.ask("GET", "/a", "Range: bytes=0-29999,30001-\r\n");
    stand.run();
    EXPECT_EQ(stand.pins("/a"), before + 1);
    client.reset();
    stand.run();
  }
  EXPECT_EQ(stand.pins("/a"), before);
}

RULE(FlowRanges, ManyPartsOfALargeBody, "RFC 9110 §14.2, §15.3.7.2; http-rules 2.11",
     "zsync asks for twenty ranges of one file and more",
     "up to 256 parts, as long as they and their frames are shorter than the whole", "") {
  const auto spans = [](size_t parts, size_t gap) {
    std::string field = "Range: bytes=";
    for (size_t i = 0; i < parts; ++i) {
      field += (i == 0 ? "" : ",") + std::to_string(i * gap) + "-" + std::to_string(i * gap + 9);
    }
    return field + "\r\n";
  };
  Stand stand;
  const std::string large(100'000, 'x');
  stand.origin.on("/large", Reply(200).cache("max-age=60").body(large));
  stand.origin.on("/small", Reply(200).cache("max-age=60").body(std::string(1'000, 'x')));
  for (const char* target : {"/large", "/small"}) stand.get(target);
  stand.settle();
  const Answer many = stand.get("/large", spans(256, 100));
  EXPECT_EQ(many.status, 206);
  EXPECT_EQ(parts_of(many).size(), 256u);
  EXPECT_LT(many.body.size(), large.size());
  EXPECT_EQ(stand.get("/large", spans(257, 100)).status, 200);
  EXPECT_EQ(stand.get("/small", spans(16, 20)).status, 206);
  EXPECT_EQ(stand.get("/small", spans(17, 20)).status, 200) << "the whole is shorter";
}

RULE(FlowRanges, WhatIsStoredSaysThatItHasRanges, "RFC 9110 §14.3; http-rules 2.11",
     "Accept-Ranges: bytes tells download managers and players that ranges work",
     "on each stored 200, whatever the origin says; of what is not stored, the origin's own", "") {
  Stand stand;
  stand.origin.on("/a", ten());
  stand.origin.on("/none", ten().line("Accept-Ranges", "none"));
  stand.origin.on("/private", Reply(200).cache("private").line("Accept-Ranges", "none").body("x"));
  stand.origin.on("/gone", Reply(404).cache("max-age=60").body("x"));
  for (int round = 0; round < 2; ++round) {
    for (const char* target : {"/a", "/none"}) {
      const Answer answer = stand.get(target);
      EXPECT_EQ(answer["Accept-Ranges"], "bytes") << target << round;
      EXPECT_EQ(answer.count("Accept-Ranges"), 1u);
    }
    EXPECT_EQ(stand.get("/private")["Accept-Ranges"], "none");
    EXPECT_EQ(stand.get("/gone")["Accept-Ranges"], "");
    stand.settle();
  }
  EXPECT_EQ(stand.get("/a", "If-None-Match: \"v1\"\r\n")["Accept-Ranges"], "");
}

RULE(FlowRanges, RangesOfWhatIsNotStoredAreTheOrigins, "RFC 9110 §14.2; http-rules 2.11",
     "What is relayed may be large, and its origin can cut it",
     "Range and If-Range go on where a rule says bypass, and the 206 comes back", "bypass") {
  Stand stand("bypass = true");
  stand.origin.on("/a", [](const Asked& asked) {
    return Reply(206).line("Content-Range", "bytes 0-1/10").body(asked["Range"]);
  });
  const Answer answer = stand.get("/a", "Range: bytes=0-1\r\nIf-Range: \"v1\"\r\n");
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer.body, "bytes=0-1");
  EXPECT_EQ(answer["Content-Range"], "bytes 0-1/10");
  EXPECT_EQ(stand.origin.asked.back()["If-Range"], "\"v1\"");
}

}  // namespace
}  // namespace perigee::test
