// Reading what is longer than a record from front to end, and comparing two of these.
#include "origin/content_reader.h"

#include <algorithm>

#include "tests/unit/origin/coders_fixture.h"

namespace perigee::origin {
namespace {

using State = ContentReader::State;

class ContentReaderTest : public CodersTest {
 protected:
  FragmentedObject put_body(const std::string& body) {
    return {put_long("a", body, 0), body.size()};
  }
  /// What it gives, and how it ends.
  static std::pair<std::string, State> read(ContentReader&& body) {
    std::string text;
    for (;;) {
      std::span<const std::byte> piece;
      const State state = body.next(piece);
      if (state != State::kPiece) return {text, state};
      EXPECT_LE(piece.size(), limits::kCodingStepBytes);
      text += base::as_text(piece);
      EXPECT_EQ(body.given(), text.size());
    }
  }
  static ContentReader of(const std::string& bytes, Coding coding = Coding::kIdentity,
                          uint64_t most = UINT64_MAX) {
    return {std::as_bytes(std::span(bytes)), coding, most};
  }
  static Compared compared(const std::string& a, const std::string& b,
                           Coding coding = Coding::kIdentity) {
    ContentReader left = of(a);
    ContentReader right = of(b, coding);
    int steps = 0;
    GoOn go_on([&] { return ++steps < 10'000; });
    return compare(left, right, go_on);
  }
};

TEST_F(ContentReaderTest, GivesWhatLiesInFragments) {
  const uint64_t each = store_->fragment_bytes();
  for (const uint64_t size : {each - 1, each, each + 1, 3 * each, 3 * each + 5}) {
    const std::string body = noise_of(size);
    const auto [text, state] = read({*store_, put_body(body), Coding::kIdentity, size});
    EXPECT_EQ(state, State::kEnd);
    EXPECT_TRUE(text == body) << size;
  }
}

TEST_F(ContentReaderTest, DecodesWhatLiesInFragments) {
  const std::string text = noise_of(900'000) + text_of(2'000'000);
  for (const Coding coding : http::kMadeCodings) {
    const auto [got, state] = read({*store_, put_body(encoded(coding, text)), coding, text.size()});
    EXPECT_EQ(state, State::kEnd);
    EXPECT_TRUE(got == text);
  }
}

TEST_F(ContentReaderTest, MembersFollowOneAnotherWhereTheyMay) {
  const std::string one = encoded(Coding::kGzip, "one");
  const std::string two = one + encoded(Coding::kGzip, noise_of(600'000));
  const FragmentedObject object = put_body(two);
  EXPECT_EQ(read({*store_, object, Coding::kGzip, 1'000'000}).first, "one" + noise_of(600'000));
  EXPECT_EQ(read({*store_, object, Coding::kGzip, 1'000'000, http::Members::kOne}).second,
            State::kBad);
}

TEST_F(ContentReaderTest, TheBoundIsTight) {
  const std::string text = text_of(700'000);
  for (const Coding coding : {Coding::kIdentity, Coding::kZstd}) {
    const std::string bytes = coding == Coding::kIdentity ? text : encoded(coding, text);
    EXPECT_EQ(read(of(bytes, coding, text.size())).second, State::kEnd);
    EXPECT_EQ(read(of(bytes, coding, text.size() - 1)).second, State::kTooLong);
  }
}

TEST_F(ContentReaderTest, SaysWhatIsWrong) {
  const std::string bytes = encoded(Coding::kBrotli, noise_of(500'000));
  EXPECT_EQ(read(of(bytes.substr(0, bytes.size() - 1), Coding::kBrotli)).second, State::kCut);
  EXPECT_EQ(read(of(bytes + "x", Coding::kBrotli)).second, State::kBad);
  EXPECT_EQ(read(of("no gzip at all", Coding::kGzip)).second, State::kBad);
  EXPECT_EQ(read(of(encoded(Coding::kZstd, ""), Coding::kZstd)).second, State::kBad)
      << "it stands for nothing";
  const uint64_t each = store_->fragment_bytes();
  const std::string body = noise_of(3 * each);
  const uint64_t rid = put_long("b", body, 0, 1);
  const auto [text, state] = read({*store_, {rid, body.size()}, Coding::kIdentity, body.size()});
  EXPECT_EQ(state, State::kGone);
  EXPECT_TRUE(text == body.substr(0, each));
  const uint64_t whole = put_long("c", body, 0);
  EXPECT_EQ(read({*store_, {whole, body.size() + 1}, Coding::kIdentity, UINT64_MAX}).second,
            State::kGone)
      << "a fragment that is shorter than it must be, or is not there";
  EXPECT_EQ(read({*store_, {whole, body.size() - 1}, Coding::kIdentity, UINT64_MAX}).second,
            State::kGone)
      << "one that is longer";
}

TEST_F(ContentReaderTest, WhatIsTheSameIsTheSameInAnyCoding) {
  const std::string text = noise_of(300'000) + text_of(500'000);
  EXPECT_EQ(compared(text, text), Compared::kSame);
  for (const Coding coding : http::kMadeCodings) {
    EXPECT_EQ(compared(text, encoded(coding, text), coding), Compared::kSame);
  }
}

TEST_F(ContentReaderTest, OneByteMakesThemDifferent) {
  const std::string text = text_of(200'000);
  for (const size_t at : {size_t{0}, size_t{65'535}, size_t{65'536}, text.size() - 1}) {
    std::string other = text;
    other[at] = '!';
    EXPECT_EQ(compared(text, other), Compared::kDifferent) << at;
    EXPECT_EQ(compared(text, encoded(Coding::kZstd, other), Coding::kZstd), Compared::kDifferent);
  }
}

TEST_F(ContentReaderTest, TheLongerOneIsDifferent) {
  const std::string text = text_of(limits::kCodingStepBytes * 3);
  for (const std::string& longer : {text + "x", text + text}) {
    EXPECT_EQ(compared(text, longer), Compared::kDifferent);
    EXPECT_EQ(compared(longer, text), Compared::kDifferent);
    EXPECT_EQ(compared(text, encoded(Coding::kGzip, longer), Coding::kGzip), Compared::kDifferent);
  }
}

TEST_F(ContentReaderTest, ComparingStopsWhenItIsTold) {
  const std::string text = text_of(1'000'000);
  ContentReader left = of(text);
  ContentReader right = of(text);
  int steps = 0;
  GoOn go_on([&] { return ++steps < 5; });
  EXPECT_EQ(compare(left, right, go_on), Compared::kLeft);
  EXPECT_EQ(steps, 5);
}

}  // namespace
}  // namespace perigee::origin
