// One production in flight of a record for a key, and those who wait for it.
//
// The fill belongs to the key, not to the client: it survives the client that began it. Waiters of
// all loops read the same growing body. Fills is one loop's door to it; FillTable is shared by all
// loops.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/budget.h"
#include "base/env.h"
#include "cache_store/store.h"
#include "http/forward.h"
#include "http/policy.h"
#include "http/stored_response.h"
#include "http/vary.h"
#include "origin/fetch.h"
#include "origin/fill_site.h"

namespace perigee::origin {

class FillSession;
class FillTable;

/// Everything a fill needs, owned, so that it can outlive its client.
struct FillRequest {
  std::string key;           ///< the URL's key
  cache_store::Digest base;  ///< digest(key)
  cache_store::Digest
      join;  ///< what is joined: the variant's digest when the Vary spec is known, else `base`
  std::string join_key;      ///< the key text of `join`
  bool varies = false;       ///< a Vary spec is known: `join` is the variant's
  std::string target;        ///< as keyed
  std::string host;          ///< the Host field to send
  http::RequestHead head;    ///< the client's head, copied into `arena` (for Vary, Authorization)
  http::HeaderList fields;   ///< end-to-end fields to forward, in `arena`
  http::VaryNames sent_for;  ///< names of the Vary that `fields` were chosen by, in `arena`
  std::unique_ptr<http::Arena> arena;
  std::shared_ptr<const http::PolicyOptions> policy;
  std::shared_ptr<FillSite> site;        ///< of the loop that begins
  base::Holder client = base::kAnybody;  ///< who began it: whose relay it is if nobody can share it
  /// The stored response to validate; empty Found: an unconditional fetch. Its pin is held by the
  /// session.
  cache_store::Found stored;
};

/// What a waiter is told, on its own loop, never inside a call of Fills. Exactly one of head,
/// released, stored and failed, after any number of interim heads; it may be destroyed inside that
/// one.
class FillWaiter {
 public:
  FillWaiter() = default;
  FillWaiter(const FillWaiter&) = delete;
  FillWaiter& operator=(const FillWaiter&) = delete;
  /// Leaves the fill.
  virtual ~FillWaiter();

  /// The request that waits; asked when the head is there (may_share, Vary).
  virtual const http::RequestHead& fill_head() const = 0;
  /// A 1xx head: fields in `interim.block`.
  virtual void on_fill_interim(const http::ResponseHead& interim) = 0;
  /// The response answers this waiter. `own`: it began the fill. Make the response from
  /// session->response() and read the body with a FillReader.
  virtual void on_fill_head(std::shared_ptr<FillSession> session, bool own) = 0;
  /// The response is not for this request (uncacheable, private to another request, another
  /// variant), or none has come for kWaiterPatienceMs and one further fetch is tried: go alone at
  /// once.
  virtual void on_fill_released() = 0;
  /// A record for the key was published meanwhile: look up again.
  virtual void on_fill_stored() = 0;
  virtual void on_fill_failed(const FetchError& error) = 0;
  /// It joined and was not told yet.
  bool waiting() const { return fills_ != nullptr; }
  /// The same as destroying it.
  void leave_fill();

 private:
  friend class LoopFills;
  class LoopFills* fills_ = nullptr;
  std::shared_ptr<class FillProgress> session_;  ///< null while it waits to look again
  std::list<FillWaiter*>::iterator place_;       ///< in its loop's line
  bool own_ = false;
  /// Sent away to try one further fetch: those who still wait here may be relieved by it.
  std::shared_ptr<class FillProgress> relieves_;
};

enum class JoinMode : uint8_t {
  kShared,  ///< join a fill in flight or begin one that others can join
  kAlone,   ///< begin one that nobody joins (released, hit-for-miss); storable all the same
};

/// What is told of fills, for counters. Any loop.
class FillObserver {
 public:
  virtual ~FillObserver() = default;
  virtual void on_fill_begun() = 0;
  /// `failed`: no whole response came.
  virtual void on_fill_ended(bool stored, bool failed) = 0;
};

/// Shared by all loops; outlives them.
struct FillShared {
  cache_store::Store& store;
  base::Budget& budget;  ///< bytes of all fill bodies
  FillObserver& observer;
};
/// Lets owners of a table see no more of it than its name.
struct FillTableDelete {
  void operator()(FillTable* table) const;
};
using FillTablePtr = std::unique_ptr<FillTable, FillTableDelete>;
FillTablePtr make_fill_table(const FillShared& shared);

/// One loop's fills and waiters. Loop thread only.
class Fills {
 public:
  Fills(FillTable& table, base::Env& env);
  ~Fills();
  /// Joins or begins; beyond kFills of a site a new one waits in line, for kPermitMs at most. A key
  /// that is remembered as hit-for-miss begins alone. False: the line is full, nothing was begun
  /// and the waiter is not called (503 or stale).
  bool join(FillRequest&& request, FillWaiter& waiter, JoinMode mode);
  /// The key's responses could lately not be shared: join() would begin alone.
  bool is_hit_for_miss(const cache_store::Digest& join) const;
  /// A refresh that nobody waits for; none is begun while one is in flight.
  void refresh_behind(FillRequest&& request);
  /// `head` answered a HEAD that was sent when `ticket` was taken, and agrees with
  /// `request.stored`: updates what is stored (RFC 9111 §4.3.5). Nobody waits for it.
  void freshen(FillRequest&& request, const cache_store::Ticket& ticket,
               const http::ReceivedResponse& head, const http::ResponseTimes& times);
  /// True while this loop owns fills or waiters; at the stop, cancel() ends them.
  bool busy() const;
  void cancel();

 private:
  friend class FillReader;
  std::unique_ptr<class LoopFills> loop_;
};

/// A fill once its head is there. The head and policy are immutable; any loop.
class FillSession {
 public:
  virtual ~FillSession() = default;
  /// View over the session's own image; valid while the session is held.
  virtual const http::StoredResponse& response() const = 0;
  /// A 304 freshened a stored response, which is the body's source.
  virtual bool revalidated() const = 0;
  /// The status with which the origin answered (304 when revalidated).
  virtual uint16_t origin_status() const = 0;
  /// It is going to be stored (RFC 9211 `stored`).
  virtual bool storing() const = 0;
  /// The whole length where it is known: declared, or complete.
  virtual std::optional<uint64_t> body_size() const = 0;
};

}  // namespace perigee::origin
