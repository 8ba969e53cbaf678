// What all loops of the node share, whatever configuration they follow: the store, fills in flight,
// clients' slots, counters.
//
// Made once at start, before any worker, and outlives them all. Nothing in it is bound to a loop.
#pragma once

#include "base/budget.h"
#include "cache_store/store.h"
#include "edge/access_log.h"
#include "edge/client_slots.h"
#include "edge/coding_watch.h"
#include "edge/config.h"
#include "edge/metrics.h"
#include "http/h1/server_codec.h"
#include "origin/coders.h"
#include "origin/fill_table.h"

namespace perigee::edge {

class Node final : private origin::FillObserver {
 public:
  Node(const Config& config, cache_store::Store& store, Metrics& metrics, AccessLog& access_log,
       origin::CpuClock cpu_clock, CodingWatch::Warn warn);

  cache_store::Store& store() { return store_; }
  /// What the start found in the store is to be read ahead of its use.
  bool warms_store() const { return warms_store_; }
  Metrics& metrics() { return metrics_; }
  AccessLog& access_log() { return access_log_; }
  origin::FillTable& fills() { return fills_; }
  const origin::CoderShared& coders() const { return coders_; }
  ClientSlots& client_slots() { return client_slots_; }
  const http::Http1Options& http1() const { return http1_; }

  /// Of memory that the bodies of all fills hold.
  size_t fill_bytes() const { return fill_budget_.used(); }

 private:
  void on_fill_begun() override { metrics_.on_fill_begun(); }
  void on_fill_ended(bool stored, bool failed) override { metrics_.on_fill_ended(stored, failed); }

  cache_store::Store& store_;
  const bool warms_store_;
  Metrics& metrics_;
  AccessLog& access_log_;
  ClientSlots client_slots_;
  http::Http1Options http1_;
  base::Budget fill_budget_;
  origin::FillTable fills_;
  CodingWatch codings_;
  const origin::CoderShared coders_;
};

}  // namespace perigee::edge
