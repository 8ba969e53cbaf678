// How many connections of clients the node may hold at once, and who waits for one of them to go.
//
// A listener takes a slot before it accepts, so that the descriptors which the node itself needs
// are never used for clients. At the bound a worker closes the connection that is quiet the longest
// and the new client gets its slot.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/mutex.h"
#include "edge/config.h"

namespace perigee::edge {

class ClientSlots;

/// The right to hold one client connection; given back when it is destroyed. Any thread.
class ClientSlot {
 public:
  ClientSlot() = default;
  ClientSlot(ClientSlot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
  ClientSlot& operator=(ClientSlot&&) = delete;
  ~ClientSlot();
  /// False: none was free.
  explicit operator bool() const { return slots_ != nullptr; }

 private:
  friend class ClientSlots;
  explicit ClientSlot(ClientSlots* slots) : slots_(slots) {}
  ClientSlots* slots_ = nullptr;
};

/// Any thread, but where a loop is named. It outlives all slots, and all posts to the loops.
class ClientSlots {
 public:
  /// Without a bound until set_bound().
  ClientSlots();
  ~ClientSlots();
  ClientSlots(const ClientSlots&) = delete;
  ClientSlots& operator=(const ClientSlots&) = delete;

  /// Before anything accepts.
  void set_bound(size_t bound) { bound_ = bound; }
  size_t bound() const { return bound_; }
  size_t taken() const { return taken_.load(); }

  /// A slot, or an empty one at the bound. Never waits.
  ClientSlot take();
  /// Calls `go_on` on the loop of `env`, once, when a slot has become free. Another may take it
  /// first: then wait again. That loop's thread only.
  base::Pending wait(base::Env& env, base::Task go_on);

  /// So many clients wait: as many quiet connections are to go. One load.
  size_t wanted() const { return wanted_.load(std::memory_order_relaxed); }
  /// `env`'s loop has no quiet connection: wakes the other loops, once for each that waits.
  void ask_others(const base::Env& env);
  /// A loop whose connections can be asked for, while it takes posts.
  void add_loop(base::Env& env);
  void remove_loop(base::Env& env);

 private:
  friend class ClientSlot;
  class Wait;
  void give_back();
  void wake_one();
  void forget(const Wait& wait);

  size_t bound_ = SIZE_MAX;
  std::atomic<size_t> taken_{0};
  std::atomic<size_t> wanted_{0};  ///< waiting_.size()
  base::Mutex mutex_{base::LockRank::kClientSlots};
  /// The first waits longest.
  std::deque<std::unique_ptr<Wait>> waiting_ GUARDED_BY(mutex_);
  std::vector<base::Env*> loops_ GUARDED_BY(mutex_);
};

/// What a process with so many descriptors may hold: all but those that are `open` already, and the
/// reserve of kDescriptorsReserved and the connections of all origins, tunnels included, at most
/// half. At least 1.
size_t client_bound(const Config& config, size_t descriptors, size_t open);

}  // namespace perigee::edge
