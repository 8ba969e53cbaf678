#include "edge/lookup.h"

#include <algorithm>
#include <utility>

#include "http/cache_key.h"
#include "http/vary.h"
#include "origin/stored_record.h"

namespace perigee::edge {

using cache_store::Found;

Lookup look_up(const http::RequestHead& request, const Route& route, cache_store::Store& store) {
  RouteScratch& scratch = route.scratch();
  Lookup result;
  result.key = route.key;
  const bool cached_method =
      request.method == http::Method::kGet || request.method == http::Method::kHead;
  if ((*route.policy)->bypass || !cached_method) return result;
  result.found = store.lookup(route.digest, route.key.now(), 0);
  int64_t spec_stale_ms = 0;
  uint64_t spec_stale_seq = 0;
  if (result.found.state == Found::kVary) {
    cache_store::RecordView& spec = *result.found.vary;
    result.vary_spec = {reinterpret_cast<const char*>(spec.body.data()), spec.body.size()};
    result.vary_pin = std::move(spec.pin);
    const uint64_t spec_rid = spec.rid;
    spec_stale_ms = spec.stale_since_ms;
    spec_stale_seq = spec.stale_seq;
    result.found = {};
    if (!http::decode_vary_spec(result.vary_spec, scratch.vary)) {
      result.vary_spec = {};
      return result;
    }
    scratch.selected.clear();
    const http::HeaderList selecting =
        scratch.selecting.of(request.fields, **route.policy, scratch.vary.names);
    http::append_selected(scratch.vary, selecting, scratch.selected);
    result.key = TurnText(
        http::make_variant_key(route.key.now(), spec_rid, scratch.selected, scratch.variant_key));
    const std::string_view variant = result.key.now();
    result.found = store.lookup(store.digest(variant), variant, 0);
    result.vary_miss = result.found.state == Found::kMiss;
  }
  // What cannot be used stays in `found`, so that a fill knows what it replaces.
  if (result.found.state == Found::kHit) result.stored = origin::view_of(result.found, store);
  // A soft purge of the URL holds for the variants that were asked for before it.
  if (result.stored && result.found.head->ticket.purge_seq < spec_stale_seq) {
    int64_t& since_ms = result.stored->stale_since_ms;
    since_ms = since_ms == 0 ? spec_stale_ms : std::min(since_ms, spec_stale_ms);
  }
  return result;
}

}  // namespace perigee::edge
