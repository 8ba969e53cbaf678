#include "edge/origin_request.h"

#include <memory>
#include <span>
#include <utility>

#include "edge/client_address.h"
#include "http/forward.h"
#include "http/vary.h"

namespace perigee::edge {

using http::RequestHead;

namespace {

/// The names of an encoded spec (empty: none), copied. False: the arena is full.
bool copy_vary_names(std::string_view spec, http::VarySpec& scratch, http::Arena& arena,
                     http::VaryNames& out) {
  if (spec.empty() || !http::decode_vary_spec(spec, scratch)) return true;
  const auto names = arena.alloc_span<std::string_view>(scratch.names.size());
  if (names.size() < scratch.names.size()) return false;
  for (size_t i = 0; i < names.size(); ++i) {
    names[i] = arena.copy(scratch.names[i]);
    if (names[i].data() == nullptr) return false;
  }
  out = names;
  return true;
}

/// For all that may be forwarded. Empty: the arena is full.
std::span<http::Field> room_for_fields(const RequestHead& request, http::Arena& arena) {
  return arena.alloc_span<http::Field>(request.fields.size() + http::kForwardedFields);
}

}  // namespace

base::Address client_of(const http::Exchange& exchange, const LoopSites& sites) {
  return client_address(exchange.request(), exchange.peer().remote,
                        sites.snapshot().trusted_proxies());
}

bool make_fill_request(const RequestHead& request, const Route& route, cache_store::Store& store,
                       Lookup& lookup, origin::FillRequest& out) {
  out.key = route.key.copy();
  out.base = route.digest;
  out.varies = !lookup.vary_spec.empty();
  out.join = out.varies ? store.digest(lookup.key.now()) : route.digest;
  out.join_key = out.varies ? lookup.key.copy() : out.key;
  out.target = route.target.copy();
  out.host = route.host.copy();
  out.policy = *route.policy;
  out.site = std::shared_ptr<origin::FillSite>(route.sites, route.loop_site);
  out.stored = std::move(lookup.found);
  out.arena = std::make_unique<http::Arena>();
  if (!http::copy_head(request, out.head, *out.arena)) return false;
  // What is fetched and stored is the GET's answer, also when a HEAD met a copy to refresh.
  out.head.method = http::Method::kGet;
  out.head.method_text = "GET";
  out.fields = http::HeaderList(room_for_fields(request, *out.arena));
  if (!copy_vary_names(lookup.vary_spec, route.scratch().vary, *out.arena, out.sent_for))
    return false;
  const http::ForwardOptions options{.site_name = route.site_name.copy_to(*out.arena),
                                     .scheme = request.scheme,
                                     .cdn_id = route.site->cdn_id,
                                     .accept_encoding = route.site->accept_encoding,
                                     .client_address = {},
                                     .vary_names = out.sent_for,
                                     .shared = true};
  return http::forwarded_fields(out.head, options, *out.policy, *out.arena, out.fields);
}

bool make_relay_request(http::Exchange& exchange, const KeptRoute& route, const Lookup* shared,
                        origin::FetchRequest& out) {
  http::Arena& arena = exchange.arena();
  const RequestHead& head = exchange.request();
  out.method = head.method;
  out.method_text = head.method_text;
  out.target = route.target;
  out.host = route.host;
  out.fields = http::HeaderList(room_for_fields(head, arena));
  out.body = exchange.request_body();
  out.times = (*route.policy)->times;
  out.relayed = true;
  out.client = client_network(client_of(exchange, *route.sites));
  // By the same rule as the variant that the answer is compared with.
  http::VaryNames vary_names;
  http::VarySpec scratch;
  if (shared != nullptr && !copy_vary_names(shared->vary_spec, scratch, arena, vary_names)) {
    return false;
  }
  const SiteConfig& site = route.site();
  const base::Address& peer = exchange.peer().remote;
  const http::ForwardOptions options{
      .site_name = route.site_name,
      .scheme = head.scheme,
      .cdn_id = site.cdn_id,
      .accept_encoding = shared != nullptr ? std::string_view(site.accept_encoding) : "",
      .client_address = arena.copy(peer.host_text()),
      .extends_chain = contains(route.sites->snapshot().trusted_proxies(), peer),
      .vary_names = vary_names,
      .shared = shared != nullptr};
  return http::forwarded_fields(head, options, **route.policy, arena, out.fields);
}

}  // namespace perigee::edge
