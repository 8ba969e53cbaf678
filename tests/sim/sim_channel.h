// A connection between the node and somebody outside: two byte pipes that behave as a kernel's do,
// and remember when each byte was sent and taken.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/channel.h"
#include "tests/sim/scheduler.h"

namespace perigee::sim {

/// Whose bytes: to the node, or from it.
enum Way : uint8_t { kToNode, kFromNode };

/// Of all clients.
inline constexpr std::string_view kPeerAddress = "198.51.100.7";

/// Pages of a file that a socket holds: what they show may change until they are read.
class LentPages {
 public:
  virtual ~LentPages() = default;
  virtual std::string_view bytes() const = 0;
};

/// Whoever has pages to lend.
class Lender {
 public:
  virtual ~Lender() = default;
  virtual std::shared_ptr<LentPages> lend(uint64_t offset, uint64_t size) = 0;
};

/// The bytes of one direction.
class Pipe {
 public:
  size_t waiting() const { return bytes_.size(); }
  size_t room() const { return capacity - std::min(capacity, bytes_.size()); }
  std::string_view bytes() {
    look_at_lent();
    return bytes_;
  }
  void put(std::string_view bytes, Stamp stamp);
  /// The next bytes that are put are those of these pages, as they are when they are taken.
  void note_lent(std::shared_ptr<LentPages> pages, size_t size) {
    lent_.push_back({sent_, sent_ + size, std::move(pages)});
  }
  std::string take(size_t most, Stamp stamp);
  void discard() { bytes_.clear(); }
  uint64_t sent() const { return sent_; }
  uint64_t taken() const { return taken_; }
  /// When the byte at an offset was put in; when it was taken out.
  Stamp sent_at(uint64_t offset) const { return find(sends_, offset); }
  Stamp taken_at(uint64_t offset) const { return find(takes_, offset); }

  size_t capacity = 256 * 1024;
  bool fin = false;  ///< the sender ended its side
  Stamp fin_taken;   ///< the receiver saw that

 private:
  struct Mark {
    uint64_t end;
    Stamp stamp;
  };
  struct Lent {
    uint64_t begin;
    uint64_t end;
    std::shared_ptr<LentPages> pages;
  };
  static Stamp find(const std::vector<Mark>& marks, uint64_t offset);
  void look_at_lent();

  std::string bytes_;
  uint64_t sent_ = 0;
  uint64_t taken_ = 0;
  std::vector<Mark> sends_;
  std::vector<Mark> takes_;
  std::vector<Lent> lent_;
};

/// How the node's end behaves.
struct LinkRules {
  size_t most_a_recv = SIZE_MAX;  ///< one byte at a time is legal
  size_t most_a_send = SIZE_MAX;
  unsigned refused_send = 0;       ///< per mille: nothing is taken though there is room
  bool reset_loses_bytes = false;  ///< after a reset what had arrived is gone
};

/// What both ends of a connection share.
struct Link {
  Pipe pipes[2];
  LinkRules rules;
  Lender* lender = nullptr;  ///< of pieces that are in a file
  bool reset = false;        ///< by either side
  Stamp reset_taken;         ///< the node saw that
  bool node_gone = false;    ///< its descriptor is closed
  Stamp node_left;           ///< when
  bool peer_gone = false;
  bool killed = false;      ///< the node's process is dead: its end closes as the kernel closes it
  bool node_reset = false;  ///< the node cut the connection itself
  /// Offsets (of kFromNode) at which the node wanted to send, and when it first did.
  std::vector<std::pair<uint64_t, Stamp>> attempts;
  Stamp attempt_at(uint64_t offset) const;

  // The peer's end.
  void peer_write(std::string_view bytes, Scheduler& scheduler) {
    pipes[kToNode].put(bytes, scheduler.stamp());
  }
  void peer_finish() { pipes[kToNode].fin = true; }
  void peer_reset();
  /// close(2).
  void peer_close();
  /// The node will say no more, and nothing of what it said is left.
  bool peer_sees_end() const {
    return pipes[kFromNode].waiting() == 0 && (pipes[kFromNode].fin || node_gone || reset);
  }
};
using LinkPtr = std::shared_ptr<Link>;

class SimEnv;

/// The node's end.
class SimChannel final : public base::Channel {
 public:
  SimChannel(SimEnv& env, LinkPtr link);
  ~SimChannel() override;

  void bind(base::ChannelUser* user) override { user_ = user; }
  void want(bool readable, bool writable) override;
  base::Io recv(std::span<std::byte> into) override;
  base::Io send(std::span<const base::Piece> pieces) override;
  size_t unacked() const override { return link_->pipes[kFromNode].waiting(); }
  bool finish() override;
  void abort() override;
  const base::Peer& peer() const override { return peer_; }

  bool ready() const;
  void poll();

 private:
  bool readable() const;
  bool writable() const;

  SimEnv& env_;
  LinkPtr link_;
  base::ChannelUser* user_ = nullptr;
  bool want_read_ = false;
  bool want_write_ = false;
  base::Peer peer_;
};

}  // namespace perigee::sim
