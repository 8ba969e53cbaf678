// How much happened in a run, and whether that is enough: a run in which nothing happens finds
// nothing, and nobody would notice.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/judge.h"
#include "tests/sim/ledger.h"
#include "tests/sim/options.h"

namespace perigee::sim {

struct Tally {
  unsigned runs = 1;
  unsigned requests = 0;
  unsigned answers = 0;
  unsigned hits = 0;
  unsigned stale = 0;  ///< served without or against the origin's word
  unsigned while_refreshed = 0;
  unsigned while_slow = 0;
  unsigned while_failing = 0;
  unsigned retained = 0;
  unsigned errors = 0;  ///< of the node's own, 5xx
  unsigned bypassed = 0;
  unsigned unsatisfiable = 0;      ///< 416
  unsigned failed_conditions = 0;  ///< 412
  unsigned preflights = 0;         ///< OPTIONS that the node answered
  unsigned loops = 0;
  unsigned strangers = 0;  ///< purges that were refused
  unsigned disk_errors = 0;
  unsigned corrupt = 0;   ///< records
  unsigned detached = 0;  ///< pages on loan
  unsigned starts = 0;    ///< after a crash or a stop
  unsigned files = 0;     ///< of a folder, got whole
  unsigned files_not_modified = 0;
  unsigned collapsed = 0;  ///< answered from another client's fetch
  unsigned not_modified = 0;
  unsigned parts = 0;
  unsigned coded = 0;    ///< answers in a content coding
  unsigned purges = 0;   ///< carried out
  unsigned fetches = 0;  ///< requests that an origin answered
  unsigned validated = 0;
  unsigned relayed = 0;    ///< fetches for one client alone
  unsigned ranged = 0;     ///< fetches of a part of what nothing was stored of
  unsigned completed = 0;  ///< fetches of a part of what is stored
  unsigned unsafe = 0;     ///< that an origin answered
  unsigned heads = 0;
  unsigned cut = 0;     ///< requests that reached an origin in part
  unsigned places = 0;  ///< names that reached an origin
  unsigned sites = 0;   ///< origins that were asked

  explicit Tally(const Ledger& ledger);
  Tally() : runs(0) {}
  void add(const Tally& other);
  std::string text() const;
  /// What should have happened in this one run with these options, and did not.
  std::vector<std::string> too_tame(const Options& options) const;
  /// The same of 25 runs or more, of any options.
  std::vector<std::string> too_tame() const;

 private:
  void count_answer(const ClientExchange& exchange);
  void count_own_answer(const ClientExchange& exchange, const Told& told);
  void count_fetch(const OriginExchange& fetch);
};

}  // namespace perigee::sim
