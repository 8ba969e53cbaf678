// One request, from its head to its answer: look up, decide, do what was decided.
//
// The file to read first. Each step returns a value to act(), which holds the only switch over a
// Decision. A hit is answered inside on_request() without state of its own; whatever must wait
// becomes a Flow in the exchange's arena, which goes through proceed() again when it is woken. It
// knows exchanges, the store and origins; never channels, codecs or connections. One loop.
#pragma once

#include <string_view>

#include "edge/answers.h"
#include "edge/flow_context.h"
#include "edge/lookup.h"
#include "edge/route.h"
#include "http/exchange/exchange.h"
#include "http/policy.h"

namespace perigee::edge {

class Flow;

class RequestFlow final : public http::RequestSink {
 public:
  explicit RequestFlow(const FlowContext& context) : context_(context), answers_(context) {}

  void on_request(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_sent(http::Exchange& exchange, uint64_t body_bytes, bool whole) override;
  void on_refused(const base::Peer& peer, std::string_view why, http::Arena& arena,
                  http::ResponseHead& answer) override;

  // For requests that waited.
  /// Looks up and decides. `flow`: the request has waited before; null: it is new.
  void proceed(http::Exchange& exchange, Flow* flow);
  /// Instead of the origin's answer; `cache` says why the request went forward and what came of it.
  /// False: not from the cache; `forbidden`: a copy is there and must not be used.
  bool serve_stale(http::Exchange& exchange, Flow& flow, http::OriginFailure failure,
                   http::CacheStatus cache, bool& forbidden);
  const FlowContext& context() const { return context_; }
  Answers& answers() { return answers_; }
  RouteScratch& scratch() { return scratch_; }

 private:
  /// Decides over what is stored and does it: the only switch over a Decision.
  void act(http::Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup);
  /// True: it was ours to answer (421, PURGE, OPTIONS *, 508), and is.
  bool answer_ourselves(http::Exchange& exchange, const Route& route);
  void serve(http::Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup,
             int64_t age_s, const http::CacheStatus& cache);
  void warm(http::Exchange& exchange, Flow* flow, const Route& route, const Lookup& lookup);
  void fill(http::Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup,
            const http::Decision& decision);
  void refresh_behind(http::Exchange& exchange, const Route& route);
  void relay(http::Exchange& exchange, Flow* flow, const Route& route,
             const http::Decision& decision);
  void purge(http::Exchange& exchange, const Route& route);
  /// The flow of an exchange that must wait, of a site; null when there is no memory for it.
  Flow* block(http::Exchange& exchange, Flow* flow, const Route& route);
  /// The sites that a request belongs to: those under which it began.
  const LoopSitesPtr& sites_of(const Flow* flow) const;

  const FlowContext& context_;
  Answers answers_;
  RouteScratch scratch_;
};

}  // namespace perigee::edge
