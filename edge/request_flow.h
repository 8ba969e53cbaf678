// One request, from its head to its answer: look up, decide, do what was decided.
//
// The file to read first. Each step returns a value to act(), which holds the only switch over a
// Decision. A hit is answered inside on_request() without state of its own; whatever must wait
// becomes a Waiting in the exchange's arena, which goes through proceed() again when it is woken.
// It knows exchanges, the store and origins; never channels, codecs or connections. One loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "edge/answers.h"
#include "edge/flow_context.h"
#include "edge/lookup.h"
#include "edge/route.h"
#include "http/exchange/exchange.h"
#include "http/policy.h"
#include "http/response.h"

namespace perigee::edge {

class Waiting;

/// A request on its way through the flow, in one turn of the loop.
struct Pass {
  http::Exchange& exchange;
  const Route& route;
  Waiting* waiting = nullptr;  ///< null: it has not waited so far
};

class RequestFlow final : public http::RequestSink {
 public:
  explicit RequestFlow(const FlowContext& context) : context_(context), answers_(context) {}

  void on_request(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_sent(http::Exchange& exchange, uint64_t body_bytes, bool whole) override;
  void on_refused(const base::Peer& peer, std::string_view why, http::Arena& arena,
                  http::ResponseHead& answer) override;

  // For requests that wait.
  /// Looks up and decides again.
  void proceed(Waiting& waiting);
  /// Answers with what `lookup` found.
  void serve(Pass& pass, Lookup& lookup, int64_t age_s, const http::CacheStatus& cache);
  /// The first fragment that an answer from what `lookup` found needs and the store does not have,
  /// unless the origin has confirmed that it has this object still.
  std::optional<uint64_t> first_to_ask(const Pass& pass, const Lookup& lookup,
                                       const http::Selection& part) const;
  /// Has that fragment fetched, and looks up again when it is on its way.
  void complete(Pass& pass, Lookup& lookup, uint64_t number);
  const FlowContext& context() const { return context_; }
  Answers& answers() { return answers_; }
  RouteScratch& scratch() { return scratch_; }

 private:
  /// Looks up and decides.
  void proceed(Pass& pass);
  /// Decides over what is stored and does it: the only switch over a Decision.
  void act(Pass& pass, Lookup& lookup);
  /// True: it was ours to answer (421, PURGE, OPTIONS *, 508), and is.
  bool answer_ourselves(Pass& pass);
  /// Decides as if nothing were stored, and shares no fetch.
  void act_alone(Pass& pass, const Lookup& lookup);
  /// Has a cold record verified on the pool, or goes on as if it were not there.
  void warm(Pass& pass, const Lookup& lookup);
  void fill(Pass& pass, Lookup& lookup, const http::Decision& decision);
  void refresh_behind(const Pass& pass);
  void relay(Pass& pass, const http::Decision& decision);
  void purge(Pass& pass);
  /// From here on the request waits. False: there is no memory for it.
  bool block(Pass& pass);

  const FlowContext& context_;
  Answers answers_;
  RouteScratch scratch_;
};

}  // namespace perigee::edge
