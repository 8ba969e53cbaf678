// Reads the ledger of a run and says what must not have happened.
//
// Here's how it works:
//  1. Each answer says in X-Sim, and in names X-Sim-304-<n>, of what it is made; the judge builds
//  the
//     StoredModel of that and asks it (judge_reuse.cc): may it be stored, selected, fresh, served
//     stale; is Age right, are the fields right, is the status the one that conditions and ranges
//     ask for.
//  2. What was purged, or invalidated by an unsafe request, before a request was written must not
//  answer it.
//  3. Each request that reached the origin is looked at (judge_need.cc): a fresh response that was
//     published before, and that nothing can have dropped, would have saved it; so would one in
//     flight.
//  4. Time is known in spans: a request is decided between the instant at which the node had its
//  head and
//     the one at which it sent the first byte of the answer. Whatever is right at one instant of
//     that span is permitted; needless is only what is wrong at all of them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/model.h"
#include "tests/sim/options.h"

namespace perigee::sim {

/// Our member of Cache-Status (RFC 9211).
struct Told {
  bool present = false;
  bool hit = false;
  std::string forward;
  int forward_status = 0;
  bool stored = false;
  bool collapsed = false;
  std::string detail;
  std::string error;  ///< not well formed
};
Told read_cache_status(const Fields& response);

class Judge {
 public:
  Judge(const Ledger& ledger, const Options& options) : ledger_(ledger), options_(options) {}
  void run(std::vector<std::string>& violations);

 private:
  using Chain = std::vector<int>;
  /// What was asked for, and what is known of when it was decided.
  struct Case {
    const ClientExchange& exchange;
    Told told;
    Span wall;
    bool clock_stepped = false;
  };
  /// What a resource holds for sure: states, and since when nothing can have kept them from being
  /// found.
  struct Claim {
    StoredModel state;
    uint64_t since;
    int doubted_by = -1;  ///< a fetch that may have replaced it by now
    bool soft_purged = false;
  };
  /// What changes, or may change, what a resource holds.
  struct Event {
    Stamp stamp;
    enum Kind : uint8_t { kBegun, kCompleted, kPublished, kAnswered, kDoubt, kPurge, kPurged } kind;
    const OriginExchange* fetch = nullptr;
    const ClientExchange* exchange = nullptr;  ///< of an answer, and of a purge
  };

  // judge.cc
  void learn_chains();
  const SiteOptions& site_of(int resource) const;
  const SitePolicy& policy_of(int resource) const;
  void judge_answer(const ClientExchange& exchange);
  void judge_body(const ClientExchange& exchange);
  static std::string wrong_part(const OriginExchange& version, const std::string& range,
                                std::string_view bytes, bool whole);
  static std::string wrong_multipart(const OriginExchange& version, const std::string& type,
                                     std::string_view body);
  int base_of(const Fields& response) const;
  bool may_be_unseen(const ClientExchange& exchange, int base, const std::string& last) const;
  static Chain chain_of(const Fields& response);
  StoredModel state_of(int base, const Chain& chain) const;
  void fail(const ClientExchange& exchange, const std::string& why);

  // judge_reuse.cc: empty means permitted.
  std::string why_not(const Case& asked, const StoredModel& state, bool exact) const;
  std::string why_not_fetched(const Case& asked, const StoredModel& state, bool exact) const;
  Stamp whole_at(const OriginExchange& response) const;
  std::string why_not_shared(const Case& asked, const StoredModel& state, bool exact) const;
  std::string why_not_fresh(const Case& asked, const StoredModel& state) const;
  std::string why_not_stale(const Case& asked, const StoredModel& state) const;
  std::string why_not_alive(const ClientExchange& exchange, const StoredModel& state) const;
  std::string wrong_age(const Case& asked, const StoredModel& state) const;
  Fields presented(const Case& asked, Fields fields) const;
  std::string wrong_coding(const Case& asked, const StoredModel& state) const;
  void present_coding(const Case& asked, const StoredModel& state, Fields& right) const;
  std::string wrong_fields(const Case& asked, const StoredModel& state, bool reused) const;
  std::string wrong_relayed(const Case& asked, const StoredModel& state) const;
  static std::string differences(const Fields& right, const Fields& got);
  std::string wrong_status(const Case& asked, const StoredModel& state) const;
  const OriginExchange* replacement_of(const ClientExchange& exchange,
                                       const StoredModel& state) const;
  uint64_t soft_purged_since(const ClientExchange& exchange, const StoredModel& state) const;
  bool invalidates(const ClientExchange& exchange, int resource,
                   const OriginExchange** answer) const;

  // judge_own.cc
  void judge_own_answer(const Case& asked);
  void judge_purge(const ClientExchange& exchange);
  bool fails_its_condition(const Case& asked) const;
  std::string why_it_failed(const ClientExchange& exchange) const;
  std::string why_unreachable(const ClientExchange& exchange, int64_t since_ms) const;
  void judge_relays(std::vector<std::string>& violations) const;
  void judge_refresh(const ClientExchange& exchange);
  bool may_purge(const ClientExchange& exchange) const;
  bool is_loop(const ClientExchange& exchange) const;

  // judge_need.cc
  void note_fetch(const OriginExchange& fetch, std::vector<Event>& events) const;
  std::vector<Event> events_of(int resource) const;
  void judge_needs(int resource);
  bool store_failed_at(uint64_t seq) const;
  uint64_t settled(const OriginExchange& fetch) const;
  uint64_t earliest_begin(const OriginExchange& fetch) const;
  bool may_be_retained(const OriginExchange& fetch) const;
  void publish(const OriginExchange& fetch, uint64_t seq, const Stamp& doubt,
               std::vector<Claim>& claims) const;
  void note_answers(int resource, std::vector<Event>& events) const;
  void judge_need(const OriginExchange& fetch, const std::vector<Claim>& claims);
  bool may_go_past(const ClientExchange& exchange, uint64_t now) const;
  std::string needless(const OriginExchange& fetch, const Claim& claim) const;
  void judge_availability(const ClientExchange& exchange, const std::vector<Claim>& claims);
  std::string unavailable(const ClientExchange& exchange, const Claim& claim) const;
  void judge_company(const OriginExchange& fetch);
  bool may_be_alone(const OriginExchange& fetch, const OriginExchange& other) const;
  bool between(const std::vector<uint64_t>& seqs, uint64_t after, uint64_t before) const;

  const Ledger& ledger_;
  const Options& options_;
  std::map<int, std::set<Chain>> chains_;  ///< seen, by base
  std::vector<std::string>* violations_ = nullptr;
};

}  // namespace perigee::sim
