#include "edge/doors/uv_env.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "edge/doors/ares_resolver.h"
#include "edge/doors/tls_context.h"
#include "edge/doors/uv_connect.h"

namespace perigee::edge {

using base::Tick;

namespace {

constexpr int64_t kWallCheckMs = 1'000;
constexpr int64_t kWallStepMs = 60'000;  ///< a step of the wall clock beyond this re-anchors it

int64_t clock_ms(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

UvEnv& env_of(auto* handle) { return *static_cast<UvEnv*>(handle->data); }

}  // namespace

int64_t system_wall_ms() { return clock_ms(CLOCK_REALTIME); }

UvEnv::UvEnv(unsigned loop, ThreadPool& pool, int64_t (*wall_clock)())
    : loop_index_(loop),
      pool_(pool),
      now_{clock_ms(CLOCK_BOOTTIME)},
      wall_clock_(wall_clock),
      next_wall_check_(now_ + kWallCheckMs),
      wheel_(now_) {
  wall_offset_ms_ = wall_clock_() - now_.ms;
  CHECK(uv_loop_init(&loop_) == 0);
  async_.data = timer_.data = check_.data = prepare_.data = idle_.data = this;
  uv_async_init(&loop_, &async_, [](uv_async_t* handle) { env_of(handle).drain_posts(); });
  uv_timer_init(&loop_, &timer_);
  uv_check_init(&loop_, &check_);
  uv_prepare_init(&loop_, &prepare_);
  uv_idle_init(&loop_, &idle_);
  uv_check_start(&check_, [](uv_check_t* handle) { env_of(handle).after_poll(); });
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { env_of(handle).before_poll(); });
  resolver_ = std::make_unique<AresResolver>(*this);
  connector_ = std::make_unique<UvConnector>(*this);
}

UvEnv::~UvEnv() { close(); }

void UvEnv::read_clock() {
  now_ = Tick{clock_ms(CLOCK_BOOTTIME)};
  if (now_ < next_wall_check_) return;
  next_wall_check_ = now_ + kWallCheckMs;
  const int64_t offset_ms = wall_clock_() - now_.ms;
  if (std::abs(offset_ms - wall_offset_ms_) > kWallStepMs) wall_offset_ms_ = offset_ms;
}

void UvEnv::arm(base::Timer& timer, Tick due) { wheel_.arm(timer, due); }

void UvEnv::soon(base::Soon& work) { soons_.arm(work); }

void UvEnv::post(base::Task task) {
  bool first = false;
  {
    const base::MutexLock lock(posts_mutex_);
    CHECK(!closed_);
    first = posts_.empty();
    posts_.push_back(std::move(task));
  }
  if (first) uv_async_send(&async_);
}

bool UvEnv::offload(base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending) {
  const bool taken = pool_.offload(lane, job, pending, *this);
  offloaded_ |= taken;
  return taken;
}

base::Pending UvEnv::resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve) {
  return resolver_->resolve(host, port, std::move(on_resolve));
}

base::Pending UvEnv::connect(const base::Endpoint& endpoint, base::OnConnect on_connect) {
  return connector_->connect(endpoint, std::move(on_connect));
}

TlsContexts& UvEnv::tls() {
  if (tls_ == nullptr) tls_ = std::make_unique<TlsContexts>();
  return *tls_;
}

void UvEnv::drain_posts() {
  std::vector<base::Task> batch;
  {
    const base::MutexLock lock(posts_mutex_);
    batch.swap(posts_);
  }
  for (base::Task& task : batch) task();
}

/// The top of the loop: I/O has set its bits, now what it woke is entered.
void UvEnv::after_poll() {
  read_clock();
  wheel_.advance(now_);
  soons_.run();
  const bool more = turn_ && turn_();
  if (more || !soons_.empty()) {
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&idle_);
  }
}

void UvEnv::before_poll() {
  call_pool();
  schedule_timer();
}

void UvEnv::call_pool() {
  if (std::exchange(offloaded_, false)) pool_.call();
}

void UvEnv::schedule_timer() {
  const std::optional<Tick> next = wheel_.next();
  if (!next) {
    if (timer_due_ms_ != INT64_MAX) uv_timer_stop(&timer_);
    timer_due_ms_ = INT64_MAX;
    return;
  }
  // Only an earlier deadline, or one that has fired, costs a call.
  if (next->ms >= timer_due_ms_) return;
  timer_due_ms_ = next->ms;
  // From the clock as it is now: this turn may have taken long.
  uv_update_time(&loop_);
  const int64_t delay_ms = std::max<int64_t>(next->ms - clock_ms(CLOCK_BOOTTIME), 1);
  // It may fire a part of a millisecond before the deadline, which then needs another.
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { env_of(handle).timer_due_ms_ = INT64_MAX; },
      static_cast<uint64_t>(delay_ms), 0);
}

void UvEnv::run() { uv_run(&loop_, UV_RUN_DEFAULT); }

/// True: nothing is left to run, and from now on nothing may be posted.
bool UvEnv::try_close() {
  const base::MutexLock lock(posts_mutex_);
  closed_ = posts_.empty() && soons_.empty();
  return closed_;
}

void UvEnv::close() {
  {
    const base::MutexLock lock(posts_mutex_);
    if (closed_) return;
  }
  resolver_->cancel();
  // What these post or put off is run, too.
  while (!try_close()) {
    drain_posts();
    soons_.run();
    call_pool();
  }
  connector_.reset();
  resolver_.reset();
  uv_walk(
      &loop_,
      [](uv_handle_t* handle, void*) {
        if (!uv_is_closing(handle)) uv_close(handle, nullptr);
      },
      nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop_) == 0);
}

}  // namespace perigee::edge
