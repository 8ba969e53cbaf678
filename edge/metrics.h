// Counters: one block a loop, written by that loop alone, summed by whoever asks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cache_store/store.h"
#include "http/response.h"
#include "origin/coding_job.h"

namespace perigee::edge {

/// Of one loop. Relaxed load and store: only its loop writes.
struct alignas(64) LoopMetrics {
  std::atomic<uint64_t> hits{0};
  std::array<std::atomic<uint64_t>, 8> forwards{};   ///< by http::Forward
  std::array<std::atomic<uint64_t>, 10> statuses{};  ///< by hundreds
  std::atomic<uint64_t> body_bytes{0};
  std::atomic<uint64_t> cut{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> unwritten{0};  ///< answers that invalidated what the journal does not hold

  void on_response(uint16_t status, const http::CacheStatus& cache, uint64_t bytes, bool whole) {
    add(cache.hit ? hits : forwards[static_cast<size_t>(cache.forward)], 1);
    add(statuses[status / 100 % 10], 1);
    add(body_bytes, bytes);
    if (!whole) add(cut, 1);
  }
  void on_refused(uint16_t status) {
    add(refused, 1);
    add(statuses[status / 100 % 10], 1);
  }

  void on_unwritten_invalidation() { add(unwritten, 1); }

 private:
  static void add(std::atomic<uint64_t>& counter, uint64_t n) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
};

/// One line of a store's totals for the log.
std::string summary_of(const cache_store::StoreStats& stats);

class Metrics {
 public:
  explicit Metrics(unsigned loops)
      : loops_(std::make_unique<LoopMetrics[]>(loops)), count_(loops) {}

  LoopMetrics& loop(unsigned index) { return loops_[index]; }
  void on_fill_begun() { fills_.fetch_add(1, std::memory_order_relaxed); }
  void on_fill_ended(bool stored, bool failed) {
    if (stored) stored_.fetch_add(1, std::memory_order_relaxed);
    if (failed) fill_failures_.fetch_add(1, std::memory_order_relaxed);
  }
  void on_late_date() { late_dates_.fetch_add(1, std::memory_order_relaxed); }
  void on_semicolon() { semicolons_.fetch_add(1, std::memory_order_relaxed); }
  void on_misshapen() { misshapen_.fetch_add(1, std::memory_order_relaxed); }
  void on_retained() { retained_.fetch_add(1, std::memory_order_relaxed); }
  void on_wrong_digest() { wrong_digests_.fetch_add(1, std::memory_order_relaxed); }
  void on_origin_failure() { origin_failures_.fetch_add(1, std::memory_order_relaxed); }
  /// Requests to origins, fills and others, that failed.
  uint64_t origin_failures() const { return origin_failures_.load(std::memory_order_relaxed); }
  /// Responses whose Date lagged behind receipt, and those with a semicolon in Cache-Control.
  uint64_t late_dates() const { return late_dates_.load(std::memory_order_relaxed); }
  uint64_t semicolons() const { return semicolons_.load(std::memory_order_relaxed); }
  /// Pages that came in place of assets, and answers from what the origin has deleted.
  uint64_t misshapen() const { return misshapen_.load(std::memory_order_relaxed); }
  uint64_t retained() const { return retained_.load(std::memory_order_relaxed); }
  /// Bodies that were not what their origin said of them in a digest field.
  uint64_t wrong_digests() const { return wrong_digests_.load(std::memory_order_relaxed); }
  void on_coded(const origin::CodingOutcome& outcome);
  /// One line of totals for the log.
  std::string summary() const;

 private:
  std::string coding_summary() const;

  std::unique_ptr<LoopMetrics[]> loops_;
  unsigned count_;
  std::atomic<uint64_t> fills_{0};
  std::atomic<uint64_t> stored_{0};
  std::atomic<uint64_t> fill_failures_{0};
  std::atomic<uint64_t> origin_failures_{0};
  std::atomic<uint64_t> late_dates_{0};
  std::atomic<uint64_t> semicolons_{0};
  std::atomic<uint64_t> misshapen_{0};
  std::atomic<uint64_t> retained_{0};
  std::atomic<uint64_t> wrong_digests_{0};
  std::atomic<uint64_t> codings_{0};        ///< stored
  std::atomic<uint64_t> codings_ready_{0};  ///< of them those that an origin had ready
  std::atomic<uint64_t> not_codings_{0};    ///< what it had ready, and was none
  std::atomic<uint64_t> codings_left_{0};   ///< that were not worth it, or took too long
  std::atomic<uint64_t> coding_failures_{0};
  std::atomic<uint64_t> undecodable_{0};         ///< responses that an origin coded
  std::atomic<uint64_t> bodies_dropped_{0};      ///< of objects that are kept in codings alone
  std::atomic<uint64_t> coding_saved_bytes_{0};  ///< what the stored ones are shorter
  std::atomic<uint64_t> coding_cpu_us_{0};
};

}  // namespace perigee::edge
