// The owner's side of one fill: asks the origin, judges the head, moves the body, has it stored.
//
// Lives on one loop, from join() until its record is published, has failed, or nobody wants it any
// more.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "origin/fill_sink.h"
#include "origin/fills.h"

namespace perigee::origin {

class FillOwner final : public FetchUser, private base::Waker {
 public:
  /// `keep`: goes on without waiters (a refresh behind).
  FillOwner(Fills& fills, FillRequest&& request, std::shared_ptr<Fill> fill, bool keep);
  ~FillOwner() override;

  /// Waits for its turn to ask the site's origin, then asks. Nothing is called back inside.
  void start();
  /// Its turn has come.
  void ask(base::Share permit);
  /// Instead: `head` answered a HEAD and agrees with what is stored (RFC 9111 §4.3.5).
  void freshen(const http::ReceivedResponse& head, const http::ResponseTimes& times);
  /// A reader moved or left, or a waiter left.
  void reconsider_soon() { fills_.env().soon(reconsider_); }
  /// Ends it at once; readers see a cut body, waiters that the node is busy.
  void cancel();
  const Fill* fill() const { return fill_.get(); }

  // FetchUser
  void on_fetch_interim(const http::ReceivedResponse& interim) override;
  void on_fetch_head(const http::ReceivedResponse& head, const http::ResponseTimes& times) override;
  void on_fetch_failed(const FetchError& error) override;
  void on_fetch_cut(const FetchError& error) override { fill_->error = error; }

  std::list<std::unique_ptr<FillOwner>>::iterator place;  ///< in its loop's list

 private:
  enum class Moved : uint8_t {
    kMore,
    kWhole,
    kCut,
  };
  void wake() override { pump_soon(); }  ///< the origin has more
  void fetch();
  void pump_soon() { fills_.env().soon(pump_); }
  /// False: it freshens nothing.
  bool merge(const http::StoredResponse& stored, const http::ReceivedResponse& head,
             const http::ResponseTimes& times);
  bool take_not_modified(const http::ReceivedResponse& head, const http::ResponseTimes& times);
  /// False: what is stored does not stand in for what the origin said.
  bool take_stored(const http::ReceivedResponse& head, const http::ResponseTimes& times);
  void take_response(const http::ReceivedResponse& received, const http::ResponseTimes& times);
  bool leaves_record(const http::ReceivedResponse& head, int64_t now_ms) const;
  void judge_vary(const http::HeaderList& fields, bool& storable);
  void note_for_others(bool storable, bool remember);
  void relieve(Fills::Relief relief);
  void reserve(const std::optional<uint64_t>& length);
  size_t window_bytes() const;
  void begin_body(base::Share memory);
  void publish_head();
  void pump();
  void reconsider();
  Moved move_body();
  void settle(Moved moved);
  void complete();
  void begin_fragments(size_t window_bytes);
  void store_fragments();
  void on_fragment(uint64_t end, uint64_t rid);
  void give_up_storing();
  void store();
  void on_stored(std::shared_ptr<const cache_store::Found> record);
  void tell(const LoopSet& loops);
  void wake_readers();
  void fail(const FetchError& error);
  void end(bool stored, const FetchError* error);
  /// What is revalidated; nullopt: nothing that can be used.
  std::optional<http::StoredResponse> stored_response() const;
  bool wanted() const;
  bool worth_finishing() const;

  Fills& fills_;
  FillRequest request_;
  std::shared_ptr<Fill> fill_;
  FillSink sink_;
  const bool keep_;
  std::unique_ptr<Fetch> fetch_;
  http::HeaderList fields_;  ///< with validators
  base::ReuseFacts policy_;
  base::Claim permit_claim_;
  base::Share permit_;  ///< counts among the site's fills that ask the origin
  base::Timer permit_timer_;
  base::Claim claim_;  ///< waits for memory
  base::Timer reserve_timer_;
  base::Timer laggard_timer_;
  base::Soon pump_;
  base::Soon reconsider_;
  bool conditional_ = false;
  bool refetched_ = false;
  bool paused_ = false;  ///< the window is full
  bool ended_ = false;
};

}  // namespace perigee::origin
