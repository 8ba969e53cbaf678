#include "origin/fill_sink.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/check.h"
#include "http/cache_key.h"
#include "http/stored_response.h"
#include "origin/coded_record.h"
#include "origin/verified_coding.h"

namespace perigee::origin {
namespace {

/// One or two puts. Owns all it touches.
class PutJob final : public base::Job {
 public:
  PutJob(cache_store::Store& store, std::shared_ptr<Fill> fill, FillSink::OnStored done)
      : store_(store), fill_(std::move(fill)), done_(std::move(done)) {}

  void work(const std::atomic<bool>& stop) noexcept override;
  void done() noexcept override { done_(std::move(record_)); }

  std::string key;               ///< of the URL
  std::vector<std::byte> image;  ///< empty: the fill's own
  std::vector<ChunkRef> chunks;  ///< the body; empty after a 304, whose body is the stored one
  FragmentedObject object;       ///< where the body lies in fragments
  uint64_t shell_bytes = 0;      ///< where it lies in codings of `rid`: how many
  std::optional<http::Coding> coding;  ///< in which alone the chunks are kept, if it is worth it
  /// The same response, freshened: what belongs to it goes on belonging to it. Else 0.
  uint64_t rid = 0;
  std::span<const std::byte> stored_body;  ///< of that response, held by `source`
  cache_store::Pin source;
  base::ReuseFacts policy;

 private:
  bool put_spec(std::string& variant_key);
  bool put_coded(cache_store::Draft draft);

  cache_store::Store& store_;
  std::shared_ptr<Fill> fill_;
  FillSink::OnStored done_;
  std::shared_ptr<const cache_store::Found> record_;
};

void PutJob::work(const std::atomic<bool>&) noexcept {
  const Fill::Head& head = fill_->head;
  // What is published is not written any more; nor is a head that goes before its body.
  CHECK(fill_->phase() == Fill::Phase::kHead || object.rid == 0);
  std::string variant_key;
  if (!head.vary_names.empty() && !put_spec(variant_key)) return;
  cache_store::Draft draft;
  draft.base = fill_->base;
  draft.ticket = fill_->ticket;
  draft.policy = policy;
  draft.key = variant_key.empty() ? key : variant_key;
  draft.head = image.empty() ? head.image : image;
  std::vector<std::span<const std::byte>> pieces;
  if (source) {
    draft.rid = rid;
    draft.source = &source;
    pieces.push_back(stored_body);
  }
  if (coding && put_coded(draft)) return;
  if (shell_bytes > 0) {
    draft.kind = cache_store::RecordKind::kShell;
    draft.replaces = true;
    draft.rid = rid;
    draft.whole_length = shell_bytes;
  }
  if (object.size > 0) {
    if (object.rid == 0) object.rid = store_.draw_rid();
    draft.kind = cache_store::RecordKind::kHead;
    draft.rid = object.rid;
    draft.whole_length = object.size;
  }
  for (const ChunkRef& chunk : chunks) pieces.emplace_back(chunk->bytes.get(), chunk->size);
  draft.body = pieces;
  base::Result<cache_store::Found> put = store_.put(draft);
  if (put.ok()) record_ = std::make_shared<const cache_store::Found>(std::move(*put));
}

/// A shell and its coding, instead of the object that `draft` is to be. False: it is not worth it,
/// or did not come about.
bool PutJob::put_coded(cache_store::Draft draft) {
  std::vector<std::byte> body;
  for (const ChunkRef& chunk : chunks) {
    body.insert(body.end(), chunk->bytes.get(), chunk->bytes.get() + chunk->size);
  }
  std::vector<std::byte> coded;
  GoOn go_on([] { return true; });
  const Verified made = encode_verified(*coding, http::Effort::kFast, body, go_on, coded);
  if (made != Verified::kMade) return false;
  draft.kind = cache_store::RecordKind::kShell;
  draft.rid = store_.draw_rid();
  draft.whole_length = body.size();
  draft.body = {};
  base::Result<cache_store::Found> shell = store_.put(draft);
  if (!shell.ok()) return false;
  cache_store::Draft beside;
  beside.rid = draft.rid;
  beside.key = draft.key;
  beside.base = draft.base;
  beside.ticket = draft.ticket;
  if (!put_coding(store_, beside, *coding, http::Effort::kFast, coded).ok()) return false;
  record_ = std::make_shared<const cache_store::Found>(std::move(*shell));
  return true;
}

/// Of two variants that are fetched at once the second one finds the first one's spec: the store
/// keeps the spec that is there when its names are the same. So both are found under one.
bool PutJob::put_spec(std::string& variant_key) {
  const std::string spec = http::encode_vary_spec(fill_->head.vary_names);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(spec));
  cache_store::Draft draft;
  draft.kind = cache_store::RecordKind::kVarySpec;
  draft.slot = cache_store::kVarySlot;
  draft.base = fill_->base;
  draft.ticket = fill_->ticket;
  draft.policy = policy;
  draft.key = key;
  draft.body = {&bytes, 1};
  const base::Result<cache_store::Found> stored = store_.put(draft);
  if (!stored.ok()) return false;
  http::make_variant_key(key, stored->vary->rid, fill_->head.vary_selected, variant_key);
  return true;
}

}  // namespace

void FillSink::watch(const http::HeaderList& fields, bool tells_sha256) {
  std::vector<http::AnnouncedDigest> announced = http::announced_digests(fields);
  tells_sha256_ = tells_sha256;
  if (tells_sha256 || !announced.empty()) digest_.emplace(std::move(announced), tells_sha256);
}

void FillSink::add(std::span<const std::byte> bytes) {
  if (digest_ && open_) digest_->add(bytes);
}

bool FillSink::put(base::Env& env, const base::ReuseFacts& policy,
                   std::optional<http::Coding> coding, OnStored done) {
  CHECK(open_ && !pending_.waiting());
  auto put = std::make_unique<PutJob>(store_, fill_, std::move(done));
  put->key = key_;
  put->policy = policy;
  put->image = std::move(image_);
  const Fill::Head& head = fill_->head;
  if (head.revalidated) {
    const cache_store::RecordView& stored = *fill_->stored.head;
    if (stored.kind == cache_store::RecordKind::kHead) {
      put->object = fragmented_object(stored);
    } else if (stored.kind == cache_store::RecordKind::kShell) {
      put->rid = stored.rid;
      put->shell_bytes = stored.whole_length;
    } else {
      put->rid = stored.rid;
      put->stored_body = stored.body;
      put->source = stored.pin.another();
    }
  } else {
    if (fragmented_) {
      put->object = fill_->body.object();
    } else {
      put->chunks = fill_->body.chunks();
      put->coding = coding;
    }
    const bool has_body = !http::never_has_body(http::Method::kGet, policy.status);
    const std::string_view sha256 = tells_sha256_ ? std::string_view(digest_->sha256()) : "";
    if (has_body && (!head.response.content_length || !sha256.empty())) {
      put->image = http::with_whole_body(put->image.empty() ? head.image : put->image,
                                         fill_->body.size(), sha256);
    }
  }
  std::unique_ptr<base::Job> job = std::move(put);
  return env.offload(base::Lane::kStore, job, pending_);
}

bool FillSink::put_head(base::Env& env, const base::ReuseFacts& policy, uint64_t size,
                        OnStored done) {
  CHECK(open_ && !pending_.waiting());
  auto put = std::make_unique<PutJob>(store_, fill_, std::move(done));
  put->key = key_;
  put->policy = policy;
  put->image = std::move(image_);
  put->object = {0, size};
  std::unique_ptr<base::Job> job = std::move(put);
  return env.offload(base::Lane::kStore, job, pending_);
}

bool FillSink::put_fragment(base::Env& env, uint64_t end, FragmentJob::OnStored done) {
  CHECK(open_ && fragmented_ && !pending_.waiting());
  const FragmentedObject object = fill_->body.object();
  CHECK(object.size % fragment_bytes() == 0);
  std::unique_ptr<base::Job> job = std::make_unique<FragmentJob>(
      store_, fill_, cache_store::FragmentId{object.rid, object.size / fragment_bytes()},
      fill_->body.cut(object.size, end), std::move(done));
  return env.offload(base::Lane::kStore, job, pending_);
}

}  // namespace perigee::origin
