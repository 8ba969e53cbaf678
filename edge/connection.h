// One client connection: moves bytes between its channel and its codec, and knows when to stop.
//
// It is entered from the run list only. It knows no HTTP: what bytes mean is the codec's, what is
// answered is the flow's. An idle connection holds no buffers.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/channel.h"
#include "base/env.h"
#include "edge/quiet_list.h"
#include "edge/run_list.h"
#include "edge/service.h"
#include "http/exchange/codec.h"

namespace perigee::edge {

/// Receives what a connection cannot do itself. The worker implements it.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// The connection has ended. It is destroyed after its run, never inside this call.
  virtual void on_connection_ended(class Connection& connection) = 0;
  /// How long a connection that is blocked holds what it reads.
  virtual int64_t park_ms() const = 0;
};

/// What all connections of a loop share.
struct ConnectionShared {
  base::Env& env;
  RunList& run_list;
  QuietList& quiet_list;
  ConnectionOwner& owner;
  std::span<std::byte> read_buffer;
  http::OutBuffers& out_buffers;
};

class Connection final : public Runnable, public QuietMember, private base::ChannelUser {
 public:
  /// The channel's handshake, if it has one, is over.
  Connection(const ConnectionShared& shared, Service& service,
             std::unique_ptr<base::Channel> channel);
  ~Connection() override;

  void run() override;
  /// Finishes what is in flight, takes a request that has arrived, and no further one.
  void drain();
  /// Ends it in order and without a word, to make room for another client. Quiet ones only.
  void make_room() override;
  bool has_news() const override { return readable_; }
  bool ended() const { return ended_; }

  /// For the worker's list of its connections.
  size_t place = 0;

 private:
  void on_ready(bool readable, bool writable) noexcept override;
  void on_deadline();
  void receive(base::Tick now);
  void feed_spill(base::Tick now);
  void settle(base::Tick now);
  bool close_if_over(base::Tick now);
  void linger(base::Tick now);
  void update_interest();
  void update_deadline(base::Tick now);
  void update_quiet();
  /// Bytes that the peer has taken. A system call: asked when it blocks and when a check is due.
  uint64_t acknowledged() const;
  bool stalled(base::Tick now);
  void end();
  std::span<const std::byte> spilled() const {
    return {spill_.data() + spill_begin_, spill_.size() - spill_begin_};
  }

  const ConnectionShared& shared_;
  std::unique_ptr<base::Channel> channel_;
  http::OutQueue out_;
  std::unique_ptr<http::ServerCodec> codec_;
  base::Timer timer_;
  std::vector<std::byte> spill_;  ///< received and not consumed, behind spill_begin_
  size_t spill_begin_ = 0;
  size_t lingered_bytes_ = 0;
  base::Tick linger_until_{-1};  ///< -1: it is not lingering
  base::Tick linger_most_{-1};
  base::Tick stall_check_{-1};  ///< when progress is looked at next; -1: nothing to send
  base::Tick stall_since_{-1};  ///< the last time progress was seen
  base::Tick rate_since_{-1};   ///< the window of the minimum rate
  uint64_t stall_progress_ = 0;
  uint64_t rate_progress_ = 0;
  bool readable_ = true;  ///< a fresh connection has its first bytes (TCP_DEFER_ACCEPT)
  bool writable_ = true;
  base::Tick park_at_{-1};  ///< when a blocked body is to let go of what it holds; -1: never
  bool resting_ = false;    ///< it did, and nothing was pulled since
  bool peer_ended_ = false;
  bool finished_ = false;
  bool ended_ = false;
};

}  // namespace perigee::edge
