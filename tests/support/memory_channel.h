// A byte pipe in memory that behaves as a socket does: short takes, bounded buffers, FIN, RST,
// stalls.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "base/channel.h"
#include "tests/support/fake_env.h"

namespace perigee::test {

/// How one direction behaves; may be changed at any time.
struct PipeRules {
  size_t capacity = 256 * 1024;                          ///< bytes in flight; beyond: kAgain
  size_t per_send = std::numeric_limits<size_t>::max();  ///< most one send takes
  size_t per_recv = std::numeric_limits<size_t>::max();  ///< most one recv gives
};

/// One end of a pipe. Either end may be destroyed first. Level-triggered by its FakeEnv's turns.
class MemoryChannel : public base::Channel, private Pollable {
 public:
  struct Direction {
    std::string bytes;
    PipeRules rules;
    bool finished = false;  ///< FIN was sent
    bool closed = false;    ///< the receiver is gone: sends fail
  };
  struct Link {
    Direction directions[2];
    bool reset[2] = {false, false};  ///< the end with this index has been reset
  };

  MemoryChannel(FakeEnv& env, std::shared_ptr<Link> link, int side);
  /// As close(2): FIN, or RST when bytes were left unread.
  ~MemoryChannel() override;

  // --- base::Channel ---
  void bind(base::ChannelUser* user) override { user_ = user; }
  void want(bool readable, bool writable) override;
  base::Io recv(std::span<std::byte> into) override;
  base::Io send(std::span<const base::Piece> pieces) override;
  size_t unacked() const override { return out().bytes.size(); }
  bool finish() override;
  void abort() override;
  const base::Peer& peer() const override { return peer_; }

  // --- for tests, on the end that plays the peer ---
  /// Sends all of it, whatever the rules say.
  void write(std::string_view text) { out().bytes += text; }
  /// Takes all that has arrived.
  std::string read();
  /// Takes at most so much, as a slow reader does.
  std::string read_some(size_t most);
  /// What has arrived, left there.
  std::string_view arrived() const { return in().bytes; }
  bool saw_fin() const { return in().finished; }
  bool saw_reset() const { return link_->reset[side_]; }
  /// The other end was destroyed, finished or reset.
  bool other_gone() const { return out().closed || in().finished || saw_reset(); }
  PipeRules& out_rules() { return out().rules; }
  PipeRules& in_rules() { return in().rules; }
  bool wants_read() const { return want_read_; }
  base::Peer& mutable_peer() { return peer_; }
  unsigned recvs = 0;  ///< calls of recv

 private:
  bool poll() override;
  bool readable() const;
  bool writable() const;
  Direction& out() const { return link_->directions[side_]; }
  Direction& in() const { return link_->directions[1 - side_]; }

  FakeEnv& env_;
  std::shared_ptr<Link> link_;
  const int side_;
  base::ChannelUser* user_ = nullptr;
  bool want_read_ = false;
  bool want_write_ = false;
  base::Peer peer_;
};

struct MemoryPipe {
  std::unique_ptr<MemoryChannel> near;  ///< for the code under test
  std::unique_ptr<MemoryChannel> far;   ///< for the test
};
MemoryPipe make_memory_pipe(FakeEnv& env, PipeRules rules = {});

}  // namespace perigee::test
