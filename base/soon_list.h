// What runs in the next turn of one loop: an intrusive list, nothing allocated.
//
// A run takes what was armed before it began, so work that arms itself again lets the loop go on.
// One thread.
#pragma once

#include <cstdint>

#include "base/env.h"

namespace perigee::base {

class SoonList {
 public:
  SoonList() = default;
  /// Disarms what is still armed, without running it.
  ~SoonList();
  SoonList(const SoonList&) = delete;
  SoonList& operator=(const SoonList&) = delete;

  /// At the end of the list; one that is armed already keeps its place.
  void arm(Soon& work);
  void disarm(Soon& work);
  /// Runs what is armed, each once. The work may arm, disarm or destroy any other, and itself.
  void run();
  bool empty() const { return first_ == nullptr; }

 private:
  Soon* first_ = nullptr;
  Soon* last_ = nullptr;
  uint64_t round_ = 0;  ///< runs so far
};

}  // namespace perigee::base
