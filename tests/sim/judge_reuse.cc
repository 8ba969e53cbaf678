// May this answer be made of that response?
#include <algorithm>

#include "base/limits.h"
#include "tests/sim/coding_model.h"
#include "tests/sim/judge.h"

namespace perigee::sim {

namespace {

bool varies_by_coding(const Fields& fields) {
  const auto named = members(joined(fields, "Vary").value_or(""));
  return std::any_of(named.begin(), named.end(),
                     [](const std::string& name) { return same_name(name, "Accept-Encoding"); });
}

void add_coding_vary(Fields& fields) {
  if (!varies_by_coding(fields)) fields.emplace_back("Vary", "Accept-Encoding");
}

constexpr const char* kOurs[] = {"age",        "content-length", "transfer-encoding",
                                 "connection", "content-range",  "cache-status"};
/// All that stands in a 304 of ours, beside those (RFC 9110 §15.4.5, http-rules 2.9); and in a 416.
const std::vector<std::string> kIn304 = {"etag",    "date",          "vary",
                                         "expires", "cache-control", "cdn-cache-control",
                                         "alt-svc", "last-modified", "content-location"};
const std::vector<std::string> kIn416 = {"etag", "date", "vary", "alt-svc"};

/// Comparable: names in lower case, what the node writes itself and what is named left out.
Fields comparable(const Fields& fields, const std::vector<std::string>& named) {
  Fields out;
  for (const auto& [name, value] : fields) {
    const std::string key = lower(name);
    const bool ours = std::find(std::begin(kOurs), std::end(kOurs), key) != std::end(kOurs);
    const bool is_named = std::any_of(named.begin(), named.end(),
                                      [&](const auto& other) { return same_name(other, name); });
    if (!ours && !is_named) out.emplace_back(key, value);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::string Judge::why_not(const Case& asked, const StoredModel& state, bool exact) const {
  const ClientExchange& exchange = asked.exchange;
  if (state.base().resource != exchange.resource) {
    return "the response of " + ledger_.resource(state.base().resource).text();
  }
  const bool safe = exchange.method == "GET" || exchange.method == "HEAD";
  // The substitute for an answer that did not come, or that said that the resource is gone, is told
  // as forwarded (RFC 9211 §2.2).
  const bool from_store = asked.told.hit || asked.told.detail.starts_with("stale-if-") ||
                          asked.told.detail == "retained" || asked.told.forward == "partial";
  if (!safe || (state.base().method != "GET" && !from_store && !asked.told.collapsed)) {
    // Relayed: it must be the answer to this very request.
    if (state.base().asked_by != exchange.id) return "the answer to somebody else's request";
    if (asked.told.hit || asked.told.collapsed) return "relayed, and said to be reused";
    return wrong_relayed(asked, state);
  }
  if (!from_store && state.last().asked_by == exchange.id) {
    return why_not_fetched(asked, state, exact);
  }
  if (!from_store && !asked.told.collapsed) return "somebody else's response, not said so";
  return why_not_shared(asked, state, exact);
}

/// The origin was asked for this request: anything may be passed on to it, once.
std::string Judge::why_not_fetched(const Case& asked, const StoredModel& state, bool exact) const {
  const ClientExchange& exchange = asked.exchange;
  const OriginExchange& heard = state.last();
  // Who waited for long may have tried a further fetch, and be answered with the others by it.
  const bool waited =
      heard.begun().tick_ms - exchange.written().tick_ms >= base::limits::kWaiterPatienceMs;
  if (asked.told.collapsed && !waited) return "its own response, and said to be collapsed";
  if (asked.told.forward_status != heard.status) return "another fwd-status than the origin's";
  const Stamp taken = heard.head_taken();
  if (!taken || taken.seq > exchange.answered().seq) return "answered before the origin did";
  if (heard.begun().seq < exchange.written().seq) return "fetched before it was asked";
  // Alone, with its own conditions and ranges, which the origin judged.
  if (heard.relayed()) {
    return exchange.status == heard.status ? wrong_relayed(asked, state)
                                           : "relayed with another status";
  }
  const bool validated = &heard != &state.base();
  if (validated) {
    if (!state.selects(exchange.fields)) return "a validated response that Vary excludes";
    if (const std::string why = why_not_alive(exchange, state); !why.empty()) return why;
    const auto tag = first_of(heard.fields, "ETag");
    const auto stored = first_of(state.base().fields, "ETag");
    const auto bare = [](std::string t) { return t.starts_with("W/") ? t.substr(2) : t; };
    if (tag && (!stored || bare(*tag) != bare(*stored))) return "a 304 for another response";
    if (exact) {
      if (const std::string why = wrong_age(asked, state); !why.empty()) return why;
    }
  } else if (heard.part && heard.part->size() != heard.size) {
    // Read from the store, where the part has put its whole's head.
    if (const std::string why = wrong_age(asked, state); !why.empty()) return why;
  } else if (first_of(exchange.response, "Age") != first_of(heard.fields, "Age")) {
    return "another Age than the origin's";
  }
  if (const std::string why = wrong_status(asked, state); !why.empty()) return why;
  return wrong_fields(asked, state, false);
}

/// The node had all of a response's content: what was cut may have been completed by its last part.
Stamp Judge::whole_at(const OriginExchange& response) const {
  if (const Stamp completed = response.completed()) return completed;
  for (const OriginExchange& later : ledger_.origin) {
    const bool last = later.id > response.id && later.resource == response.resource && later.part &&
                      later.part->end == response.size &&
                      first_of(later.request, "If-Range") == first_of(response.fields, "ETag");
    if (last && later.completed()) return later.completed();
  }
  return {};
}

std::string Judge::why_not_shared(const Case& asked, const StoredModel& state, bool exact) const {
  const ClientExchange& exchange = asked.exchange;
  if (const std::string why = state.why_not_stored(); !why.empty()) {
    return "reused, but not to be stored: " + why;
  }
  const bool by_head = asked.told.collapsed || state.base().part;
  const Stamp known = by_head ? state.base().head_taken() : whole_at(state.base());
  if (!known || known.seq > exchange.answered().seq) return "reused before it was there";
  if (!state.selects(exchange.fields)) return "reused, but Vary excludes it";
  const OriginExchange* newer = asked.told.hit && exact ? replacement_of(exchange, state) : nullptr;
  if (newer != nullptr) return "reused, though #" + std::to_string(newer->id) + " had replaced it";
  if (const std::string why = why_not_alive(exchange, state); !why.empty()) return why;
  if (!asked.clock_stepped) {
    const bool stale = !asked.told.detail.empty() && asked.told.detail != "revalidated";
    const std::string why = stale ? why_not_stale(asked, state) : why_not_fresh(asked, state);
    if (!why.empty()) return why;
    if (const std::string wrong = wrong_age(asked, state); !wrong.empty()) return wrong;
  }
  if (const std::string why = wrong_status(asked, state); !why.empty()) return why;
  return wrong_fields(asked, state, !asked.told.collapsed);
}

/// As it came, whatever it says.
std::string Judge::wrong_relayed(const Case& asked, const StoredModel& state) const {
  const Fields& response = asked.exchange.response;
  if (asked.told.stored) return "relayed, and said to be stored";
  if (asked.told.forward_status != state.base().status) return "another fwd-status than relayed";
  if (first_of(response, "Age") != first_of(state.base().fields, "Age")) {
    return "relayed with another Age";
  }
  Fields right = presented(asked, state.fields());
  // A HEAD has the Vary that its GET would have, which is not known here.
  const std::string& method = asked.exchange.method;
  const StoredModel came(state.base(), std::vector<const OriginExchange*>{});
  const bool may_vary = method == "HEAD" || (method == "GET" && came.is_codable());
  if (may_vary && varies_by_coding(response)) add_coding_vary(right);
  return differences(comparable(right, {}), comparable(response, {}));
}

/// RFC 9111 §4.2, §5.2.2.4, and the client's own wishes where the site honours them.
std::string Judge::why_not_fresh(const Case& asked, const StoredModel& state) const {
  if (state.directives().no_cache) return "reused without validation, against no-cache";
  const Span age = state.age_ms(asked.wall);
  const int64_t lifetime = state.lifetime_ms();
  const bool honours = policy_of(asked.exchange.resource).honour_client_directives;
  const Directives client = honours ? read_cache_control(asked.exchange.fields) : Directives{};
  if (client.no_cache) return "reused without validation, against the client's no-cache";
  if (client.min_fresh && lifetime - age.least < *client.min_fresh * 1000) {
    return "not fresh for as long as the client wants";
  }
  const bool bears_stale = client.any_max_stale || client.max_stale;
  // A reload does not have what is immutable checked again while it is fresh (RFC 8246 §2).
  const bool reloads = state.directives().immutable && lifetime > age.least;
  if (client.max_age && !bears_stale && !reloads && age.least / 1000 > *client.max_age) {
    return "older than the client wants";
  }
  const uint64_t purged = soft_purged_since(asked.exchange, state);
  const bool fresh = lifetime > age.least && purged == 0;
  if (fresh) return "";
  const Directives& d = state.directives();
  const bool forbidden = d.must_revalidate || d.proxy_revalidate || d.s_maxage;
  if (bears_stale && !forbidden) {
    if (client.any_max_stale || purged != 0) return "";
    if (age.least - lifetime <= *client.max_stale * 1000) return "";
  }
  return purged != 0 ? "served as fresh after a soft purge"
                     : "served as fresh, " + std::to_string(age.least - lifetime) + " ms too late";
}

std::string Judge::why_not_stale(const Case& asked, const StoredModel& state) const {
  const Span age = state.age_ms(asked.wall);
  int64_t stale = std::max<int64_t>(age.least - state.lifetime_ms(), 0);
  // How long ago a soft purge was is known to the second only.
  const bool soft_purged = soft_purged_since(asked.exchange, state) != 0;
  if (soft_purged) stale = 0;
  const std::string& detail = asked.told.detail;
  if (detail == "stale-while-revalidate") {
    return state.allows_stale_while_revalidate(stale) ? "" : "stale beyond stale-while-revalidate";
  }
  if (detail == "stale-if-slow") {
    return state.allows_stale_if_slow(stale) ? "" : "stale behind a slow origin, and not allowed";
  }
  if (detail == "stale-if-error") {
    const int told = asked.told.forward_status;
    const bool failed = told == 500 || (told >= 502 && told <= 504);
    if (told != 0 && !failed) return "stale, though the origin answered";
    if (!failed && why_it_failed(asked.exchange).empty()) {
      return "stale, though the origin never failed";
    }
    return state.allows_stale_if_error(stale, !failed) ? "" : "stale, and not allowed to be";
  }
  if (detail == "retained") {
    const int told = asked.told.forward_status;
    if (told != 404 && told != 410)
      return "retained, though the origin did not say that it is gone";
    return state.allows_retained(stale, soft_purged) ? "" : "retained, and not allowed to be";
  }
  return "unknown detail " + detail;
}

/// Whether a request of a client invalidates a resource (RFC 9111 §4.4): its success is in force
/// before its answer's first byte.
bool Judge::invalidates(const ClientExchange& exchange, int resource,
                        const OriginExchange** answer) const {
  if (exchange.method != "POST" && exchange.method != "PUT" && exchange.method != "DELETE") {
    return false;
  }
  if (exchange.status < 200 || exchange.status >= 400) return false;
  const int base = base_of(exchange.response);
  if (base < 0) return false;
  *answer = &ledger_.origin[static_cast<size_t>(base)];
  if (exchange.resource == resource) return true;
  if (!ledger_.neighbours(exchange.resource, resource)) return false;
  const Resource& named = ledger_.resource(resource);
  const auto location = first_of(exchange.response, "Location");
  return location == named.target || location == named.text() ||
         first_of(exchange.response, "Content-Location") == named.target;
}

/// Neither purged nor invalidated before the request was written.
std::string Judge::why_not_alive(const ClientExchange& exchange, const StoredModel& state) const {
  const uint64_t begun = state.base().begun().seq;
  const uint64_t written = exchange.written().seq;
  for (const ClientExchange& other : ledger_.clients) {
    if (other.status == 0 || other.answered().seq > written) continue;
    // A journal that a start cannot read leaves all to the origin's word.
    if (options_.disk_errors > 0 && &state.last() != &state.base() &&
        state.last().begun().seq > other.answered().seq) {
      continue;
    }
    if (other.method == "PURGE" && other.resource == exchange.resource && other.status == 200 &&
        !has(other.fields, "Soft-Purge") && begun < other.written().seq) {
      return "purged by @" + std::to_string(other.id);
    }
    const OriginExchange* answer = nullptr;
    if (!invalidates(other, exchange.resource, &answer) || begun >= answer->begun().seq) continue;
    // An invalidation is not synced: a power cut may undo it.
    const bool undone =
        std::any_of(ledger_.losses.begin(), ledger_.losses.end(), [&](const Ledger::Loss& loss) {
          // Where the journal could not be written, the answer went out all the same.
          const bool forgets = loss.kind == Ledger::Loss::kPowerCut ||
                               (loss.kind == Ledger::Loss::kRestart && options_.disk_errors > 0);
          return forgets && loss.seq > other.answered().seq;
        });
    if (!undone) return "invalidated by @" + std::to_string(other.id);
  }
  return "";
}

/// A response that was surely asked for after the last word on this one, and surely stored before
/// the request was written. In doubt there is none.
const OriginExchange* Judge::replacement_of(const ClientExchange& exchange,
                                            const StoredModel& state) const {
  if (options_.full_lanes != 0 || policy_of(exchange.resource).honour_client_directives) {
    return nullptr;
  }
  const uint64_t known = state.last().first_byte().seq;
  const uint64_t written = exchange.written().seq;
  for (const OriginExchange& other : ledger_.origin) {
    if (other.method != "GET" || other.resource != exchange.resource || other.status != 200 ||
        other.asked_by < 0 || other.size > options_.most_stored() || !other.completed() ||
        other.relayed() || settled(other) >= written) {
      continue;
    }
    const ClientExchange& asker = ledger_.clients[static_cast<size_t>(other.asked_by)];
    const uint64_t begun = earliest_begin(other);
    const StoredModel stored(other, std::vector<const OriginExchange*>{});
    if (asker.method != "GET" || asker.taken().seq <= known || !stored.selects(exchange.fields) ||
        !stored.why_not_stored().empty()) {
      continue;
    }
    const bool lost = store_failed_at(begun) ||
                      std::ranges::any_of(ledger_.losses, [&](const Ledger::Loss& loss) {
                        return loss.seq > begun && loss.seq < written;
                      });
    // What purges, invalidates or freshens.
    const bool touched = std::ranges::any_of(ledger_.clients, [&](const ClientExchange& third) {
      return third.method != "GET" && third.method != "OPTIONS" &&
             ledger_.neighbours(third.resource, exchange.resource) && third.written().seq != 0 &&
             third.written().seq < written && (third.status == 0 || third.answered().seq > begun);
    });
    if (!lost && !touched) return &other;
  }
  return nullptr;
}

/// The soft purge that came after all that is known of the response; 0: none.
uint64_t Judge::soft_purged_since(const ClientExchange& exchange, const StoredModel& state) const {
  uint64_t last = 0;
  for (const ClientExchange& other : ledger_.clients) {
    if (other.method != "PURGE" || other.resource != exchange.resource || other.status != 200)
      continue;
    if (other.answered().seq > exchange.written().seq) continue;
    if (state.last().begun().seq < other.written().seq) last = other.answered().seq;
  }
  return last;
}

/// RFC 9111 §5.1: one line, the floor of the current age.
std::string Judge::wrong_age(const Case& asked, const StoredModel& state) const {
  const auto text = joined(asked.exchange.response, "Age");
  if (asked.exchange.status == 412 || asked.exchange.status == 416) return "";
  const auto age = text ? number(*text) : std::nullopt;
  if (!age) return "no Age on a reused response";
  const Span right = state.age_ms(asked.wall);
  if (*age >= right.least / 1000 && *age <= right.most / 1000) return "";
  return "Age " + *text + " instead of " + std::to_string(right.least) + " to " +
         std::to_string(right.most) + " ms, with a request at " +
         std::to_string(state.last().begun().tick_ms) + " and a response at " +
         std::to_string(state.last().head_taken().tick_ms);
}

std::string Judge::wrong_status(const Case& asked, const StoredModel& state) const {
  const ClientExchange& exchange = asked.exchange;
  std::vector<int> right = state.answers_to(exchange, state.base().size);
  // Nobody can say what part of an unknown length is asked for: the whole is right too.
  const bool as_a_whole = right[0] != 304 && right[0] != 412;
  if (!state.base().has_length && as_a_whole) right.push_back(state.status());
  // A required condition that does not hold may go to the origin, which judges it again.
  if (right[0] == 412 && !asked.told.hit && !asked.told.collapsed) return "";
  if (std::find(right.begin(), right.end(), exchange.status) != right.end()) return "";
  return "status " + std::to_string(exchange.status) + " instead of " + std::to_string(right[0]);
}

/// As the site presents a response's fields.
Fields Judge::presented(const Case& asked, Fields fields) const {
  const SiteOptions& site = site_of(asked.exchange.resource);
  if (site.removes_cdn_cache_control) remove_all(fields, "CDN-Cache-Control");
  if (!site.alt_svc.empty()) fields.emplace_back("Alt-Svc", site.alt_svc);
  return fields;
}

/// `reused`: what a qualified directive names was not kept.
std::string Judge::wrong_fields(const Case& asked, const StoredModel& state, bool reused) const {
  const ClientExchange& exchange = asked.exchange;
  const bool multipart =
      first_of(exchange.response, "Content-Type").value_or("").starts_with("multipart/byteranges");
  if (exchange.status == 206 && multipart) return "";
  Fields right = presented(asked, state.fields());
  const SitePolicy& policy = policy_of(exchange.resource);
  const StoredModel came(state.base(), std::vector<const OriginExchange*>{});
  if (policy.set_cookie == Cookies::kStrip && came.why_not_stored().empty()) {
    remove_all(right, "Set-Cookie");
  }
  // Ranges of what is stored work, whatever the origin said (http-rules 2.11).
  const bool says_ranges = first_of(exchange.response, "Accept-Ranges").has_value();
  if (state.status() == 200 && (asked.told.hit || says_ranges)) {
    right.emplace_back("Accept-Ranges", "bytes");
  }
  if (const std::string why = wrong_coding(asked, state); !why.empty()) return why;
  present_coding(asked, state, right);
  right = comparable(right, reused ? state.directives().named : std::vector<std::string>{});
  const bool reduced =
      exchange.status != state.status() && (exchange.status == 304 || exchange.status == 416);
  if (reduced) {
    const std::vector<std::string>& kept = exchange.status == 304 ? kIn304 : kIn416;
    std::erase_if(right, [&](const auto& field) {
      return std::find(kept.begin(), kept.end(), field.first) == kept.end();
    });
  } else if (exchange.status != state.status() && exchange.status != 206) {
    return "";
  }
  if (exchange.status == 416 && reduced) {
    const std::string size = "bytes */" + std::to_string(state.base().size);
    if (first_of(exchange.response, "Content-Range") != size) return "a 416 without " + size;
  }
  return differences(right, comparable(exchange.response, {}));
}

/// Whether the coding of an answer is right: allowed, taken, and of the whole.
std::string Judge::wrong_coding(const Case& asked, const StoredModel& state) const {
  const ClientExchange& exchange = asked.exchange;
  const auto coding = first_of(exchange.response, "Content-Encoding");
  if (!coding) return "";
  if (!state.is_codable()) return "coded, and not to be";
  if (!takes_coding(exchange.fields, *coding)) return "a coding that the client does not take";
  if (joined(exchange.fields, "Cache-Control").value_or("").find("no-transform") !=
      std::string::npos) {
    return "coded, against the client's no-transform";
  }
  if (exchange.status != 200) return "coded, and no 200";
  return exchange.method == "GET" && has(exchange.fields, "Range") ? "coded, for a range" : "";
}

/// What a node writes of codings: Vary on all that may be coded, and for coded bytes a weak tag and
/// no ranges.
void Judge::present_coding(const Case& asked, const StoredModel& state, Fields& right) const {
  const ClientExchange& exchange = asked.exchange;
  const StoredModel came(state.base(), std::vector<const OriginExchange*>{});
  if (came.is_codable()) {
    // A HEAD that freshened it may have named it too.
    add_coding_vary(right);
  }
  const bool coded = has(exchange.response, "Content-Encoding");
  const bool ranged = exchange.method == "GET" && has(exchange.fields, "Range");
  const bool unseen =
      exchange.status == 304 && state.is_codable() && takes_any_coding(exchange.fields) && !ranged;
  if (!coded && !unseen) return;
  remove_all(right, "Accept-Ranges");
  if (coded)
    right.emplace_back("Content-Encoding", *first_of(exchange.response, "Content-Encoding"));
  for (auto& [name, value] : right) {
    if (!same_name(name, "ETag") || !value.starts_with('"')) continue;
    // Of a 304 either form is right: nobody sees which body it stands for.
    const std::string weak = "W/" + value;
    if (coded || first_of(exchange.response, "ETag") == weak) value = weak;
  }
}

std::string Judge::differences(const Fields& right, const Fields& got) {
  if (right == got) return "";
  std::string why = "fields differ:";
  for (const auto& [name, value] : right) {
    if (std::find(got.begin(), got.end(), std::pair(name, value)) == got.end()) {
      why += " lacks " + name + ": " + value + ";";
    }
  }
  for (const auto& [name, value] : got) {
    if (std::find(right.begin(), right.end(), std::pair(name, value)) == right.end()) {
      why += " has " + name + ": " + value + ";";
    }
  }
  return why;
}

}  // namespace perigee::sim
