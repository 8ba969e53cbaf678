// What the operator is told of codings.
#include "edge/coding_watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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

}  // namespace
}  // namespace perigee::test
