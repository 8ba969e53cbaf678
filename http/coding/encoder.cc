#include "http/coding/encoder.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace perigee::http {
namespace {

/// Room that is made before each call into a library.
constexpr size_t kStepBytes = 64 * base::limits::kKiB;
/// Into one call of zlib, which counts in 32 bits.
constexpr size_t kZlibBytesMost = 1u << 30;

int zstd_level(Effort effort) { return effort == Effort::kBest ? 19 : 6; }
int brotli_quality(Effort effort) { return effort == Effort::kBest ? 11 : 5; }
int gzip_level(Effort effort) { return effort == Effort::kBest ? 9 : 6; }

/// The end of `out` grows by kStepBytes; what is not used is given back.
class Room {
 public:
  explicit Room(std::vector<std::byte>& out) : out_(out), used_(out.size()) {
    out_.resize(used_ + kStepBytes);
  }
  ~Room() { out_.resize(used_); }
  std::byte* begin() { return out_.data() + used_; }
  void use(size_t bytes) { used_ += bytes; }

 private:
  std::vector<std::byte>& out_;
  size_t used_;
};

class ZstdEncoder final : public Encoder {
 public:
  ZstdEncoder(Effort effort, uint64_t size) : context_(ZSTD_createCCtx(), ZSTD_freeCCtx) {
    if (!context_) return;
    const auto set = [&](ZSTD_cParameter parameter, int value) {
      return ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), parameter, value)) == 0;
    };
    // The levels that are used have windows of 8 MiB at most.
    const bool ready = set(ZSTD_c_compressionLevel, zstd_level(effort)) &&
                       set(ZSTD_c_checksumFlag, 1) && set(ZSTD_c_contentSizeFlag, 1) &&
                       ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context_.get(), size)) == 0;
    if (!ready) context_.reset();
  }
  bool ready() const { return context_ != nullptr; }
  bool encode(std::span<const std::byte> in, bool last, std::vector<std::byte>& out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    const ZSTD_EndDirective directive = last ? ZSTD_e_end : ZSTD_e_continue;
    for (;;) {
      Room room(out);
      ZSTD_outBuffer output{room.begin(), kStepBytes, 0};
      const size_t left = ZSTD_compressStream2(context_.get(), &output, &input, directive);
      if (ZSTD_isError(left) != 0) return false;
      room.use(output.pos);
      if (last ? left == 0 : input.pos == input.size) return true;
    }
  }

 private:
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
};

class BrotliEncoder final : public Encoder {
 public:
  BrotliEncoder(Effort effort, uint64_t size)
      : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr),
               BrotliEncoderDestroyInstance) {
    if (!state_) return;
    const auto hint =
        static_cast<uint32_t>(std::min<uint64_t>(size, std::numeric_limits<uint32_t>::max()));
    const auto quality = static_cast<uint32_t>(brotli_quality(effort));
    BrotliEncoderSetParameter(state_.get(), BROTLI_PARAM_QUALITY, quality);
    BrotliEncoderSetParameter(state_.get(), BROTLI_PARAM_SIZE_HINT, hint);
  }
  bool ready() const { return state_ != nullptr; }
  bool encode(std::span<const std::byte> in, bool last, std::vector<std::byte>& out) override {
    size_t left = in.size();
    const auto* next = reinterpret_cast<const uint8_t*>(in.data());
    const BrotliEncoderOperation operation =
        last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
    for (;;) {
      Room room(out);
      size_t free = kStepBytes;
      auto* to = reinterpret_cast<uint8_t*>(room.begin());
      const BROTLI_BOOL done =
          BrotliEncoderCompressStream(state_.get(), operation, &left, &next, &free, &to, nullptr);
      if (done == BROTLI_FALSE) return false;
      room.use(kStepBytes - free);
      const bool more = BrotliEncoderHasMoreOutput(state_.get()) == BROTLI_TRUE;
      const bool ended = BrotliEncoderIsFinished(state_.get()) == BROTLI_TRUE;
      if (last ? ended : left == 0 && !more) return true;
    }
  }

 private:
  std::unique_ptr<BrotliEncoderState, void (*)(BrotliEncoderState*)> state_;
};

class GzipEncoder final : public Encoder {
 public:
  explicit GzipEncoder(Effort effort) {
    constexpr int kGzipWindow = 15 + 16;  // 32 KiB, in gzip's frame
    constexpr int kMostMemory = 9;
    ready_ = deflateInit2(&stream_, gzip_level(effort), Z_DEFLATED, kGzipWindow, kMostMemory,
                          Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~GzipEncoder() override {
    if (ready_) deflateEnd(&stream_);
  }
  bool ready() const { return ready_; }
  bool encode(std::span<const std::byte> in, bool last, std::vector<std::byte>& out) override {
    CHECK(in.size() <= kZlibBytesMost);
    // zlib does not write there.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    for (;;) {
      Room room(out);
      stream_.next_out = reinterpret_cast<Bytef*>(room.begin());
      stream_.avail_out = kStepBytes;
      const int result = deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      if (result == Z_STREAM_ERROR) return false;
      room.use(kStepBytes - stream_.avail_out);
      if (last ? result == Z_STREAM_END : stream_.avail_out > 0) return true;
    }
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

template <typename Made, typename... Arguments>
std::unique_ptr<Encoder> make_ready(Arguments... arguments) {
  auto encoder = std::make_unique<Made>(arguments...);
  if (!encoder->ready()) return nullptr;
  return encoder;
}

}  // namespace

std::unique_ptr<Encoder> Encoder::make(Coding coding, Effort effort, uint64_t size) {
  switch (coding) {
    case Coding::kIdentity:
      return nullptr;
    case Coding::kZstd:
      return make_ready<ZstdEncoder>(effort, size);
    case Coding::kBrotli:
      return make_ready<BrotliEncoder>(effort, size);
    case Coding::kGzip:
      return make_ready<GzipEncoder>(effort);
  }
  return nullptr;
}

}  // namespace perigee::http
