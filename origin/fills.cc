// Joining, telling and leaving: who waits for what on this loop.
#include "origin/fills.h"

#include <utility>

#include "base/check.h"
#include "cache_store/fragment_key.h"
#include "origin/fill_owner.h"
#include "origin/fragment_fetch.h"
#include "origin/stored_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using Phase = Fill::Phase;
using cache_store::Found;

namespace {

/// What the index holds now is something else than what the request was judged against.
bool has_changed(const Found& now, const FillRequest& request) {
  if (now.state == Found::kMiss) return false;
  if (now.state == Found::kVary) return !request.varies;
  if (request.stored.state != Found::kHit || now.state == Found::kCold) return true;
  const cache_store::RecordView& judged = *request.stored.head;
  return now.head->rid != judged.rid ||
         now.head->policy.response_time_ms != judged.policy.response_time_ms;
}

/// One more fill of the site may ask its origin, or wait in line for that.
bool has_room(const FillRequest& request) {
  return request.site->fills().waiting() < limits::kFillsWaiting;
}

}  // namespace

FillWaiter::~FillWaiter() { leave_fill(); }

void FillWaiter::leave_fill() {
  if (fills_ != nullptr) fills_->leave(*this);
  if (relieves_ != nullptr) std::exchange(relieves_, nullptr)->end_further();
}

Fills::Fills(FillTable& table, base::Env& env, Coders* coders)
    : table_(table),
      env_(env),
      coders_(coders),
      bury_([this] { ended_.clear(); }),
      deliver_look_again_([this] { deliver_look_again(); }) {
  table_.add_loop(env_.loop(), this, &env_);
}

Fills::~Fills() {
  cancel();
  CHECK(members_.empty() && look_again_.empty());
  table_.remove_loop(env_.loop());
}

// --- joining ---

bool Fills::join(FillRequest&& request, FillWaiter& waiter, JoinMode mode) {
  CHECK(!waiter.waiting());
  const std::shared_ptr<Fill> relieves = std::exchange(waiter.relieves_, nullptr);
  bool alone = mode == JoinMode::kAlone || is_hit_for_miss(request.join);
  FillPtr fill;
  if (!alone) {
    FillTable::Shard& shard = table_.shard(request.join);
    const base::MutexLock lock(shard.mutex);
    const Joined joined = join_existing(shard, request, waiter);
    if (joined == Joined::kWaits || joined == Joined::kLookAgain) {
      if (relieves != nullptr) relieves->end_further();
      return true;
    }
    alone = joined == Joined::kFull;
    if (!alone && has_room(request)) {
      fill = make_fill(request);
      shard.fills.emplace(request.join.lo, fill);
    }
  }
  if (alone && has_room(request)) {
    fill = make_fill(request);
    fill->alone = true;
    fill->relieves = relieves;
  } else if (relieves != nullptr) {
    relieves->end_further();
  }
  if (fill == nullptr) return false;
  fill->join(env_.loop());
  add_waiter(fill, waiter, true);
  produce(std::move(request), std::move(fill), false).start();
  return true;
}

/// Under the shard's lock, so that between a miss in the index and a new fill there is no gap.
Fills::Joined Fills::join_existing(FillTable::Shard& shard, const FillRequest& request,
                                   FillWaiter& waiter) {
  cache_store::Store& store = table_.shared().store;
  bool full = false;
  const auto [first, last] = shard.fills.equal_range(request.join.lo);
  for (auto it = first; it != last; ++it) {
    const FillPtr& fill = it->second;
    // Whoever comes after a purge starts anew.
    if (!(fill->join_digest == request.join) ||
        store.purged_since(fill->base, request.key, fill->ticket)) {
      continue;
    }
    if (fill->waiters() >= limits::kWaiters) {
      full = true;
      continue;
    }
    fill->body.hold();
    const Phase phase = fill->join(env_.loop());
    const bool answered = phase == Phase::kHead && fill->body.from_start() &&
                          fill->answers(request.head, env_.wall().ms) &&
                          !fill->is_far_from(request.head, store.fragment_bytes());
    if (phase == Phase::kPending || answered) {
      add_waiter(fill, waiter, false);
      fill->body.release();
      if (answered) env_.soon(members(fill).deliver);
      return Joined::kWaits;
    }
    fill->leave();
    fill->body.release();
  }
  if (has_changed(store.lookup(request.join, request.join_key, 0), request)) {
    look_again_soon(waiter);
    return Joined::kLookAgain;
  }
  return full ? Joined::kFull : Joined::kNone;
}

Fills::FillPtr Fills::make_fill(FillRequest& request) {
  auto fill = std::make_shared<Fill>();
  fill->join_digest = request.join;
  fill->base = request.base;
  // Before the first byte of the request leaves: a later purge refuses the put.
  fill->awaited = table_.shared().store.await(request.base);
  fill->ticket = fill->awaited.ticket();
  fill->owner = env_.loop();
  fill->policy = request.policy;
  fill->stored = std::move(request.stored);
  return fill;
}

FillOwner& Fills::produce(FillRequest&& request, FillPtr fill, bool keep) {
  auto kept = std::make_shared<const FillRequest>(std::move(request));
  auto owner = std::make_unique<FillOwner>(*this, std::move(kept), std::move(fill), keep);
  FillOwner& begun = *owner;
  add_owner(std::move(owner));
  return begun;
}

void Fills::add_owner(std::unique_ptr<FillProducer> owner) {
  FillProducer& begun = *owner;
  owners_.push_back(std::move(owner));
  begun.place = std::prev(owners_.end());
  table_.shared().observer.on_fill_begun();
}

void Fills::freshen(FillRequest&& request, const cache_store::Ticket& ticket,
                    const http::ReceivedResponse& head, const http::ResponseTimes& times) {
  FillPtr fill = make_fill(request);
  fill->ticket = ticket;
  fill->alone = true;
  produce(std::move(request), std::move(fill), true).freshen(head, times);
}

void Fills::refresh_behind(FillRequest&& request) {
  FillPtr fill;
  base::Share permit;
  {
    FillTable::Shard& shard = table_.shard(request.join);
    const base::MutexLock lock(shard.mutex);
    if (shard.fills.count(request.join.lo) > 0) return;
    // The refresh that was in flight when the stale response was looked up may just have ended.
    if (has_changed(table_.shared().store.lookup(request.join, request.join_key, 0), request))
      return;
    // Nobody waits for it, so it does not stand in a line: a later hit tries again.
    permit = request.site->fills().try_take(1);
    if (!permit) return;
    fill = make_fill(request);
    shard.fills.emplace(request.join.lo, fill);
  }
  produce(std::move(request), std::move(fill), true).ask(std::move(permit));
}

// --- fragments ---

Fills::FillPtr Fills::make_fragment_fill(const RefetchableObject& object,
                                         const cache_store::Digest& join) {
  auto fill = std::make_shared<Fill>();
  fill->fragment = true;
  fill->join_digest = join;
  fill->base = object.request->base;
  fill->awaited = table_.shared().store.await(fill->base);
  fill->ticket = fill->awaited.ticket();
  fill->owner = env_.loop();
  fill->policy = object.request->policy;
  return fill;
}

Fills::FillPtr Fills::fetch_fragment(const RefetchablePtr& object, uint64_t number, Fetched why) {
  return begin_fragment(object, number, why, nullptr);
}

/// `joined`: one waiter more of this loop, and the phase that it finds.
Fills::FillPtr Fills::begin_fragment(const RefetchablePtr& object, uint64_t number, Fetched why,
                                     Phase* joined) {
  cache_store::Store& store = table_.shared().store;
  const cache_store::FragmentId id{object->object.rid, number};
  const cache_store::FragmentKey key(id);
  const cache_store::Digest join = store.digest(key.text());
  FillTable::Shard& shard = table_.shard(join);
  FillPtr fill;
  base::Share permit;
  {
    const base::MutexLock lock(shard.mutex);
    const auto [first, last] = shard.fills.equal_range(join.lo);
    for (auto it = first; it != last; ++it) {
      const FillPtr& present = it->second;
      // A purge takes the object that it is part of, and with that whoever would ask for it later.
      if (!(present->join_digest == join)) continue;
      if (joined != nullptr) *joined = present->join(env_.loop());
      return present;
    }
    if (store.has_fragment(id)) return nullptr;
    if (why == Fetched::kAhead) permit = object->request->site->fills().try_take(1);
    if (why == Fetched::kAhead ? !permit : !has_room(*object->request)) return nullptr;
    fill = make_fragment_fill(*object, join);
    if (joined != nullptr) *joined = fill->join(env_.loop());
    shard.fills.emplace(join.lo, fill);
  }
  const bool ahead = why == Fetched::kAhead;
  auto owner = std::make_unique<FragmentFetch>(*this, object, number, fill, ahead);
  FragmentFetch& begun = *owner;
  add_owner(std::move(owner));
  if (ahead) {
    begun.ask(std::move(permit));
  } else {
    begun.start();
  }
  return fill;
}

void Fills::continue_fragment(const RefetchablePtr& object, const cache_store::Ticket& ticket,
                              BegunFragment&& begun) {
  cache_store::Store& store = table_.shared().store;
  const cache_store::FragmentKey key({object->object.rid, begun.number});
  const FillPtr fill = make_fragment_fill(*object, store.digest(key.text()));
  fill->ticket = ticket;
  {
    FillTable::Shard& shard = table_.shard(fill->join_digest);
    const base::MutexLock lock(shard.mutex);
    shard.fills.emplace(fill->join_digest.lo, fill);
  }
  auto owner = std::make_unique<FragmentFetch>(*this, object, begun.number, fill, true);
  FragmentFetch& fetch = *owner;
  add_owner(std::move(owner));
  fetch.go_on_with(std::move(begun));
}

bool Fills::join_fragment(const RefetchablePtr& object, uint64_t number, FillWaiter& waiter) {
  CHECK(!waiter.waiting());
  Phase phase = Phase::kPending;
  const FillPtr fill = begin_fragment(object, number, Fetched::kForReader, &phase);
  if (fill == nullptr) {
    if (!has_room(*object->request)) return false;
    look_again_soon(waiter);
    return true;
  }
  add_waiter(fill, waiter, fill->waiters() == 1);
  if (phase != Phase::kPending) env_.soon(members(fill).deliver);
  return true;
}

// --- the line of those who wait for a head ---

/// The fill is held while they are called: the last one may leave it then, and end this.
Fills::Members::Members(Fills& fills, FillPtr waited)
    : fill(std::move(waited)),
      deliver([this, &fills] { fills.deliver(FillPtr(fill)); }),
      patience([this, &fills] { fills.lose_patience(FillPtr(fill)); }) {}

Fills::Members& Fills::members(const FillPtr& fill) {
  return members_.try_emplace(fill.get(), *this, fill).first->second;
}

void Fills::drop_if_empty(const Fill* fill) {
  const auto it = members_.find(fill);
  if (it != members_.end() && it->second.waiters.empty() && it->second.readers.empty()) {
    members_.erase(it);
  }
}

void Fills::add_waiter(const FillPtr& fill, FillWaiter& waiter, bool own) {
  CHECK(!waiter.waiting() && waiter.fill_ == nullptr);
  Members& line = members(fill);
  waiter.fills_ = this;
  waiter.fill_ = fill;
  waiter.own_ = own;
  waiter.place_ = line.waiters.insert(line.waiters.end(), &waiter);
  fill->body.hold();
  // A fragment's next fetch would ask the same origin for the same bytes.
  if (!own && !fill->fragment && !line.patience.armed()) {
    env_.arm(line.patience, env_.now() + limits::kWaiterPatienceMs);
  }
}

/// The first in the line, who is in it no more; null: nobody.
FillWaiter* Fills::take_waiter(const Fill* fill) {
  const auto it = members_.find(fill);
  if (it == members_.end() || it->second.waiters.empty()) return nullptr;
  FillWaiter* waiter = it->second.waiters.front();
  leave_line(*waiter);
  return waiter;
}

/// Its place is gone; what it counted for is still to be given back.
void Fills::leave_line(FillWaiter& waiter) {
  waiter.fills_ = nullptr;
  const FillPtr fill = std::move(waiter.fill_);
  members_.at(fill.get()).waiters.erase(waiter.place_);
  drop_if_empty(fill.get());
}

void Fills::leave(FillWaiter& waiter) {
  CHECK(waiter.fills_ == this);
  if (waiter.fill_ == nullptr) {
    waiter.fills_ = nullptr;
    look_again_.erase(waiter.place_);
    return;
  }
  const FillPtr fill = waiter.fill_;
  leave_line(waiter);
  fill->leave();
  fill->body.release();
  notify_owner(fill);
}

void Fills::deliver(const FillPtr& fill) {
  // Taken one by one: a callback may destroy any other waiter.
  for (size_t told = 0; told < limits::kWaitersTurn; ++told) {
    FillWaiter* waiter = take_waiter(fill.get());
    if (waiter == nullptr) return;
    tell(*waiter, fill);
    fill->leave();
    if (fill->body.release() || fill->body.readers() == 0) notify_owner(fill);
  }
  const auto rest = members_.find(fill.get());
  if (rest != members_.end()) env_.soon(rest->second.deliver);
}

void Fills::tell(FillWaiter& waiter, const FillPtr& fill) {
  CHECK(!waiter.waiting() && fill->phase() != Phase::kPending);
  if (fill->phase() == Phase::kFailed) return waiter.on_fill_failed(fill->error);
  const bool own = waiter.own_;
  // It looks again, and has the part fetched that it wants.
  if (!own && !fill->fragment &&
      fill->is_far_from(waiter.fill_head(), table_.shared().store.fragment_bytes())) {
    return waiter.on_fill_stored();
  }
  if (own || fill->answers(waiter.fill_head(), env_.wall().ms)) {
    return waiter.on_fill_head(fill, own);
  }
  waiter.on_fill_released();
}

void Fills::deliver_interim(const FillPtr& fill, const InterimHead& interim) {
  const auto it = members_.find(fill.get());
  if (it == members_.end()) return;
  for (FillWaiter* waiter : it->second.waiters) waiter->on_fill_interim(interim.head);
}

/// The origin has let everybody wait for long: one of them tries for itself (http-rules 1.19).
void Fills::lose_patience(const FillPtr& fill) {
  Members& line = members_.at(fill.get());
  if (fill->phase() != Phase::kPending || line.waiters.empty()) return;
  env_.arm(line.patience, env_.now() + limits::kWaiterPatienceMs);
  // A further one would stand behind it in the same line.
  if (!fill->asking()) return;
  FillWaiter* first = line.waiters.front();
  if (first->own_) first = line.waiters.size() > 1 ? *std::next(line.waiters.begin()) : nullptr;
  if (first == nullptr || !fill->begin_further()) return;
  leave_line(*first);
  first->relieves_ = fill;
  first->on_fill_released();
  fill->leave();
  fill->body.release();
}

void Fills::relieve(const FillPtr& fill, Relief relief) {
  if (fill->phase() != Phase::kPending) return;
  while (FillWaiter* waiter = take_waiter(fill.get())) {
    fill->leave();
    fill->body.release();
    if (relief == Relief::kStored) {
      waiter->brought_part_ = waiter->own_ && fill->brought_part();
      look_again_soon(*waiter);
    } else {
      waiter->on_fill_released();
    }
  }
}

void Fills::look_again_soon(FillWaiter& waiter) {
  CHECK(!waiter.waiting() && waiter.fill_ == nullptr);
  waiter.fills_ = this;
  waiter.place_ = look_again_.insert(look_again_.end(), &waiter);
  env_.soon(deliver_look_again_);
}

void Fills::deliver_look_again() {
  // Who comes back to the list meanwhile waits for the next turn.
  for (size_t left = look_again_.size(); left > 0 && !look_again_.empty(); --left) {
    FillWaiter& waiter = *look_again_.front();
    look_again_.pop_front();
    waiter.fills_ = nullptr;
    waiter.on_fill_stored();
  }
}

// --- readers, and fills that end ---

void Fills::wait_for_bytes(FillReader& reader) {
  if (std::exchange(reader.waiting_, true)) return;
  std::list<FillReader*>& readers = members(reader.fill_).readers;
  reader.place_ = readers.insert(readers.end(), &reader);
}

void Fills::forget(FillReader& reader) {
  if (!std::exchange(reader.waiting_, false)) return;
  members_.at(reader.fill_.get()).readers.erase(reader.place_);
  drop_if_empty(reader.fill_.get());
}

void Fills::wake_readers(const FillPtr& fill) {
  const auto it = members_.find(fill.get());
  if (it == members_.end()) return;
  // Waking sets a bit and runs nothing, so the list stands.
  for (FillReader* reader : it->second.readers) {
    reader->waiting_ = false;
    reader->wake();
  }
  it->second.readers.clear();
  drop_if_empty(fill.get());
}

void Fills::notify_owner(const FillPtr& fill) {
  if (fill->owner != env_.loop()) {
    return table_.post(fill->owner, [fill](Fills& fills) { fills.notify_owner(fill); });
  }
  for (const auto& owner : owners_) {
    if (owner->fill() == fill.get()) return owner->reconsider_soon();
  }
}

void Fills::end_owner(FillProducer* owner) {
  ended_.splice(ended_.end(), owners_, owner->place);
  env_.soon(bury_);
}

void Fills::cancel() {
  while (!owners_.empty()) owners_.front()->cancel();
}

}  // namespace perigee::origin
