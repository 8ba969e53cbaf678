// What the operator is told of codings.
#include "edge/coding_watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/keys.h"

namespace perigee::test {
namespace {

std::vector<std::string> g_sentences;

TEST(CodingWatch, TellsOncePerFileOfOneThatIsNoCoding) {
  g_sentences.clear();
  edge::Metrics metrics(1);
  edge::CodingWatch watch(metrics,
                          [](std::string_view sentence) { g_sentences.emplace_back(sentence); });
  origin::CodingOutcome outcome{origin::CodingOutcome::kStored, 2'000, 1'000};
  watch.on_coded(outcome);
  EXPECT_EQ(g_sentences.size(), 0u);
  for (int i = 0; i < 2; ++i) {
    for (const char* name : {"/www/app.js.br", "/www/\nodd.gz"}) {
      outcome.not_coding = name;
      watch.on_coded(outcome);
    }
  }
  ASSERT_EQ(g_sentences.size(), 2u);
  EXPECT_EQ(
      g_sentences[0],
      "/www/app.js.br does not decode, with a window of at most 8 MiB, to the file beside it; "
      "it is not used");
  EXPECT_EQ(g_sentences[1].find('\n'), std::string::npos);
  EXPECT_NE(metrics.summary().find("5 coded, 0 of them found ready, 4 found that are none"),
            std::string::npos)
      << metrics.summary();
}

TEST(CodingWatch, TellsOncePerUrlOfContentThatIsNotWhatItSays) {
  using origin::Verified;
  g_sentences.clear();
  edge::Metrics metrics(1);
  edge::CodingWatch watch(metrics,
                          [](std::string_view sentence) { g_sentences.emplace_back(sentence); });
  const auto tell = [&](const std::string& target, http::Coding sent, Verified wrong) {
    origin::CodingOutcome outcome{origin::CodingOutcome::kUndecodable};
    outcome.key = url_key("a.test", target);
    outcome.sent = sent;
    outcome.wrong = wrong;
    watch.on_coded(outcome);
  };
  for (int i = 0; i < 2; ++i) {
    tell("/app.js?v=" + std::to_string(i), http::Coding::kGzip, Verified::kFailed);
    tell("/app.css", http::Coding::kBrotli, Verified::kCut);
    tell("/\x1bzeros", http::Coding::kZstd, Verified::kTooLong);
  }
  const std::string begin = "the origin says that the content of https://a.test";
  const std::string end = "; it is sent to all clients as it came";
  EXPECT_EQ(g_sentences,
            (std::vector<std::string>{begin + "/app.js is gzip, but it does not decode" + end,
                                      begin + "/app.css is br, but it ends too early" + end,
                                      begin +
                                          "/\\x1Bzeros is zstd, but it becomes too long when it is "
                                          "decoded" +
                                          end}));
  for (size_t i = 0; i < base::limits::kPathsTold; ++i) {
    tell("/" + std::to_string(i), http::Coding::kGzip, Verified::kCut);
  }
  EXPECT_EQ(g_sentences.size(), base::limits::kPathsTold) << "the rest is counted alone";
  const std::string count = std::to_string(6 + base::limits::kPathsTold);
  EXPECT_NE(metrics.summary().find(", " + count + " of origins not decodable"), std::string::npos)
      << metrics.summary();
}

}  // namespace
}  // namespace perigee::test
