// Counts what becomes of codings, and tells the operator, once per file, of one that an origin has
// ready and that is none.
#pragma once

#include <string_view>

#include "edge/metrics.h"
#include "edge/told_once.h"
#include "origin/coders.h"

namespace perigee::edge {

/// One per node. Any loop.
class CodingWatch final : public origin::CodingObserver {
 public:
  /// Logs a sentence.
  using Warn = void (*)(std::string_view sentence);

  CodingWatch(Metrics& metrics, Warn warn) : metrics_(metrics), warn_(warn) {}
  void on_coded(const origin::CodingOutcome& outcome) override;

 private:
  Metrics& metrics_;
  const Warn warn_;
  ToldOnce told_;
};

}  // namespace perigee::edge
