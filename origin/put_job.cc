// One or two puts on the pool, under the ticket that was taken before the request left.
#include "origin/put_job.h"

#include "origin/fill_production.h"

namespace perigee::origin {

void PutJob::work(const std::atomic<bool>&) noexcept {
  if (!spec.empty() && !put_spec()) return;
  cache_store::Draft draft;
  draft.base = progress_->base;
  draft.ticket = progress_->ticket;
  draft.policy = policy;
  draft.key = key;
  draft.head = image.empty() ? progress_->image_ : image;
  std::vector<std::span<const std::byte>> pieces;
  if (progress_->revalidated()) {
    // The same response, freshened: what belongs to it goes on belonging to it.
    draft.rid = progress_->stored.record.rid;
    draft.source = &progress_->stored.pin;
    pieces.push_back(progress_->stored.record.body);
  }
  for (const ChunkRef& chunk : chunks) pieces.emplace_back(chunk->bytes.get(), chunk->size);
  draft.body = pieces;
  base::Result<cache_store::Found> put = store_.put(draft);
  if (put.ok()) record_ = std::make_shared<const cache_store::Found>(std::move(*put));
}

bool PutJob::put_spec() {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(spec));
  cache_store::Draft draft;
  draft.kind = cache_store::RecordKind::kVarySpec;
  draft.slot = cache_store::kVarySlot;
  draft.base = progress_->base;
  draft.ticket = progress_->ticket;
  draft.policy = policy;
  draft.key = url_key;
  draft.body = {&bytes, 1};
  return store_.put(draft).ok();
}

void PutJob::done() noexcept { production_.on_put(std::move(record_)); }

}  // namespace perigee::origin
