// The owner's side of one fill: asks the origin, judges the head, moves the body, has it stored.
//
// Lives on one loop, from join() until its record is published, has failed, or nobody wants it any
// more.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "origin/fill_producer.h"
#include "origin/fill_sink.h"

namespace perigee::origin {

class FillOwner final : public FillProducer {
 public:
  /// `keep`: goes on without waiters (a refresh behind).
  FillOwner(Fills& fills, std::shared_ptr<const FillRequest> request, std::shared_ptr<Fill> fill,
            bool keep);

  /// Instead of asking: `head` answered a HEAD and agrees with what is stored (RFC 9111 §4.3.5).
  void freshen(const http::ReceivedResponse& head, const http::ResponseTimes& times);

  // FetchUser
  void on_fetch_interim(const http::ReceivedResponse& interim) override;
  void on_fetch_head(const http::ReceivedResponse& head, const http::ResponseTimes& times) override;

 private:
  enum class Moved : uint8_t {
    kMore,
    kWhole,
    kCut,
  };
  void fetch() override;
  void begin_body() override;
  void pump() override;
  bool storing() const override { return sink_.is_open(); }
  uint64_t most_record_bytes() const override { return sink_.most_record_bytes(); }
  void abandon_put() override {
    laggard_timer_.disarm();
    room_timer_.disarm();
    sink_.abandon();
  }
  void borrow_stored();
  /// False: it freshens nothing.
  bool merge(const http::StoredResponse& stored, const http::ReceivedResponse& head,
             const http::ResponseTimes& times);
  bool take_not_modified(const http::ReceivedResponse& head, const http::ResponseTimes& times);
  /// False: what is stored does not stand in for what the origin said.
  bool take_stored(const http::ReceivedResponse& head, const http::ResponseTimes& times);
  /// A 206 to the range that was asked for in place of the whole: the object's head is stored, and
  /// its fragments are fetched one by one, this one first.
  void take_part(const http::ReceivedResponse& head, const http::ResponseTimes& times);
  void on_head_stored(const http::ByteSpan& span, std::shared_ptr<const cache_store::Found> record);
  bool add_range();
  void fetch_again();
  void pass_on_alone();
  void take_response(const http::ReceivedResponse& received, const http::ResponseTimes& times);
  bool leaves_record(const http::ReceivedResponse& head, int64_t now_ms) const;
  void judge_vary(const http::HeaderList& fields, bool& storable);
  void note_for_others(bool storable, bool remember);
  void relieve(Fills::Relief relief);
  void reserve_for(const std::optional<uint64_t>& length);
  size_t window_bytes() const;
  void announce_head();
  Moved move_body();
  void finish_body();
  void settle(Moved moved);
  /// Asks for the rest of a body that was cut. False: it cannot be had.
  bool resume();
  void take_rest(const http::ReceivedResponse& head);
  /// What is missing of the body of a declared length.
  http::Part rest() const;
  void complete();
  void begin_fragments(size_t window_bytes);
  void store_fragments();
  void on_fragment(uint64_t end, const base::Result<cache_store::Found>& record);
  /// Its next fragment waits until there is room for it.
  bool waits_for_room() const { return room_timer_.armed(); }
  bool wait_for_room();
  void go_on_storing();
  void give_up_storing();
  void give_memory_back();
  void store();
  /// What whoever had it fetched takes.
  http::AcceptedCodings accepted() const;
  std::optional<http::Coding> coding_to_keep() const;
  void have_coded(const cache_store::RecordView& object);
  void on_stored(std::shared_ptr<const cache_store::Found> record);
  /// What is revalidated; nullopt: nothing that can be used.
  std::optional<http::StoredResponse> stored_response() const;

  FillSink sink_;
  http::HeaderList fields_;  ///< with validators
  base::ReuseFacts policy_;
  base::Timer laggard_timer_;
  base::Timer room_timer_;
  /// Until then room is waited for; nothing: the last put found some.
  std::optional<base::Tick> room_until_;
  bool conditional_ = false;
  bool refetched_ = false;
  bool part_asked_ = false;
  std::optional<http::AnnouncedDigest> part_digest_;  ///< of the part that came for the whole
  int resumed_ = 0;                                   ///< times that the rest was asked for
  /// Bytes that the answer may still bring.
  uint64_t allowed_ = UINT64_MAX;
};

}  // namespace perigee::origin
