// What an origin sends coded: as it came to who takes it, and made into what others take.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/edge/coded_flow.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::look_up, origin::CodingJob, http::coding_flags");

/// The origin sends gzip, whatever it is asked for.
class FlowSentCoding : public FlowCoding {
 protected:
  FlowSentCoding() : body(text_of(20'000)), sent(encoded(http::Coding::kGzip, body)) {
    answer_with("gzip", sent);
  }
  void answer_with(std::string_view coding, const std::string& content) {
    stand.origin.on("/a", page(content).line("Content-Encoding", coding));
  }

  const std::string body;
  const std::string sent;
};

TEST_F(FlowSentCoding, GoesAsItCameToWhoTakesIt) {
  for (int i = 0; i < 2; ++i) {
    const Answer answer = stand.get("/a", accept("gzip"));
    EXPECT_EQ(answer["Content-Encoding"], "gzip");
    EXPECT_EQ(answer["ETag"], "\"v1\"");
    EXPECT_EQ(answer["Vary"], "Accept-Encoding");
    EXPECT_TRUE(answer.body == sent);
    stand.settle();
  }
}

RULE_F(FlowSentCoding, OthersGetWhatIsMadeOfIt, "RFC 9110 §12.5.3, §8.8.3; http-rules 3.4",
       "A coding that is not listed is not acceptable",
       "what the origin coded is decoded and coded anew in the background: clients of the identity "
       "and of other codings get what they take, with the weak tag; the origin is asked once",
       "codings") {
  EXPECT_TRUE(stand.get("/a").body == sent) << "the first answer cannot wait";
  stand.settle();
  const Answer plain = stand.get("/a");
  EXPECT_EQ(plain["Content-Encoding"], "");
  EXPECT_EQ(plain["ETag"], "W/\"v1\"");
  EXPECT_EQ(plain["Content-Length"], "20000");
  EXPECT_TRUE(plain.body == body);
  for (const std::string_view coding : {"zstd", "br"}) {
    warm("/a", accept(coding));
    const Answer answer = warm("/a", accept(coding));
    EXPECT_EQ(answer["Content-Encoding"], coding);
    EXPECT_EQ(answer["ETag"], "W/\"v1\"");
    EXPECT_TRUE(decoded(answer) == body);
  }
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
  const Answer head = stand.ask("HEAD", "/a");
  EXPECT_EQ(head["Content-Length"], "20000");
  EXPECT_EQ(head["Content-Encoding"], "");
}

TEST_F(FlowSentCoding, ABrowserGetsTheShortest) {
  for (int i = 0; i < 4; ++i) warm("/a");
  const Answer answer = warm("/a");
  EXPECT_LT(answer.body.size(), sent.size());
  EXPECT_EQ(answer["Content-Encoding"], "zstd");
  EXPECT_TRUE(decoded(answer) == body);
}

TEST_F(FlowSentCoding, TheOriginsCodingGoesIfItIsShorter) {
  // Its best gzip is shorter than a fast zstd.
  static constexpr std::string_view kWords[] = {"function", "return", "const", "value", "node"};
  std::string words;
  uint64_t seed = 7;
  while (words.size() < 60'000) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    words.append(kWords[(seed >> 40) % 5]).append(std::to_string((seed >> 50) % 99)).append(" ");
  }
  const std::string short_one = encoded(http::Coding::kGzip, words, http::Effort::kBest);
  const std::string longer = encoded(http::Coding::kZstd, words);
  ASSERT_GT(longer.size(), short_one.size());
  answer_with("gzip", short_one);
  warm("/a");
  const Answer answer = warm("/a");
  EXPECT_EQ(objects(), 2u) << "a zstd was made";
  EXPECT_EQ(answer["Content-Encoding"], "gzip");
  EXPECT_EQ(answer["ETag"], "\"v1\"");
}

TEST_F(FlowSentCoding, WhatIsNotWorthCodingAnewIsDecoded) {
  std::string noise;
  for (uint64_t seed = 1; noise.size() < 20'000; noise += static_cast<char>(seed >> 56)) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
  }
  answer_with("gzip", encoded(http::Coding::kGzip, noise));
  for (int i = 0; i < 2; ++i) warm("/a", accept("zstd, gzip;q=0"));
  const Answer answer = warm("/a", accept("zstd, gzip;q=0"));
  EXPECT_EQ(answer["Content-Encoding"], "") << "no zstd is shorter, and gzip is refused";
  EXPECT_EQ(answer["ETag"], "W/\"v1\"");
  EXPECT_TRUE(answer.body == noise);
  EXPECT_EQ(stand.get("/a", accept("gzip"))["Content-Encoding"], "gzip");
  EXPECT_EQ(objects(), 2u);
}

TEST_F(FlowSentCoding, WhatCameInBrIsNotCodedForWhoTakesIt) {
  answer_with("br", encoded(http::Coding::kBrotli, body));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(warm("/a")["Content-Encoding"], "br");
  EXPECT_EQ(objects(), 1u);
}

TEST_F(FlowSentCoding, ARangeIsOneOfWhatTheOriginSent) {
  warm("/a", "");
  const Answer part = stand.get("/a", "Range: bytes=10-19\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part["Content-Encoding"], "gzip");
  EXPECT_EQ(part["ETag"], "\"v1\"");
  EXPECT_EQ(part.body, sent.substr(10, 10));
}

RULE_F(FlowSentCoding, WhatDoesNotDecodeGoesAsItCame, "RFC 9110 §8.4.1; http-rules 3.16",
       "Content-Encoding tells how the content is coded",
       "a content that is not what it says, is cut, goes on with something else, or becomes more "
       "than 200 times as long, is sent to everybody as it came, and tried once",
       "") {
  std::string wrong_end = sent;
  wrong_end[sent.size() - 1] ^= 1;  // the length
  for (const std::string& content :
       {std::string(3'000, 'x'), sent.substr(0, sent.size() - 1), sent + "x", wrong_end,
        encoded(http::Coding::kGzip, std::string(1 << 20, '0'))}) {
    stand.restart();
    stand.origin.on("/a", page(content, "max-age=60", "\"" + std::to_string(content.size()) + "\"")
                              .line("Content-Encoding", "gzip"));
    stand.store().purge({.digest = stand.stored("/a").digest, .wall_ms = stand.env.wall().ms});
    for (const std::string_view taken : {"", "identity", "br", "zstd, br", "gzip", "zstd, gzip"}) {
      EXPECT_TRUE(warm("/a", accept(taken)).body == content);
    }
    EXPECT_EQ(stand.get("/a")["Content-Encoding"], "gzip");
    EXPECT_EQ(objects(), 1u);
  }
  EXPECT_NE(stand.metrics.summary().find(", 5 of origins not decodable"), std::string::npos)
      << stand.metrics.summary();
}

RULE_F(FlowSentCoding, SeveralMembersAreOneContent, "RFC 9110 §8.4.1.3; RFC 1952 §2.2; RFC 8878 §3",
       "A gzip file is members one after the other, a zstd one frames",
       "it is decoded as one content, and what may be skipped in it is skipped", "") {
  const std::string skipped("\x5a\x2a\x4d\x18\x02\x00\x00\x00xx", 10);
  const std::string begin = body.substr(0, 7'000);
  const std::string rest = body.substr(7'000);
  for (const http::Coding coding : {http::Coding::kGzip, http::Coding::kZstd}) {
    std::string content = encoded(coding, begin) + encoded(coding, "") + encoded(coding, rest);
    if (coding == http::Coding::kZstd) content = skipped + content + skipped;
    stand.restart();
    stand.origin.on("/a", page(content, "max-age=60", "\"" + std::to_string(content.size()) + "\"")
                              .line("Content-Encoding", http::coding_name(coding)));
    stand.store().purge({.digest = stand.stored("/a").digest, .wall_ms = stand.env.wall().ms});
    EXPECT_TRUE(stand.get("/a", accept(http::coding_name(coding))).body == content);
    stand.settle();
    EXPECT_TRUE(warm("/a", "").body == body);
    EXPECT_TRUE(decoded(warm("/a", accept("br"))) == body);
  }
}

TEST_F(FlowSentCoding, TheOperatorIsToldOnceWhatDoesNotDecode) {
  const auto answer = [&](const std::string& target, const std::string& content) {
    stand.origin.on(target,
                    page(content, "max-age=60", "\"" + std::to_string(content.size()) + "\"")
                        .line("Content-Encoding", "gzip"));
  };
  const std::string whose = "the origin says that the content of http://site.test";
  const std::string rest = "; it is sent to all clients as it came";
  const std::vector<std::string> expected = {
      whose + "/cut is gzip, but it ends too early" + rest,
      whose + "/none is gzip, but it does not decode" + rest,
      whose + "/zeros is gzip, but it becomes too long when it is decoded" + rest};
  answer("/cut?of=us", sent.substr(0, 500));
  answer("/none", std::string(3'000, 'x'));
  answer("/zeros", encoded(http::Coding::kGzip, std::string(1 << 20, '0')));
  for (int i = 0; i < 2; ++i) {
    for (const std::string_view target : {"/cut?of=us", "/none", "/zeros", "/a"}) {
      for (const std::string_view taken : {"", "br", "zstd, gzip"}) warm(target, accept(taken));
    }
    EXPECT_EQ(Stand::warnings(), expected);
    // It comes anew, and is no better.
    stand.pass_ms(61'000);
    answer("/cut?of=us", sent.substr(0, 600));
  }
}

TEST_F(FlowSentCoding, AnUnknownCodingIsLeftAlone) {
  answer_with("deflate", sent);
  EXPECT_EQ(warm("/a")["Vary"], "");
  EXPECT_TRUE(stand.get("/a").body == sent);
  EXPECT_EQ(objects(), 1u);
}

}  // namespace
}  // namespace perigee::test
