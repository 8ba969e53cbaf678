#include "edge/lookup.h"

#include <algorithm>
#include <array>
#include <utility>

#include "http/cache_control.h"
#include "http/cache_key.h"
#include "http/vary.h"
#include "origin/coded_record.h"
#include "origin/stored_record.h"

namespace perigee::edge {

using cache_store::Found;

namespace {

/// A range is one of what the origin sent, and so is what a client wants that says no-transform.
bool may_be_coded(const http::RequestHead& request, const http::PolicyOptions& policy) {
  const bool ranged = request.method == http::Method::kGet &&
                      request.fields.find(http::FieldName::kRange) != nullptr;
  return !ranged && !policy.coding.codings.empty() && !http::asks_no_transform(request.fields);
}

/// The object is stored as the origin coded it, in one of these codings.
bool is_sent_in(const cache_store::RecordView& object, const http::CodingSet& set) {
  const http::Coding sent = http::sent_coding(object.policy.flags);
  return sent != http::Coding::kIdentity && set.has(sent);
}

/// Of what has a coding: that needs a closer look, since it may lie in fragments.
bool needs_closer_look(const Found& found) {
  return found.head->kind == cache_store::RecordKind::kHead ||
         origin::lies_in_fragments(*found.coded);
}

cache_store::SlotMask slot_mask(http::Coding coding) {
  return static_cast<cache_store::SlotMask>(1u << origin::slot_of(coding));
}

bool is_shell(const Found& found) {
  return found.head && found.head->kind == cache_store::RecordKind::kShell;
}

/// Looks an object up in the form that a client likes best.
class Search {
 public:
  Search(cache_store::Store& store, const cache_store::Digest& digest, std::string_view key,
         Lookup& out)
      : store_(store), digest_(digest), key_(key), found_(out.found), decodes_(out.decodes) {}

  /// Null: what the origin sent is wanted.
  void run(const http::AcceptedCodings* accepted);

 private:
  /// False: there is nothing to choose among. `counted`: it is a use of the object.
  bool look(cache_store::SlotMask codings, bool counted) {
    found_ = counted ? store_.lookup(digest_, key_, codings) : store_.peek(digest_, key_, codings);
    return found_.state == Found::kHit;
  }
  void choose(const http::AcceptedCodings& accepted);
  void choose_of_long(http::CodingSet set);
  void keep_allowed();

  cache_store::Store& store_;
  const cache_store::Digest digest_;
  const std::string_view key_;
  Found& found_;
  bool& decodes_;
};

void Search::run(const http::AcceptedCodings* accepted) {
  if (accepted != nullptr) {
    choose(*accepted);
  } else {
    look(0, true);
  }
  // Of a shell of which nothing was chosen: what its identity can be decoded from.
  if (found_.state == Found::kHit && is_shell(found_) && !found_.coded) {
    look(http::CodingSet::all().bits(), false);
    decodes_ = true;
  }
  keep_allowed();
}

/// Of the first set of which something is there, the shortest; else the identity.
void Search::choose(const http::AcceptedCodings& accepted) {
  const auto& sets = accepted.sets;
  for (size_t i = 0; i < sets.size() && (i == 0 || !sets[i].empty()); ++i) {
    // It is one use, however often it is looked up.
    if (!look(sets[i].bits(), i == 0)) return;
    if (found_.coded && needs_closer_look(found_)) choose_of_long(sets[i]);
    if (found_.state != Found::kHit) return;
    if (is_sent_in(*found_.head, sets[i])) {
      const bool longer = found_.coded && found_.coded->whole_length >= found_.head->whole_length;
      if (longer) found_.coded.reset();
      return;
    }
    if (found_.coded) return;
  }
  if (http::sent_coding(found_.head->policy.flags) == http::Coding::kIdentity) return;
  look(slot_mask(http::Coding::kIdentity), false);
  if (found_.coded && !origin::is_there(store_, *found_.coded)) found_.coded.reset();
}

/// The store tells the shortest record; a coding that lies in fragments may be longer than one that
/// does not, and may miss some.
void Search::choose_of_long(http::CodingSet set) {
  constexpr uint64_t kNone = UINT64_MAX;
  std::array<uint64_t, http::kMadeCodings.size()> lengths;
  lengths.fill(kNone);
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (!set.has(http::kMadeCodings[i])) continue;
    Found each = store_.peek(digest_, key_, slot_mask(http::kMadeCodings[i]));
    if (each.state != Found::kHit) {
      // Cold, or gone meanwhile.
      found_ = std::move(each);
      return;
    }
    if (each.coded) lengths[i] = each.coded->whole_length;
  }
  for (;;) {
    const auto least = std::min_element(lengths.begin(), lengths.end());
    if (*least == kNone) return found_.coded.reset();
    const http::Coding coding = http::kMadeCodings[static_cast<size_t>(least - lengths.begin())];
    *least = kNone;
    const bool at_hand = found_.coded && found_.coded->slot == origin::slot_of(coding);
    // The use counts for this coding. For the head it counts twice, which does no harm.
    if (!at_hand && !look(slot_mask(coding), true)) return;
    if (found_.coded && origin::is_there(store_, *found_.coded)) return;
  }
}

/// A 304 may have forbidden coding since it was done.
void Search::keep_allowed() {
  if (!found_.coded || (found_.head->policy.flags & http::ReuseFlag::kCodable) != 0) return;
  if (is_shell(found_)) {
    decodes_ = true;
  } else {
    found_.coded.reset();
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
  const bool chosen = may_be_coded(request, **route.policy);
  if (chosen) {
    result.accepted = http::accepted_codings(request.fields, (*route.policy)->coding.codings);
  }
  const http::AcceptedCodings* accepted = chosen ? &result.accepted : nullptr;
  Search(store, route.digest, route.key.now(), result).run(accepted);
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
    Search(store, store.digest(variant), variant, result).run(accepted);
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
