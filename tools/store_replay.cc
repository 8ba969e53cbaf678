// How often the store has what it is asked for, beside other ways to evict: for people, never for a
// test, since a trace decides no test.
//
//   store_replay TRACE [FOLDER]    tables; exit status 1 when a bar is missed
//
// TRACE has a line `time id size` for each request. The store's file is made in FOLDER (/tmp).
// Objects have a body of their size, no fields, and never expire. Each policy gets as many bytes as
// the store's slabs have in all.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include "tools/replay/policies.h"
#include "tools/replay/stored.h"
#include "tools/replay/workload.h"

namespace perigee::tools {
namespace {

struct Misses {
  uint64_t requests = 0;
  uint64_t bytes = 0;
  uint64_t missed = 0;
  uint64_t missed_bytes = 0;

  void note(const Request& request, bool hit) {
    ++requests;
    bytes += request.size;
    if (hit) return;
    ++missed;
    missed_bytes += request.size;
  }
  double ratio() const { return static_cast<double>(missed) / static_cast<double>(requests); }
  double byte_ratio() const {
    return static_cast<double>(missed_bytes) / static_cast<double>(bytes);
  }
};

Misses replay(const Workload& workload, Policy& policy) {
  Misses misses;
  for (const Request& request : workload.requests) misses.note(request, policy.request(request));
  return misses;
}

class Report {
 public:
  explicit Report(std::string folder) : folder_(std::move(folder)) {}

  /// What the store must reach, each as a ratio of misses.
  struct Bar {
    double objects = 1;
    double bytes = 1;
  };
  void compare(const Workload& workload, uint64_t bytes, const std::string& size, const Bar& bar);
  void crawl(uint64_t bytes);
  bool all_met() const { return all_met_; }

 private:
  void expect(const char* what, double value, double most) {
    if (value <= most) return;
    std::printf("    MISSED: %s is %.3f, and %.3f is the most\n", what, value, most);
    all_met_ = false;
  }
  std::unique_ptr<Stored> make_store(uint64_t bytes) {
    auto store = std::make_unique<Stored>(folder_, bytes);
    if (store->error().empty()) return store;
    std::fprintf(stderr, "store_replay: %s\n", store->error().c_str());
    all_met_ = false;
    return nullptr;
  }

  const std::string folder_;
  bool all_met_ = true;
};

void Report::compare(const Workload& workload, uint64_t bytes, const std::string& size,
                     const Bar& bar) {
  const std::unique_ptr<Stored> store = make_store(bytes);
  if (store == nullptr) return;
  std::printf("%s, %s: object / byte miss ratio\n   ", workload.name.c_str(), size.c_str());
  for (const auto& policy : make_policies(store->slab_area())) {
    const Misses misses = replay(workload, *policy);
    std::printf(" %s %.3f/%.3f", policy->name().c_str(), misses.ratio(), misses.byte_ratio());
  }
  const Misses misses = replay(workload, *store);
  const cache_store::StoreStats stats = store->stats();
  const double of_what_stays = store->overhead_of_what_stays(workload);
  const double live = static_cast<double>(stats.probation.live_bytes + stats.main.live_bytes) /
                      static_cast<double>(store->slab_area());
  std::printf(
      "\n    store %.3f/%.3f, writes x%.3f, overhead %.2f %% (of what stays %.2f %%), %.0f %% in "
      "use, %lu slabs of %lu "
      "KiB\n",
      misses.ratio(), misses.byte_ratio(), store->write_amplification(), store->overhead() * 100,
      of_what_stays * 100, live * 100, stats.slabs, stats.slab_bytes >> 10);
  std::printf(
      "    promoted %lu, second laps %lu, ghost hits %lu, not stored %lu; uses per lap %.2f in "
      "probation, %.2f in main; longest put %.1f ms\n",
      stats.promoted, stats.second_laps, stats.ghost_hits, store->bypassed(),
      static_cast<double>(stats.probation.uses) /
          static_cast<double>(std::max<uint64_t>(stats.probation.laps, 1)),
      static_cast<double>(stats.main.uses) /
          static_cast<double>(std::max<uint64_t>(stats.main.laps, 1)),
      store->longest_put_ms());
  expect("the object miss ratio", misses.ratio(), bar.objects);
  expect("the byte miss ratio", misses.byte_ratio(), bar.bytes);
  if (bar.objects == 1) return;
  expect("write amplification", store->write_amplification(), 1.20);
  expect("overhead", store->overhead(), 0.03);
}

/// What a crawl of a million URLs costs those who ask for the hot set.
void Report::crawl(uint64_t bytes) {
  double ratios[2] = {};
  for (const bool crawled : {false, true}) {
    const std::unique_ptr<Stored> store = make_store(bytes);
    if (store == nullptr) return;
    const Workload workload = hot_set(store->slab_area(), crawled);
    Misses misses;
    for (const Request& request : workload.requests) {
      const bool hit = store->request(request);
      if (request.id < kCrawled) misses.note(request, hit);
    }
    ratios[crawled ? 1 : 0] = 1 - misses.ratio();
  }
  std::printf("a crawl of a million URLs: the hot set is hit %.2f %% without it, %.2f %% with it\n",
              ratios[0] * 100, ratios[1] * 100);
  expect("what the crawl costs", ratios[0] - ratios[1], 0.01);
}

int run(const std::string& path, const std::string& folder) {
  const Workload trace = read_trace(path);
  if (trace.requests.empty()) {
    std::fprintf(stderr, "store_replay: %s has no requests\n", path.c_str());
    return 2;
  }
  Report report(folder);
  const uint64_t footprint = trace.footprint();
  std::printf("%s: %zu requests, footprint %lu MB\n", trace.name.c_str(), trace.requests.size(),
              footprint / 1'000'000);
  for (const unsigned percent : {1, 5, 10, 20}) {
    const Report::Bar bar = percent == 10 ? Report::Bar{.600, .640} : Report::Bar{};
    report.compare(trace, footprint * percent / 100, std::to_string(percent) + " %", bar);
  }
  report.compare(trace, uint64_t{64} << 20, "64 MiB", {.575, .610});
  for (const Workload& workload :
       {zipf_with_crawl(0.7), zipf_with_crawl(1.0), shifting_hot_set(), one_hit_floods()}) {
    report.compare(workload, workload.footprint() / 20, "5 %", {});
  }
  report.crawl(uint64_t{64} << 20);
  return report.all_met() ? 0 : 1;
}

}  // namespace
}  // namespace perigee::tools

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: store_replay TRACE [FOLDER]\n");
    return 2;
  }
  return perigee::tools::run(argv[1], argc == 3 ? argv[2] : "/tmp");
}
