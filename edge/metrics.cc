#include "edge/metrics.h"

namespace perigee::edge {

namespace {

uint64_t value_of(const std::atomic<uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

}  // namespace

std::string summary_of(const cache_store::StoreStats& stats) {
  const auto text = [](uint64_t number) { return std::to_string(number); };
  return text(stats.objects) + " objects, " + text(stats.puts) + " stored, " +
         text(stats.puts_refused) + " refused, " + text(stats.evicted) + " evicted, " +
         text(stats.purges) + " purges, " + text(stats.scrubbed_bytes) + " bytes scrubbed, " +
         text(stats.corrupt) + " damaged";
}

std::string Metrics::summary() const {
  uint64_t hits = 0;
  uint64_t forwarded = 0;
  uint64_t refused = 0;
  uint64_t body_bytes = 0;
  uint64_t cut = 0;
  uint64_t unwritten = 0;
  std::array<uint64_t, 10> statuses{};
  for (unsigned i = 0; i < count_; ++i) {
    const LoopMetrics& loop = loops_[i];
    hits += value_of(loop.hits);
    refused += value_of(loop.refused);
    body_bytes += value_of(loop.body_bytes);
    cut += value_of(loop.cut);
    unwritten += value_of(loop.unwritten);
    for (const auto& forward : loop.forwards) forwarded += value_of(forward);
    for (size_t k = 0; k < statuses.size(); ++k) statuses[k] += value_of(loop.statuses[k]);
  }
  std::string text = std::to_string(hits) + " hits, " + std::to_string(forwarded) + " forwarded, " +
                     std::to_string(refused) + " refused";
  for (size_t k = 1; k < statuses.size(); ++k) {
    if (statuses[k] > 0)
      text += ", " + std::to_string(statuses[k]) + " " + std::to_string(k) + "xx";
  }
  return text + ", " + std::to_string(body_bytes) + " bytes of content, " + std::to_string(cut) +
         " cut, " + std::to_string(fills_.load()) + " fills, " + std::to_string(stored_.load()) +
         " stored, " + std::to_string(fill_failures_.load()) + " failed, " +
         std::to_string(unwritten) + " invalidations not written at once, " +
         std::to_string(origin_failures()) + " failures of origins, " +
         std::to_string(late_dates()) + " with an old Date, " + std::to_string(semicolons()) +
         " with a semicolon in Cache-Control, " + std::to_string(misshapen()) +
         " pages in place of assets, " + std::to_string(retained()) + " retained";
}

}  // namespace perigee::edge
