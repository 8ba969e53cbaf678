// Who may have a connection to one origin: bounds of the process, shared by all loops.
//
// A fill is read as fast as the origin sends, a relay as fast as its client reads or writes. So
// relays have a share of the connections of their own, and slow clients never keep fills waiting;
// of that share one client's network has a part.
#pragma once

#include <algorithm>

#include "base/budget.h"
#include "base/limits.h"

namespace perigee::origin {

class OriginGate {
 public:
  /// `most`: connections to this origin at the same time, at least 1.
  explicit OriginGate(size_t most)
      : connections(most),
        relays(part(most, base::limits::kRelayShare),
               part(part(most, base::limits::kRelayShare), base::limits::kClientShare)),
        tunnels(base::limits::kTunnels, part(base::limits::kTunnels, base::limits::kClientShare)) {}

  /// Any thread. Somebody waits for what another one holds.
  bool contended() const { return connections.waiting() > 0 || relays.waiting() > 0; }

  /// Idle connections hold theirs, and give way when somebody waits.
  base::Budget connections;
  /// What goes to or comes from one client alone; taken before a connection.
  base::Budget relays;
  /// Connections on which another protocol is spoken, or asked for. They last as long as their
  /// clients like, so they are none of `connections`, and nobody waits for one.
  base::Budget tunnels;

 private:
  static size_t part(size_t whole, size_t share) { return std::max<size_t>(whole / share, 1); }
};

}  // namespace perigee::origin
