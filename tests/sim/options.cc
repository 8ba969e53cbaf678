#include "tests/sim/options.h"

#include <algorithm>

namespace perigee::sim {

namespace {

/// What the options of one run are drawn from.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random(seed) {}
  /// Off half of the time, so that faults are also seen alone.
  unsigned swarm(unsigned rare, unsigned rife) {
    const uint64_t dice = random.below(6);
    return dice < 3 ? 0 : dice < 5 ? rare : rife;
  }
  int64_t one_of(std::initializer_list<int64_t> values) {
    return *(values.begin() + random.below(values.size()));
  }
  Random random;
};

void draw_requests(Dice& dice, Options& o) {
  const auto swarm = [&](unsigned rare, unsigned rife) { return dice.swarm(rare, rife); };
  o.unsafe = swarm(30, 150);
  o.purge = swarm(30, 120);
  o.soft_purge = static_cast<unsigned>(dice.one_of({0, 300, 1000}));
  o.head = swarm(50, 250);
  o.preflights = swarm(20, 100);
  o.conditional = swarm(100, 500);
  o.required = swarm(20, 100);
  o.range = swarm(60, 300);
  o.directives = swarm(50, 300);
  o.selecting = swarm(300, 900);
  o.authorization = swarm(30, 300);
  o.odd_fields = swarm(100, 500);
  o.absolute_form = swarm(50, 300);
  o.http10 = swarm(50, 300);
  o.abort = swarm(20, 150);
  o.half_close = swarm(30, 200);
  o.pipelined = swarm(200, 800);
  o.slow_client = swarm(30, 200);
  o.think_ms = dice.one_of({0, 50, 1'000, 10'000, 60'000});
}

void draw_responses(Dice& dice, Options& o) {
  const auto swarm = [&](unsigned rare, unsigned rife) { return dice.swarm(rare, rife); };
  o.churn = swarm(50, 500);
  o.odd_directives = swarm(150, 700);
  o.targeted = swarm(50, 300);
  o.vary = swarm(300, 800);
  o.odd_vary = swarm(30, 200);
  o.set_cookie = swarm(30, 200);
  o.odd_status = swarm(50, 300);
  o.validators = static_cast<unsigned>(dice.one_of({0, 900, 900, 1000, 1000}));
  o.lies_304 = swarm(30, 200);
  o.ranges = static_cast<unsigned>(dice.one_of({0, 500, 1000}));
  o.age = swarm(100, 400);
  o.date_skew = swarm(100, 400);
  o.interim = swarm(50, 200);
  o.large = o.ranges == 1000 ? 500 : swarm(50, 200);
  o.lifetime_s = dice.one_of({1, 10, 60, 3600});
}

void draw_faults(Dice& dice, Options& o) {
  const auto swarm = [&](unsigned rare, unsigned rife) { return dice.swarm(rare, rife); };
  o.short_body = swarm(20, 150);
  o.reset = swarm(20, 100);
  o.malformed = swarm(10, 80);
  o.surplus = swarm(20, 100);
  o.close_delimited = swarm(50, 400);
  o.closes = swarm(100, 500);
  o.slow = swarm(50, 300);
  o.hangs = swarm(10, 60);
  o.drops = swarm(20, 150);
  o.connect_fails = swarm(20, 150);
  o.resolve_fails = swarm(20, 150);
  o.outages = swarm(100, 400);

  o.one_byte = swarm(50, 500);
  o.refused_send = swarm(50, 400);
  o.reset_loses = swarm(300, 1000);
  o.pool_delay_ms = dice.one_of({0, 0, 2, 40, 700});
  o.full_lanes = dice.random.below(12) == 0 ? 1 : 0;
  o.sleeps = swarm(20, 150);
  o.wall_steps = swarm(20, 150);
  o.crashes = static_cast<unsigned>(dice.one_of({0, 0, 40, 100, 250}));
  o.power_cuts = static_cast<unsigned>(dice.one_of({0, 500, 1000}));
  o.drains = swarm(40, 250);
  // The store gives up for good after a few: where it does not, more is seen.
  o.disk_errors = dice.random.below(5) == 0 ? 20 : 0;
  o.torn_sectors = static_cast<unsigned>(dice.one_of({0, 700, 1000}));
  o.reloads = swarm(60, 250);
}

}  // namespace

Options Options::draw(uint64_t seed) {
  Dice dice(seed ^ 0x5157a3u);
  Options o;
  o.seed = seed;
  o.loops = static_cast<unsigned>(dice.random.between(1, 3));
  o.clients = static_cast<unsigned>(dice.random.between(1, 8));
  o.requests = static_cast<unsigned>(dice.random.between(60, 240));
  o.slabs = static_cast<unsigned>(dice.one_of({6, 12, 24, 24}));
  draw_requests(dice, o);
  draw_responses(dice, o);
  draw_faults(dice, o);
  draw_sites(dice.random, o);
  o.lends = dice.random.below(3) == 0;
  if (o.lends) {
    // What goes by sendfile is large, and must be dropped while slow clients still read it.
    o.slab_bytes = 512 * 1024;
    o.slabs = static_cast<unsigned>(dice.one_of({4, 6}));
    o.pausing_client = 500;
    o.churn = std::max(o.churn, 300u);
    o.think_ms = std::min<int64_t>(o.think_ms, 1'000);
    o.clients = std::max(o.clients, 4u);
    o.requests = 240;
  }
  // The more names there are, the fewer targets has each, so that all of them are asked for often.
  const size_t names = places_of(o).size();
  o.targets = static_cast<unsigned>(dice.random.between(1, names > 3 ? 2 : names > 1 ? 4 : 6));
  o.trusted = dice.random.below(4) == 0;
  o.pauses = static_cast<unsigned>(dice.one_of({0, 20, 100, 300}));
  o.folder_requests = dice.random.chance(400) ? 40 : 0;
  o.coded = static_cast<unsigned>(dice.one_of({0, 500, 1000}));
  if (o.coded > 0 && !o.lends && dice.random.below(4) == 0) {
    // Codings that are longer than a record.
    o.slabs = 24;
    o.large = 700;
    o.churn = std::min(o.churn, 50u);
  }
  return o;
}

std::string Options::text() const {
  std::string out = "seed=" + std::to_string(seed);
  const auto add = [&](const char* name, int64_t value) {
    if (value != 0) out += std::string(" ") + name + "=" + std::to_string(value);
  };
  add("loops", loops), add("targets", targets), add("clients", clients), add("requests", requests);
  add("slabs", slabs), add("unsafe", unsafe), add("purge", purge), add("soft_purge", soft_purge);
  add("head", head), add("conditional", conditional), add("required", required);
  add("preflights", preflights), add("range", range), add("directives", directives),
      add("selecting", selecting);
  add("authorization", authorization), add("odd_fields", odd_fields);
  add("absolute_form", absolute_form), add("http10", http10), add("abort", abort);
  add("half_close", half_close), add("pipelined", pipelined), add("slow_client", slow_client);
  add("pausing_client", pausing_client);
  add("think_ms", think_ms), add("churn", churn), add("odd_directives", odd_directives);
  add("targeted", targeted), add("vary", vary), add("odd_vary", odd_vary);
  add("set_cookie", set_cookie), add("odd_status", odd_status), add("validators", validators);
  add("lies_304", lies_304), add("ranges", ranges), add("age", age), add("date_skew", date_skew),
      add("interim", interim);
  add("coded", coded), add("large", large), add("lifetime_s", lifetime_s),
      add("short_body", short_body);
  add("reset", reset), add("malformed", malformed), add("surplus", surplus);
  add("close_delimited", close_delimited), add("closes", closes), add("slow", slow);
  add("hangs", hangs), add("drops", drops), add("connect_fails", connect_fails),
      add("resolve_fails", resolve_fails);
  add("outages", outages), add("one_byte", one_byte), add("refused_send", refused_send);
  add("reset_loses", reset_loses), add("pool_delay_ms", pool_delay_ms);
  add("full_lanes", full_lanes), add("sleeps", sleeps), add("wall_steps", wall_steps);
  add("crashes", crashes), add("power_cuts", power_cuts), add("drains", drains);
  add("reloads", reloads);
  add("disk_errors", disk_errors), add("torn_sectors", torn_sectors), add("lends", lends);
  add("trusted", trusted), add("pauses", pauses);
  add("folder_requests", folder_requests);
  for (const SiteOptions& site : sites) out += " " + site.text();
  for (const std::string& guest : guests) out += " guest=" + guest;
  return out;
}

}  // namespace perigee::sim
