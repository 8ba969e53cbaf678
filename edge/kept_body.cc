#include "edge/kept_body.h"

#include <algorithm>

#include "base/limits.h"
#include "origin/stored_record.h"

namespace perigee::edge {
namespace {

class KeepJob final : public base::Job {
 public:
  KeepJob(cache_store::Store& store, KeptAnswer answer, std::vector<std::byte> body)
      : store_(store), answer_(std::move(answer)), body_(std::move(body)) {}

  void work(const std::atomic<bool>&) noexcept override {
    const std::span<const std::byte> piece(body_);
    cache_store::Draft draft;
    draft.key = answer_.key;
    draft.base = answer_.digest;
    draft.ticket = answer_.ticket;
    draft.policy = origin::record_policy(answer_.policy);
    draft.head = answer_.image;
    draft.body = {&piece, 1};
    // Refused, it is fetched when a GET asks for it.
    (void)store_.put(draft);
  }
  void done() noexcept override {}

 private:
  cache_store::Store& store_;
  const KeptAnswer answer_;
  const std::vector<std::byte> body_;
};

}  // namespace

KeptBody::KeptBody(http::BodySource& source, base::Env& env, cache_store::Store& store,
                   KeptAnswer answer)
    : source_(source),
      env_(env),
      store_(store),
      answer_(std::move(answer)),
      most_bytes_(std::min<uint64_t>(base::limits::kKeptAnswerBytes, store.max_object_bytes())) {
  source_.set_waker(&relay_);
}

http::Chunk KeptBody::peek(size_t max) {
  const http::Chunk chunk = source_.peek(max);
  seen_ = {chunk.piece.data, chunk.piece.size};
  last_ = chunk.state == http::Chunk::kEnd;
  if (last_ && seen_.empty()) put();
  return chunk;
}

void KeptBody::advance(size_t n) {
  if (keeping_ && kept_.size() + n > most_bytes_) {
    keeping_ = false;
    kept_ = {};
  }
  if (keeping_) kept_.insert(kept_.end(), seen_.begin(), seen_.begin() + static_cast<long>(n));
  seen_ = seen_.subspan(n);
  source_.advance(n);
  if (last_ && seen_.empty()) put();
}

void KeptBody::put() {
  if (!keeping_) return;
  keeping_ = false;
  answer_.image = http::with_content_length(answer_.image, kept_.size());
  std::unique_ptr<base::Job> job =
      std::make_unique<KeepJob>(store_, std::move(answer_), std::move(kept_));
  (void)env_.offload(base::Lane::kStore, job, pending_);
}

}  // namespace perigee::edge
