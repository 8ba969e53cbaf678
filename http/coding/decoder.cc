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

class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
    if (!context_) return;
    const size_t set =
        ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMost);
    if (ZSTD_isError(set) != 0) context_.reset();
  }
  bool ready() const { return context_ != nullptr; }
  Step decode(std::span<const std::byte> in, std::span<std::byte> out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const size_t left = ZSTD_decompressStream(context_.get(), &output, &input);
    State state = left == 0 ? State::kEnd : State::kMore;
    if (ZSTD_isError(left) != 0) state = State::kBad;
    return {input.pos, output.pos, state};
  }

 private:
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context_;
};

class BrotliDecoder final : public Decoder {
 public:
  BrotliDecoder()
      : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr),
               BrotliDecoderDestroyInstance) {}
  bool ready() const { return state_ != nullptr; }
  Step decode(std::span<const std::byte> in, std::span<std::byte> out) override {
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

 private:
  std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state_;
};

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() {
    constexpr int kGzipWindow = 15 + 16;  // up to 32 KiB, in gzip's frame
    ready_ = inflateInit2(&stream_, kGzipWindow) == Z_OK;
  }
  ~GzipDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }
  bool ready() const { return ready_; }
  Step decode(std::span<const std::byte> in, std::span<std::byte> out) override {
    const size_t given = std::min(in.size(), kZlibBytesMost);
    const size_t room = std::min(out.size(), kZlibBytesMost);
    // zlib does not write there.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
    stream_.avail_in = static_cast<uInt>(given);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    State state = State::kBad;
    if (result == Z_STREAM_END) state = State::kEnd;
    // Z_BUF_ERROR: nothing could be done with what was given.
    if (result == Z_OK || result == Z_BUF_ERROR) state = State::kMore;
    return {given - stream_.avail_in, room - stream_.avail_out, state};
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

template <typename Made>
std::unique_ptr<Decoder> make_ready() {
  auto decoder = std::make_unique<Made>();
  if (!decoder->ready()) return nullptr;
  return decoder;
}

}  // namespace

std::unique_ptr<Decoder> Decoder::make(Coding coding) {
  switch (coding) {
    case Coding::kIdentity:
      return nullptr;
    case Coding::kZstd:
      return make_ready<ZstdDecoder>();
    case Coding::kBrotli:
      return make_ready<BrotliDecoder>();
    case Coding::kGzip:
      return make_ready<GzipDecoder>();
  }
  return nullptr;
}

}  // namespace perigee::http
