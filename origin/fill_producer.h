// What every owner of a fill does, whatever it asks the origin for: waits for its turn and for
// memory, is paced, tells those who wait and read, and ends.
//
// Lives on one loop, in the list of its Fills.
#pragma once

#include <list>
#include <memory>

#include "base/budget.h"
#include "base/env.h"
#include "origin/fill.h"
#include "origin/fill_request.h"
#include "origin/fills.h"

namespace perigee::origin {

class FillProducer : public FetchUser, protected base::Waker {
 public:
  /// `keep`: goes on without waiters and readers, as long as the body is to be stored.
  FillProducer(Fills& fills, std::shared_ptr<const FillRequest> request, std::shared_ptr<Fill> fill,
               bool keep);
  ~FillProducer() override;

  /// Waits for its turn to ask the site's origin, then asks. Nothing is called back inside.
  void start();
  /// Its turn has come.
  void ask(base::Share permit);
  /// A reader moved or left, or a waiter left.
  void reconsider_soon() { fills_.env().soon(reconsider_); }
  /// Ends it at once; readers see a cut body, waiters that the node is busy.
  void cancel();
  const Fill* fill() const { return fill_.get(); }

  // FetchUser
  void on_fetch_failed(const FetchError& error) override;
  void on_fetch_cut(const FetchError& error) override { fill_->error = error; }

  std::list<std::unique_ptr<FillProducer>>::iterator place;  ///< in its loop's list

 protected:
  /// Asks the origin.
  virtual void fetch() = 0;
  /// There is memory for the body, held in fill_->memory.
  virtual void begin_body() = 0;
  /// Moves what has come.
  virtual void pump() = 0;
  /// The body is to be stored, as far as is known now.
  virtual bool storing() const = 0;
  /// A body of unknown length is waited for up to here though nobody wants it any more.
  virtual uint64_t most_record_bytes() const = 0;
  /// A put goes on, and nobody is told of it.
  virtual void abandon_put() = 0;

  /// With these fields, which stay until the fetch ends.
  void ask_origin(const http::HeaderList& fields);
  void wake() override { pump_soon(); }  ///< the origin has more
  void pump_soon() { fills_.env().soon(pump_); }
  /// Memory before the first byte of content: what holds nothing cannot deadlock.
  void reserve(size_t bytes);
  void publish_head();
  void wake_readers();
  /// No more of the body comes.
  void cut_body();
  /// No head comes.
  void fail(const FetchError& error);
  /// No head comes; those who wait look for another way.
  void send_away(Fills::Relief relief);
  /// Nobody is waited for any more; `error`: what the origin is blamed for.
  void end(bool stored, const FetchError* error);
  bool ended() const { return ended_; }
  /// The origin is asked no more: the next one may.
  void give_permit_back() { permit_ = {}; }
  base::Share take_permit() { return std::move(permit_); }
  void keep_permit(base::Share permit) { permit_ = std::move(permit); }
  FillTable& table() const { return fills_.table(); }
  cache_store::Store& store_of() const { return table().shared().store; }

  /// Runs `task(loop)` for each loop of a set.
  template <typename F>
  static void for_each_loop(const LoopSet& loops, F task) {
    size_t left = loops.count();
    for (unsigned loop = 0; left > 0; ++loop) {
      if (!loops.test(loop)) continue;
      --left;
      task(loop);
    }
  }

  Fills& fills_;
  std::shared_ptr<const FillRequest> request_;
  std::shared_ptr<Fill> fill_;
  std::unique_ptr<Fetch> fetch_;
  bool paused_ = false;  ///< the origin waits for a reader

 private:
  void take_memory(base::Share memory);
  void tell(const LoopSet& loops);
  void reconsider();
  bool wanted() const;
  bool worth_finishing() const;

  const bool keep_;
  base::Claim permit_claim_;
  base::Share permit_;  ///< counts among the site's fills that ask the origin
  base::Timer permit_timer_;
  base::Claim claim_;  ///< waits for memory
  base::Timer reserve_timer_;
  base::Soon pump_;
  base::Soon reconsider_;
  bool ended_ = false;
};

}  // namespace perigee::origin
