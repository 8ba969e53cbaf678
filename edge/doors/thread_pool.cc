#include "edge/doors/thread_pool.h"

#include "base/limits.h"

namespace perigee::edge {

namespace limits = base::limits;

namespace {
constexpr std::array<size_t, base::kLanes> kLaneJobs = {limits::kLatencyJobs, limits::kStoreJobs,
                                                        limits::kBackgroundJobs};
}  // namespace

/// A job on its way to a thread and home again.
class ThreadPool::Errand final : public base::InFlight {
 public:
  Errand(std::unique_ptr<base::Job> job, base::Env& home) : job_(std::move(job)), home_(home) {}
  void work(const std::atomic<bool>& stop) noexcept {
    job_->work(stop);
    worked_ = true;
  }
  /// Posts itself to its loop, where it ends.
  static void go_home(std::unique_ptr<Errand> errand) {
    base::Env& home = errand->home_;
    home.post([held = std::move(errand)]() mutable { held->arrive(); });
  }

 private:
  void arrive() {
    const bool call = worked_ && wanted();
    settle();
    if (call) job_->done();
  }
  std::unique_ptr<base::Job> job_;
  base::Env& home_;
  bool worked_ = false;
};

ThreadPool::ThreadPool(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this, i]() noexcept { run(i > 0); });
  }
}

ThreadPool::~ThreadPool() { stop(); }

bool ThreadPool::offload(base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending,
                         base::Env& home) {
  {
    const std::lock_guard lock(mutex_);
    auto& queue = lanes_[static_cast<size_t>(lane)];
    if (stopping_ || queue.size() >= kLaneJobs[static_cast<size_t>(lane)]) return false;
    auto errand = std::make_unique<Errand>(std::move(job), home);
    pending = base::Pending(errand.get());
    queue.push_back(std::move(errand));
  }
  woken_.notify_one();
  return true;
}

std::unique_ptr<ThreadPool::Errand> ThreadPool::next(bool takes_background) {
  std::unique_lock lock(mutex_);
  const size_t lanes = takes_background ? base::kLanes : base::kLanes - 1;
  while (true) {
    for (size_t lane = 0; lane < lanes; ++lane) {
      if (lanes_[lane].empty()) continue;
      std::unique_ptr<Errand> errand = std::move(lanes_[lane].front());
      lanes_[lane].pop_front();
      return errand;
    }
    if (stopping_) return nullptr;
    woken_.wait(lock);
    // A background job may have woken the thread that does not take it.
    if (!takes_background && !lanes_[base::kLanes - 1].empty()) woken_.notify_one();
  }
}

void ThreadPool::run(bool takes_background) {
  while (std::unique_ptr<Errand> errand = next(takes_background)) {
    if (!stopping_) errand->work(stopping_);
    Errand::go_home(std::move(errand));
  }
}

void ThreadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  woken_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (auto& lane : lanes_) {
    for (auto& errand : lane) Errand::go_home(std::move(errand));
    lane.clear();
  }
}

}  // namespace perigee::edge
