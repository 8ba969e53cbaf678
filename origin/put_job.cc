// One or two puts on the pool, under the ticket that was taken before the request left.
#include "origin/put_job.h"

#include "http/cache_key.h"
#include "origin/fill_production.h"

namespace perigee::origin {

void PutJob::work(const std::atomic<bool>&) noexcept {
  std::string variant_key;
  if (!progress_->vary_names_.empty() && !put_spec(variant_key)) return;
  cache_store::Draft draft;
  draft.base = progress_->base;
  draft.ticket = progress_->ticket;
  draft.policy = policy;
  draft.key = variant_key.empty() ? key : variant_key;
  draft.head = image.empty() ? progress_->image_ : image;
  std::vector<std::span<const std::byte>> pieces;
  if (progress_->revalidated()) {
    // The same response, freshened: what belongs to it goes on belonging to it.
    const cache_store::RecordView& stored = *progress_->stored.head;
    draft.rid = stored.rid;
    draft.source = &stored.pin;
    pieces.push_back(stored.body);
  }
  for (const ChunkRef& chunk : chunks) pieces.emplace_back(chunk->bytes.get(), chunk->size);
  draft.body = pieces;
  base::Result<cache_store::Found> put = store_.put(draft);
  if (put.ok()) record_ = std::make_shared<const cache_store::Found>(std::move(*put));
}

/// Of two variants that are fetched at once the second one finds the first one's spec: the store
/// keeps the spec that is there when its names are the same. So both are found under one.
bool PutJob::put_spec(std::string& variant_key) {
  const std::string spec = http::encode_vary_spec(progress_->vary_names_);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(spec));
  cache_store::Draft draft;
  draft.kind = cache_store::RecordKind::kVarySpec;
  draft.slot = cache_store::kVarySlot;
  draft.base = progress_->base;
  draft.ticket = progress_->ticket;
  draft.policy = policy;
  draft.key = key;
  draft.body = {&bytes, 1};
  const base::Result<cache_store::Found> stored = store_.put(draft);
  if (!stored.ok()) return false;
  http::make_variant_key(key, stored->vary->rid, progress_->vary_selected_, variant_key);
  return true;
}

void PutJob::done() noexcept { production_.on_put(std::move(record_)); }

}  // namespace perigee::origin
