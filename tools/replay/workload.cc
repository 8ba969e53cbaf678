#include "tools/replay/workload.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <unordered_map>

namespace perigee::tools {

namespace {

constexpr uint64_t kSeed = 20'240'511;
constexpr size_t kObjects = 20'000;
constexpr size_t kRequests = 300'000;

/// Sizes like those of a site: half of them up to 3 KB, one in a hundred above 80 KB.
uint32_t size_of(uint64_t id) {
  std::mt19937_64 chance(id * 0x9e3779b97f4a7c15ull + kSeed);
  std::lognormal_distribution<double> sizes(8.0, 1.4);
  return static_cast<uint32_t>(std::clamp(sizes(chance), 64.0, 2e6));
}

class Zipf {
 public:
  Zipf(size_t objects, double exponent) {
    std::vector<double> weights(objects);
    for (size_t rank = 0; rank < objects; ++rank) {
      weights[rank] = 1 / std::pow(static_cast<double>(rank + 1), exponent);
    }
    ranks_ = std::discrete_distribution<uint64_t>(weights.begin(), weights.end());
  }
  uint64_t draw(std::mt19937_64& chance) { return ranks_(chance); }

 private:
  std::discrete_distribution<uint64_t> ranks_;
};

}  // namespace

uint64_t Workload::footprint() const {
  std::unordered_map<uint64_t, uint32_t> objects;
  for (const Request& request : requests) objects[request.id] = request.size;
  uint64_t bytes = 0;
  for (const auto& [id, size] : objects) bytes += size;
  return bytes;
}

Workload read_trace(const std::string& path) {
  Workload workload{path.substr(path.rfind('/') + 1), {}};
  const bool packed = path.ends_with(".xz");
  // The path is an argument of the shell's, not a part of its text.
  setenv("TRACE", path.c_str(), 1);
  std::FILE* file = packed ? popen("exec xzcat -- \"$TRACE\"", "r") : std::fopen(path.c_str(), "r");
  if (file == nullptr) return workload;
  double time = 0;
  Request request;
  while (std::fscanf(file, "%lf %lu %u", &time, &request.id, &request.size) == 3) {
    workload.requests.push_back(request);
  }
  if (packed) {
    pclose(file);
  } else {
    std::fclose(file);
  }
  return workload;
}

Workload zipf_with_crawl(double exponent) {
  char name[32];
  std::snprintf(name, sizeof name, "Zipf %.1f and a crawl", exponent);
  Workload workload{name, {}};
  std::mt19937_64 chance(kSeed);
  Zipf zipf(kObjects, exponent);
  for (size_t i = 0; i < kRequests; ++i) {
    const uint64_t id = zipf.draw(chance);
    workload.requests.push_back({id, size_of(id)});
    const uint64_t crawled = kCrawled + i;
    if (i > kRequests / 3) workload.requests.push_back({crawled, size_of(crawled)});
  }
  return workload;
}

Workload shifting_hot_set() {
  Workload workload{"a shifting hot set", {}};
  std::mt19937_64 chance(kSeed);
  Zipf zipf(kObjects, 0.9);
  for (size_t i = 0; i < kRequests; ++i) {
    const uint64_t shift = i / 30'000 * 2'000;
    const uint64_t id = (zipf.draw(chance) + shift) % (2 * kObjects);
    workload.requests.push_back({id, size_of(id)});
  }
  return workload;
}

Workload one_hit_floods() {
  Workload workload{"one-hit floods", {}};
  std::mt19937_64 chance(kSeed);
  Zipf zipf(kObjects, 0.9);
  uint64_t crawled = kCrawled;
  for (size_t i = 0; i < kRequests; ++i) {
    const uint64_t id = zipf.draw(chance);
    workload.requests.push_back({id, size_of(id)});
    const bool flood = i > 0 && i % 50'000 == 0;
    for (int one = 0; flood && one < 20'000; ++one, ++crawled) {
      workload.requests.push_back({crawled, size_of(crawled)});
    }
  }
  return workload;
}

Workload hot_set(uint64_t bytes, bool crawled) {
  constexpr size_t kCrawl = 1'000'000;
  constexpr size_t kCrawlPerRequest = 4;
  constexpr size_t kBefore = 60'000;
  Workload workload{crawled ? "hot set, with a crawl" : "hot set, alone", {}};
  size_t objects = 0;
  for (uint64_t sum = 0; sum < bytes / 2; ++objects) sum += size_of(objects);
  std::mt19937_64 chance(kSeed);
  Zipf zipf(objects, 0.8);
  const size_t requests = kBefore + kCrawl / kCrawlPerRequest;
  uint64_t next = kCrawled;
  for (size_t i = 0; i < requests; ++i) {
    const uint64_t id = zipf.draw(chance);
    workload.requests.push_back({id, size_of(id)});
    for (size_t one = 0; crawled && i >= kBefore && one < kCrawlPerRequest; ++one, ++next) {
      workload.requests.push_back(
          {next, 200 + static_cast<uint32_t>(next * 2'654'435'761 % 1'800)});
    }
  }
  return workload;
}

}  // namespace perigee::tools
