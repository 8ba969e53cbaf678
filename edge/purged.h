// A PURGE that was let through: in force at once, and answered when the journal holds it.
#pragma once

#include "base/env.h"
#include "base/result.h"
#include "cache_store/store.h"

namespace perigee::edge {

class Waiting;

class Purged {
 public:
  explicit Purged(Waiting& waiting) : waiting_(waiting) {}

  void begin();

 private:
  /// The journal holds the purge, or not.
  void on_committed(const base::Status& status);

  Waiting& waiting_;
  cache_store::PurgeResult result_;
  base::Pending pending_;
};

}  // namespace perigee::edge
