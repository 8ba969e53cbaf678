#include "edge/doors/thread_pool.h"

#include <ctime>

#include "base/limits.h"

namespace perigee::edge {

namespace limits = base::limits;

namespace {
constexpr std::array<size_t, base::kLanes> kLaneJobs = {limits::kLatencyJobs, limits::kStoreJobs,
                                                        limits::kBackgroundJobs};
constexpr auto kLatency = static_cast<size_t>(base::Lane::kLatency);
constexpr auto kStore = static_cast<size_t>(base::Lane::kStore);
constexpr auto kBackground = static_cast<size_t>(base::Lane::kBackground);
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
  const base::MutexLock lock(mutex_);
  auto& queue = lanes_[static_cast<size_t>(lane)];
  if (stopping_ || queue.size() >= kLaneJobs[static_cast<size_t>(lane)]) return false;
  auto errand = std::make_unique<Errand>(std::move(job), home);
  pending = base::Pending(errand.get());
  queue.push_back(std::move(errand));
  return true;
}

void ThreadPool::call() {
  {
    const base::MutexLock lock(mutex_);
    if (!worth_calling()) return;
  }
  called_.notify_one();
}

/// Whether something waits for another thread than those that are at work: each of these looks at
/// the lanes again before it waits. Jobs of the store wait for one another's lock anyway: a second
/// thread helps only when the first one is held up by the disk.
bool ThreadPool::worth_calling() const {
  if (idle_ == 0) return false;
  if (!lanes_[kLatency].empty() || !lanes_[kBackground].empty()) return true;
  return lanes_[kStore].size() > (storing_ == 0 ? 0 : limits::kStoreJobsHeldUp);
}

/// The first lane that has a job for this thread; kLanes: none has.
size_t ThreadPool::lane_with_work(bool takes_background) const {
  const size_t lanes = takes_background ? base::kLanes : base::kLanes - 1;
  for (size_t lane = 0; lane < lanes; ++lane) {
    if (!lanes_[lane].empty()) return lane;
  }
  return base::kLanes;
}

void ThreadPool::run(bool takes_background) {
  mutex_.lock();
  while (true) {
    const size_t lane = lane_with_work(takes_background);
    if (lane == base::kLanes) {
      if (stopping_) break;
      // A background job may have called the thread that does not take it.
      if (worth_calling()) called_.notify_one();
      ++idle_;
      called_.wait(mutex_);
      --idle_;
      continue;
    }
    std::unique_ptr<Errand> errand = std::move(lanes_[lane].front());
    lanes_[lane].pop_front();
    storing_ += lane == kStore ? 1 : 0;
    if (worth_calling()) called_.notify_one();
    mutex_.unlock();
    if (!stopping_) errand->work(stopping_);
    Errand::go_home(std::move(errand));
    mutex_.lock();
    storing_ -= lane == kStore ? 1 : 0;
  }
  mutex_.unlock();
}

void ThreadPool::stop() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  called_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  const base::MutexLock lock(mutex_);
  for (auto& lane : lanes_) {
    for (auto& errand : lane) Errand::go_home(std::move(errand));
    lane.clear();
  }
}

int64_t thread_cpu_us() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return int64_t{used.tv_sec} * 1'000'000 + used.tv_nsec / 1'000;
}

}  // namespace perigee::edge
