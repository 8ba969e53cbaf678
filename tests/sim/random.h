// The one source of chance of a simulated run: the same seed gives the same run, on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"

namespace perigee::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x2545f4914f6cdd1du + 1) {}

  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
  }
  /// In [0, n); n > 0.
  uint64_t below(uint64_t n) {
    CHECK(n > 0);
    return next() % n;
  }
  /// In [least, most].
  int64_t between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(below(static_cast<uint64_t>(most - least) + 1));
  }
  bool chance(unsigned per_mille) { return below(1000) < per_mille; }
  template <typename T>
  const T& pick(const std::vector<T>& values) {
    return values[below(values.size())];
  }
  std::string pick(std::span<const char* const> values) { return values[below(values.size())]; }

 private:
  uint64_t state_;
};

}  // namespace perigee::sim
