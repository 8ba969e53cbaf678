#include "cache_store/health.h"

#include "base/limits.h"

namespace perigee::cache_store {

void Health::note_write(const base::Status& status) {
  if (status.ok()) {
    write_failures_.store(0, std::memory_order_relaxed);
    return;
  }
  tell(status.error().message);
  if (write_failures_.fetch_add(1, std::memory_order_relaxed) + 1 < base::limits::kWriteFailures) {
    return;
  }
  tell("the store file cannot be written: nothing is stored any more");
  end_storing();
}

}  // namespace perigee::cache_store
