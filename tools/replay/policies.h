// Caches of other kinds, simulated object by object: what the store is compared with. They keep
// bodies without any overhead, and evict exactly as many bytes as they must.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/replay/workload.h"

namespace perigee::tools {

class Policy {
 public:
  virtual ~Policy() = default;
  virtual std::string name() const = 0;
  /// True: a hit. Else the object is there afterwards, unless it is larger than the cache.
  virtual bool request(const Request& request) = 0;
};

/// FIFO, LRU, SIEVE, GDSF and S3-FIFO, each with a capacity of so many bytes.
std::vector<std::unique_ptr<Policy>> make_policies(uint64_t bytes);

}  // namespace perigee::tools
