// How much longer the programs that torture the store run than in the suite: make torture.
#pragma once

#include <cstdlib>

namespace perigee::test {

/// `usual` times PERIGEE_TORTURE, which is 1 where it is not set.
inline int tortured(int usual) {
  const char* factor = std::getenv("PERIGEE_TORTURE");
  const int times = factor == nullptr ? 1 : std::atoi(factor);
  return usual * (times > 0 ? times : 1);
}

}  // namespace perigee::test
