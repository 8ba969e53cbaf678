#include "tests/sim/judge.h"

#include <cstdio>

#include "tests/sim/content.h"

namespace perigee::sim {

void Judge::fail(const ClientExchange& exchange, const std::string& why) {
  violations_->push_back("@" + std::to_string(exchange.id) + " " + exchange.method + " " +
                         exchange.target + ": " + why);
}

void Judge::run(std::vector<std::string>& violations) {
  violations_ = &violations;
  for (const ClientExchange& exchange : ledger_.clients) {
    if (!exchange.protocol_error.empty()) fail(exchange, exchange.protocol_error);
    if (exchange.status != 0) judge_body(exchange);
  }
}

/// Every byte is of the one content that the head names, and whole is whole.
void Judge::judge_body(const ClientExchange& exchange) {
  const auto id = first_of(exchange.response, "X-Sim");
  if (!id || exchange.body.empty()) return;
  const OriginExchange& version = ledger_.origin[std::stoul(*id)];
  uint64_t begin = 0;
  uint64_t end = version.size;
  if (exchange.status == 206 && version.status != 206) {
    const std::string range = first_of(exchange.response, "Content-Range").value_or("");
    unsigned long long first = 0, last = 0, whole = 0;
    if (std::sscanf(range.c_str(), "bytes %llu-%llu/%llu", &first, &last, &whole) != 3 ||
        whole != version.size || last < first || last >= whole) {
      return fail(exchange, "wrong Content-Range: " + range);
    }
    begin = first;
    end = last + 1;
  }
  if (!is_content(version.content, begin, exchange.body)) {
    return fail(exchange, "bytes that are not of its version #" + *id);
  }
  if (exchange.whole && exchange.body.size() != end - begin) {
    fail(exchange, "looks whole with " + std::to_string(exchange.body.size()) + " of " +
                       std::to_string(end - begin) + " bytes");
  }
}

}  // namespace perigee::sim
