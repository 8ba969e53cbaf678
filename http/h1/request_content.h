// The content of the request that an HTTP/1 connection is answering: decoded into a bounded window
// that the flow empties, with 100-continue and the rate at which it must come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/env.h"
#include "http/exchange/codec.h"
#include "http/exchange/exchange.h"
#include "http/h1/request_reader.h"

namespace perigee::http {

/// One for each connection, used by its requests in turn. Loop-local.
class RequestContent final : public BodySource {
 public:
  RequestContent(Http1RequestReader& reader, const CodecContext& context)
      : reader_(reader), context_(context) {}

  /// For the request whose head was just read; views `head` until end().
  void begin(const RequestHead& head);
  /// Decodes what has room in the window. Returns the bytes used; look at the reader's refusal().
  size_t feed(std::span<const std::byte> bytes);
  /// Tells whoever waits for content that there is some, or that it has ended.
  void notify();
  bool has_room() const { return held_bytes() < base::limits::kSpillBytes; }
  /// The request is being answered: nobody is told to go on any more.
  void set_answered() { answered_ = true; }
  /// True once after a 100 was due: from now on the rate is asked for.
  bool take_grace();
  /// Less than `least` bytes came since the last call, and that is the peer's doing. Begins to
  /// count anew.
  bool is_slow(int64_t least);
  /// The exchange is over.
  void end();

  Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override { return content_length_; }

 private:
  size_t held_bytes() const { return window_.size() - window_begin_; }

  Http1RequestReader& reader_;
  const CodecContext& context_;
  std::optional<uint64_t> content_length_;
  std::string window_;  ///< decoded content not yet pulled, behind window_begin_
  size_t window_begin_ = 0;
  uint64_t rate_bytes_ = 0;  ///< content received since the rate was last judged
  bool awaited_ = false;     ///< a kLater was given and has not been kept
  bool continue_due_ = false;
  bool grace_due_ = false;
  bool answered_ = false;
};

}  // namespace perigee::http
