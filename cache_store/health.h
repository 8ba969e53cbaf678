// Whether the store file still takes records, and the voice in which its operator is told.
//
// One failed write may be one bad block; several in a row are a bad disk, and each would cost a
// slab. Thread-safe, without a lock.
#pragma once

#include <atomic>
#include <string_view>

#include "base/result.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

class Health {
 public:
  explicit Health(StoreObserver& observer) : observer_(observer) {}

  /// Says one sentence to the operator.
  void tell(std::string_view sentence) const { observer_.on_store_event(sentence); }
  /// Each write of a record or of a slab's header, as it ended. Too many failures in a row end
  /// storing.
  void note_write(const base::Status& status);
  /// Nothing is stored any more; the node goes on as a proxy. True: this call ended it.
  bool end_storing() { return !failed_.exchange(true, std::memory_order_relaxed); }
  /// Storing has ended.
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  StoreObserver& observer_;
  std::atomic<int> write_failures_{0};  ///< in a row
  std::atomic<bool> failed_{false};
};

}  // namespace perigee::cache_store
