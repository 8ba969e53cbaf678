// Counts what becomes of codings, and tells the operator of those that are none: once per file that
// an origin has ready, and once per URL (without its query) whose content it sends.
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
  void tell_of_file(std::string_view name);
  void tell_of_content(const origin::CodingOutcome& outcome);

  Metrics& metrics_;
  const Warn warn_;
  ToldOnce files_told_;
  ToldOnce urls_told_;
};

}  // namespace perigee::edge
