// An origin behind http:// or https://: pooled connections, permits of the process, names resolved and kept.
#pragma once

#include <atomic>
#include <memory>

#include "origin/fetch.h"

namespace perigee::origin {

/// Permits for connections to one origin, counted for the process; loops wait in their own turn.
class OriginGate {
 public:
  explicit OriginGate(size_t permits) : free_(permits) {}
  /// Any thread.
  bool try_take() {
    size_t free = free_.load(std::memory_order_relaxed);
    while (free > 0) {
      if (free_.compare_exchange_weak(free, free - 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void give_back() { free_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<size_t> free_;
};

class ResolverCache;

/// `options`, `gate` and `names` outlive it. `names` belongs to the same loop.
std::unique_ptr<Origin> make_http_origin(const HttpOriginOptions& options, OriginGate& gate,
                                         ResolverCache& names, base::Env& env);

}  // namespace perigee::origin
