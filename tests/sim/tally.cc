#include "tests/sim/tally.h"

#include <algorithm>
#include <set>

#include "tests/sim/judge.h"

namespace perigee::sim {

namespace {

struct Wants {
  std::vector<std::string> tame;
  void least(unsigned count, unsigned wanted, const char* what) {
    if (count >= wanted) return;
    tame.push_back("too tame: " + std::to_string(count) + " " + what + ", not " +
                   std::to_string(wanted));
  }
};

}  // namespace

void Tally::count_answer(const ClientExchange& exchange) {
  ++answers;
  const Told told = read_cache_status(exchange.response);
  if (told.hit) ++hits;
  if (told.detail.starts_with("stale-")) ++stale;
  if (told.collapsed) ++collapsed;
  if (exchange.status == 304) ++not_modified;
  if (exchange.status == 206) ++parts;
  if (has(exchange.response, "Content-Encoding")) ++coded;
  if (exchange.method == "PURGE" && exchange.status == 200) ++purges;
  if (told.detail == "stale-while-revalidate") ++while_refreshed;
  if (told.detail == "stale-if-slow") ++while_slow;
  if (told.detail == "stale-if-error") ++while_failing;
  if (told.detail == "retained") ++retained;
  if (exchange.status == 416) ++unsatisfiable;
  if (exchange.status == 412) ++failed_conditions;
  count_own_answer(exchange, told);
}

void Tally::count_own_answer(const ClientExchange& exchange, const Told& told) {
  if (told.forward == "bypass" && told.forward_status != 0) ++bypassed;
  if (told.forward_status == 0 && exchange.status >= 500) ++errors;
  if (exchange.own_options && exchange.status == 204) ++preflights;
  if (exchange.method == "PURGE" && exchange.status == 403) ++strangers;
  if (exchange.status == 508) ++loops;
}

void Tally::count_fetch(const OriginExchange& fetch) {
  ++fetches;
  if (fetch.status == 304) ++validated;
  if (fetch.relayed()) ++relayed;
  if (fetch.part && !fetch.relayed()) ++(has(fetch.request, "If-Range") ? completed : ranged);
  if (fetch.method == "HEAD") ++heads;
  if (fetch.method != "GET" && fetch.method != "HEAD") ++unsafe;
}

Tally::Tally(const Ledger& ledger) {
  for (const ClientExchange& exchange : ledger.clients) {
    ++requests;
    if (exchange.status != 0) count_answer(exchange);
  }
  std::set<std::string> names;
  std::set<int> servers;
  for (const OriginExchange& fetch : ledger.origin) {
    if (fetch.status == 0) continue;
    count_fetch(fetch);
    servers.insert(fetch.site);
    names.insert(ledger.resource(fetch.resource).name);
  }
  places = static_cast<unsigned>(names.size());
  sites = static_cast<unsigned>(servers.size());
  disk_errors = static_cast<unsigned>(ledger.disk_errors);
  corrupt = static_cast<unsigned>(ledger.corrupt);
  detached = static_cast<unsigned>(ledger.pages_detached);
  for (const Ledger::Loss& loss : ledger.losses) {
    starts += loss.kind == Ledger::Loss::kRestart || loss.kind == Ledger::Loss::kPowerCut ? 1 : 0;
  }
  for (const AskedBytes& bytes : ledger.asked) cut += bytes.ended ? 0 : 1;
}

void Tally::add(const Tally& other) {
  runs += other.runs;
  requests += other.requests;
  answers += other.answers;
  hits += other.hits;
  stale += other.stale;
  collapsed += other.collapsed;
  not_modified += other.not_modified;
  parts += other.parts;
  coded += other.coded;
  purges += other.purges;
  fetches += other.fetches;
  validated += other.validated;
  relayed += other.relayed;
  ranged += other.ranged;
  completed += other.completed;
  unsafe += other.unsafe;
  heads += other.heads;
  cut += other.cut;
  places += other.places;
  sites += other.sites;
  while_refreshed += other.while_refreshed;
  while_slow += other.while_slow;
  while_failing += other.while_failing;
  retained += other.retained;
  errors += other.errors;
  bypassed += other.bypassed;
  unsatisfiable += other.unsatisfiable;
  failed_conditions += other.failed_conditions;
  preflights += other.preflights;
  loops += other.loops;
  strangers += other.strangers;
  disk_errors += other.disk_errors;
  corrupt += other.corrupt;
  files += other.files;
  files_not_modified += other.files_not_modified;
  detached += other.detached;
  starts += other.starts;
}

std::string Tally::text() const {
  std::string out;
  const auto add = [&](unsigned count, const char* what) {
    out += (out.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  add(runs, "runs"), add(requests, "requests"), add(answers, "answers"), add(hits, "hits");
  add(stale, "stale"), add(collapsed, "collapsed"), add(not_modified, "not modified");
  add(parts, "parts"), add(coded, "coded"), add(purges, "purges"), add(fetches, "fetches");
  add(validated, "validated"), add(relayed, "relayed"), add(ranged, "ranged"),
      add(completed, "completed"), add(unsafe, "unsafe");
  add(heads, "heads"), add(cut, "cut requests"), add(places, "names"), add(sites, "sites");
  add(while_refreshed, "while refreshed"), add(while_slow, "while slow");
  add(while_failing, "while failing"), add(retained, "retained"), add(errors, "errors"),
      add(bypassed, "bypassed");
  add(unsatisfiable, "unsatisfiable"), add(failed_conditions, "failed conditions");
  add(preflights, "preflights"), add(loops, "loops"), add(strangers, "refused purges");
  add(disk_errors, "disk errors"), add(corrupt, "corrupt"), add(files, "files"),
      add(files_not_modified, "files not modified"), add(detached, "pages detached"),
      add(starts, "starts");
  return out;
}

std::vector<std::string> Tally::too_tame(const Options& options) const {
  Wants wants;
  wants.least(requests, 15, "requests");
  wants.least(answers, requests / 10, "answers");
  const size_t known = places_of(options).size();
  wants.least(places, known > 2 ? 2 : 1, "names");
  wants.least(sites, options.sites.size() > 1 ? 2 : 1, "sites");
  // Of what is drawn at its highest rate there must be some, once anything is answered at all.
  if (options.head >= 250 && fetches >= 80) wants.least(heads, 1, "heads");
  const bool all_may_purge =
      std::all_of(options.sites.begin(), options.sites.end(),
                  [](const SiteOptions& site) { return site.peer_may_purge; });
  if (options.purge >= 120 && answers >= 150 && all_may_purge) wants.least(purges, 1, "purges");
  if (options.conditional >= 500 && options.validators >= 500 && hits >= 50) {
    wants.least(not_modified, 1, "not modified");
  }
  return wants.tame;
}

/// About a fifth of what 25 runs do on average.
std::vector<std::string> Tally::too_tame() const {
  Wants wants;
  const unsigned batches = runs / 25;
  wants.least(requests, batches * 2'000, "requests");
  wants.least(answers, batches * 1'500, "answers");
  wants.least(hits, batches * 400, "hits");
  wants.least(stale, batches * 8, "stale");
  wants.least(collapsed, batches * 25, "collapsed");
  wants.least(not_modified, batches * 25, "not modified");
  wants.least(parts, batches * 8, "parts");
  wants.least(coded, batches * 4, "coded");
  wants.least(purges, batches * 10, "purges");
  wants.least(fetches, batches * 400, "fetches");
  wants.least(validated, batches * 50, "validated");
  wants.least(relayed, batches * 15, "relayed");
  wants.least(ranged, batches / 2, "ranged");
  wants.least(completed, batches / 4, "completed");
  wants.least(unsafe, batches * 15, "unsafe");
  wants.least(heads, batches * 15, "heads");
  wants.least(places, batches * 50, "names");
  wants.least(sites, batches * 30, "sites");
  wants.least(while_refreshed, batches * 4, "while refreshed");
  wants.least(while_failing, batches * 3, "while failing");
  wants.least(retained, batches / 4, "retained");
  wants.least(errors, batches * 20, "errors");
  wants.least(bypassed, batches / 2, "bypassed");
  wants.least(unsatisfiable, batches / 2, "unsatisfiable");
  wants.least(preflights, batches, "preflights");
  wants.least(loops, batches / 2, "loops");
  wants.least(strangers, batches / 2, "refused purges");
  wants.least(disk_errors, batches / 2, "disk errors");
  wants.least(detached, batches / 2, "pages detached");
  wants.least(starts, batches * 20, "starts");
  // Rare: seen in fifty or a hundred runs, if not in each twenty-five.
  wants.least(while_slow, batches / 4, "while slow");
  wants.least(failed_conditions, batches / 4, "failed conditions");
  wants.least(corrupt, batches / 4, "corrupt");
  wants.least(files, 20 * batches, "files");
  wants.least(files_not_modified, batches, "files not modified");
  return wants.tame;
}

}  // namespace perigee::sim
