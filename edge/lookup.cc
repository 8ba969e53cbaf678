#include "edge/lookup.h"

#include <algorithm>
#include <utility>

#include "http/cache_key.h"
#include "http/vary.h"
#include "origin/stored_record.h"

namespace perigee::edge {

using cache_store::Found;

namespace {

http::AcceptedCodings accepted_by(const http::RequestHead& request,
                                  const http::PolicyOptions& policy) {
  const bool ranged = request.method == http::Method::kGet &&
                      request.fields.find(http::FieldName::kRange) != nullptr;
  if (ranged || policy.coding.codings.empty()) return {};
  return http::accepted_codings(request.fields, policy.coding.codings);
}

/// Looks up the object, and the codings that the client likes best; where none of them is there,
/// those that it likes less.
void look_up_coded(std::string_view key, const cache_store::Digest& digest,
                   cache_store::Store& store, Lookup& result) {
  const auto& sets = result.accepted.sets;
  result.looked_for = sets.front().bits();
  result.found = store.lookup(digest, key, result.looked_for);
  for (size_t i = 1; i < sets.size() && !sets[i].empty(); ++i) {
    if (result.found.state != Found::kHit || result.found.coded) return;
    // It is one use of the object, however often it is looked up.
    result.looked_for = sets[i].bits();
    result.found = store.peek(digest, key, result.looked_for);
  }
}

}  // namespace

Lookup look_up(const http::RequestHead& request, const Route& route, cache_store::Store& store) {
  RouteScratch& scratch = route.scratch();
  Lookup result;
  result.key = route.key;
  const bool cached_method =
      request.method == http::Method::kGet || request.method == http::Method::kHead;
  if ((*route.policy)->bypass || !cached_method) return result;
  result.accepted = accepted_by(request, **route.policy);
  look_up_coded(route.key.now(), route.digest, store, result);
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
    look_up_coded(variant, store.digest(variant), store, result);
    result.vary_miss = result.found.state == Found::kMiss;
  }
  // What cannot be used stays in `found`, so that a fill knows what it replaces.
  if (result.found.state == Found::kHit) result.stored = origin::view_of(result.found, store);
  // A 304 may have forbidden it since it was coded.
  const bool codable =
      result.stored && (result.stored->policy.flags & http::ReuseFlag::kCodable) != 0;
  if (!codable) result.found.coded.reset();
  // A soft purge of the URL holds for the variants that were asked for before it.
  if (result.stored && result.found.head->ticket.purge_seq < spec_stale_seq) {
    int64_t& since_ms = result.stored->stale_since_ms;
    since_ms = since_ms == 0 ? spec_stale_ms : std::min(since_ms, spec_stale_ms);
  }
  return result;
}

}  // namespace perigee::edge
