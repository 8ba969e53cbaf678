// What the log told of already: each thing is told once, and a bounded number in all.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/mutex.h"

namespace perigee::edge {

/// Any thread.
class ToldOnce {
 public:
  /// True, once: the log is to tell of it. `what` is a path or a URL.
  bool is_new(std::string_view what) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    return told_.size() < base::limits::kPathsTold && told_.emplace(what).second;
  }

 private:
  base::Mutex mutex_{base::LockRank::kPathsTold};
  std::set<std::string, std::less<>> told_ GUARDED_BY(mutex_);
};

}  // namespace perigee::edge
