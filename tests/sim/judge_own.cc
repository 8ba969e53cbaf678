// Was this answer of the node's own due? An error needs a reason that can be named: what the origin
// did, a bound that was met, a node that was told to stop.
#include <algorithm>

#include "base/limits.h"
#include "tests/sim/judge.h"

namespace perigee::sim {

namespace {

namespace limits = base::limits;

/// What an origin did to an earlier request for the same is felt by whoever joined it.
constexpr int64_t kJoinedMs = limits::kOriginHeadMs;

bool is_safe(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

}  // namespace

/// Something was at hand for which what the request requires does not hold.
bool Judge::fails_its_condition(const Case& asked) const {
  const ClientExchange& exchange = asked.exchange;
  return std::any_of(
      ledger_.origin.begin(), ledger_.origin.end(), [&](const OriginExchange& heard) {
        const Stamp known = heard.head_taken();
        if (heard.resource != exchange.resource || heard.method != "GET" || !known) return false;
        const StoredModel state(heard, std::vector<const OriginExchange*>{});
        // What is not stored is at hand for the request that it was fetched for.
        const bool at_hand = state.why_not_stored().empty() || heard.asked_by == exchange.id;
        return known.seq < exchange.answered().seq && at_hand &&
               state.answers_to(exchange, heard.size) == std::vector<int>{412};
      });
}

/// It went through this tier before (RFC 8586).
bool Judge::is_loop(const ClientExchange& exchange) const {
  const std::string& own = site_of(exchange.resource).cdn_id;
  const auto hops = members(joined(exchange.fields, "CDN-Loop").value_or(""));
  return std::any_of(hops.begin(), hops.end(), [&](const std::string& hop) {
    return same_name(trim(hop.substr(0, hop.find(';'))), own);
  });
}

/// The peer is a proxy that is believed, or it is the client itself.
bool Judge::may_purge(const ClientExchange& exchange) const {
  const auto told = joined(exchange.fields, "X-Forwarded-For");
  if (!options_.trusted || !told) return site_of(exchange.resource).peer_may_purge;
  // The rightmost that is not the proxy itself. Nobody knows whom a word means.
  std::vector<std::string> hops = members(*told);
  while (hops.size() > 1 && hops.back() == kPeerAddress) hops.pop_back();
  return !hops.empty() && hops.back().starts_with(kPurgersPrefix);
}

void Judge::judge_purge(const ClientExchange& exchange) {
  const int status = exchange.status;
  const bool permitted = may_purge(exchange);
  if (permitted == (status == 403)) {
    return fail(exchange, permitted ? "a purge that is refused" : "a stranger's purge");
  }
  const bool journal_failed = options_.disk_errors > 0 || options_.full_lanes != 0;
  if (status == 200 || status == 403 || (status == 503 && journal_failed)) return;
  if (status == 503 && !why_it_failed(exchange).empty()) return;
  fail(exchange, "a purge is answered with " + std::to_string(status));
}

/// Errors and answers of the node's own.
void Judge::judge_own_answer(const Case& asked) {
  const ClientExchange& exchange = asked.exchange;
  const int status = exchange.status;
  const bool nobodys = ledger_.resource(exchange.resource).site < 0;
  // Too slow to be asked for anything.
  const bool unread = nobodys && status == 408 && !why_it_failed(exchange).empty();
  if (nobodys != (status == 421) && !unread) {
    return fail(exchange, nobodys ? "answered, though no site has this name" : "misdirected");
  }
  if (nobodys || exchange.broken_off || status == 417) return;
  if (exchange.method == "PURGE") return judge_purge(exchange);
  if (exchange.method == "OPTIONS" && exchange.own_options != (status == 204)) {
    return fail(exchange, exchange.own_options ? "not answered by the node itself"
                                               : "answered, though it was to go on");
  }
  if (exchange.own_options) return;
  // A 304 to its own conditions, or an answer to its own HEAD, relayed.
  const Chain chain = chain_of(exchange.response);
  if (chain.size() == 1) {
    const OriginExchange& heard = ledger_.origin[static_cast<size_t>(chain.back())];
    const bool own = heard.asked_by == exchange.id && heard.method == exchange.method;
    return own ? void() : fail(exchange, "the answer to somebody else's request");
  }
  if (exchange.method == "HEAD" && status == 304) return;
  if (status == 304) return fail(exchange, "304 though nothing of the origin's was at hand");
  if (status == 412) {
    return fails_its_condition(asked) ? void() : fail(exchange, "412 though its condition holds");
  }
  // What was not read to its end was not looked at.
  const bool loops = is_loop(exchange) && status != 408;
  if (loops != (status == 508)) {
    return fail(exchange, loops ? "a loop that is not seen" : "a loop that is none");
  }
  if (loops) return;
  if (status == 504 && exchange.only_if_cached()) return;
  const bool failure = status == 502 || status == 503 || status == 504 || status == 408;
  if (!failure) return fail(exchange, "answered from nowhere");
  if (exchange.written().seq > ledger_.calm_seq || why_it_failed(exchange).empty()) {
    fail(exchange, "failed with " + std::to_string(status) + ", though nothing was wrong");
  }
}

/// A reason for an error instead of an answer. Empty: there is none.
std::string Judge::why_it_failed(const ClientExchange& exchange) const {
  const Stamp answered = exchange.answered();
  const int64_t since_ms = exchange.written().tick_ms - kJoinedMs;
  const auto lately = [&](const Stamp& stamp) {
    return stamp.seq < answered.seq && stamp.tick_ms >= since_ms;
  };
  // Content that comes too slowly is waited for less long than a head.
  const bool has_content = !exchange.content.empty();
  const int64_t bound_ms = has_content ? limits::kLaggardMs : limits::kRequestHeadMs;
  const bool slow = answered.tick_ms - exchange.written().tick_ms >= bound_ms;
  if (exchange.status == 408) return slow ? "its client took its time" : "";
  if (exchange.status == 503 && has_content && slow) return "its client held up others";
  if (options_.full_lanes != 0) return "the pool's lanes are full";
  if (std::any_of(ledger_.stops.begin(), ledger_.stops.end(), lately)) return "the node stops";
  const bool slept = std::any_of(ledger_.sleeps.begin(), ledger_.sleeps.end(),
                                 [&](const Ledger::Sleep& sleep) { return lately(sleep.woken); });
  if (slept) return "the node slept";
  return why_unreachable(exchange, since_ms);
}

/// What is served stale has to be asked for again behind it.
void Judge::judge_refresh(const ClientExchange& exchange) {
  constexpr int64_t kSoonMs = 20'000;
  if (read_cache_status(exchange.response).detail != "stale-while-revalidate") return;
  // Nobody waits for a refresh, so it may find no room.
  if (exchange.only_if_cached() || site_of(exchange.resource).permits < 64 ||
      options_.full_lanes != 0) {
    return;
  }
  const Stamp answered = exchange.answered();
  const auto in_time = [&](const Stamp& stamp) {
    return stamp.tick_ms >= exchange.taken().tick_ms - kJoinedMs &&
           stamp.tick_ms <= answered.tick_ms + kSoonMs;
  };
  const bool asked =
      std::any_of(ledger_.origin.begin(), ledger_.origin.end(), [&](const OriginExchange& fetch) {
        return fetch.resource == exchange.resource && fetch.method == "GET" &&
               in_time(fetch.begun()) && settled(fetch) >= exchange.taken().seq;
      });
  const bool failed = std::any_of(
      ledger_.failures.begin(), ledger_.failures.end(), [&](const Ledger::Failure& failure) {
        return failure.site == ledger_.resource(exchange.resource).site && !failure.only_closed &&
               in_time(failure.stamp);
      });
  // What is under way when the machine falls asleep fails when it wakes up, however late that is.
  const bool slept = std::any_of(
      ledger_.sleeps.begin(), ledger_.sleeps.end(),
      [&](const Ledger::Sleep& sleep) { return in_time(sleep.begun) || in_time(sleep.woken); });
  const bool stopped = slept || exchange.link->killed ||
                       std::any_of(ledger_.stops.begin(), ledger_.stops.end(), in_time);
  if (!asked && !failed && !stopped) fail(exchange, "served stale, and not refreshed behind");
}

/// Relays have a share of an origin's connections, and one network, which all clients are, half of
/// that.
void Judge::judge_relays(std::vector<std::string>& violations) const {
  for (const OriginExchange& relay : ledger_.origin) {
    if (!relay.relayed() || !relay.begun()) continue;
    const uint64_t begun = relay.begun().seq;
    const auto at_once =
        std::count_if(ledger_.origin.begin(), ledger_.origin.end(), [&](const auto& other) {
          if (!other.relayed() || other.site != relay.site || !other.begun()) return false;
          const Stamp over = other.over();
          return other.begun().seq <= begun && (!over || over.seq > begun);
        });
    const unsigned permits = options_.sites[static_cast<size_t>(relay.site)].permits;
    const auto most = std::max<int64_t>(permits / limits::kRelayShare / limits::kClientShare, 1);
    if (at_once > most) {
      violations.push_back("#" + std::to_string(relay.id) + " is relayed beyond the share");
    }
  }
}

std::string Judge::why_unreachable(const ClientExchange& exchange, int64_t since_ms) const {
  const Stamp answered = exchange.answered();
  const int site = ledger_.resource(exchange.resource).site;
  for (const Ledger::Failure& failure : ledger_.failures) {
    const bool concerns = failure.site == site &&
                          (failure.resource < 0 || failure.resource == exchange.resource) &&
                          !(failure.only_closed && is_safe(exchange.method));
    if (concerns && failure.stamp.seq < answered.seq && failure.stamp.tick_ms >= since_ms) {
      return "the origin failed";
    }
  }
  // Nobody waits longer for a connection, for memory, or for the first byte.
  static_assert(limits::kPermitMs == limits::kFirstByteMs &&
                limits::kReserveMs == limits::kFirstByteMs);
  for (const ClientExchange& other : ledger_.clients) {
    const Stamp taken = other.taken();
    if (other.resource != exchange.resource || !taken || taken.seq > answered.seq) continue;
    const bool waits = other.status == 0 || other.answered().seq >= exchange.written().seq;
    if (waits && answered.tick_ms - taken.tick_ms >= limits::kPermitMs) return "a bound was met";
  }
  return "";
}

}  // namespace perigee::sim
