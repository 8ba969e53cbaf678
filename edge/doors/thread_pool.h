// The threads on which jobs may block: three lanes with bounded queues.
//
// Any loop offloads; work() runs here, done() on that loop. One thread never takes the background
// lane, so that slow coding cannot stand before a cold read.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/env.h"

namespace perigee::edge {

class ThreadPool {
 public:
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();

  /// `home` gets the job back by post(). False: the lane is full, the caller keeps the job.
  bool offload(base::Lane lane, std::unique_ptr<base::Job>& job, base::Pending& pending,
               base::Env& home);
  /// Running jobs finish; queued ones go home and are destroyed there without done(). Then no
  /// thread is left. The loops must still run.
  void stop();

 private:
  class Errand;
  void run(bool takes_background);
  std::unique_ptr<Errand> next(bool takes_background);

  std::mutex mutex_;
  std::condition_variable woken_;
  std::array<std::deque<std::unique_ptr<Errand>>, base::kLanes> lanes_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace perigee::edge
