#include "tests/sim/ledger.h"

namespace perigee::sim {

Stamp OriginExchange::completed() const {
  if (!sound || head_end == 0) return {};
  if (until_close) return link->reset ? Stamp{} : link->pipes[kToNode].fin_taken;
  return link->pipes[kToNode].taken_at(end - 1);
}

Stamp OriginExchange::over() const {
  Stamp first = completed();
  for (const Stamp& ended : {link->pipes[kToNode].fin_taken, link->reset_taken, link->node_left}) {
    if (ended && (!first || ended.seq < first.seq)) first = ended;
  }
  return first;
}

int Ledger::resource_id(const Resource& resource) {
  const auto [it, fresh] = resource_ids_.emplace(resource, static_cast<int>(resources.size()));
  if (fresh) resources.push_back(resource);
  return it->second;
}

bool Ledger::neighbours(int one, int other) const {
  const Resource& a = resource(one);
  const Resource& b = resource(other);
  return a.site == b.site && a.scheme == b.scheme && a.name == b.name;
}

}  // namespace perigee::sim
