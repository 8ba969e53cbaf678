// What all loops may know of one fill: its phase, its head once there, and its growing body.
//
// Made and moved on by its owner loop (fill_production); the head is immutable once the phase says
// so.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "origin/fill_body.h"
#include "origin/fills.h"

namespace perigee::origin {

class FillProgress final : public FillSession {
 public:
  enum class Phase : uint8_t {
    kPending,  ///< no final head yet: everybody may join
    kHead,     ///< who is answered by the head may join
    kFailed,   ///< no head will come; `error` says why
  };

  // FillSession: only in phase kHead.
  const http::StoredResponse& response() const override { return response_; }
  bool revalidated() const override { return revalidated_; }
  uint16_t origin_status() const override { return origin_status_; }
  bool storing() const override { return storing_; }
  std::optional<uint64_t> body_size() const override {
    if (stored.state == cache_store::Found::kHit && revalidated_) return stored.record.body.size();
    if (declared_size_) return declared_size_;
    if (body.complete()) return body.size();
    return std::nullopt;
  }

  /// Whether a request that waits is answered by this head (http-rules 1.2).
  bool answers(const http::RequestHead& request, int64_t now_ms) const;

  // Set by the owner before it is shared, and never after.
  cache_store::Digest join;
  cache_store::Digest base;
  cache_store::Ticket ticket;
  bool alone = false;
  unsigned owner = 0;
  std::shared_ptr<const http::PolicyOptions> policy;
  /// The validated response whose body is served after a 304; pinned.
  cache_store::Found stored;

  FillBody body;

  /// Adds a loop whose waiters want to be told. False: the phase is not kPending any more.
  bool add_waiter(unsigned loop) {
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::kPending) return false;
    loops_.insert(loop);
    ++waiters_;
    return true;
  }
  /// One whom the head that is there answers; its own loop tells it.
  void add_late_waiter() { ++waiters_; }
  void remove_waiter() { --waiters_; }
  size_t waiters() const { return waiters_; }
  Phase phase() const {
    const std::lock_guard lock(mutex_);
    return phase_;
  }
  /// The loops with waiters so far, for an interim response.
  std::set<unsigned> loops() const {
    const std::lock_guard lock(mutex_);
    return loops_;
  }
  /// Owner: publishes the head that was filled in below. The loops to tell are returned.
  [[nodiscard]] std::set<unsigned> publish(Phase phase) {
    const std::lock_guard lock(mutex_);
    phase_ = phase;
    return loops_;
  }

  // Filled in by the owner before publish(kHead).
  std::vector<std::byte> image_;
  http::StoredResponse response_;
  bool revalidated_ = false;
  bool shareable_ = false;
  bool storing_ = false;
  uint16_t origin_status_ = 0;
  std::optional<uint64_t> declared_size_;
  std::vector<std::string> vary_names_;
  std::string vary_selected_;
  // Filled in before publish(kFailed).
  FetchError error_;

 private:
  mutable std::mutex mutex_;
  Phase phase_ = Phase::kPending;
  std::set<unsigned> loops_;
  std::atomic<size_t> waiters_{0};
};

/// The values that a request selects with under these names, as it is forwarded.
std::string selected_values(const std::vector<std::string>& names, const http::HeaderList& request,
                            const http::PolicyOptions& policy);

}  // namespace perigee::origin
