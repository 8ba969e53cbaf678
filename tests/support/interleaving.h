// Work of several threads in one: it pauses wherever a lock is taken or given back, and who goes on
// is the caller's choice. A seed that finds a race finds it again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/mutex.h"
#include "tests/support/fiber.h"

namespace perigee::test {

/// All base::Mutex of the process are its own while it exists; there is one at a time.
class Interleaving final : private base::Interleaver {
 public:
  /// `below(n)` draws from 0 to n-1.
  explicit Interleaving(std::function<uint64_t(uint64_t)> below);
  /// Nothing may be paused.
  ~Interleaving() override;

  /// How often, and how many times in all, work pauses where it does not have to wait.
  struct Pauses {
    uint64_t per_mille = 500;
    unsigned most = 1'000;
  };
  /// Runs `work` until it pauses or ends.
  void begin(std::function<void()> work, const Pauses& pauses);
  /// Work that stands in the middle.
  size_t paused() const { return paused_.size(); }
  void resume(size_t which);
  /// Resumes what is paused until all has ended, and lets nothing pause any more but to wait.
  void finish();
  /// Begins all, and resumes one or the other until all have ended.
  void run(std::vector<std::function<void()>> works);
  /// From work: a place where it may pause though there is no lock.
  void may_pause();
  /// From work: the others go on.
  void yield() { pause(); }

 private:
  struct Thread {
    Fiber fiber;
    Pauses pauses;
  };
  void lock(std::mutex& mutex) override;
  void unlocked() override { may_pause(); }
  void enter(std::unique_ptr<Thread> thread, std::function<void()> work);
  void pause();

  std::function<uint64_t(uint64_t)> below_;
  std::vector<std::unique_ptr<Thread>> idle_;
  std::vector<std::unique_ptr<Thread>> paused_;
  Thread* running_ = nullptr;
  bool finishing_ = false;
};

}  // namespace perigee::test
