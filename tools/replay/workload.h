// What a replay asks for: a trace from a file, or a workload that follows from a seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace perigee::tools {

struct Request {
  uint64_t id = 0;
  uint32_t size = 0;  ///< of the body
};

struct Workload {
  std::string name;
  std::vector<Request> requests;

  /// Bytes of all objects, each once.
  uint64_t footprint() const;
};

/// Reads `time id size` lines; a file that ends in .xz through xzcat. Without requests: it cannot
/// be read.
Workload read_trace(const std::string& path);

/// A Zipf distribution of this exponent, and among the requests as many again of a crawl that asks
/// for each of its URLs once.
Workload zipf_with_crawl(double exponent);
/// The objects that are asked for most are other ones each 30,000 requests.
Workload shifting_hot_set();
/// Zipf, and now and then 20,000 URLs in a row that nobody asks for again.
Workload one_hit_floods();

/// Ids from this on are those of a crawl.
inline constexpr uint64_t kCrawled = uint64_t{1} << 40;
/// A hot set that fits into `bytes` twice, without a crawl and with one of a million small URLs:
/// the requests for the hot set are the same.
Workload hot_set(uint64_t bytes, bool crawled);

}  // namespace perigee::tools
