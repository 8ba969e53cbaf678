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

}  // namespace perigee::sim
