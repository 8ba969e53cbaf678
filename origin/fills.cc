#include "origin/fills.h"

#include <utility>

#include "origin/loop_fills.h"

namespace perigee::origin {

FillWaiter::~FillWaiter() { leave_fill(); }

void FillWaiter::leave_fill() {
  if (fills_ != nullptr) fills_->leave(*this);
  if (relieves_ != nullptr) std::exchange(relieves_, nullptr)->end_further();
}

Fills::Fills(FillTable& table, base::Env& env) : loop_(std::make_unique<LoopFills>(table, env)) {}
Fills::~Fills() = default;

bool Fills::join(FillRequest&& request, FillWaiter& waiter, JoinMode mode) {
  return loop_->join(std::move(request), waiter, mode);
}
bool Fills::is_hit_for_miss(const cache_store::Digest& join) const {
  return loop_->is_hit_for_miss(join);
}
void Fills::refresh_behind(FillRequest&& request) { loop_->refresh_behind(std::move(request)); }
void Fills::freshen(FillRequest&& request, const cache_store::Ticket& ticket,
                    const http::ReceivedResponse& head, const http::ResponseTimes& times) {
  loop_->freshen(std::move(request), ticket, head, times);
}
bool Fills::busy() const { return loop_->busy(); }
void Fills::cancel() { loop_->cancel(); }

}  // namespace perigee::origin
