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

void Metrics::on_coded(const origin::CodingOutcome& outcome) {
  using Outcome = origin::CodingOutcome;
  const auto add = [](std::atomic<uint64_t>& counter, uint64_t n) {
    counter.fetch_add(n, std::memory_order_relaxed);
  };
  add(coding_cpu_us_, static_cast<uint64_t>(outcome.cpu_us));
  if (!outcome.not_coding.empty()) add(not_codings_, 1);
  switch (outcome.kind) {
    case Outcome::kStored:
      add(codings_, 1);
      if (outcome.was_ready) add(codings_ready_, 1);
      if (outcome.dropped) add(bodies_dropped_, 1);
      // Of what was decoded here the two are equal.
      return add(coding_saved_bytes_, outcome.object_bytes - outcome.coded_bytes);
    case Outcome::kNotWorthIt:
    case Outcome::kTooSlow:
      return add(codings_left_, 1);
    case Outcome::kFailed:
      return add(coding_failures_, 1);
    case Outcome::kUndecodable:
      return add(undecodable_, 1);
    case Outcome::kDropped:
      return add(bodies_dropped_, 1);
    case Outcome::kPresent:
    case Outcome::kNotReady:
    case Outcome::kGone:
    case Outcome::kIncomplete:
    case Outcome::kNoRoom:
    case Outcome::kStopped:
      return;
  }
}

/// What coding cost, and what it is good for.
std::string Metrics::coding_summary() const {
  const uint64_t saved = coding_saved_bytes_.load();
  const uint64_t cpu_ms = coding_cpu_us_.load() / 1000;
  return std::to_string(codings_.load()) + " coded, " + std::to_string(codings_ready_.load()) +
         " of them found ready, " + std::to_string(not_codings_.load()) + " found that are none, " +
         std::to_string(codings_left_.load()) + " not worth coding, " +
         std::to_string(coding_failures_.load()) + " failed to code, " +
         std::to_string(undecodable_.load()) + " of origins not decodable, " +
         std::to_string(bodies_dropped_.load()) + " kept in codings alone, " +
         std::to_string(saved) + " bytes saved in " + std::to_string(cpu_ms) + " ms of CPU (" +
         std::to_string(cpu_ms == 0 ? 0 : saved * 1000 / cpu_ms) + " a second)";
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
         " pages in place of assets, " + std::to_string(retained()) + " retained, " +
         std::to_string(wrong_digests()) + " with a wrong digest, " + coding_summary();
}

}  // namespace perigee::edge
