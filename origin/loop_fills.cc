// Joining, telling and leaving: who waits for what on this loop.
#include "origin/loop_fills.h"

#include <utility>

#include "base/check.h"
#include "origin/fill_production.h"
#include "origin/stored_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using Phase = FillProgress::Phase;
using cache_store::Found;

namespace {

/// What the index holds now is something else than what the request was judged against.
bool is_news(const Found& now, const FillRequest& request) {
  if (now.state == Found::kMiss) return false;
  if (now.state == Found::kVary) return !request.varies;
  if (request.stored.state != Found::kHit || now.state == Found::kCold) return true;
  const cache_store::RecordView& judged = *request.stored.head;
  return now.head->rid != judged.rid ||
         now.head->policy.response_time_ms != judged.policy.response_time_ms;
}

}  // namespace

LoopFills::LoopFills(FillTable& table, base::Env& env) : table_(table), env_(env) {
  table_.add_loop(env_.loop(), this, &env_);
}

LoopFills::~LoopFills() {
  cancel();
  CHECK(members_.empty() && look_again_.empty());
  table_.remove_loop(env_.loop());
}

// --- joining ---

bool LoopFills::join(FillRequest&& request, FillWaiter& waiter, JoinMode mode) {
  CHECK(!waiter.waiting());
  const std::shared_ptr<FillProgress> relieves = std::exchange(waiter.relieves_, nullptr);
  bool alone = mode == JoinMode::kAlone || is_hit_for_miss(request.join);
  ProgressPtr progress;
  if (!alone) {
    FillTable::Shard& shard = table_.shard(request.join);
    const base::MutexLock lock(shard.mutex);
    const Joined joined = join_existing(shard, request, waiter);
    if (joined == Joined::kWaits || joined == Joined::kLookAgain) {
      if (relieves != nullptr) relieves->end_further();
      return true;
    }
    alone = joined == Joined::kFull;
    if (!alone && table_.has_room(request.site)) {
      progress = make_progress(request);
      shard.fills.emplace(request.join.lo, progress);
    }
  }
  if (alone && table_.has_room(request.site)) {
    progress = make_progress(request);
    progress->alone = true;
    progress->relieves = relieves;
  } else if (relieves != nullptr) {
    relieves->end_further();
  }
  if (progress == nullptr) return false;
  progress->join(env_.loop());
  add_waiter(progress, waiter, true);
  produce(std::move(request), std::move(progress), false)->start();
  return true;
}

/// Under the shard's lock, so that between a miss in the index and a new fill there is no gap.
LoopFills::Joined LoopFills::join_existing(FillTable::Shard& shard, const FillRequest& request,
                                           FillWaiter& waiter) {
  cache_store::Store& store = table_.shared().store;
  bool full = false;
  const auto [first, last] = shard.fills.equal_range(request.join.lo);
  for (auto it = first; it != last; ++it) {
    const ProgressPtr& progress = it->second;
    // Whoever comes after a purge starts anew.
    if (!(progress->join_digest == request.join) ||
        store.purged_since(progress->base, progress->ticket)) {
      continue;
    }
    if (progress->waiters() >= limits::kWaiters) {
      full = true;
      continue;
    }
    progress->body.hold();
    const Phase phase = progress->join(env_.loop());
    const bool readable = progress->storing() || progress->body.from_start();
    const bool answered =
        phase == Phase::kHead && readable && progress->answers(request.head, env_.wall().ms);
    if (phase == Phase::kPending || answered) {
      add_waiter(progress, waiter, false);
      progress->body.release();
      if (answered) {
        run_on(env_.loop(), [progress](LoopFills& fills) { fills.deliver(progress); });
      }
      return Joined::kWaits;
    }
    progress->leave();
    progress->body.release();
  }
  if (is_news(store.lookup(request.join, request.join_key, 0), request)) {
    look_again_later(waiter);
    return Joined::kLookAgain;
  }
  return full ? Joined::kFull : Joined::kNone;
}

LoopFills::ProgressPtr LoopFills::make_progress(FillRequest& request) {
  auto progress = std::make_shared<FillProgress>();
  progress->join_digest = request.join;
  progress->base = request.base;
  progress->awaited = table_.shared().store.await(request.base);
  // Before the first byte of the request leaves: a later purge refuses the put.
  progress->ticket = table_.shared().store.ticket();
  progress->owner = env_.loop();
  progress->policy = request.policy;
  progress->stored = std::move(request.stored);
  return progress;
}

std::shared_ptr<FillProduction> LoopFills::produce(FillRequest&& request, ProgressPtr progress,
                                                   bool keep) {
  auto production =
      std::make_shared<FillProduction>(*this, std::move(request), std::move(progress), keep);
  productions_.push_back(production);
  production->place = std::prev(productions_.end());
  table_.shared().observer.on_fill_begun();
  return production;
}

void LoopFills::freshen(FillRequest&& request, const cache_store::Ticket& ticket,
                        const http::ReceivedResponse& head, const http::ResponseTimes& times) {
  ProgressPtr progress = make_progress(request);
  progress->ticket = ticket;
  progress->alone = true;
  produce(std::move(request), std::move(progress), true)->freshen(head, times);
}

void LoopFills::refresh_behind(FillRequest&& request) {
  ProgressPtr progress;
  base::Share permit;
  {
    FillTable::Shard& shard = table_.shard(request.join);
    const base::MutexLock lock(shard.mutex);
    if (shard.fills.count(request.join.lo) > 0) return;
    // The refresh that was in flight when the stale response was looked up may just have ended.
    if (is_news(table_.shared().store.lookup(request.join, request.join_key, 0), request)) return;
    // Nobody waits for it, so it does not stand in a line: a later hit tries again.
    permit = table_.permits(request.site).try_take(1);
    if (!permit) return;
    progress = make_progress(request);
    shard.fills.emplace(request.join.lo, progress);
  }
  produce(std::move(request), std::move(progress), true)->ask(std::move(permit));
}

// --- the line of those who wait for a head ---

LoopFills::Members& LoopFills::members(const ProgressPtr& progress) {
  const auto known = members_.find(progress.get());
  if (known != members_.end()) return known->second;
  base::Task on_patience([this, held = std::weak_ptr<FillProgress>(progress)] {
    if (const ProgressPtr waited = held.lock()) lose_patience(waited);
  });
  return members_.try_emplace(progress.get(), std::move(on_patience)).first->second;
}

void LoopFills::drop_if_empty(const FillProgress* progress) {
  const auto it = members_.find(progress);
  if (it != members_.end() && it->second.waiters.empty() && it->second.readers.empty()) {
    members_.erase(it);
  }
}

void LoopFills::add_waiter(const ProgressPtr& progress, FillWaiter& waiter, bool own) {
  Members& line = members(progress);
  waiter.fills_ = this;
  waiter.session_ = progress;
  waiter.own_ = own;
  waiter.place_ = line.waiters.insert(line.waiters.end(), &waiter);
  progress->body.hold();
  if (!own && !line.patience.armed()) {
    env_.arm(line.patience, env_.now() + limits::kWaiterPatienceMs);
  }
}

/// The first in the line, who is in it no more; null: nobody.
FillWaiter* LoopFills::take_waiter(const FillProgress* progress) {
  const auto it = members_.find(progress);
  if (it == members_.end() || it->second.waiters.empty()) return nullptr;
  FillWaiter* waiter = it->second.waiters.front();
  leave_line(*waiter);
  return waiter;
}

/// Its place is gone; what it counted for is still to be given back.
void LoopFills::leave_line(FillWaiter& waiter) {
  waiter.fills_ = nullptr;
  const ProgressPtr progress = std::move(waiter.session_);
  members_.at(progress.get()).waiters.erase(waiter.place_);
  drop_if_empty(progress.get());
}

void LoopFills::leave(FillWaiter& waiter) {
  if (waiter.session_ == nullptr) {
    waiter.fills_ = nullptr;
    look_again_.erase(waiter.place_);
    return;
  }
  const ProgressPtr progress = waiter.session_;
  leave_line(waiter);
  progress->leave();
  progress->body.release();
  notify_owner(progress);
}

void LoopFills::deliver(const ProgressPtr& progress) {
  // Taken one by one: a callback may destroy any other waiter.
  for (size_t told = 0; told < limits::kWaitersTurn; ++told) {
    FillWaiter* waiter = take_waiter(progress.get());
    if (waiter == nullptr) return;
    tell(*waiter, progress);
    progress->leave();
    if (progress->body.release() || progress->body.readers() == 0) notify_owner(progress);
  }
  run_on(env_.loop(), [progress](LoopFills& fills) { fills.deliver(progress); });
}

void LoopFills::tell(FillWaiter& waiter, const ProgressPtr& progress) {
  if (progress->phase() == Phase::kFailed) return waiter.on_fill_failed(progress->error_);
  const bool own = waiter.own_;
  if (own || progress->answers(waiter.fill_head(), env_.wall().ms)) {
    return waiter.on_fill_head(progress, own);
  }
  waiter.on_fill_released();
}

void LoopFills::deliver_interim(const ProgressPtr& progress, const InterimHead& interim) {
  const auto it = members_.find(progress.get());
  if (it == members_.end()) return;
  for (FillWaiter* waiter : it->second.waiters) waiter->on_fill_interim(interim.head);
}

/// The origin has let everybody wait for long: one of them tries for itself (http-rules 1.19).
void LoopFills::lose_patience(const ProgressPtr& progress) {
  Members& line = members_.at(progress.get());
  if (progress->phase() != Phase::kPending || line.waiters.empty()) return;
  env_.arm(line.patience, env_.now() + limits::kWaiterPatienceMs);
  // A further one would stand behind it in the same line.
  if (!progress->asking()) return;
  FillWaiter* first = line.waiters.front();
  if (first->own_) first = line.waiters.size() > 1 ? *std::next(line.waiters.begin()) : nullptr;
  if (first == nullptr || !progress->begin_further()) return;
  leave_line(*first);
  first->relieves_ = progress;
  first->on_fill_released();
  progress->leave();
  progress->body.release();
}

void LoopFills::relieve(const ProgressPtr& progress, Relief relief) {
  if (progress->phase() != Phase::kPending) return;
  while (FillWaiter* waiter = take_waiter(progress.get())) {
    progress->leave();
    progress->body.release();
    if (relief == Relief::kStored) {
      look_again_later(*waiter);
    } else {
      waiter->on_fill_released();
    }
  }
}

void LoopFills::look_again_later(FillWaiter& waiter) {
  waiter.fills_ = this;
  waiter.place_ = look_again_.insert(look_again_.end(), &waiter);
  if (look_again_.size() > 1) return;
  run_on(env_.loop(), [](LoopFills& fills) { fills.deliver_look_again(); });
}

void LoopFills::deliver_look_again() {
  // Who comes back to the list meanwhile waits for the next turn.
  for (size_t left = look_again_.size(); left > 0 && !look_again_.empty(); --left) {
    FillWaiter& waiter = *look_again_.front();
    look_again_.pop_front();
    waiter.fills_ = nullptr;
    waiter.on_fill_stored();
  }
  if (look_again_.empty()) return;
  run_on(env_.loop(), [](LoopFills& fills) { fills.deliver_look_again(); });
}

// --- readers and productions ---

void LoopFills::wait_for_bytes(FillReader& reader) {
  if (std::exchange(reader.waiting_, true)) return;
  std::list<FillReader*>& readers = members(reader.progress_).readers;
  reader.place_ = readers.insert(readers.end(), &reader);
}

void LoopFills::forget(FillReader& reader) {
  if (!std::exchange(reader.waiting_, false)) return;
  members_.at(reader.progress_.get()).readers.erase(reader.place_);
  drop_if_empty(reader.progress_.get());
}

void LoopFills::wake_readers(const ProgressPtr& progress) {
  const auto it = members_.find(progress.get());
  if (it == members_.end()) return;
  // Waking sets a bit and runs nothing, so the list stands.
  for (FillReader* reader : it->second.readers) {
    reader->waiting_ = false;
    reader->wake();
  }
  it->second.readers.clear();
  drop_if_empty(progress.get());
}

void LoopFills::notify_owner(const ProgressPtr& progress) {
  run_on(progress->owner, [progress](LoopFills& fills) { fills.reconsider(progress.get()); });
}

void LoopFills::reconsider(const FillProgress* progress) {
  for (const auto& production : productions_) {
    if (production->progress() != progress) continue;
    const std::shared_ptr<FillProduction> held = production;
    return held->reconsider();
  }
}

void LoopFills::end_production(FillProduction* production) {
  // Destroyed in a later turn: it may be inside one of its own callbacks.
  env_.later([held = std::move(*production->place)] {});
  productions_.erase(production->place);
}

void LoopFills::cancel() {
  while (!productions_.empty()) {
    const std::shared_ptr<FillProduction> held = productions_.front();
    held->cancel();
  }
}

}  // namespace perigee::origin
