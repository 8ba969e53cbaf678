// Reads the ledger of a run and says what must not have happened.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/ledger.h"
#include "tests/sim/options.h"

namespace perigee::sim {

class Judge {
 public:
  Judge(const Ledger& ledger, const Options& options) : ledger_(ledger), options_(options) {}
  void run(std::vector<std::string>& violations);

 private:
  void judge_body(const ClientExchange& exchange);
  static std::string wrong_part(const OriginExchange& version, const std::string& range,
                                std::string_view bytes, bool whole);
  static std::string wrong_multipart(const OriginExchange& version, const std::string& type,
                                     std::string_view body);
  void fail(const ClientExchange& exchange, const std::string& why);

  const Ledger& ledger_;
  const Options& options_;
  std::vector<std::string>* violations_ = nullptr;
};

}  // namespace perigee::sim
