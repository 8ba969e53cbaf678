// A request that waits: for a cold record, a fill, an origin or the journal.
//
// Made in the exchange's arena when a request blocks, destroyed when the exchange ends. What it
// waits for calls it back on the loop, and it goes through RequestFlow::proceed() again or answers.
// After respond() nothing of it is touched: the exchange may have ended inside.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "edge/request_flow.h"
#include "edge/waiting.h"
#include "origin/fetch.h"
#include "origin/fill_reader.h"
#include "origin/fills.h"

namespace perigee::edge {

class Flow final : public Waiting, public origin::FillWaiter, public origin::FetchUser {
 public:
  /// Cold rounds and races after which a request goes alone.
  static constexpr int kAttempts = 4;

  Flow(RequestFlow& parent, http::Exchange& exchange, LoopSitesPtr began_under, LoopSite& of)
      : sites(std::move(began_under)),
        site(of),
        presentation(edge::presentation(of.config())),
        parent_(parent),
        context_(parent.context()),
        answers_(parent.answers()),
        exchange_(exchange) {}

  // FillWaiter
  const http::RequestHead& fill_head() const override { return exchange_.request(); }
  void on_fill_interim(const http::ResponseHead& interim) override { exchange_.inform(interim); }
  void on_fill_head(std::shared_ptr<origin::Fill> fill, bool own) override;
  void on_fill_stored() override;
  void on_fill_released() override;
  void on_fill_failed(const origin::FetchError& error) override;

  // FetchUser
  void on_fetch_interim(const http::ReceivedResponse& interim) override;
  void on_fetch_head(const http::ReceivedResponse& received,
                     const http::ResponseTimes& times) override;
  void on_fetch_failed(const origin::FetchError& error) override;

  /// What was decided, which the log tells even of a client that leaves before its answer.
  void decide(const http::Decision& made) {
    decision = made;
    ending.cache.forward = made.forward;
  }
  /// Waits for the head of a fill for at most so long, if a stale copy may answer instead.
  void cover_when_slow(int64_t budget_ms);
  /// The record was verified, or could not be.
  void on_warmed();
  /// The journal holds the purge, or not.
  void on_purged(const base::Status& status);
  /// The same of what an unsafe request made invalid.
  void on_invalidated(const base::Status& status);

  /// The body of an answer: `source`, which stands at the one span selected, or its parts in a
  /// frame.
  http::BodySource* selected(http::SpanSource& source, const http::StoredResponse& response,
                             const http::Selection& part, uint64_t body_size);

  const LoopSitesPtr sites;  ///< that the request began under
  LoopSite& site;            ///< of `sites`
  const http::Presentation presentation;
  int attempts = 0;
  origin::JoinMode mode = origin::JoinMode::kShared;
  bool hit_for_miss = false;  ///< alone, since what this key gave before could not be shared
  http::Decision decision;
  bool shared = false;           ///< a relayed request that any client could have sent
  cache_store::Awaited awaited;  ///< what such a request may freshen
  cache_store::Ticket ticket;    ///< taken before that request left
  base::Pending pending;
  std::unique_ptr<origin::Fetch> fetch;
  std::vector<std::byte> image;  ///< the head of a relayed response
  std::optional<origin::FillReader> reader;
  std::optional<PinnedBody> pinned;
  std::optional<http::MultipartBody> multipart;
  cache_store::PurgeResult purge;

 private:
  /// Why the fill is there, as Cache-Status tells it.
  http::CacheStatus forwarded() const;
  void on_slow();
  /// Answers from a stale copy instead of what the origin said or did not say. False: it cannot;
  /// `forbidden_` says whether a copy is there that must not be used.
  bool serve_stale(http::OriginFailure failure, const http::CacheStatus& cache);
  /// Removes what an unsafe request's success makes invalid. True: the answer waits until the
  /// journal says so too, lest kill -9 bring it back; then answer_relayed() goes on.
  bool invalidate(const Route& route);
  void answer_relayed();
  void note_head_response(const http::ReceivedResponse& head, const http::ResponseTimes& times,
                          const Route& route);

  /// What is known of a relayed response besides its head image.
  struct Relayed {
    base::ReuseFacts policy;
    std::optional<uint64_t> content_length;
    bool has_body = false;
  };

  RequestFlow& parent_;
  const FlowContext& context_;
  Answers& answers_;
  http::Exchange& exchange_;
  Relayed relayed_;
  std::shared_ptr<origin::Fill> fill_;
  base::Timer slow_timer_{[this] { on_slow(); }};
  bool forbidden_ = false;
};

}  // namespace perigee::edge
