// What the store costs: memory, time to start, and time of each verb. For people, never for a test.
//
//   store_bench [FOLDER]    exit status 1 when a bar is missed
//
// A million small objects are put into a file in FOLDER (/tmp), which is closed and opened again.
// The file's pages are in memory, as after kill -9. A start and a lookup are those of one thread:
// their bars are for CPU time, so that other work on the machine does not decide. Puts are timed as
// time passes.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::tools {
namespace {

using cache_store::Draft;
using cache_store::Found;
using cache_store::Store;

constexpr uint64_t kObjects = 1'000'000;
constexpr size_t kLeastBody = 200;
constexpr size_t kBodySpread = 601;
constexpr uint64_t kStoreBytes = uint64_t{3} << 29;  ///< room for all, so that nothing is evicted
constexpr double kIndexBytesMost = 40;
constexpr double kReadySecondsMost = 0.5;
constexpr int64_t kWallMs = 1'700'000'000'000;
constexpr int kLookups = 2'000'000;
constexpr int kPuts = 20'000;
constexpr int kLargePuts = 500;

double now_s(clockid_t clock = CLOCK_MONOTONIC) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

class Bench : private cache_store::StoreObserver {
 public:
  explicit Bench(const std::string& folder)
      : path_(folder + "/store-bench." + std::to_string(getpid())), bytes_(1 << 20) {
    std::mt19937_64 chance(1);
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(chance());
  }
  ~Bench() override {
    close();
    unlink(path_.c_str());
  }
  int run();

 private:
  void on_store_event(std::string_view sentence) override {
    std::fprintf(stderr, "store: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
  }
  bool open();
  void close() {
    store_.reset();
    io_.reset();
  }
  bool put(uint64_t number, size_t body_bytes);
  void expect(const char* what, double value, double most) {
    if (value <= most) return;
    std::printf("  MISSED: %s: %.3f, and %.3f is the most\n", what, value, most);
    all_met_ = false;
  }
  void fill();
  void start_again();
  void look_up();
  void put_of(const char* what, size_t body_bytes, int count);

  const std::string path_;
  std::vector<std::byte> bytes_;
  std::unique_ptr<cache_store::StoreIo> io_;
  std::unique_ptr<Store> store_;
  uint64_t next_ = 0;  ///< the number of the next object
  bool all_met_ = true;
};

bool Bench::open() {
  io_ = cache_store::make_file_io();
  cache_store::StoreOptions options;
  options.path = path_;
  options.size_bytes = kStoreBytes;
  options.entropy.fill(std::byte{7});
  auto opened = Store::open(options, *io_, *this, kWallMs);
  if (!opened.ok()) {
    std::fprintf(stderr, "store_bench: %s\n", opened.error().message.c_str());
    return false;
  }
  store_ = std::move(*opened);
  return true;
}

bool Bench::put(uint64_t number, size_t body_bytes) {
  const std::string key = "GET https://www.example.org/object/" + std::to_string(number);
  const size_t from = number * 4099 % (bytes_.size() - body_bytes + 1);
  const std::span<const std::byte> body = std::span(bytes_).subspan(from, body_bytes);
  Draft draft;
  draft.key = key;
  draft.base = store_->digest(key);
  draft.policy.response_time_ms = kWallMs;
  draft.policy.lifetime_ms = int64_t{1} << 40;
  draft.policy.status = 200;
  draft.body = {&body, 1};
  draft.ticket = store_->ticket();
  return store_->put(draft).ok();
}

void Bench::fill() {
  const double begin = now_s();
  for (; next_ < kObjects; ++next_) {
    if (!put(next_, kLeastBody + next_ * 7919 % kBodySpread)) break;
    if (next_ % 1'000 == 0) {
      while (store_->maintain({.wall_ms = kWallMs})) continue;
    }
  }
  const cache_store::StoreStats stats = store_->stats();
  std::printf("filled: %lu objects in %.1f s, %lu slabs of %lu KiB\n", stats.objects,
              now_s() - begin, stats.slabs, stats.slab_bytes >> 10);
  if (stats.objects != kObjects) {
    std::printf("  MISSED: %lu objects were to be there\n", kObjects);
    all_met_ = false;
  }
}

void Bench::start_again() {
  close();
  const double begin = now_s();
  const double begin_cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
  if (!open()) {
    all_met_ = false;
    return;
  }
  const double ready = now_s() - begin;
  const double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu;
  const cache_store::StoreStats stats = store_->stats();
  const double each =
      static_cast<double>(stats.index_bytes) / static_cast<double>(std::max(stats.objects, 1ul));
  std::printf("start: %lu objects ready in %.3f s (CPU %.3f s), %u cores\n", stats.recovered, ready,
              cpu, std::thread::hardware_concurrency());
  std::printf("index: %.1f bytes an object\n", each);
  expect("CPU seconds to ready", cpu, kReadySecondsMost);
  expect("index bytes an object", each, kIndexBytesMost);
}

void Bench::look_up() {
  std::vector<std::string> keys;
  std::vector<cache_store::Digest> digests;
  std::mt19937_64 chance(2);
  for (int i = 0; i < kLookups / 10; ++i) {
    keys.push_back("GET https://www.example.org/object/" + std::to_string(chance() % kObjects));
    digests.push_back(store_->digest(keys.back()));
    store_->warm(digests.back(), keys.back(), 0);
  }
  uint64_t hits = 0;
  const double begin = now_s(CLOCK_THREAD_CPUTIME_ID);
  for (size_t i = 0; i < kLookups; ++i) {
    const size_t which = i % keys.size();
    hits += store_->lookup(digests[which], keys[which], 0).state == Found::kHit ? 1 : 0;
  }
  std::printf("lookup of a verified key: %.0f ns, %lu hits of %d\n",
              (now_s(CLOCK_THREAD_CPUTIME_ID) - begin) * 1e9 / kLookups, hits, kLookups);
}

/// While another thread does the upkeep, as in a node.
void Bench::put_of(const char* what, size_t body_bytes, int count) {
  std::atomic<bool> stop{false};
  std::thread upkeep([&] {
    for (int64_t now = kWallMs; !stop; now += 50) {
      while (!stop && store_->maintain({.wall_ms = now})) continue;
      const timespec pause{0, 50'000'000};
      nanosleep(&pause, nullptr);
    }
  });
  std::vector<double> times;
  int refused = 0;
  for (int i = 0; i < count; ++i) {
    const double begin = now_s();
    refused += put(next_++, body_bytes) ? 0 : 1;
    times.push_back(now_s() - begin);
  }
  stop = true;
  upkeep.join();
  std::sort(times.begin(), times.end());
  std::printf("put of %s: median %.1f us, 99 %% %.1f us, longest %.2f ms, %d of %d refused\n", what,
              times[times.size() / 2] * 1e6, times[times.size() * 99 / 100] * 1e6,
              times.back() * 1e3, refused, count);
}

int Bench::run() {
  if (!open()) return 2;
  fill();
  start_again();
  if (store_ == nullptr) return 2;
  look_up();
  put_of("1 KiB", 1 << 10, kPuts);
  put_of("1 MiB", 1 << 20, kLargePuts);
  return all_met_ ? 0 : 1;
}

}  // namespace
}  // namespace perigee::tools

int main(int argc, char** argv) {
  if (argc > 2) {
    std::fprintf(stderr, "usage: store_bench [FOLDER]\n");
    return 2;
  }
  return perigee::tools::Bench(argc == 2 ? argv[1] : "/tmp").run();
}
