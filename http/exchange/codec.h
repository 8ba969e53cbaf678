// The server's side of one protocol on one connection: bytes in, Exchanges out, and back.
#pragma once

#include <cstddef>
#include <span>

#include "base/env.h"
#include "http/exchange/exchange.h"
#include "http/exchange/out_queue.h"

namespace perigee::http {

/// What a connection lends its codec. All of it outlives the codec and belongs to the same loop.
struct CodecContext {
  OutQueue& out;       ///< heads and bodies leave through it; the connection flushes
  RequestSink& sink;   ///< told of each request
  base::Waker& waker;  ///< woken when something can be pumped outside of feed(): links the run list
  const base::Peer& peer;
};

class ServerCodec {
 public:
  enum class State : uint8_t {
    kOpen,    ///< goes on
    kLinger,  ///< everything was said: flush, finish(), drain at most kLingerBytes or kLingerMs,
              ///< close
    kClose,   ///< flush and close
    kCut,     ///< what is queued is right, but the rest will not come: flush, abort()
    kAbort,   ///< cut now: nothing that is queued may leave, abort()
  };
  /// Where a connection stands between its requests.
  enum class Phase : uint8_t {
    kBetween,   ///< requests: no byte of a next one has come
    kHead,      ///< a head has begun and is not whole
    kExchange,  ///< a request is being answered, or the connection ends
  };
  virtual ~ServerCodec() = default;
  /// Parses what it can: bytes consumed; the caller keeps the rest (its spill) and feeds it again,
  /// with what follows, when wants_read() says so. Calls the sink for each whole head.
  virtual size_t feed(std::span<const std::byte> bytes, base::Tick now) = 0;
  /// The peer ended its side. What was fed and not consumed is still read, and what waits for its
  /// answer gets it; a request that is not whole by then is cancelled.
  virtual void feed_end() = 0;
  /// Pulls bodies into the queue while it is below its low watermark and nothing is lent, and ends
  /// exchanges whose bytes were all taken. Called before and after each flush; true: flush again.
  virtual bool pump(base::Tick now) = 0;
  /// Bytes from the peer can be used now.
  virtual bool wants_read() const = 0;
  /// When on_deadline() is due; Tick{INT64_MAX}: never. One timer a connection follows it.
  virtual base::Tick deadline() const = 0;
  virtual void on_deadline(base::Tick now) = 0;
  /// The peer has taken nothing for a while: what is held for its next bytes is let go of.
  virtual void rest() = 0;
  /// Ends the connection: what is in flight, or has arrived and is fed before the next pump, is
  /// answered, then the state becomes kClose.
  virtual void drain() = 0;
  /// The connection is gone: cancels what is in flight. True: something was.
  virtual bool cancel() = 0;
  virtual State state() const = 0;
  virtual Phase phase() const = 0;
};

}  // namespace perigee::http
