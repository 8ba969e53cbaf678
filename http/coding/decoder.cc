#include "http/coding/decoder.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

namespace perigee::http {
namespace {

/// Into one call of zlib, which counts in 32 bits.
constexpr size_t kZlibBytesMost = 1u << 30;
constexpr int kZstdWindowLogMost = 23;

void add(Decoder::Step& to, const Decoder::Step& step) {
  to = {to.taken + step.taken, to.made + step.made, step.state};
}

/// Goes on from one member to the next.
class MemberDecoder : public Decoder {
 public:
  explicit MemberDecoder(Members members) : goes_on_(members == Members::kAny) {}
  Step decode(std::span<const std::byte> in, std::span<std::byte> out) final {
    Step all;
    do {
      all.state = State::kEnd;
      if (ended_ && all.taken == in.size()) return all;
      all.state = State::kBad;
      if (ended_ && !(goes_on_ && begin_next())) return all;
      add(all, decode_member(in.subspan(all.taken), out.subspan(all.made)));
      ended_ = all.state == State::kEnd;
    } while (ended_);
    return all;
  }

 protected:
  /// Of one member. kEnd: it is whole, and nothing behind it was taken.
  virtual Step decode_member(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  /// False: nothing may follow.
  virtual bool begin_next() = 0;

 private:
  const bool goes_on_;
  bool ended_ = false;  ///< the member, and no other has begun
};

class ZstdDecoder final : public MemberDecoder {
 public:
  explicit ZstdDecoder(Members members)
      : MemberDecoder(members), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
    if (!context_) return;
    const size_t set =
        ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMost);
    if (ZSTD_isError(set) != 0) context_.reset();
  }
  bool ready() const { return context_ != nullptr; }

 private:
  /// A frame's magic number and header are no longer (RFC 8878 §3.1.1).
  static constexpr size_t kHeaderMost = 18;

  Step decode_member(std::span<const std::byte> in, std::span<std::byte> out) override {
    Step all;
    // Byte by byte: of what it gets at once, the library decodes a whole frame without a look at
    // its window, and formats from before RFC 8878, of which it bounds no window at all.
    for (; begun_ < kHeaderMost && all.taken < in.size(); ++begun_) {
      const Step step = decode_piece(in.subspan(all.taken, 1), out.subspan(all.made));
      add(all, step);
      if (step.state != State::kMore || step.taken == 0) return all;
    }
    add(all, decode_piece(in.subspan(all.taken), out.subspan(all.made)));
    return all;
  }
  bool begin_next() override {
    begun_ = 0;
    return true;
  }
  Step decode_piece(std::span<const std::byte> in, std::span<std::byte> out) {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const size_t left = ZSTD_decompressStream(context_.get(), &output, &input);
    State state = left == 0 ? State::kEnd : State::kMore;
    if (ZSTD_isError(left) != 0) state = State::kBad;
    return {input.pos, output.pos, state};
  }

  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context_;
  size_t begun_ = 0;  ///< of the first bytes of a frame
};

class BrotliDecoder final : public MemberDecoder {
 public:
  explicit BrotliDecoder(Members members)
      : MemberDecoder(members),
        state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr),
               BrotliDecoderDestroyInstance) {}
  bool ready() const { return state_ != nullptr; }

 private:
  bool begin_next() override { return false; }
  Step decode_member(std::span<const std::byte> in, std::span<std::byte> out) override {
    size_t left = in.size();
    size_t free = out.size();
    const auto* next = reinterpret_cast<const uint8_t*>(in.data());
    auto* to = reinterpret_cast<uint8_t*>(out.data());
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state_.get(), &left, &next, &free, &to, nullptr);
    State state = State::kMore;
    if (result == BROTLI_DECODER_RESULT_SUCCESS) state = State::kEnd;
    if (result == BROTLI_DECODER_RESULT_ERROR) state = State::kBad;
    return {in.size() - left, out.size() - free, state};
  }

  std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state_;
};

class GzipDecoder final : public MemberDecoder {
 public:
  explicit GzipDecoder(Members members) : MemberDecoder(members) {
    constexpr int kGzipWindow = 15 + 16;  // up to 32 KiB, in gzip's frame
    ready_ = inflateInit2(&stream_, kGzipWindow) == Z_OK;
  }
  ~GzipDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }
  bool ready() const { return ready_; }

 private:
  bool begin_next() override { return inflateReset(&stream_) == Z_OK; }
  Step decode_member(std::span<const std::byte> in, std::span<std::byte> out) override {
    const size_t given = std::min(in.size(), kZlibBytesMost);
    const size_t room = std::min(out.size(), kZlibBytesMost);
    // zlib does not write there.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
    stream_.avail_in = static_cast<uInt>(given);
    Bytef nowhere = 0;  // null would be an error, also where there is no room
    stream_.next_out = out.empty() ? &nowhere : reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    State state = State::kBad;
    if (result == Z_STREAM_END) state = State::kEnd;
    // Z_BUF_ERROR: nothing could be done with what was given.
    if (result == Z_OK || result == Z_BUF_ERROR) state = State::kMore;
    return {given - stream_.avail_in, room - stream_.avail_out, state};
  }

  z_stream stream_{};
  bool ready_ = false;
};

template <typename Made>
std::unique_ptr<Decoder> make_ready(Members members) {
  auto decoder = std::make_unique<Made>(members);
  if (!decoder->ready()) return nullptr;
  return decoder;
}

}  // namespace

std::unique_ptr<Decoder> Decoder::make(Coding coding, Members members) {
  switch (coding) {
    case Coding::kIdentity:
      return nullptr;
    case Coding::kZstd:
      return make_ready<ZstdDecoder>(members);
    case Coding::kBrotli:
      return make_ready<BrotliDecoder>(members);
    case Coding::kGzip:
      return make_ready<GzipDecoder>(members);
  }
  return nullptr;
}

}  // namespace perigee::http
