// One request, from its head to its answer: look up, decide, do what was decided.
//
// The file to read first. Each step returns a value to act(), which holds the only switch over a
// Decision. A hit is answered inside on_request() without state of its own; whatever must wait
// becomes a Flow in the exchange's arena, which goes through proceed() again when it is woken. It
// knows exchanges, the store and origins; never channels, codecs or connections. One loop.
#pragma once

#include <optional>
#include <string_view>

#include "edge/flow_context.h"
#include "edge/route.h"
#include "edge/served.h"
#include "http/exchange/exchange.h"
#include "http/policy.h"
#include "http/vary.h"

namespace perigee::edge {

class Flow;

class RequestFlow final : public http::RequestSink {
 public:
  explicit RequestFlow(const FlowContext& context) : context_(context) {}

  void on_request(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_sent(http::Exchange& exchange, uint64_t body_bytes, bool whole) override;
  void on_refused(const base::Peer& peer, std::string_view why, http::Arena& arena,
                  http::ResponseHead& answer) override;

 private:
  friend class Flow;

  /// What the store has for a request.
  struct Lookup {
    cache_store::Found found;
    std::optional<http::StoredResponse> stored;
    bool vary_miss = false;
    TurnText key;                ///< of the URL or of the variant
    std::string_view vary_spec;  ///< encoded; valid while `vary_pin` is held
    cache_store::Pin vary_pin;
  };

  /// `flow`: the request has waited before.
  void proceed(http::Exchange& exchange, Flow* flow);
  /// Decides over what is stored and does it: the only switch over a Decision.
  void act(http::Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup);
  /// True: it was ours to answer (421, PURGE, OPTIONS *, 508), and is.
  bool answer_ourselves(http::Exchange& exchange, const Route& route);
  Lookup look_up(const http::RequestHead& request, const Route& route);
  void serve(http::Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup,
             int64_t age_s, const http::CacheStatus& cache);
  void warm(http::Exchange& exchange, Flow* flow, const Route& route, const Lookup& lookup);
  void fill(http::Exchange& exchange, Flow* flow, const Route& route, Lookup& lookup,
            const http::Decision& decision);
  void refresh_behind(http::Exchange& exchange, const Route& route);
  void relay(http::Exchange& exchange, Flow* flow, const Route& route,
             const http::Decision& decision);
  void purge(http::Exchange& exchange, const Route& route);
  /// The client behind the proxies that `sites` trust.
  base::Address client_of(const http::Exchange& exchange, const LoopSites& sites) const;
  /// Instead of the origin's answer; `cache` says why the request went forward and what came of it.
  /// False: not from the cache; `forbidden`: a copy is there and must not be used.
  bool serve_stale(http::Exchange& exchange, Flow& flow, http::OriginFailure failure,
                   http::CacheStatus cache, bool& forbidden);
  /// The flow of an exchange that must wait, of a site; null when there is no memory for it.
  Flow* block(http::Exchange& exchange, Flow* flow, const Route& route);
  /// The sites that a request belongs to: those under which it began.
  const LoopSitesPtr& sites_of(const Flow* flow) const;
  bool make_fill_request(const http::RequestHead& request, const Route& route, Lookup& lookup,
                         origin::FillRequest& out);
  void fail(http::Exchange& exchange, Flow* flow, uint16_t status, std::string_view why,
            const http::CacheStatus& cache);
  /// An answer of our own that is no error: Date and Cache-Status are added.
  void answer(http::Exchange& exchange, Flow* flow, http::ResponseHead head, std::string_view text);
  void send_text(http::Exchange& exchange, Flow* flow, const http::ResponseHead& head,
                 std::string_view text, const http::CacheStatus& cache);
  void respond(http::Exchange& exchange, const http::ResponseHead& head, http::BodySource* body,
               const http::CacheStatus& cache);
  void end(http::Exchange& exchange, uint64_t body_bytes, bool whole);

  const FlowContext& context_;
  RouteScratch scratch_;
  http::VarySpec vary_scratch_;
};

}  // namespace perigee::edge
