// A request that waits: what it keeps from one turn to the next, and the stories that it may be in.
//
// Made in the exchange's arena when a request blocks, destroyed when the exchange ends. What it
// waits for calls its story back on the loop, and it goes through RequestFlow::proceed() again or
// is answered. After an answer nothing of it is touched: the exchange may have ended inside.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "edge/completed.h"
#include "edge/filled.h"
#include "edge/lookup.h"
#include "edge/purged.h"
#include "edge/relayed.h"
#include "edge/route.h"
#include "edge/served.h"
#include "http/policy.h"
#include "http/stand_in.h"
#include "origin/decoded_body.h"
#include "origin/fetch.h"
#include "origin/fragment_body.h"
#include "origin/missing_fragments.h"

namespace perigee::edge {

class RequestFlow;

class Waiting final : public Served, public origin::RequestMaker {
 public:
  /// What it waits for.
  enum class Stage : uint8_t {
    kNew,
    kWarming,
    kFilling,
    kRelaying,
    kInvalidating,
    kPurging,
    kAnswered
  };
  static constexpr size_t kStages = 7;
  /// Cold rounds and races after which a request goes alone.
  static constexpr int kAttempts = 4;

  Waiting(RequestFlow& owner, http::Exchange& its_exchange, KeptRoute its_route)
      : flow(owner),
        exchange(its_exchange),
        route(std::move(its_route)),
        presentation(edge::presentation(route.site(), **route.policy, exchange.request())) {}

  /// From one stage to the next; CHECKs that it may follow.
  void enter(Stage next);
  Stage stage() const { return stage_; }
  /// What was decided, which the log tells even of a client that leaves before its answer.
  void decide(const http::Decision& made);
  /// Looks up and decides again.
  void go_on();
  /// Has a cold record that `lookup` found verified on the pool, and calls `then` on the loop,
  /// unless another stage has begun by then. False: it was tried too often, or the pool is full.
  bool verify(const Lookup& lookup, base::Fn<void()> then);
  /// What is stored for it is cold by now, since its pages left memory while it waited: has it
  /// verified, as above. False: it is not cold, or cannot be verified.
  bool verify_first(base::Fn<void()> then);

  /// Answers from a stale copy instead of what the origin said or did not say; `cache` says why the
  /// request went forward and what came of it. kNone: no copy is there. kForbidden: one is, and
  /// must not be used.
  enum class Stale : uint8_t { kServed, kNone, kForbidden };
  Stale serve_stale(http::OriginFailure failure, const http::CacheStatus& cache);
  /// Answers a HEAD from what is stored, if that stands in for what the origin said
  /// (http/stand_in.h). False: it does not.
  bool serve_instead(const http::OriginAnswer& answer, const http::CacheStatus& cache);
  /// No usable response came: a stale copy answers, or an error page.
  void on_origin_failed(const origin::FetchError& error, const http::CacheStatus& cache);

  /// RequestMaker: for what is missing of the stored object that answers it.
  bool make_request(origin::FillRequest& out) override;
  /// What is missing of the stored object that answers it: `record`, which holds `response`. Null:
  /// the origin cannot be asked for it.
  origin::MissingFragments* missing_of(const cache_store::RecordView& record,
                                       const http::StoredResponse& response);

  /// The body of an answer: `span` of the body of `record`, which is of the object `response`. Its
  /// Pin is given away, but for that of a kHead.
  http::SpanSource& read(cache_store::RecordView& record, const http::StoredResponse& response,
                         const http::ByteSpan& span);
  /// The body of an answer: `span` of an object of `size` bytes of which `coded` is a coding, which
  /// gives its Pin away.
  http::SpanSource& decode(cache_store::RecordView& coded, uint64_t size,
                           const http::ByteSpan& span);
  /// The body of an answer of our own.
  http::BodySource& keep_text(std::string_view text) { return text_.emplace(text); }
  /// The body of an answer: `source`, which stands at the one span selected, or its parts in a
  /// frame.
  http::BodySource* selected(http::SpanSource& source, const http::StoredResponse& response,
                             const http::Selection& part, uint64_t body_size);

  RequestFlow& flow;
  http::Exchange& exchange;
  const KeptRoute route;
  const http::Presentation presentation;
  int attempts = 0;
  origin::JoinMode mode = origin::JoinMode::kShared;
  http::Decision decision;
  /// Set when something was fetched for it, and its answer is read from the store nevertheless.
  std::optional<http::CacheStatus> fetched;
  /// Of the response that was fetched, as in Ticket; 0: only parts of a body were.
  uint64_t fetched_seq = 0;

  std::optional<Filled> filled;
  std::optional<Completed> completed;
  std::optional<Relayed> relayed;
  std::optional<Purged> purged;
  std::optional<origin::MissingFragments> missing;
  /// Of a stored response that answers it: one of them.
  std::optional<origin::StoredBody> body;
  std::optional<origin::FragmentBody> fragments;
  std::optional<origin::DecodedBody> decoded;

 private:
  class VerifyJob;
  /// No usable response came.
  struct Failure {
    origin::FetchError error;
    http::CacheStatus cache;
  };
  void answer_failure(const Failure& failure);

  Stage stage_ = Stage::kNew;
  base::Pending verifying_;
  base::Fn<void()> then_;           ///< when what is stored was verified
  std::optional<Failure> failure_;  ///< that waits for it
  std::optional<TextBody> text_;
  std::optional<http::MultipartBody> multipart_;
};

}  // namespace perigee::edge
