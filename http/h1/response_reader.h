// Responses of an origin, HTTP/1.0 and 1.1: bytes in, events out (RFC 9112 §6, §7).
//
// Pulled: next() consumes a part of the input and says what it found. A response ends where its
// framing says; bytes after it are never parsed. Errors name the reason, and are a 502 for the
// client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/message.h"

namespace perigee::http {

class ResponseReader {
 public:
  enum class Event : uint8_t {
    kNeedMore,  ///< everything was consumed (or kept inside); give more
    kInterim,   ///< a 1xx head, `head()`; the parser goes on with the next head
    kHead,      ///< the final head, `head()`
    kBody,      ///< `body` holds content, a view into the input
    kEnd,       ///< the message is whole; nothing more is parsed
    kError,     ///< `error()` says why; nothing more is parsed
  };
  struct Step {
    Event event = Event::kNeedMore;
    size_t consumed = 0;
    std::span<const std::byte> body;
  };

  ResponseReader();
  ~ResponseReader();
  /// Makes it ready for the answer to a request with this method, which asked for the protocol
  /// `upgrade` (empty: for none). A 101 to that protocol is a final head, and all behind it is
  /// content; every other 101 is an error. `upgrade` is copied.
  void begin(Method method, std::string_view upgrade = {});
  Step next(std::span<const std::byte> input);
  /// The connection ended: kEnd for a body that the close delimits when `clean` (FIN or
  /// close_notify), else kError.
  Event next_eof(bool clean);
  /// Its views are valid until the next call of next().
  const ReceivedResponse& head() const;
  std::string_view error() const;
  /// Some byte of a response has come since begin().
  bool started() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace perigee::http
