// Chance: from the operating system through OpenSSL, and a fast generator seeded from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace perigee::edge {

/// Fills with bytes fit for secrets. Aborts when the system has none: nothing could be keyed.
void fill_random(std::span<std::byte> bytes);

/// splitmix64: fast, for ids and jitter, not for secrets. One thread.
class RandomSource {
 public:
  RandomSource();
  uint64_t next();

 private:
  uint64_t state_;
};

}  // namespace perigee::edge
