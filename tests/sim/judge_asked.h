// Looks at every request that reached an origin, byte for byte, and says which of them no node may
// have sent.
//
// Here's how it works:
//  1. The bytes are read by a parser of their own (strict_request.h): they are exactly one request,
//     however it ended.
//  2. X-Client names the client's request that caused it. All else must follow from that one: the
//     site and its origin, Host, the name and scheme in X-Forwarded-*, the target, the content.
//  3. Its fields are those of that client, in order and byte for byte, less what goes no further
//     (hop-by-hop fields, framing, what clients claim of themselves, and on a request whose answer
//     others may get, all that is one client's or poisons), and the node's own. Nothing else is in
//     it, so nothing of another client's.
//  4. A request that is not safe is sent at most once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/ledger.h"
#include "tests/sim/options.h"
#include "tests/sim/strict_request.h"

namespace perigee::sim {

class AskedJudge {
 public:
  AskedJudge(const Ledger& ledger, const Options& options) : ledger_(ledger), options_(options) {}
  void run(std::vector<std::string>& violations);

 private:
  /// A request as it was sent, and the client's that caused it.
  struct Case {
    const AskedBytes& bytes;
    StrictRequest sent;
    const ClientExchange* client = nullptr;
    bool shared = true;  ///< others may get the answer
  };
  std::string why_not(Case& asked);
  std::string wrong_cause(Case& asked);
  std::string wrong_method(const Case& asked) const;
  std::string wrong_place(const Case& asked) const;
  std::string wrong_fields(const Case& asked) const;
  std::string wrong_own_fields(const Case& asked) const;
  std::string wrong_chain(const Case& asked) const;
  std::string wrong_validators(const Case& asked) const;
  std::string wrong_part(const Case& asked) const;
  std::string wrong_content(const Case& asked) const;
  bool goes_on(const Case& asked, const std::pair<std::string, std::string>& field) const;
  const SiteOptions& site_of(const Case& asked) const;
  const SitePolicy& policy_of(const Case& asked) const;

  const Ledger& ledger_;
  const Options& options_;
  std::map<int, int> unsafe_;  ///< how often a client's request that is not safe was sent
};

}  // namespace perigee::sim
