// One byte pipe in readiness style: a socket, TLS around a socket, or memory in a test.
//
// Nothing is queued behind the caller's back and nothing is kept after a call returns. Everything
// here belongs to the thread of the loop that made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/address.h"

namespace perigee::base {

/// Bytes to send. `data` is always readable memory; `fd >= 0` says that the same bytes stand in
/// that file at `offset`, and the channel may use sendfile(2).
struct Piece {
  const std::byte* data = nullptr;
  size_t size = 0;
  int fd = -1;
  uint64_t offset = 0;
};

/// What came of one recv or send.
struct Io {
  enum State : uint8_t {
    kOk,     ///< `n` bytes were read or taken
    kAgain,  ///< nothing now; on_ready will tell
    kEof,    ///< recv only: the peer ended its side in order (FIN, close_notify)
    kFail,   ///< reset, or an error: `error` is the errno
  };
  State state = kAgain;
  size_t n = 0;
  int error = 0;
};

/// Who is at the other end.
struct Peer {
  Address remote;
  Address local;
  bool secure = false;           ///< the channel is TLS
  std::string_view server_name;  ///< SNI, empty without TLS
  std::string_view alpn;         ///< negotiated protocol, empty without TLS
  size_t record_bytes = 0;       ///< preferred size of one send (TLS: 16384), 0: any
};

class ChannelUser {
 public:
  virtual ~ChannelUser() = default;
  /// Level-triggered. Called from the loop only, never inside a call on the channel.
  virtual void on_ready(bool readable, bool writable) noexcept = 0;
};

/// One byte pipe, in readiness style.
class Channel {
 public:
  /// Closes. The user is not called again, not even this turn.
  virtual ~Channel() = default;
  virtual void bind(ChannelUser* user) = 0;
  /// Level-triggered interest; bytes held inside a TLS layer count as readable, and so does a
  /// reset.
  virtual void want(bool readable, bool writable) = 0;
  virtual Io recv(std::span<std::byte> into) = 0;
  /// `n` = bytes of a prefix that were taken. A partial take is normal.
  virtual Io send(std::span<const Piece> pieces) = 0;
  /// Bytes taken and not yet acknowledged by the peer.
  virtual size_t unacked() const = 0;
  /// Ends our side in order after what was taken; recv goes on. False: not everything could be
  /// handed over yet, call again when writable.
  virtual bool finish() = 0;
  /// Cuts: the peer must see that what it got was not whole (RST). Destroy the channel afterwards.
  virtual void abort() = 0;
  virtual const Peer& peer() const = 0;
};

}  // namespace perigee::base
