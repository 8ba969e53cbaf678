// Encoders and decoders: what goes in comes out, and what is no coding is told.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "http/coding/decoder.h"
#include "http/coding/encoder.h"

namespace perigee::http {
namespace {

using Bytes = std::vector<std::byte>;
using State = Decoder::State;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// Words in no order, of a seed: it shrinks, but not to nothing.
std::string text_of(size_t size, uint64_t seed = 1) {
  std::string text;
  while (text.size() < size) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    text += std::to_string(seed >> 48) + (seed % 3 == 0 ? " the\n" : " and ");
  }
  text.resize(size);
  return text;
}

/// In pieces of this size.
Bytes encode(Coding coding, Effort effort, std::string_view text, size_t piece = SIZE_MAX) {
  const auto encoder = Encoder::make(coding, effort, text.size());
  Bytes out;
  do {
    const size_t n = std::min(piece, text.size());
    EXPECT_TRUE(encoder->encode(bytes_of(text.substr(0, n)), n == text.size(), out));
    text.remove_prefix(n);
  } while (!text.empty());
  return out;
}

struct Decoded {
  std::string text;
  State state = State::kMore;
  size_t taken = 0;
};
Decoded decode(Coding coding, std::span<const std::byte> coded, size_t piece, size_t room) {
  const auto decoder = Decoder::make(coding);
  Decoded result;
  std::vector<std::byte> buffer(room);
  for (;;) {
    const auto in = coded.subspan(result.taken).first(std::min(piece, coded.size() - result.taken));
    const Decoder::Step step = decoder->decode(in, buffer);
    EXPECT_LE(step.taken, in.size());
    EXPECT_LE(step.made, buffer.size());
    result.text += base::as_text({buffer.data(), step.made});
    result.taken += step.taken;
    result.state = step.state;
    if (step.state != State::kMore || (step.taken == 0 && step.made == 0)) return result;
  }
}

class Codings : public testing::TestWithParam<Coding> {};
INSTANTIATE_TEST_SUITE_P(All, Codings, testing::ValuesIn(kMadeCodings),
                         [](const auto& row) { return std::string(coding_name(row.param)); });

TEST_P(Codings, ComeBackAsTheyWere) {
  for (const Effort effort : {Effort::kFast, Effort::kBest}) {
    for (const size_t size : {0, 1, 1000, 70'000, 300'000}) {
      const std::string text = text_of(size);
      for (const size_t piece : {SIZE_MAX, size_t{65'536}, size_t{999}}) {
        const Bytes coded = encode(GetParam(), effort, text, piece);
        if (size >= 1000) {
          EXPECT_LT(coded.size(), size * 3 / 4);
        }
        for (const size_t room : {size_t{64}, size_t{100'000}}) {
          const Decoded decoded = decode(GetParam(), coded, room, room);
          ASSERT_TRUE(decoded.text == text) << size;
          EXPECT_EQ(decoded.state, State::kEnd);
          EXPECT_EQ(decoded.taken, coded.size());
        }
      }
    }
  }
}

TEST_P(Codings, TheBestIsNotLongerThanTheFast) {
  const std::string text = text_of(200'000);
  EXPECT_LT(encode(GetParam(), Effort::kBest, text).size(),
            encode(GetParam(), Effort::kFast, text).size());
}

TEST_P(Codings, WhatIsCutIsNotWhole) {
  const std::string text = text_of(20'000);
  const Bytes coded = encode(GetParam(), Effort::kFast, text);
  for (const size_t less : {size_t{1}, size_t{9}, coded.size() / 2, coded.size() - 1}) {
    const Decoded decoded =
        decode(GetParam(), std::span(coded).first(coded.size() - less), SIZE_MAX, 4096);
    EXPECT_EQ(decoded.state, State::kMore) << less;
  }
  EXPECT_EQ(decode(GetParam(), {}, SIZE_MAX, 4096).state, State::kMore);
}

TEST_P(Codings, WhatFollowsTheEndIsNotTaken) {
  Bytes coded = encode(GetParam(), Effort::kFast, "some text");
  const size_t size = coded.size();
  coded.push_back(std::byte{'x'});
  const Decoded decoded = decode(GetParam(), coded, SIZE_MAX, 4096);
  EXPECT_EQ(decoded.state, State::kEnd);
  EXPECT_EQ(decoded.taken, size);
}

TEST_P(Codings, WhatIsNoneIsBad) {
  EXPECT_EQ(decode(GetParam(), bytes_of("<!doctype html><p>plain"), SIZE_MAX, 4096).state,
            State::kBad);
}

TEST_P(Codings, AChangedByteIsNotHidden) {
  const std::string text = text_of(5'000);
  const Bytes coded = encode(GetParam(), Effort::kFast, text);
  for (size_t at = 0; at < coded.size(); at += 13) {
    Bytes bad = coded;
    bad[at] ^= std::byte{0x10};
    const Decoded decoded = decode(GetParam(), bad, SIZE_MAX, 100'000);
    // br has no checksum, so its text may be another one; a coder compares it.
    const bool whole = decoded.state == State::kEnd && decoded.taken == bad.size();
    if (GetParam() == Coding::kBrotli || !whole) continue;
    EXPECT_TRUE(decoded.text == text) << at;
  }
}

TEST(ZstdCoding, SaysItsSizeAndNeedsNoLargeWindow) {
  // A frame's header: magic, descriptor, window or nothing, size.
  const std::string text = text_of(300'000);
  const Bytes coded = encode(Coding::kZstd, Effort::kBest, text, 65'536);
  ASSERT_GT(coded.size(), 9u);
  EXPECT_EQ(coded[0], std::byte{0x28});
  const auto descriptor = static_cast<unsigned>(coded[4]);
  EXPECT_NE(descriptor >> 6, 0u) << "the size of the content";
  EXPECT_NE(descriptor & 4u, 0u) << "a checksum";
}

TEST(ZstdCoding, AFrameThatNeedsMoreThan8MiBIsBad) {
  // Descriptor 0: a window descriptor follows, here of 16 MiB (exponent 14).
  const std::string frame("\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00", 9);
  EXPECT_EQ(decode(Coding::kZstd, bytes_of(frame), SIZE_MAX, 4096).state, State::kBad);
  const std::string smaller("\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00", 9);
  EXPECT_EQ(decode(Coding::kZstd, bytes_of(smaller), SIZE_MAX, 4096).state, State::kEnd);
}

TEST(Coders, OfTheIdentityAreNone) {
  EXPECT_EQ(Encoder::make(Coding::kIdentity, Effort::kFast, 1), nullptr);
  EXPECT_EQ(Decoder::make(Coding::kIdentity), nullptr);
}

}  // namespace
}  // namespace perigee::http
