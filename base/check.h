// Invariants of our own code, checked in release builds too.
//
// CHECK is for what only a bug in Perigee can break. Bytes from a peer, from a configuration or
// from the disk are never checked this way: they are refused with a value (see result.h).
#pragma once

#include <cstdio>
#include <cstdlib>

namespace perigee::base {

/// Prints where and what, then aborts. The store is warm again in milliseconds after a restart.
[[noreturn]] inline void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace perigee::base

#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::perigee::base::check_failed(__FILE__, __LINE__, #condition); \
  } while (false)
