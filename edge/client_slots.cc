#include "edge/client_slots.h"

#include <algorithm>
#include <variant>

#include "base/limits.h"

namespace perigee::edge {

namespace limits = base::limits;

namespace {

bool allows_upgrades(const SiteConfig& site) {
  const auto allows = [](const PolicyPtr& policy) {
    return policy != nullptr && !policy->upgrades.empty();
  };
  return allows(site.policy) ||
         std::any_of(site.rules.begin(), site.rules.end(),
                     [&](const RuleConfig& rule) { return allows(rule.policy); });
}

}  // namespace

/// One listener that waits. Its loop alone destroys it, or sees that it is not wanted any more.
class ClientSlots::Wait final : public base::InFlight {
 public:
  Wait(ClientSlots& slots, base::Env& env, base::Task go_on)
      : slots_(slots), env_(env), go_on_(std::move(go_on)) {}
  /// Posts itself to its loop, where it ends.
  static void go_home(std::unique_ptr<Wait> wait) {
    base::Env& env = wait->env_;
    env.post([held = std::move(wait)]() mutable { held->arrive(); });
  }
  bool others_asked = false;

 private:
  void on_abandoned() override { slots_.forget(*this); }
  void arrive() {
    // Who has gone meanwhile leaves the slot to the next one.
    if (!wanted()) return slots_.wake_one();
    settle();
    go_on_();
  }

  ClientSlots& slots_;
  base::Env& env_;
  base::Task go_on_;
};

ClientSlots::ClientSlots() = default;
ClientSlots::~ClientSlots() = default;

ClientSlot::~ClientSlot() {
  if (slots_ != nullptr) slots_->give_back();
}

ClientSlot ClientSlots::take() {
  size_t taken = taken_.load();
  while (taken < bound_) {
    if (taken_.compare_exchange_weak(taken, taken + 1)) return ClientSlot(this);
  }
  return {};
}

void ClientSlots::give_back() {
  taken_.fetch_sub(1);
  // Either this sees the one that waits, or that one sees the free slot.
  if (wanted_.load() > 0) wake_one();
}

base::Pending ClientSlots::wait(base::Env& env, base::Task go_on) {
  auto wait = std::make_unique<Wait>(*this, env, std::move(go_on));
  base::Pending pending(wait.get());
  {
    const base::MutexLock lock(mutex_);
    waiting_.push_back(std::move(wait));
    wanted_.store(waiting_.size());
  }
  wake_one();
  return pending;
}

/// Nothing happens when no slot is free, or nobody waits.
void ClientSlots::wake_one() {
  const base::MutexLock lock(mutex_);
  if (waiting_.empty() || taken_.load() >= bound_) return;
  std::unique_ptr<Wait> first = std::move(waiting_.front());
  waiting_.pop_front();
  wanted_.store(waiting_.size());
  Wait::go_home(std::move(first));
}

void ClientSlots::forget(const Wait& wait) {
  const base::MutexLock lock(mutex_);
  // Not there: it is on its way home.
  std::erase_if(waiting_, [&](const auto& other) { return other.get() == &wait; });
  wanted_.store(waiting_.size());
}

void ClientSlots::ask_others(const base::Env& env) {
  const base::MutexLock lock(mutex_);
  bool ask = false;
  for (const auto& wait : waiting_) ask |= !std::exchange(wait->others_asked, true);
  if (!ask) return;
  for (base::Env* loop : loops_) {
    // The end of its turn makes room.
    if (loop != &env) loop->post([] {});
  }
}

void ClientSlots::add_loop(base::Env& env) {
  const base::MutexLock lock(mutex_);
  loops_.push_back(&env);
}

void ClientSlots::remove_loop(base::Env& env) {
  const base::MutexLock lock(mutex_);
  std::erase(loops_, &env);
}

size_t client_bound(const Config& config, size_t descriptors, size_t open) {
  size_t reserve = limits::kDescriptorsReserved;
  for (const SiteConfig& site : config.sites) {
    const auto* http = std::get_if<origin::HttpOriginOptions>(&site.origin);
    // The files of a folder count like the connections of an origin.
    reserve += http != nullptr ? http->connections : limits::kOriginConnections;
    if (allows_upgrades(site)) reserve += limits::kTunnels;
  }
  reserve = std::min(reserve, descriptors / 2) + open;
  return descriptors > reserve ? descriptors - reserve : 1;
}

}  // namespace perigee::edge
