// Everything that differs from run to run, drawn from the seed: some faults off, some rare, some
// rife.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/places.h"
#include "tests/sim/random.h"

namespace perigee::sim {

/// Chances are per mille.
struct Options {
  uint64_t seed = 0;
  unsigned loops = 1;
  unsigned targets = 3;  ///< of each name
  unsigned clients = 3;
  unsigned requests = 150;  ///< of all clients, before the faults stop
  unsigned slabs = 24;
  uint64_t slab_bytes = 256 * 1024;
  bool lends = false;  ///< pages of the store go to sockets

  // Clients.
  unsigned unsafe = 0;  ///< POST, PUT, DELETE
  unsigned purge = 0;
  unsigned soft_purge = 0;  ///< of the purges
  unsigned head = 0;
  unsigned preflights = 0;  ///< OPTIONS of all kinds
  unsigned conditional = 0;
  unsigned required = 0;  ///< If-Match, If-Unmodified-Since
  unsigned range = 0;
  unsigned directives = 0;  ///< Cache-Control
  unsigned selecting = 0;   ///< fields that Vary may name
  unsigned authorization = 0;
  unsigned odd_fields = 0;     ///< hop-by-hop, poisonous and strange ones
  unsigned absolute_form = 0;  ///< targets with an authority
  unsigned http10 = 0;
  unsigned abort = 0;  ///< the client resets its connection
  unsigned half_close = 0;
  unsigned pipelined = 0;
  unsigned slow_client = 0;     ///< reads and writes at its leisure
  unsigned pausing_client = 0;  ///< lets much lie unread for long, once
  int64_t think_ms = 1000;      ///< most between a client's requests

  // The origin's responses.
  unsigned churn = 0;           ///< the content changes with a request
  unsigned odd_directives = 0;  ///< Cache-Control beyond max-age=N
  unsigned targeted = 0;        ///< CDN-Cache-Control
  unsigned vary = 0;            ///< of the targets
  unsigned odd_vary = 0;        ///< `*`, and names that change
  unsigned set_cookie = 0;
  unsigned odd_status = 0;
  unsigned validators = 0;  ///< of the targets
  unsigned lies_304 = 0;
  unsigned ranges = 0;  ///< of the resources, that their origin gives parts of
  unsigned age = 0;
  unsigned date_skew = 0;
  unsigned interim = 0;
  unsigned large = 0;       ///< contents beyond what the store keeps
  unsigned coded = 0;       ///< of the resources, that are text, which the node codes
  int64_t lifetime_s = 30;  ///< most usual lifetime

  // The origin's faults.
  unsigned short_body = 0;
  unsigned reset = 0;
  unsigned malformed = 0;
  unsigned surplus = 0;
  unsigned close_delimited = 0;
  unsigned closes = 0;  ///< ends the connection after a response
  unsigned slow = 0;
  unsigned hangs = 0;
  unsigned drops = 0;  ///< ends the connection instead of a response
  unsigned connect_fails = 0;
  unsigned resolve_fails = 0;
  unsigned outages = 0;  ///< of all acts of the weather

  // The machine.
  unsigned one_byte = 0;  ///< connections that move a byte at a time
  unsigned refused_send = 0;
  unsigned reset_loses = 0;
  int64_t pool_delay_ms = 0;
  unsigned pauses = 0;      ///< how often a thread loses its core where it may
  unsigned full_lanes = 0;  ///< 1: the pool's lanes hold next to nothing
  unsigned sleeps = 0;
  unsigned wall_steps = 0;
  unsigned crashes = 0;
  unsigned power_cuts = 0;  ///< of the crashes
  unsigned drains = 0;
  unsigned reloads = 0;       ///< of the configuration, while it runs
  unsigned disk_errors = 0;   ///< reads, writes and syncs of the store
  unsigned torn_sectors = 0;  ///< of the power cuts

  unsigned folder_requests = 0;  ///< of the visitor of a `dir:` site; 0: there is none

  // The sites.
  std::vector<SiteOptions> sites;
  std::vector<std::string> guests;  ///< names under which a site without names is asked for
  bool trusted = false;             ///< clients are proxies whose word counts

  static Options draw(uint64_t seed);
  /// The largest content that is stored.
  uint64_t most_stored() const { return slab_bytes / 4; }
  std::string text() const;
};

}  // namespace perigee::sim
