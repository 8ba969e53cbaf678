// One loop's part in fills: its waiters, its readers that wait for bytes, and the productions it
// owns.
#pragma once

#include <list>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "origin/fill_reader.h"
#include "origin/fill_table.h"

namespace perigee::origin {

class FillProduction;

/// An interim head on its way to the waiters of other loops.
struct InterimHead {
  http::Arena arena;
  http::ResponseHead head;
};

class LoopFills {
 public:
  LoopFills(FillTable& table, base::Env& env);
  ~LoopFills();

  bool join(FillRequest&& request, FillWaiter& waiter, JoinMode mode);
  void refresh_behind(FillRequest&& request);
  void freshen(FillRequest&& request, const cache_store::Ticket& ticket,
               const http::ReceivedResponse& head, const http::ResponseTimes& times);
  void cancel();
  bool busy() const { return !productions_.empty() || !waiters_.empty(); }

  // Called on this loop, mostly by posts of the owner's.
  void deliver(const std::shared_ptr<FillProgress>& progress);
  void deliver_interim(FillProgress* progress, const InterimHead& interim);
  void wake_readers(FillProgress* progress);
  void deliver_look_again();
  /// Tells the owner's loop to reconsider().
  void notify_owner(const std::shared_ptr<FillProgress>& progress);
  /// A reader moved or left: the origin may be asked for more, or the fill given up.
  void reconsider(const FillProgress* progress);

  void wait_for_bytes(FillReader& reader);
  void forget(FillReader& reader);
  void leave(FillWaiter& waiter);
  void end_production(FillProduction* production);

  FillTable& table() { return table_; }
  base::Env& env() { return env_; }

 private:
  enum class Joined : uint8_t { kWaits, kLookAgain, kNone };
  Joined join_existing(FillTable::Shard& shard, const FillRequest& request, FillWaiter& waiter);
  std::shared_ptr<FillProgress> make_progress(const FillRequest& request);
  void add_waiter(const std::shared_ptr<FillProgress>& progress, FillWaiter& waiter, bool own);
  void tell_later(const std::shared_ptr<FillProgress>& progress);
  std::shared_ptr<FillProduction> produce(FillRequest&& request,
                                          std::shared_ptr<FillProgress> progress, bool keep);
  void tell(FillWaiter& waiter, const std::shared_ptr<FillProgress>& progress);

  FillTable& table_;
  base::Env& env_;
  std::unordered_multimap<const FillProgress*, FillWaiter*> waiters_;
  std::unordered_multimap<const FillProgress*, FillReader*> readers_;
  std::list<std::shared_ptr<FillProduction>> productions_;
  std::list<FillWaiter*> look_again_;
};

}  // namespace perigee::origin
