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
    if (step.state == State::kEnd) {
      EXPECT_EQ(step.taken, in.size());
    }
    const bool all = step.state == State::kEnd && result.taken == coded.size();
    const bool stuck = step.taken == 0 && step.made == 0;
    if (all || stuck || step.state == State::kBad) return result;
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

TEST_P(Codings, WhatFollowsTheEndIsBad) {
  const std::string text = "some text";
  const Bytes coded = encode(GetParam(), Effort::kFast, text);
  for (const std::string_view tail : {std::string_view("xy"), std::string_view("\0\0", 2)}) {
    Bytes longer = coded;
    for (const std::byte byte : bytes_of(tail)) longer.push_back(byte);
    for (const size_t piece : {SIZE_MAX, coded.size(), size_t{1}}) {
      const Decoded decoded = decode(GetParam(), longer, piece, 4096);
      EXPECT_EQ(decoded.state, State::kBad) << piece;
      EXPECT_EQ(decoded.text, text);
    }
  }
}

TEST_P(Codings, AnEndThatNothingFollowsStaysOne) {
  const auto decoder = Decoder::make(GetParam());
  const Bytes coded = encode(GetParam(), Effort::kFast, "some text");
  std::vector<std::byte> buffer(4096);
  EXPECT_EQ(decoder->decode(coded, buffer).state, State::kEnd);
  for (int i = 0; i < 2; ++i) {
    const Decoder::Step step = decoder->decode({}, buffer);
    EXPECT_EQ(step.state, State::kEnd);
    EXPECT_EQ(step.taken + step.made, 0u);
  }
}

TEST_P(Codings, WithoutRoomNothingIsLost) {
  const auto decoder = Decoder::make(GetParam());
  const std::string text = text_of(1'000);
  const Bytes coded = encode(GetParam(), Effort::kFast, text);
  const size_t taken = decoder->decode(coded, {}).taken;
  std::vector<std::byte> buffer(4096);
  const Decoder::Step step = decoder->decode(std::span(coded).subspan(taken), buffer);
  EXPECT_EQ(step.state, State::kEnd);
  EXPECT_EQ(base::as_text({buffer.data(), step.made}), text);
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

/// Contents of several members, each cut at every place, in input and in output.
class SeveralMembers : public testing::TestWithParam<Coding> {
 protected:
  static Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  }
  static Bytes member(std::string_view text, Effort effort = Effort::kFast) {
    return encode(GetParam(), effort, text);
  }
  /// In two pieces, cut anywhere, and with little room.
  static void expect(const Bytes& coded, std::string_view text, State state) {
    for (size_t cut = 0; cut <= coded.size(); ++cut) {
      for (const size_t room : {size_t{1}, size_t{7}, size_t{4096}}) {
        const auto decoder = Decoder::make(GetParam());
        const Decoded decoded = decode_cut(*decoder, coded, cut, room);
        ASSERT_EQ(decoded.state, state) << cut << " " << room;
        ASSERT_EQ(decoded.text, text) << cut << " " << room;
      }
    }
  }

 private:
  static Decoded decode_cut(Decoder& decoder, std::span<const std::byte> coded, size_t cut,
                            size_t room) {
    Decoded result;
    std::vector<std::byte> buffer(room);
    for (const size_t end : {cut, coded.size()}) {
      for (bool stuck = false; !stuck && result.state != State::kBad;) {
        const Decoder::Step step =
            decoder.decode(coded.subspan(result.taken, end - result.taken), buffer);
        result.text += base::as_text({buffer.data(), step.made});
        result.taken += step.taken;
        result.state = step.state;
        stuck = step.taken == 0 && step.made == 0;
      }
    }
    return result;
  }
};
INSTANTIATE_TEST_SUITE_P(All, SeveralMembers, testing::Values(Coding::kZstd, Coding::kGzip),
                         [](const auto& row) { return std::string(coding_name(row.param)); });

TEST_P(SeveralMembers, AreOneContent) {
  const Bytes one = member("one, ");
  const Bytes two = member("two and two and two, ", Effort::kBest);
  const Bytes none = member("");
  expect(joined({one, two}), "one, two and two and two, ", State::kEnd);
  expect(joined({none, one, none, none, one, none}), "one, one, ", State::kEnd);
  expect(joined({none, none}), "", State::kEnd);
}

TEST_P(SeveralMembers, AreWholeEach) {
  const Bytes one = member("one, ");
  Bytes cut = member("two");
  cut.pop_back();
  expect(joined({one, cut}), "one, two", State::kMore);
  expect(joined({one, Bytes(one.begin(), one.begin() + 1)}), "one, ", State::kMore);
  expect(joined({one, Bytes(2, std::byte{0})}), "one, ", State::kBad);
  Bytes wrong = member("two");
  wrong[wrong.size() - 5] ^= std::byte{1};
  const Decoded decoded = decode(GetParam(), joined({one, wrong, one}), SIZE_MAX, 4096);
  EXPECT_EQ(decoded.state, State::kBad) << "a checksum";
}

TEST_P(SeveralMembers, AreBadWhereOneIsWanted) {
  const Bytes one = member("one, ");
  for (const Bytes& coded : {joined({one, one}), joined({one, member("")})}) {
    const auto decoder = Decoder::make(GetParam(), Members::kOne);
    std::vector<std::byte> buffer(4096);
    const Decoder::Step step = decoder->decode(coded, buffer);
    EXPECT_EQ(step.state, State::kBad);
    EXPECT_EQ(step.taken, one.size());
  }
  const auto decoder = Decoder::make(GetParam(), Members::kOne);
  std::vector<std::byte> buffer(4096);
  EXPECT_EQ(decoder->decode(one, buffer).state, State::kEnd);
}

TEST_P(SeveralMembers, OfAnotherCodingAreBad) {
  const Bytes other =
      encode(GetParam() == Coding::kGzip ? Coding::kZstd : Coding::kGzip, Effort::kFast, "two");
  expect(joined({member("one, "), other}), "one, ", State::kBad);
}

TEST_P(SeveralMembers, ManyEmptyOnesAreDoneInOneStep) {
  const Bytes none = member("");
  Bytes coded;
  for (int i = 0; i < 1'000; ++i) coded.insert(coded.end(), none.begin(), none.end());
  const auto decoder = Decoder::make(GetParam());
  std::vector<std::byte> buffer(1);
  const Decoder::Step step = decoder->decode(coded, buffer);
  EXPECT_EQ(step.state, State::kEnd);
  EXPECT_EQ(step.taken, coded.size());
  EXPECT_EQ(step.made, 0u);
}

TEST(ZstdCoding, FramesToBeSkippedHoldNothing) {
  const Bytes text = encode(Coding::kZstd, Effort::kFast, "text");
  const std::string skipped("\x5a\x2a\x4d\x18\x03\x00\x00\x00\x28\xb5\x2f", 11);
  const std::string empty("\x50\x2a\x4d\x18\x00\x00\x00\x00", 8);
  const std::string frame(base::as_text(text));
  for (const std::string& coded : {skipped + frame, frame + empty, empty + skipped + frame + empty,
                                   skipped + frame + skipped}) {
    for (const size_t piece : {size_t{1}, size_t{5}, SIZE_MAX}) {
      const Decoded decoded = decode(Coding::kZstd, bytes_of(coded), piece, 4096);
      EXPECT_EQ(decoded.state, State::kEnd);
      EXPECT_EQ(decoded.text, "text");
    }
  }
  EXPECT_EQ(decode(Coding::kZstd, bytes_of(skipped.substr(0, 10)), SIZE_MAX, 4096).state,
            State::kMore);
  const std::string neither("\x60\x2a\x4d\x18\x00\x00\x00\x00", 8);
  EXPECT_EQ(decode(Coding::kZstd, bytes_of(neither), SIZE_MAX, 4096).state, State::kBad);
}

TEST(ZstdCoding, AWindowAbove8MiBIsBadHoweverShortTheContent) {
  // A window descriptor and the size of the content, which is one raw block of 256 bytes.
  const auto frame = [](char window) {
    return std::string("\x28\xb5\x2f\xfd\x40", 5) + window + std::string("\0\0\x01\x08\0", 5) +
           std::string(256, 'x');
  };
  for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
    EXPECT_EQ(decode(Coding::kZstd, bytes_of(frame('\x70')), piece, 4096).state, State::kBad);
    EXPECT_EQ(decode(Coding::kZstd, bytes_of(frame('\x68')), piece, 4096).state, State::kEnd);
    const std::string two = frame('\x68') + frame('\x70');
    EXPECT_EQ(decode(Coding::kZstd, bytes_of(two), piece, 4096).state, State::kBad);
  }
}

TEST(ZstdCoding, FormatsFromBeforeTheRfcAreBad) {
  // An empty frame of version 0.7, and one whose header looks like its magic number.
  const std::string old("\x27\xb5\x2f\xfd\x00\x00\xc0\x00\x00", 9);
  const std::string hidden = std::string("\x28\xb5\x2f\xfd", 4) + old;
  for (const size_t piece : {size_t{1}, size_t{4}, SIZE_MAX}) {
    EXPECT_EQ(decode(Coding::kZstd, bytes_of(old), piece, 4096).state, State::kBad);
    EXPECT_NE(decode(Coding::kZstd, bytes_of(hidden), piece, 4096).state, State::kEnd);
  }
}

TEST(Coders, OfTheIdentityAreNone) {
  EXPECT_EQ(Encoder::make(Coding::kIdentity, Effort::kFast, 1), nullptr);
  EXPECT_EQ(Decoder::make(Coding::kIdentity), nullptr);
}

}  // namespace
}  // namespace perigee::http
