#include "origin/loop_fills.h"

#include <algorithm>

#include "base/check.h"
#include "origin/fill_production.h"
#include "origin/stored_record.h"

namespace perigee::origin {

using Phase = FillProgress::Phase;
using cache_store::Found;

namespace {

/// What the index holds now is something else than what the request was judged against.
bool is_news(const Found& now, const FillRequest& request) {
  if (now.state == Found::kMiss) return false;
  if (now.state == Found::kVary) return request.vary_spec.empty();
  if (request.stored.state != Found::kHit || now.state == Found::kCold) return true;
  return now.record.rid != request.stored.record.rid ||
         now.record.policy.response_time_ms != request.stored.record.policy.response_time_ms;
}

}  // namespace

LoopFills::LoopFills(FillTable& table, base::Env& env) : table_(table), env_(env) {
  table_.add_loop(env_.loop(), this, &env_);
}

LoopFills::~LoopFills() {
  cancel();
  table_.remove_loop(env_.loop());
}

bool LoopFills::join(FillRequest&& request, FillWaiter& waiter, JoinMode mode) {
  CHECK(!waiter.waiting());
  const bool alone = mode == JoinMode::kAlone || table_.marked(request.join, env_.now());
  std::shared_ptr<FillProgress> progress;
  if (alone) {
    if (!table_.take_permit()) return false;
    progress = make_progress(request);
    progress->alone = true;
  } else {
    FillTable::Shard& shard = table_.shard(request.join);
    const std::lock_guard lock(shard.mutex);
    const Joined joined = join_existing(shard, request, waiter);
    if (joined != Joined::kNone) return true;
    if (!table_.take_permit()) return false;
    progress = make_progress(request);
    shard.fills.emplace(request.join.lo, progress);
  }
  CHECK(progress->add_waiter(env_.loop()));
  add_waiter(progress, waiter, true);
  produce(std::move(request), std::move(progress), false)->start();
  return true;
}

/// Under the shard's lock, so that between a miss in the index and a new fill there is no gap.
LoopFills::Joined LoopFills::join_existing(FillTable::Shard& shard, const FillRequest& request,
                                           FillWaiter& waiter) {
  cache_store::Store& store = table_.shared().store;
  const auto [first, last] = shard.fills.equal_range(request.join.lo);
  for (auto it = first; it != last; ++it) {
    const std::shared_ptr<FillProgress>& progress = it->second;
    // Whoever comes after a purge starts anew.
    if (!(progress->join == request.join) || store.purged_since(progress->base, progress->ticket)) {
      continue;
    }
    if (progress->waiters() >= base::limits::kWaiters) continue;
    if (progress->add_waiter(env_.loop())) {
      add_waiter(progress, waiter, false);
      return Joined::kWaits;
    }
    if (progress->phase() != Phase::kHead) continue;
    progress->body.hold();
    const bool readable = progress->storing() || progress->body.from_start();
    if (readable && progress->answers(request.head, env_.wall().ms)) {
      progress->add_late_waiter();
      add_waiter(progress, waiter, false);
      progress->body.release();
      tell_later(progress);
      return Joined::kWaits;
    }
    progress->body.release();
  }
  if (is_news(store.lookup(request.join, request.join_key, 0), request)) {
    waiter.fills_ = this;
    look_again_.push_back(&waiter);
    if (look_again_.size() == 1) {
      table_.post(env_.loop(), [](LoopFills& fills) { fills.deliver_look_again(); });
    }
    return Joined::kLookAgain;
  }
  return Joined::kNone;
}

std::shared_ptr<FillProgress> LoopFills::make_progress(const FillRequest& request) {
  auto progress = std::make_shared<FillProgress>();
  progress->join = request.join;
  progress->base = request.base;
  // Before the first byte of the request leaves: a later purge refuses the put.
  progress->ticket = table_.shared().store.ticket();
  progress->owner = env_.loop();
  progress->policy = request.policy;
  return progress;
}

void LoopFills::add_waiter(const std::shared_ptr<FillProgress>& progress, FillWaiter& waiter,
                           bool own) {
  waiter.fills_ = this;
  waiter.session_ = progress;
  waiter.own_ = own;
  progress->body.hold();
  waiters_.emplace(progress.get(), &waiter);
}

std::shared_ptr<FillProduction> LoopFills::produce(FillRequest&& request,
                                                   std::shared_ptr<FillProgress> progress,
                                                   bool keep) {
  progress->stored = std::move(request.stored);
  auto production =
      std::make_shared<FillProduction>(*this, std::move(request), std::move(progress), keep);
  productions_.push_back(production);
  table_.shared().observer.on_fill_begun();
  return production;
}

void LoopFills::freshen(FillRequest&& request, const cache_store::Ticket& ticket,
                        const http::ReceivedResponse& head, const http::ResponseTimes& times) {
  if (!table_.take_permit()) return;
  std::shared_ptr<FillProgress> progress = make_progress(request);
  progress->ticket = ticket;
  progress->alone = true;
  produce(std::move(request), std::move(progress), true)->freshen(head, times);
}

void LoopFills::refresh_behind(FillRequest&& request) {
  std::shared_ptr<FillProgress> progress;
  {
    FillTable::Shard& shard = table_.shard(request.join);
    const std::lock_guard lock(shard.mutex);
    if (shard.fills.count(request.join.lo) > 0) return;
    // The refresh that was in flight when the stale response was looked up may just have ended.
    if (is_news(table_.shared().store.lookup(request.join, request.join_key, 0), request)) return;
    if (!table_.take_permit()) return;
    progress = make_progress(request);
    shard.fills.emplace(request.join.lo, progress);
  }
  produce(std::move(request), std::move(progress), true)->start();
}

void LoopFills::tell_later(const std::shared_ptr<FillProgress>& progress) {
  table_.post(env_.loop(), [progress](LoopFills& fills) { fills.deliver(progress); });
}

void LoopFills::deliver(const std::shared_ptr<FillProgress>& progress) {
  // Looked up anew for each: a callback may destroy any other waiter.
  for (auto it = waiters_.find(progress.get()); it != waiters_.end();
       it = waiters_.find(progress.get())) {
    FillWaiter& waiter = *it->second;
    waiters_.erase(it);
    waiter.session_.reset();
    waiter.fills_ = nullptr;
    tell(waiter, progress);
    progress->remove_waiter();
    const bool moved = progress->body.release();
    if (moved || progress->body.readers() == 0) notify_owner(progress);
  }
}

void LoopFills::tell(FillWaiter& waiter, const std::shared_ptr<FillProgress>& progress) {
  if (progress->phase() == Phase::kFailed) return waiter.on_fill_failed(progress->error_);
  const bool own = waiter.own_;
  if (own || progress->answers(waiter.fill_head(), env_.wall().ms)) {
    return waiter.on_fill_head(progress, own);
  }
  waiter.on_fill_released();
}

void LoopFills::deliver_look_again() {
  while (!look_again_.empty()) {
    FillWaiter& waiter = *look_again_.front();
    look_again_.pop_front();
    waiter.fills_ = nullptr;
    waiter.on_fill_stored();
  }
}

void LoopFills::deliver_interim(FillProgress* progress, const InterimHead& interim) {
  const auto [first, last] = waiters_.equal_range(progress);
  for (auto it = first; it != last; ++it) it->second->on_fill_interim(interim.head);
}

void LoopFills::wait_for_bytes(FillReader& reader) {
  readers_.emplace(reader.progress_.get(), &reader);
}

void LoopFills::forget(FillReader& reader) {
  const auto [first, last] = readers_.equal_range(reader.progress_.get());
  const auto it =
      std::find_if(first, last, [&](const auto& entry) { return entry.second == &reader; });
  if (it != last) readers_.erase(it);
}

void LoopFills::wake_readers(FillProgress* progress) {
  const auto [first, last] = readers_.equal_range(progress);
  // Waking sets a bit and runs nothing, so the range stands.
  for (auto it = first; it != last; ++it) {
    it->second->waiting_ = false;
    it->second->notify();
  }
  readers_.erase(first, last);
}

void LoopFills::leave(FillWaiter& waiter) {
  waiter.fills_ = nullptr;
  if (waiter.session_ == nullptr) {
    look_again_.remove(&waiter);
    return;
  }
  const std::shared_ptr<FillProgress> progress = std::move(waiter.session_);
  const auto [first, last] = waiters_.equal_range(progress.get());
  const auto it =
      std::find_if(first, last, [&](const auto& entry) { return entry.second == &waiter; });
  CHECK(it != last);
  waiters_.erase(it);
  progress->remove_waiter();
  progress->body.release();
  notify_owner(progress);
}

void LoopFills::notify_owner(const std::shared_ptr<FillProgress>& progress) {
  table_.post(progress->owner, [progress](LoopFills& fills) { fills.reconsider(progress.get()); });
}

void LoopFills::reconsider(const FillProgress* progress) {
  for (const auto& production : productions_) {
    if (production->progress() != progress) continue;
    const std::shared_ptr<FillProduction> held = production;
    return held->reconsider();
  }
}

void LoopFills::end_production(FillProduction* production) {
  const auto it = std::find_if(productions_.begin(), productions_.end(),
                               [&](const auto& known) { return known.get() == production; });
  CHECK(it != productions_.end());
  // Destroyed in a later turn: it may be inside one of its own callbacks.
  env_.later([held = std::move(*it)] {});
  productions_.erase(it);
}

void LoopFills::cancel() {
  while (!productions_.empty()) {
    const std::shared_ptr<FillProduction> held = productions_.front();
    held->cancel();
  }
}

}  // namespace perigee::origin
