// A request on its way to the origin: its head, then its content as fast as both sides allow.
#pragma once

#include <cstdint>
#include <string>

#include "base/channel.h"
#include "origin/fetch.h"

namespace perigee::origin {

class Upload {
 public:
  enum class State : uint8_t {
    kWhole,    ///< all of it was taken
    kMore,     ///< enough for this turn
    kBlocked,  ///< the connection takes nothing now
    kWaiting,  ///< the request's content has nothing now: its waker will tell
    kCut,      ///< the request's content will not be whole
    kBroken,   ///< the connection takes nothing any more
    kStopped,  ///< stop() was called
    kRefused,  ///< the head holds a byte that none may hold: nothing is sent
  };

  /// Views of `request` stay valid; `waker` is told when its content has more.
  void begin(const FetchRequest& request, base::Waker& waker);
  State send(base::Channel& channel);
  /// Behind what was sent, all that `client` gives goes out as it is.
  void begin_tunnel(http::BodySource& client, base::Waker& waker);
  /// Sends nothing any more; the content's waker is taken back.
  void stop();
  /// Nothing more will be sent.
  bool over() const {
    return state_ == State::kWhole || state_ == State::kBroken || state_ == State::kStopped ||
           state_ == State::kRefused;
  }
  State state() const { return state_; }
  /// The connection has refused bytes. What it says of its own end counts no more: the send has
  /// taken the error, and a reset looks like an end in order.
  bool has_broken() const { return broken_; }
  /// Bytes that the connection took so far.
  uint64_t taken_bytes() const { return taken_bytes_; }

 private:
  State pull();

  http::BodySource* body_ = nullptr;  ///< null: no more content to pull
  bool chunked_ = false;
  std::string output_;
  size_t sent_ = 0;  ///< of `output_`
  uint64_t taken_bytes_ = 0;
  State state_ = State::kStopped;
  bool broken_ = false;
};

}  // namespace perigee::origin
