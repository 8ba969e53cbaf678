// One loop's part in fills: its waiters, its readers that wait for bytes, and the fetches it owns.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>

#include "http/arena.h"
#include "origin/fill_reader.h"
#include "origin/fill_table.h"
#include "origin/fill_waiter.h"

namespace perigee::origin {

struct BegunFragment;
class Coders;
class FillOwner;
class FillProducer;

/// An interim head on its way to the waiters of other loops.
struct InterimHead {
  http::Arena arena;
  http::ResponseHead head;
};

/// Loop thread only.
class Fills {
 public:
  using FillPtr = std::shared_ptr<Fill>;
  /// What those who wait for a head are told when another fetch for the key has ended.
  enum class Relief : uint8_t {
    kStored,    ///< look again
    kReleased,  ///< each goes alone
  };

  /// `coders`: told of what was stored; null: nothing is coded.
  Fills(FillTable& table, base::Env& env, Coders* coders = nullptr);
  /// Waiters and readers must be gone.
  ~Fills();

  /// Asks for what `request` names on behalf of `waiter`: joins the fetch that is under way for its
  /// key, or begins one. The waiter hears of it later, never within this call. False: the
  /// site has no room for another fetch, nothing was begun, and the waiter will hear nothing.
  bool join(FillRequest&& request, FillWaiter& waiter, JoinMode mode);
  bool is_hit_for_miss(const cache_store::Digest& join) const {
    return table_.marked(join, env_.now());
  }
  /// Revalidates with no one waiting (stale-while-revalidate). Does nothing if a fetch for the key
  /// is under way or there are too many.
  void refresh_behind(FillRequest&& request);
  /// A 304 that another request got: the stored response takes its fields (RFC 9111 §4.3.4).
  void freshen(FillRequest&& request, const cache_store::Ticket& ticket,
               const http::ReceivedResponse& head, const http::ResponseTimes& times);
  enum class Fetched : uint8_t {
    kForReader,
    kAhead,  ///< nobody waits for it yet: only if the origin can be asked at once
  };
  /// The fetch of a fragment that is missing in the store: the one under way, or a new one. Null:
  /// the fragment is there by now, or the site has no room for another fetch.
  FillPtr fetch_fragment(const RefetchablePtr& object, uint64_t number, Fetched why);
  /// The same; `waiter` hears of it as in join().
  bool join_fragment(const RefetchablePtr& object, uint64_t number, FillWaiter& waiter);
  /// A fetch whose 206 brings a fragment of an object that is new in the store.
  void continue_fragment(const RefetchablePtr& object, const cache_store::Ticket& ticket,
                         BegunFragment&& begun);
  /// The loop ends: every fetch that it owns is given up, and its waiters are told.
  void cancel();
  bool busy() const { return !owners_.empty() || !members_.empty(); }

  // Called on this loop, by the owner of a fill or by its posts.
  /// Its head is there, or will not come.
  void deliver(const FillPtr& fill);
  void deliver_interim(const FillPtr& fill, const InterimHead& interim);
  void relieve(const FillPtr& fill, Relief relief);
  void wake_readers(const FillPtr& fill);
  /// A reader moved or left: the origin may be asked for more, or the fill given up. Soon, on the
  /// owner's loop.
  void notify_owner(const FillPtr& fill);

  void wait_for_bytes(FillReader& reader);
  void forget(FillReader& reader);
  void leave(FillWaiter& waiter);
  void end_owner(FillProducer* owner);

  FillTable& table() { return table_; }
  base::Env& env() { return env_; }
  Coders* coders() { return coders_; }

 private:
  /// Who of this loop waits for one fill. In the order of their coming.
  struct Members {
    Members(Fills& fills, FillPtr waited);
    const FillPtr fill;
    std::list<FillWaiter*> waiters;
    std::list<FillReader*> readers;
    base::Soon deliver;
    base::Timer patience;  ///< runs while somebody waits for another's fetch
  };
  using Owners = std::list<std::unique_ptr<FillProducer>>;
  enum class Joined : uint8_t { kWaits, kLookAgain, kFull, kNone };

  Joined join_existing(FillTable::Shard& shard, const FillRequest& request, FillWaiter& waiter)
      REQUIRES(shard.mutex);
  FillPtr make_fill(FillRequest& request);
  FillPtr begin_fragment(const RefetchablePtr& object, uint64_t number, Fetched why,
                         Fill::Phase* joined);
  FillPtr make_fragment_fill(const RefetchableObject& object, const cache_store::Digest& join);
  Members& members(const FillPtr& fill);
  void drop_if_empty(const Fill* fill);
  void add_waiter(const FillPtr& fill, FillWaiter& waiter, bool own);
  FillWaiter* take_waiter(const Fill* fill);
  void leave_line(FillWaiter& waiter);
  void look_again_soon(FillWaiter& waiter);
  void deliver_look_again();
  void lose_patience(const FillPtr& fill);
  FillOwner& produce(FillRequest&& request, FillPtr fill, bool keep);
  void add_owner(std::unique_ptr<FillProducer> owner);
  void tell(FillWaiter& waiter, const FillPtr& fill);

  FillTable& table_;
  base::Env& env_;
  Coders* const coders_;
  std::unordered_map<const Fill*, Members> members_;
  Owners owners_;
  Owners ended_;  ///< destroyed in the next turn: one may be inside a callback of its own
  base::Soon bury_;
  std::list<FillWaiter*> look_again_;
  base::Soon deliver_look_again_;
};

}  // namespace perigee::origin
