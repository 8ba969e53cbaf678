// Makes one coding of a stored object and puts it beside the object: encoded, decoded again and
// compared, and kept only if it is shorter by a share that is worth a record. Where the origin has
// the coding ready, that is decoded and compared instead, and nothing is encoded. What the origin
// sent coded is decoded first, in memory; that is also how its identity is made. And where the
// store is short, an object whose coding is there gives its body away, and is a shell from then on.
// What is longer than a record is the work of origin/long_coding.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/fn.h"
#include "cache_store/store.h"
#include "http/coding/encoder.h"
#include "http/content_coding.h"
#include "origin/coding_task.h"
#include "origin/verified_coding.h"

namespace perigee::origin {

/// Microseconds of CPU that the calling thread has used.
using CpuClock = int64_t (*)();

/// A job of the background lane. Owns all it touches.
class CodingJob final : public base::Job {
 public:
  using OnDone = base::Fn<void(const CodingOutcome& outcome)>;

  CodingJob(cache_store::Store& store, CodingTask task, CpuClock cpu_clock, OnDone done)
      : store_(store), task_(std::move(task)), cpu_clock_(cpu_clock), done_(std::move(done)) {}

  void work(const std::atomic<bool>& stop) noexcept override;
  void done() noexcept override { done_(outcome_); }

 private:
  CodingOutcome::Kind code(const std::atomic<bool>& stop);
  CodingOutcome::Kind find_identity(const cache_store::RecordView& object,
                                    const std::atomic<bool>& stop,
                                    std::span<const std::byte>& identity,
                                    std::vector<std::byte>& decoded);
  CodingOutcome::Kind decode_sent(http::Coding sent, std::span<const std::byte> coded,
                                  const std::atomic<bool>& stop, std::vector<std::byte>& decoded);
  CodingOutcome::Kind make(std::span<const std::byte> body, const std::atomic<bool>& stop,
                           std::vector<std::byte>& coded);
  bool find_ready(std::span<const std::byte> body, std::vector<std::byte>& coded);
  template <typename Work>
  CodingOutcome::Kind within_bounds(const std::atomic<bool>& stop, CodingOutcome::Kind failed,
                                    Work work) const;
  CodingOutcome::Kind put(const cache_store::RecordView& object, std::span<const std::byte> coded,
                          const cache_store::Ticket& ticket) const;
  CodingOutcome::Kind drop_body(const cache_store::RecordView& object) const;
  http::Effort effort() const;
  CodingOutcome::Kind code_long(cache_store::Found& found, const cache_store::Ticket& ticket,
                                const std::atomic<bool>& stop);
  std::optional<CodingOutcome::Kind> bounds(const std::atomic<bool>& stop) const;
  int64_t cpu_us() const { return cpu_clock_() - begun_us_; }

  cache_store::Store& store_;
  const CodingTask task_;
  const CpuClock cpu_clock_;
  OnDone done_;
  int64_t begun_us_ = 0;
  CodingOutcome outcome_;
};

}  // namespace perigee::origin
