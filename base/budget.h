// A bound on units (bytes, connections) that all loops share, granted in the order of asking.
//
// Whoever finds nothing free waits in line, so that nobody who wants much is passed by those who
// want little. What is granted is owned by a Share and goes back by itself. Of a budget that bounds
// what one holder may have, a holder at its bound is passed by others until it gives something
// back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/env.h"
#include "base/mutex.h"

namespace perigee::base {

class Budget;

/// For whom units are taken: a client, a site. kAnybody is bounded by the whole budget alone.
using Holder = uint64_t;
inline constexpr Holder kAnybody = 0;

/// Units taken from a Budget, given back on destruction. Move-only; any thread.
class Share {
 public:
  Share() = default;
  Share(Share&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)),
        units_(std::exchange(other.units_, 0)),
        holder_(other.holder_) {}
  Share& operator=(Share&& other) noexcept {
    if (this != &other) {
      shrink_to(0);
      budget_ = std::exchange(other.budget_, nullptr);
      units_ = std::exchange(other.units_, 0);
      holder_ = other.holder_;
    }
    return *this;
  }
  ~Share() { shrink_to(0); }

  explicit operator bool() const { return units_ > 0; }
  size_t units() const { return units_; }
  /// Gives back what is beyond `units`.
  void shrink_to(size_t units);

 private:
  friend class Budget;
  Share(Budget& budget, size_t units, Holder holder)
      : budget_(&budget), units_(units), holder_(holder) {}

  Budget* budget_ = nullptr;
  size_t units_ = 0;
  Holder holder_ = kAnybody;
};

/// A place in the line for units: a member of whoever wants them, on its loop only.
class Claim {
 public:
  explicit Claim(Fn<void(Share)> granted) : granted_(std::move(granted)) {}
  /// Leaves the line.
  ~Claim() { abandon(); }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  /// Waits at the end of the line; `granted` is called in a later turn of `env`, which is this
  /// loop's. More than the whole budget, or than one holder may have, is never granted (CHECK).
  /// Once at a time.
  void wait(Budget& budget, Env& env, size_t units, Holder holder = kAnybody);
  bool waiting() const { return place_ != nullptr; }
  /// The same as destroying it.
  void abandon();

 private:
  friend class Budget;
  /// Shared with the budget's line and with the task that grants.
  struct Place {
    Claim* claim;  ///< null: abandoned; this loop only
    Env& env;
    const size_t units;
    const Tick since;
    const Holder holder;
  };

  Fn<void(Share)> granted_;
  Budget* budget_ = nullptr;
  std::shared_ptr<Place> place_;
};

class Budget {
 public:
  /// `most_of_one`: units that one holder may have. All shares and claims must be gone before it.
  explicit Budget(size_t limit, size_t most_of_one = SIZE_MAX)
      : limit_(limit), most_of_one_(most_of_one) {}
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// Any thread. An empty Share: not that much is free, or others wait for it.
  Share try_take(size_t units, Holder holder = kAnybody);
  /// Any thread. Since when the first in line has waited, when that is not on `env`'s loop.
  std::optional<Tick> waiting_elsewhere(const Env& env) const;
  size_t waiting() const;
  size_t used() const;
  size_t limit() const { return limit_; }

 private:
  friend class Share;
  friend class Claim;
  using PlacePtr = std::shared_ptr<Claim::Place>;
  void give_back(size_t units, Holder holder);
  void take_locked(size_t units, Holder holder) REQUIRES(mutex_);
  bool may_have_locked(size_t units, Holder holder) const REQUIRES(mutex_);
  void serve_line_locked() REQUIRES(mutex_);
  void grant_locked(const PlacePtr& place) REQUIRES(mutex_);

  const size_t limit_;
  const size_t most_of_one_;
  mutable Mutex mutex_{LockRank::kBudget};
  size_t used_ GUARDED_BY(mutex_) = 0;
  /// Units of each holder that has any.
  std::unordered_map<Holder, size_t> held_ GUARDED_BY(mutex_);
  std::deque<PlacePtr> line_ GUARDED_BY(mutex_);
};

}  // namespace perigee::base
