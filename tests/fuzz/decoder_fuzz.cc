// Decoders: three bytes say what is tried and how it is cut, three more what damage is done; the
// rest is a coded content, or a body that is coded here and then damaged.
#include <malloc.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/coding/decoder.h"
#include "http/coding/encoder.h"
#include "tests/fuzz/fuzz_text.h"

// Of AddressSanitizer, whose heap mallinfo does not see.
extern "C" __attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes();

using namespace perigee;
using http::Coding;
using http::Decoder;
using State = Decoder::State;

namespace {

constexpr size_t kHeadBytes = 6;
/// Of an output; what blows up to more is not decoded to its end.
constexpr size_t kTextMost = 256 * base::limits::kKiB;

/// What a decoder may hold: its window, and some tables.
size_t memory_most(Coding coding) {
  switch (coding) {
    case Coding::kZstd:
      return 9 * base::limits::kMiB;
    case Coding::kBrotli:
      return 17 * base::limits::kMiB;
    default:
      return 64 * base::limits::kKiB;
  }
}

size_t allocated() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) {
    return __sanitizer_get_current_allocated_bytes();
  }
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Sizes of pieces, of a seed.
class Cuts {
 public:
  explicit Cuts(uint64_t seed) : state_(seed * 2 + 1) {}
  /// Most are short; a long one now and then.
  size_t next(size_t least) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    const uint64_t bits = state_ >> 33;
    const size_t most = bits % 8 == 0 ? 70'000 : size_t{1} << (bits % 11);
    return least + (bits >> 11) % most;
  }

 private:
  uint64_t state_;
};

struct Decoded {
  std::string text;
  State state = State::kMore;
  bool is_cut = false;  ///< there is more text than is wanted
};

/// All of `coded`, in pieces as `cuts` says; null: as large as can be.
Decoded decode(Coding coding, std::span<const std::byte> coded, Cuts* cuts) {
  Decoded result;
  result.text.reserve(kTextMost);
  const size_t before = allocated();
  const auto decoder = Decoder::make(coding);
  for (;;) {
    const size_t given = cuts == nullptr ? coded.size() : std::min(cuts->next(0), coded.size());
    const size_t wanted = kTextMost - result.text.size();
    const size_t room = cuts == nullptr ? wanted : std::min(cuts->next(1), wanted);
    // On the heap, so that a sanitizer sees its end.
    const auto out = std::make_unique_for_overwrite<std::byte[]>(room);
    const Decoder::Step step = decoder->decode(coded.first(given), {out.get(), room});
    CHECK(step.taken <= given && step.made <= room);
    CHECK(allocated() <= before + room + memory_most(coding));
    CHECK(step.state != State::kEnd || step.taken == given);
    result.text += base::as_text({out.get(), step.made});
    coded = coded.subspan(step.taken);
    result.state = step.state;
    if (step.state == State::kBad) return result;
    if (coded.empty() && step.state == State::kEnd) break;
    result.is_cut = result.text.size() == kTextMost;
    const bool is_stuck = given == coded.size() + step.taken && step.taken == 0 && step.made == 0;
    if (result.is_cut || is_stuck) return result;
  }
  std::byte none{};
  const Decoder::Step again = decoder->decode({}, {&none, 1});
  CHECK(again.state == State::kEnd && again.taken == 0 && again.made == 0);
  return result;
}

/// However it is cut, it is the same.
Decoded decode_cut(Coding coding, std::span<const std::byte> coded, uint64_t seed) {
  Decoded whole = decode(coding, coded, nullptr);
  for (uint64_t i = 0; i < 2; ++i) {
    Cuts cuts(seed * 2 + i);
    const Decoded cut = decode(coding, coded, &cuts);
    const size_t common = std::min(cut.text.size(), whole.text.size());
    CHECK(std::string_view(cut.text).substr(0, common) ==
          std::string_view(whole.text).substr(0, common));
    // What came before an error is of no use, and may be held back.
    if (cut.is_cut || whole.is_cut) continue;
    CHECK(cut.state == whole.state);
    CHECK(cut.state == State::kBad || cut.text.size() == whole.text.size());
  }
  return whole;
}

std::vector<std::byte> encode(Coding coding, std::string_view body, size_t members) {
  std::vector<std::byte> coded;
  const size_t length = body.size() / members;
  for (size_t i = 1; i <= members; ++i) {
    const std::string_view member = i < members ? body.substr(0, length) : body;
    const auto encoder = http::Encoder::make(coding, http::Effort::kFast, member.size());
    CHECK(encoder->encode(std::as_bytes(std::span(member)), true, coded));
    body.remove_prefix(member.size());
  }
  return coded;
}

/// One byte is another one, is gone, or is there twice; or all behind it is gone.
void damage(std::vector<std::byte>& coded, unsigned kind, size_t place, std::byte change) {
  const auto at = coded.begin() + static_cast<ptrdiff_t>(place % coded.size());
  switch (kind) {
    case 0:
      *at ^= change;
      return;
    case 1:
      coded.erase(at);
      return;
    case 2:
      coded.insert(at, change);
      return;
    default:
      coded.erase(at, coded.end());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kHeadBytes) return 0;
  const Coding coding = http::kMadeCodings[data[0] % http::kMadeCodings.size()];
  const bool is_coded = (data[0] & 0x80) == 0;
  const unsigned kind = (data[0] >> 5) & 3;
  const uint64_t seed = data[1] | data[2] << 8;
  const size_t place = data[3] | data[4] << 8;
  const std::string_view rest = fuzz::text_of(data, size).substr(kHeadBytes);
  if (is_coded) {
    decode_cut(coding, std::as_bytes(std::span(rest)), seed);
    return 0;
  }
  // What is cut between two members is whole.
  const size_t members = coding == Coding::kBrotli || kind == 3 ? 1 : 1 + (data[0] >> 3) % 4;
  std::vector<std::byte> coded = encode(coding, rest, members);
  const Decoded whole = decode_cut(coding, coded, seed);
  CHECK(whole.state == State::kEnd && whole.text == rest);
  damage(coded, kind, place, std::byte{data[5]});
  const Decoded damaged = decode_cut(coding, coded, seed);
  // br has no checksum.
  CHECK(damaged.state != State::kEnd || coding == Coding::kBrotli || damaged.text == rest);
  return 0;
}
