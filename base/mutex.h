// Locks whose use the compiler checks, and whose order of threads a test may choose.
//
// What a lock guards says GUARDED_BY, what must be called under one says REQUIRES; clang's
// -Wthread-safety holds the code to it (`make locks`). With an Interleaver in place, which only the
// simulator sets, other work may go first at each lock() and unlock(); otherwise a Mutex is a
// std::mutex. Its rank says which locks may be held when it is taken (base/lock_rank.h).
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/lock_rank.h"

#if defined(__clang__)
#define PERIGEE_LOCKS(attribute) __attribute__((attribute))
#else
#define PERIGEE_LOCKS(attribute)
#endif

/// Of a member: read and written under this lock only.
#define GUARDED_BY(lock) PERIGEE_LOCKS(guarded_by(lock))
/// Of a function: the caller holds this lock.
#define REQUIRES(...) PERIGEE_LOCKS(requires_capability(__VA_ARGS__))
/// Of a function: it returns this lock.
#define RETURNS_LOCK(lock) PERIGEE_LOCKS(lock_returned(lock))
/// Of a function: the caller does not hold this lock, since the function takes it.
#define EXCLUDES(...) PERIGEE_LOCKS(locks_excluded(__VA_ARGS__))

namespace perigee::base {

/// Who goes on where work of several threads meets. Tests that run all of them in one thread set
/// it.
class Interleaver {
 public:
  virtual ~Interleaver() = default;
  /// Takes the lock for the caller, after whatever else.
  virtual void lock(std::mutex& mutex) = 0;
  /// The caller has given a lock back.
  virtual void unlocked() = 0;
};

/// Set before any thread that locks is started, and unset after the last one; null: none.
inline constinit Interleaver* g_interleaver = nullptr;

/// Not recursive. Any thread.
class PERIGEE_LOCKS(capability("mutex")) Mutex {
 public:
#if defined(PERIGEE_CHECK_LOCK_ORDER)
  constexpr explicit Mutex(LockRank rank) : rank_(rank) {}
#else
  constexpr explicit Mutex(LockRank) {}
#endif
  void lock() PERIGEE_LOCKS(acquire_capability()) {
#if defined(PERIGEE_CHECK_LOCK_ORDER)
    HeldLocks::of_this_thread().take(rank_);
#endif
    if (g_interleaver != nullptr) [[unlikely]] {
      g_interleaver->lock(mutex_);
    } else {
      mutex_.lock();
    }
  }
  void unlock() PERIGEE_LOCKS(release_capability()) {
    mutex_.unlock();
#if defined(PERIGEE_CHECK_LOCK_ORDER)
    HeldLocks::of_this_thread().give_back(rank_);
#endif
    if (g_interleaver != nullptr) [[unlikely]]
      g_interleaver->unlocked();
  }

 private:
  friend class CondVar;
  std::mutex mutex_;
#if defined(PERIGEE_CHECK_LOCK_ORDER)
  const LockRank rank_;
#endif
};

/// Holds a lock from here to the end of the scope.
class PERIGEE_LOCKS(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) PERIGEE_LOCKS(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() PERIGEE_LOCKS(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// A condition that threads wait for under a lock. It may wake without reason: ask again.
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// False: the time has come.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point until) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool called = condition_.wait_until(lock, until) == std::cv_status::no_timeout;
    lock.release();
    return called;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace perigee::base
