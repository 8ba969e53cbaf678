// The threads on which jobs may block: three lanes with bounded queues.
//
// Any loop offloads; work() runs here, done() on that loop. One thread never takes the background
// lane, so that slow coding cannot stand before a cold read. A loop calls a thread once per turn,
// however many jobs it offloaded in it: a call per job cost more than the jobs.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "base/env.h"
#include "base/mutex.h"

namespace perigee::edge {

class ThreadPool {
 public:
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();

  /// `home` gets the job back by post(). False: the lane is full, the caller keeps the job. No
  /// thread need begin before call().
  bool offload(base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending,
               base::Env& home);
  /// Has a thread look at the lanes. From any thread, before the loop that offloaded may block.
  void call();
  /// Running jobs finish; queued ones go home and are destroyed there without done(). Then no
  /// thread is left. The loops must still run.
  void stop();

 private:
  class Errand;
  void run(bool takes_background);
  size_t lane_with_work(bool takes_background) const REQUIRES(mutex_);
  bool worth_calling() const REQUIRES(mutex_);

  base::Mutex mutex_{base::LockRank::kThreadPool};
  base::CondVar called_;
  size_t idle_ GUARDED_BY(mutex_) = 0;     ///< threads that wait to be called
  size_t storing_ GUARDED_BY(mutex_) = 0;  ///< threads inside a job of the store's lane
  std::array<std::deque<std::unique_ptr<Errand>>, base::kLanes> lanes_ GUARDED_BY(mutex_);
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

/// Microseconds of CPU that the calling thread has used.
int64_t thread_cpu_us();

}  // namespace perigee::edge
