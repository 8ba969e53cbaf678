// Was this request to the origin needed?
//
// A claim is a response that the node must find: whole, storable, and published, since the node had
// nothing left to do after its last byte came; and nothing can have dropped it since. Claims are
// given up in doubt: when the store evicted anything, when another fetch for the same resource was
// in flight, when a purge, an unsafe request or a HEAD passed by. What is left is few enough to be
// sure of and many enough to matter.
#include <algorithm>

#include "base/limits.h"
#include "tests/sim/judge.h"

namespace perigee::sim {

namespace {

constexpr int64_t kHitForMissMs = 31'000;
const std::vector<std::string> kSelecting = {"accept", "accept-language", "cookie", "x-new",
                                             "x-tag"};

/// Both are stored under the same names, and apart.
bool is_other_variant(const OriginExchange& fetch, const OriginExchange& other) {
  if (fetch.status != 200 || other.status != 200 || !other.completed()) return false;
  const StoredModel one(fetch, std::vector<const OriginExchange*>{});
  const StoredModel two(other, std::vector<const OriginExchange*>{});
  return one.vary() == two.vary() && one.why_not_stored().empty() && two.why_not_stored().empty() &&
         !one.selects(other.request);
}

}  // namespace

bool Judge::between(const std::vector<uint64_t>& seqs, uint64_t after, uint64_t before) const {
  const auto it = std::upper_bound(seqs.begin(), seqs.end(), after);
  return it != seqs.end() && *it < before;
}

/// From then on nothing of a fetch is on its way any more.
uint64_t Judge::settled(const OriginExchange& fetch) const {
  const Stamp over = fetch.over();
  if (!over) return UINT64_MAX;
  const auto quiet = std::upper_bound(ledger_.quiet.begin(), ledger_.quiet.end(), over.seq);
  return quiet != ledger_.quiet.end() ? *quiet : UINT64_MAX;
}

bool Judge::store_failed_at(uint64_t seq) const {
  bool failed = false;
  for (const Ledger::Loss& loss : ledger_.losses) {
    if (loss.seq > seq) break;
    failed =
        loss.kind == Ledger::Loss::kFailed || (failed && loss.kind == Ledger::Loss::kForgotten);
  }
  return failed;
}

/// A fetch begins, is whole, and is found from then on.
void Judge::note_fetch(const OriginExchange& fetch, std::vector<Event>& events) const {
  events.push_back({fetch.begun(), Event::kBegun, &fetch});
  const Stamp completed = fetch.completed();
  if (!completed) return;
  events.push_back({completed, Event::kCompleted, &fetch});
  const auto quiet = std::upper_bound(ledger_.quiet.begin(), ledger_.quiet.end(), completed.seq);
  if (quiet == ledger_.quiet.end()) return;
  const bool restarted =
      std::any_of(ledger_.losses.begin(), ledger_.losses.end(),
                  [&](const Ledger::Loss& loss) {
                    return loss.seq > earliest_begin(fetch) && loss.seq <= *quiet;
                  }) ||
      store_failed_at(*quiet);
  const Stamp published{*quiet, completed.tick_ms, completed.wall_ms};
  events.push_back({published, restarted ? Event::kDoubt : Event::kPublished, &fetch});
}

/// All that tells what a resource holds, in order.
std::vector<Judge::Event> Judge::events_of(int resource) const {
  std::vector<Event> events;
  for (const OriginExchange& fetch : ledger_.origin) {
    const bool part = fetch.part || has(fetch.request, "If-Range");
    if (fetch.method == "GET" && fetch.resource == resource && !part) {
      note_fetch(fetch, events);
      continue;
    }
    if (part && fetch.resource == resource && !has(fetch.request, "If-Range")) {
      events.push_back({fetch.begun(), Event::kBegun, &fetch});
    }
    if (fetch.method == "OPTIONS") continue;
    // HEAD may mark stale; an unsafe request may name any target of its place in its answer.
    const bool unsafe = fetch.method != "GET" && fetch.method != "HEAD";
    if (fetch.resource != resource && !(unsafe && ledger_.neighbours(fetch.resource, resource))) {
      continue;
    }
    events.push_back({fetch.begun(), Event::kDoubt});
    if (fetch.head_taken()) events.push_back({fetch.head_taken(), Event::kDoubt});
  }
  for (const ClientExchange& exchange : ledger_.clients) {
    if (exchange.method != "PURGE" || exchange.resource != resource) continue;
    // It may be carried out whenever its turn comes, its client waiting for it or not.
    if (!exchange.written() || !may_purge(exchange)) continue;
    events.push_back({exchange.written(), Event::kPurge, nullptr, &exchange});
    const Stamp over = exchange.status != 0 ? exchange.answered() : exchange.link->node_left;
    if (over) events.push_back({over, Event::kPurged, nullptr, &exchange});
  }
  note_answers(resource, events);
  for (const Ledger::Loss& loss : ledger_.losses) {
    if (loss.kind != Ledger::Loss::kRestart) {
      events.push_back({Stamp{loss.seq, 0, 0}, Event::kDoubt});
    }
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.stamp.seq < b.stamp.seq; });
  return events;
}

void Judge::judge_needs(int resource) {
  std::vector<Claim> claims;
  Stamp doubt;
  int purges = 0;  ///< on their way
  for (const Event& event : events_of(resource)) {
    switch (event.kind) {
      case Event::kBegun:
        judge_need(*event.fetch, claims);
        judge_company(*event.fetch);
        break;
      case Event::kCompleted:
        for (Claim& claim : claims) {
          if (claim.doubted_by < 0) claim.doubted_by = event.fetch->id;
        }
        break;
      case Event::kPublished:
        for (Claim& claim : claims) {
          if (claim.doubted_by == event.fetch->id) claim.doubted_by = -1;
        }
        publish(*event.fetch, event.stamp.seq, doubt, claims);
        if (purges > 0) claims.clear();
        break;
      case Event::kAnswered:
        judge_availability(*event.exchange, claims);
        break;
      case Event::kPurge:
      case Event::kPurged:
        purges += event.kind == Event::kPurge ? 1 : -1;
        doubt = event.stamp;
        for (Claim& claim : claims) claim.soft_purged = true;
        if (!has(event.exchange->fields, "Soft-Purge")) claims.clear();
        break;
      case Event::kDoubt:
        claims.clear();
        doubt = event.stamp;
        break;
    }
  }
}

/// Its place among purges and other fetches was drawn then, or later: it may have waited for a
/// connection before its request left.
uint64_t Judge::earliest_begin(const OriginExchange& fetch) const {
  if (fetch.asked_by < 0) return 0;
  const ClientExchange& asker = ledger_.clients[static_cast<size_t>(fetch.asked_by)];
  return std::min(asker.taken().seq, fetch.begun().seq);
}

/// The origin says that it is gone, of what it once called immutable.
bool Judge::may_be_retained(const OriginExchange& fetch) const {
  if (fetch.status != 404 && fetch.status != 410) return false;
  return std::ranges::any_of(ledger_.origin, [&](const OriginExchange& other) {
    return other.resource == fetch.resource && other.begun().seq < fetch.begun().seq &&
           (other.status == 200 || other.status == 304) &&
           StoredModel(other, std::vector<const OriginExchange*>{}).directives().immutable;
  });
}

/// The claims after a fetch whose outcome is known to be stored by now.
void Judge::publish(const OriginExchange& fetch, uint64_t seq, const Stamp& doubt,
                    std::vector<Claim>& claims) const {
  if (fetch.relayed()) return;
  const uint64_t begun = earliest_begin(fetch);
  // Which of two overlapping fetches asked first is not known; of two variants both are stored.
  const bool in_company =
      std::any_of(ledger_.origin.begin(), ledger_.origin.end(), [&](const OriginExchange& other) {
        return &other != &fetch && other.resource == fetch.resource && other.method == "GET" &&
               other.begun().seq < seq && settled(other) > begun && !is_other_variant(fetch, other);
      });
  if (in_company || begun < doubt.seq) return claims.clear();
  // Whether an error was kept depends on all that its request brought.
  if (fetch.status >= 400 && fetch.status != 404 && fetch.status != 410) return claims.clear();
  std::optional<StoredModel> state;
  if (fetch.status == 304) {
    const auto tags = joined(fetch.request, "If-None-Match");
    const auto known = std::find_if(claims.begin(), claims.end(), [&](const Claim& claim) {
      return claim.state.selects(fetch.request) && first_of(claim.state.fields(), "ETag") == tags;
    });
    const auto tag = first_of(fetch.fields, "ETag");
    // A 304 for another response freshens nothing.
    if (known == claims.end() || (tag && tag != tags)) return;
    state = known->state.freshened_by(fetch);
  } else {
    state.emplace(fetch, std::vector<const OriginExchange*>{});
    // In fragments it may be kept, or not.
    if (fetch.size > options_.most_stored()) return claims.clear();
  }
  if (!state->why_not_stored().empty()) return;
  // What said immutable may be retained in its place, seen in the ledger or not.
  if (may_be_retained(fetch)) return claims.clear();
  // An error that does not say how long it holds leaves what is there (http-rules 2.8).
  if (fetch.status >= 400 && !state->states_lifetime()) return;
  const auto names = state->vary();
  const bool same_names = std::all_of(claims.begin(), claims.end(), [&](const Claim& claim) {
    return claim.state.vary() == names;
  });
  if (!same_names) claims.clear();
  std::erase_if(claims, [&](const Claim& claim) { return claim.state.selects(fetch.request); });
  claims.push_back({*state, seq});
}

/// A request of a client that may pass by what is stored.
bool Judge::may_go_past(const ClientExchange& exchange, uint64_t now) const {
  if (has(exchange.fields, "If-Match") || has(exchange.fields, "If-Unmodified-Since")) return true;
  const bool honours = policy_of(exchange.resource).honour_client_directives;
  if (honours && has(exchange.fields, "Cache-Control")) return true;
  return between(ledger_.wall_steps, exchange.written().seq, now);
}

void Judge::judge_need(const OriginExchange& fetch, const std::vector<Claim>& claims) {
  if (fetch.asked_by < 0) return;
  const ClientExchange& exchange = ledger_.clients[static_cast<size_t>(fetch.asked_by)];
  if (exchange.method != "GET" || may_go_past(exchange, fetch.begun().seq)) return;
  for (const Claim& claim : claims) {
    if (claim.doubted_by >= 0 || claim.since > exchange.written().seq) continue;
    if (!claim.state.selects(exchange.fields)) continue;
    // A lifetime that was guessed may yield to what the client says (http-rules 2.16).
    const bool asks = has(exchange.fields, "Cache-Control") || has(exchange.fields, "Pragma");
    if (asks && !claim.state.states_lifetime()) continue;
    const std::string why = needless(fetch, claim);
    if (why.empty()) continue;
    fail(exchange, "asked the origin (#" + std::to_string(fetch.id) + ") " + why + ", though #" +
                       std::to_string(claim.state.last().id) + " was there");
  }
}

/// What is fresh needs no fetch, and what has a validator no whole one.
std::string Judge::needless(const OriginExchange& fetch, const Claim& claim) const {
  const StoredModel& state = claim.state;
  const int64_t now = fetch.begun().wall_ms;
  const bool fresh = !state.directives().no_cache && !claim.soft_purged &&
                     state.age_ms({now, now}).most < state.lifetime_ms();
  if (fresh) return "for what was fresh";
  const auto tag = first_of(state.fields(), "ETag");
  if (!tag || fetch.relayed() || first_of(fetch.request, "If-None-Match") == tag) return "";
  // A 304 for another response has everything fetched again (RFC 9111 §4.3.4).
  const bool again =
      std::any_of(ledger_.origin.begin(), ledger_.origin.end(), [&](const OriginExchange& earlier) {
        return earlier.asked_by == fetch.asked_by && earlier.status == 304 && earlier.id < fetch.id;
      });
  return again ? "" : "without its validator";
}

void Judge::note_answers(int resource, std::vector<Event>& events) const {
  for (const ClientExchange& exchange : ledger_.clients) {
    const bool safe = exchange.method == "GET" || exchange.method == "HEAD";
    if (!safe || exchange.resource != resource || exchange.status == 0) continue;
    events.push_back({exchange.answered(), Event::kAnswered, nullptr, &exchange});
  }
}

void Judge::judge_availability(const ClientExchange& exchange, const std::vector<Claim>& claims) {
  if (exchange.broken_off || may_go_past(exchange, exchange.answered().seq)) return;
  if (exchange.status == 408 || exchange.status == 417 || exchange.status == 508) return;
  for (const Claim& claim : claims) {
    if (claim.doubted_by >= 0 || claim.since > exchange.written().seq) continue;
    if (!claim.state.selects(exchange.fields)) continue;
    // A lifetime that was guessed may yield to what the client says (http-rules 2.16).
    const bool asks = has(exchange.fields, "Cache-Control") || has(exchange.fields, "Pragma");
    if (asks && !claim.state.states_lifetime()) continue;
    const std::string why = unavailable(exchange, claim);
    if (why.empty()) continue;
    fail(exchange, why + ", #" + std::to_string(claim.state.last().id) +
                       ", was not used: " + std::to_string(exchange.status));
  }
}

/// What should have answered a request, and did not. Empty: nothing.
std::string Judge::unavailable(const ClientExchange& exchange, const Claim& claim) const {
  const Told told = read_cache_status(exchange.response);
  const StoredModel& state = claim.state;
  const int64_t now = exchange.answered().wall_ms;
  const int64_t left = state.lifetime_ms() - state.age_ms({now, now}).most;
  // How long ago a soft purge was is not known.
  const bool usable = !told.hit && !state.directives().no_cache && !claim.soft_purged;
  if (usable && left > 0) return "what was fresh";
  if (usable && state.allows_stale_while_revalidate(-left)) {
    return "what may be stale while it is refreshed";
  }
  if (told.hit || told.detail.starts_with("stale-") || claim.soft_purged) return "";
  const int heard = told.forward_status != 0 ? told.forward_status : exchange.status;
  const bool failed = heard == 500 || (heard >= 502 && heard <= 504);
  if (!failed || exchange.only_if_cached()) return "";
  // What came and is no response is 502 too.
  const bool unreachable = told.forward_status == 0 && exchange.status != 502;
  return state.allows_stale_if_error(std::max<int64_t>(-left, 0), unreachable)
             ? "what covers an origin that fails"
             : "";
}

/// Two fetches for one key in flight at once.
void Judge::judge_company(const OriginExchange& fetch) {
  if (fetch.asked_by < 0 || policy_of(fetch.resource).honour_client_directives) return;
  const ClientExchange& exchange = ledger_.clients[static_cast<size_t>(fetch.asked_by)];
  for (const OriginExchange& other : ledger_.origin) {
    if (other.resource != fetch.resource || other.method != "GET" || other.asked_by < 0 ||
        other.asked_by == fetch.asked_by) {
      continue;
    }
    const uint64_t begun = other.begun().seq;
    if (begun == 0 || begun > exchange.written().seq) continue;
    const Stamp known = other.head_taken() ? other.head_taken() : other.over();
    if (known && known.seq < fetch.begun().seq) continue;
    // A waiter's patience: then one further fetch is tried (http-rules 1.19).
    if (fetch.begun().tick_ms - exchange.written().tick_ms >= base::limits::kWaiterPatienceMs)
      continue;
    if (!may_be_alone(fetch, other)) {
      fail(exchange, "asked the origin (#" + std::to_string(fetch.id) + ") while #" +
                         std::to_string(other.id) + " was being answered");
    }
  }
}

/// Whether there is a reason why `fetch` did not join `other`. In doubt there is.
bool Judge::may_be_alone(const OriginExchange& fetch, const OriginExchange& other) const {
  if (has(fetch.request, "Range") || has(other.request, "Range")) return true;
  const ClientExchange& late = ledger_.clients[static_cast<size_t>(fetch.asked_by)];
  const ClientExchange& early = ledger_.clients[static_cast<size_t>(other.asked_by)];
  if (policy_of(fetch.resource).bypass) return true;
  // What nobody waits for any more is given up, before its connection is seen to end.
  if (early.broken_off) return true;
  for (const ClientExchange* exchange : {&late, &early}) {
    if (exchange->method != "GET" || has(exchange->fields, "If-Match") ||
        has(exchange->fields, "If-Unmodified-Since")) {
      return true;
    }
  }
  // They may select different variants.
  const SitePolicy& policy = policy_of(fetch.resource);
  if (selecting_text(kSelecting, policy, late.fields) !=
      selecting_text(kSelecting, policy, early.fields)) {
    return true;
  }
  const uint64_t now = fetch.begun().seq;
  for (const ClientExchange& exchange : ledger_.clients) {
    const bool safe =
        exchange.method == "GET" || exchange.method == "HEAD" || exchange.method == "OPTIONS";
    const bool elsewhere = !ledger_.neighbours(exchange.resource, fetch.resource);
    if (safe || elsewhere || exchange.written().seq == 0 || exchange.written().seq > now) continue;
    // A purge, or an invalidation, in between.
    if (exchange.status == 0 || exchange.answered().seq > other.begun().seq) return true;
  }
  for (const Ledger::Loss& loss : ledger_.losses) {
    if (loss.seq > other.begun().seq && loss.seq < now) return true;
  }
  for (const OriginExchange& third : ledger_.origin) {
    if (third.resource != fetch.resource || third.begun().seq > now) continue;
    if (&third == &fetch || &third == &other) continue;
    // A response that could not be shared released its waiters, or is remembered as such.
    const Stamp head = third.head_taken();
    if (head && other.begun().tick_ms - head.tick_ms < kHitForMissMs) return true;
    if (!third.over() || third.over().seq > early.written().seq) return true;
  }
  return false;
}

}  // namespace perigee::sim
