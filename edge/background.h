// Work that may never end, on a thread of its own: who waits for it waits for a bounded time.
#pragma once

#include <cstdint>
#include <memory>

#include "base/fn.h"
#include "base/mutex.h"

namespace perigee::edge {

/// Runs a task at once. Destroying it does not end the task: after a wait that was in vain, what
/// the task uses must stay.
class Background {
 public:
  explicit Background(base::Task task);
  /// True: the task has ended. False: not within `most_ms`.
  bool wait(int64_t most_ms);

 private:
  struct End {
    base::Mutex mutex{base::LockRank::kBackground};
    base::CondVar told;
    bool ended GUARDED_BY(mutex) = false;
  };
  const std::shared_ptr<End> end_ = std::make_shared<End>();
};

}  // namespace perigee::edge
