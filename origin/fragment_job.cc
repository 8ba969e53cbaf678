#include "origin/fragment_job.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"

namespace perigee::origin {

FragmentJob::FragmentJob(cache_store::Store& store, std::shared_ptr<Fill> fill,
                         const cache_store::FragmentId& id, FillBody::Cut cut, OnStored done)
    : store_(store),
      fill_(std::move(fill)),
      id_(id),
      cut_(std::move(cut)),
      done_(std::move(done)) {}

void FragmentJob::work(const std::atomic<bool>&) noexcept {
  // Drawn here, since it may wait for a lock.
  if (id_.rid == 0) id_.rid = store_.draw_rid();
  std::vector<std::span<const std::byte>> pieces;
  size_t skipped = cut_.skipped;
  size_t left = cut_.size;
  for (const ChunkRef& chunk : cut_.chunks) {
    const size_t n = std::min(left, chunk->capacity - skipped);
    pieces.emplace_back(chunk->bytes.get() + std::exchange(skipped, 0), n);
    left -= n;
  }
  CHECK(left == 0);
  stored_ = store_.put_fragment({id_, fill_->base, fill_->ticket, pieces});
}

}  // namespace perigee::origin
