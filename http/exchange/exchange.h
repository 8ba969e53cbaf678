// One request and its response, whatever the protocol; bodies are cursors that are pulled.
//
// Backpressure is the absence of a call: nobody pushes a body. All of it belongs to one loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/channel.h"
#include "base/env.h"
#include "http/message.h"

namespace perigee::http {

/// What a body source has next.
struct Chunk {
  base::Piece piece;
  enum State : uint8_t {
    kMore,   ///< `piece` holds bytes, and more may follow
    kLater,  ///< nothing now: exactly one wake() of the waker will tell when to peek again
    kEnd,    ///< the last bytes, perhaps none: whole
    kFail,   ///< the rest will never come: the message must be cut
    kBad,    ///< so, and bytes of this turn may be wrong: what is still queued must not leave
  } state = kEnd;
};

/// A body as a cursor. Loop-local, never blocks.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// The next bytes at the cursor, at most `max`; valid until advance() or the end of this turn.
  virtual Chunk peek(size_t max) = 0;
  /// `n` bytes of the last peek were taken.
  virtual void advance(size_t n) = 0;
  /// The whole length where it is known.
  virtual std::optional<uint64_t> size() const = 0;
  /// Nobody will pull for a while: what is held for the next peek is let go of until then.
  virtual void rest() {}
  /// Whom a kLater wakes. Must outlive the source or be replaced.
  void set_waker(base::Waker* waker) { waker_ = waker; }

 protected:
  void wake() {
    if (waker_ != nullptr) waker_->wake();
  }
  /// For a body that reads from others: wakes whoever waits for `body` when they have more.
  class PassOn final : public base::Waker {
   public:
    explicit PassOn(BodySource& body) : body_(body) {}
    void wake() override { body_.wake(); }

   private:
    BodySource& body_;
  };

 private:
  base::Waker* waker_ = nullptr;
};

/// What hangs on an exchange, or on a client's connection, until its end.
class Attachment {
 public:
  virtual ~Attachment() = default;
};

/// What RequestFlow knows of a request: made and recycled by a codec, never deleted by the flow.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// Views valid until on_request() returns; after promote() until the end of the exchange.
  virtual const RequestHead& request() const = 0;
  /// The client used another scheme than this connection, as a trusted proxy says. `scheme` lives
  /// as long as the program.
  virtual void set_scheme(std::string_view scheme) = 0;
  /// A trusted proxy sent the request.
  virtual void set_from_proxy() = 0;
  /// Copies the head into the exchange's own arena; call it before waiting for anything. False: the
  /// head does not fit the bound; answer at once.
  virtual bool promote() = 0;
  /// Null: the request has no body. The first peek sends 100-continue or opens the window.
  virtual BodySource* request_body() = 0;
  /// Sends a 1xx head (never to HTTP/1.0). Only before respond().
  virtual void inform(const ResponseHead& interim) = 0;
  /// Once. The head is copied or sent before it returns; `body` (null: none) lives until on_sent()
  /// or on_cancel(); it is usually in slot() or in the arena.
  virtual void respond(const ResponseHead& head, BodySource* body) = 0;
  /// Of a request for which a 101 is about to be given to respond(): what the client sends from
  /// then on in the protocol that it asked for, to its end. The body of that answer goes the other
  /// way as it comes, also to its end. It lives as long as the exchange.
  virtual BodySource& tunnel() = 0;
  /// After respond(): the message cannot be completed; the peer must see the cut.
  virtual void cut() = 0;
  static constexpr size_t kSlotBytes = 208;
  /// Memory for the body source of a hit. It and the arena die with the exchange; a source placed
  /// there is destroyed by the flow in on_sent() or on_cancel().
  virtual std::span<std::byte, kSlotBytes> slot() = 0;
  virtual Arena& arena() = 0;
  virtual const base::Peer& peer() const = 0;
  /// What the flow keeps of the client's connection; null at first. It ends after the connection's
  /// exchanges.
  virtual std::unique_ptr<Attachment>& of_connection() = 0;
  /// What the flow keeps of this exchange, in slot() or in the arena; null at on_request(). The
  /// flow destroys it in on_sent() or on_cancel().
  Attachment* attached = nullptr;
};

/// The one call upwards from codecs; RequestFlow implements it.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  /// A whole head is there. May respond() inside the call.
  virtual void on_request(Exchange& exchange) = 0;
  /// The client is gone, or the codec cut the exchange; it must not be touched afterwards.
  virtual void on_cancel(Exchange& exchange) = 0;
  /// The body source is needed no more: its bytes were taken by the channel or, small ones, copied
  /// behind the head. `whole`, or cut after `body_bytes`. The end of the exchange.
  virtual void on_sent(Exchange& exchange, uint64_t body_bytes, bool whole) = 0;
  /// The codec refuses a request by itself (framing, limits, timeouts) with `answer`: for logs and
  /// counters, and to add what every answer of our own carries (Date, Cache-Status); their memory
  /// comes from `arena`.
  virtual void on_refused(const base::Peer& peer, std::string_view why, Arena& arena,
                          ResponseHead& answer) = 0;
};

}  // namespace perigee::http
