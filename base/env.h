// The doors of one loop: time, timers, work of the next turn, posts, jobs for the pool, names,
// connections and chance.
//
// Production implements it over libuv (edge/doors/uv_env), the simulator over a seeded scheduler.
// All of it belongs to that loop's thread, but post(). Nothing throws and nothing calls back inside
// the call.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/channel.h"
#include "base/fn.h"
#include "base/result.h"

namespace perigee::base {

/// Monotonic milliseconds that go on while the machine sleeps (BOOTTIME), read once per turn of the
/// loop.
struct Tick {
  int64_t ms = 0;
  auto operator<=>(const Tick&) const = default;
  Tick operator+(int64_t delta_ms) const { return Tick{ms + delta_ms}; }
  int64_t operator-(Tick earlier) const { return ms - earlier.ms; }
};

/// Milliseconds since 1970 UTC: a Tick plus an offset that is fixed at start.
struct WallTime {
  int64_t ms = 0;
  auto operator<=>(const WallTime&) const = default;
};

class TimerWheel;

/// One deadline, a member of what it times. Arm it with Env::arm; destroying it disarms it.
class Timer {
 public:
  explicit Timer(Task fire) : fire_(std::move(fire)) {}
  ~Timer() { disarm(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool armed() const { return wheel_ != nullptr; }
  /// When it fires at the earliest. Meaningless while not armed.
  Tick due() const { return due_; }
  void disarm();

 private:
  friend class TimerWheel;
  Task fire_;
  TimerWheel* wheel_ = nullptr;
  Timer* previous_ = nullptr;
  Timer* next_ = nullptr;
  Tick due_;
  size_t slot_ = 0;
};

class SoonList;

/// Work of the next turn, a member of what it serves. Arm it with Env::soon; destroying it disarms
/// it. The work may destroy what it serves.
class Soon {
 public:
  explicit Soon(Task work) : work_(std::move(work)) {}
  ~Soon() { disarm(); }
  Soon(const Soon&) = delete;
  Soon& operator=(const Soon&) = delete;

  bool armed() const { return list_ != nullptr; }
  void disarm();

 private:
  friend class SoonList;
  Task work_;
  SoonList* list_ = nullptr;
  Soon* previous_ = nullptr;
  Soon* next_ = nullptr;
  uint64_t round_ = 0;  ///< of the list, when it was armed
};

class Pending;

/// What an Env keeps in flight for a Pending; implemented by Envs only.
class InFlight {
 public:
  virtual ~InFlight() = default;
  /// Somebody still holds the Pending, so the callback may run.
  bool wanted() const { return interest_ != nullptr; }

 protected:
  /// The Pending is gone: never call back, destroy the result on this loop.
  virtual void on_abandoned() {}
  /// Called by the Env right before it calls back: cuts the tie in both directions.
  void settle();

 private:
  friend class Pending;
  Pending* interest_ = nullptr;
};

/// Interest in one answer. Destroy it and the callback never runs.
class Pending {
 public:
  Pending() = default;
  /// For Envs: ties this interest to what is in flight.
  explicit Pending(InFlight* in_flight) { attach(in_flight); }
  Pending(Pending&& other) noexcept { take(other); }
  Pending& operator=(Pending&& other) noexcept {
    if (this != &other) {
      abandon();
      take(other);
    }
    return *this;
  }
  ~Pending() { abandon(); }

  bool waiting() const { return in_flight_ != nullptr; }
  /// The same as destroying it.
  void abandon() {
    if (in_flight_ == nullptr) return;
    InFlight* gone = std::exchange(in_flight_, nullptr);
    gone->interest_ = nullptr;
    gone->on_abandoned();
  }

 private:
  friend class InFlight;
  void attach(InFlight* in_flight) {
    in_flight_ = in_flight;
    if (in_flight_ != nullptr) in_flight_->interest_ = this;
  }
  void take(Pending& other) { attach(std::exchange(other.in_flight_, nullptr)); }

  InFlight* in_flight_ = nullptr;
};

inline void InFlight::settle() {
  if (interest_ != nullptr) std::exchange(interest_, nullptr)->in_flight_ = nullptr;
}

/// Sets a bit and runs nothing: the top of the loop is the only place that enters a connection.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake() = 0;
};

/// Work for the pool. It owns all that work() touches (pins, chunk references, copies); a pointer
/// to the owner of its Pending is for done() alone.
class Job {
 public:
  virtual ~Job() = default;
  /// On a pool thread. Long jobs look at `stop`.
  virtual void work(const std::atomic<bool>& stop) noexcept = 0;
  /// On the loop that offloaded it, once, unless its Pending is gone; the job is destroyed there.
  virtual void done() noexcept = 0;
};

/// kLatency: cold reads, folders, journal. kStore: put and reclaim. kBackground: coders, scrub; one
/// thread of the pool never takes this one.
enum class Lane : uint8_t { kLatency, kStore, kBackground };
inline constexpr size_t kLanes = 3;

/// How to speak TLS to an origin. Lives as long as the configuration that holds it.
struct TlsClient {
  std::string server_name;  ///< SNI, and the name the certificate must carry
  std::string ca_file;      ///< PEM bundle; empty: the system's
  bool verify = true;
};

struct Endpoint {
  Address address;
  const TlsClient* tls = nullptr;  ///< null: clear text
  Tick deadline;                   ///< for the connection, the TLS handshake included
};

/// What a name resolved to, in the order in which to try.
struct Addresses : std::vector<Address> {
  using std::vector<Address>::vector;
  int64_t ttl_ms = 0;  ///< how long the name server says they hold; 0: it did not say
};
using OnResolve = Fn<void(Result<Addresses>)>;
using OnConnect = Fn<void(Result<std::unique_ptr<Channel>>)>;

/// The doors of one loop. Its thread only, but post().
class Env {
 public:
  virtual ~Env() = default;
  virtual Tick now() const = 0;
  virtual WallTime wall() const = 0;
  virtual uint64_t random() = 0;
  /// Which of the process's loops this is, from 0.
  virtual unsigned loop() const = 0;
  /// Never early, at most 10 ms late. Re-arming to later is one store.
  virtual void arm(Timer& timer, Tick due) = 0;
  /// Never inline: runs it once, when this loop has next done its I/O and its timers, in the order
  /// of arming. One that is armed already keeps its place.
  virtual void soon(Soon& work) = 0;
  /// From any thread. Never fails, never inline, in order for one sender, one wake-up a batch.
  virtual void post(Task task) = 0;
  /// False: the lane is full, and the caller keeps the job.
  virtual bool offload(Lane lane, std::unique_ptr<Job>& job, Pending& pending) = 0;
  /// Resolves a host name (never a literal) off the loop; errors are kResolve or kTimeout.
  virtual Pending resolve(std::string_view host, uint16_t port, OnResolve on_resolve) = 0;
  /// A TLS channel arrives handshaken and verified. Errors: kConnect, kTls, kTimeout.
  virtual Pending connect(const Endpoint& endpoint, OnConnect on_connect) = 0;
};

}  // namespace perigee::base
