#include "tests/sim/simulation.h"

#include <memory>

#include "tests/sim/judge.h"
#include "tests/sim/judge_asked.h"
#include "tests/sim/weather.h"

namespace perigee::sim {

namespace {

constexpr int64_t kCalmMs = 600'000;  ///< everything in flight ends within this, once faults stop
constexpr int64_t kAftermathMs = 70'000;  ///< how long a hung origin may be waited for
constexpr unsigned kMostSteps = 3'000'000;

class Simulation {
 public:
  Simulation(uint64_t seed, bool tell)
      : world_(Options::draw(seed), tell),
        origins_(world_),
        folder_(world_),
        node_(world_, origins_, folder_),
        maker_(world_),
        weather_(world_, origins_, node_) {
    world_.scheduler.pause_per_mille = world_.options.pauses;
  }

  Outcome run() {
    Outcome outcome;
    outcome.options = world_.options.text();
    world_.trace(outcome.options);
    node_.start();
    requests_left_ = world_.options.requests;
    for (unsigned i = 0; i < world_.options.clients; ++i) {
      clients_.push_back(std::make_unique<Client>(world_, maker_, node_, requests_left_));
    }
    visitor_ = std::make_unique<FolderVisitor>(folder_, node_, world_.options.folder_requests);
    if (!run_until_asked(kNever)) violations_.push_back("the run does not end");
    come_to_rest();
    stop();
    world_.ledger.disk_errors = node_.disk_errors();
    world_.ledger.pages_detached = node_.pages_detached();
    Judge judge(world_.ledger, world_.options);
    judge.run(violations_);
    AskedJudge(world_.ledger, world_.options).run(violations_);
    for (const std::string& why : visitor_->violations) violations_.push_back(why);
    outcome.tally = Tally(world_.ledger);
    outcome.tally.files = visitor_->files;
    outcome.tally.files_not_modified = visitor_->not_modified;
    for (const std::string& why : outcome.tally.too_tame(world_.options)) {
      violations_.push_back(why);
    }
    outcome.violations = violations_;
    return outcome;
  }

 private:
  /// Until all requests that are to be made were made and answered. False: not in time.
  bool run_until_asked(int64_t deadline_ms) {
    while (!asked_all()) {
      if (++steps_ > kMostSteps || world_.scheduler.now_ms() > deadline_ms) return false;
      if (!step(kNever)) return false;
    }
    return true;
  }
  /// One step of the world. What a process still does whose disk is dead counts for nothing.
  bool step(int64_t until_ms) {
    if (!world_.scheduler.step(until_ms)) return false;
    if (node_.died()) {
      // What was lost before counts, too, where it can be looked at.
      if (world_.scheduler.paused() == 0) observe_losses();
      weather_.on_death();
    }
    observe();
    return true;
  }
  bool asked_all() const {
    for (const auto& client : clients_) {
      if (!client->done()) return false;
    }
    return visitor_->done();
  }
  /// Notes what only the inside can tell.
  void observe_losses() {
    if (!node_.running()) {
      lost_ = 0;
      corrupt_ = 0;
      failed_ = false;
      unseen_.clear();
      return;
    }
    uses_ = node_.disk_uses();
    const cache_store::StoreStats stats = node_.stats();
    const uint64_t lost = stats.evicted + stats.puts_no_room + stats.corrupt + node_.disk_errors();
    if (lost != lost_) {
      for (const uint64_t seq : unseen_) {
        world_.ledger.losses.push_back({seq, Ledger::Loss::kForgotten});
      }
      world_.ledger.losses.push_back({world_.scheduler.stamp().seq, Ledger::Loss::kForgotten});
    }
    lost_ = lost;
    if (stats.corrupt > corrupt_) world_.ledger.corrupt += stats.corrupt - corrupt_;
    corrupt_ = stats.corrupt;
    if (stats.failed && !failed_) {
      const uint64_t now = world_.scheduler.stamp().seq;
      world_.ledger.losses.push_back({unseen_.empty() ? now : unseen_[0], Ledger::Loss::kFailed});
    }
    failed_ = stats.failed;
  }
  void observe() {
    if (!node_.running()) return observe_losses();
    // A thread in the middle may hold a lock: what it has dropped is seen when it goes on.
    if (world_.scheduler.paused() > 0) return unseen_.push_back(world_.scheduler.stamp().seq);
    // What is lost shows when the disk was used, or, where there is no room, by the time of rest.
    const bool rests = node_.quiet();
    if (rests || node_.disk_uses() != uses_) observe_losses();
    unseen_.clear();
    if (const std::string over = node_.exceeded(); !over.empty() && violations_.empty()) {
      violations_.push_back(over);
    }
    if (world_.ledger.quiet.empty() || world_.ledger.quiet.back() != world_.scheduler.seq()) {
      if (rests) world_.ledger.quiet.push_back(world_.scheduler.seq());
    }
  }
  void come_to_rest() {
    world_.calm = true;
    node_.mend_disk();
    world_.trace("the faults stop");
    // Whatever a fault left waiting has timed out by then.
    const int64_t quiet_ms = world_.scheduler.now_ms() + kAftermathMs;
    while (world_.scheduler.now_ms() < quiet_ms && step(quiet_ms)) {
    }
    world_.ledger.calm_seq = world_.scheduler.stamp().seq;
    requests_left_ = 4 * static_cast<unsigned>(world_.places.size()) + 4 * world_.options.targets;
    if (world_.options.folder_requests > 0) visitor_->ask_more(10);
    const int64_t deadline = world_.scheduler.now_ms() + kCalmMs;
    if (!run_until_asked(deadline)) violations_.push_back("requests are not answered in time");
    look_for_leaks();
  }
  /// All clients have left: what is held now, a drain would only hide.
  void look_for_leaks() {
    const int64_t quiet_ms = world_.scheduler.now_ms() + kAftermathMs;
    while (world_.scheduler.now_ms() < quiet_ms && step(quiet_ms)) {
    }
    if (!node_.running()) return;
    world_.scheduler.finish_paused();
    if (const std::string held = node_.held(); !held.empty()) violations_.push_back(held);
  }
  void stop() {
    if (!node_.running()) return;
    node_.drain(30'000);
    const int64_t deadline = world_.scheduler.now_ms() + 31'000;
    while (!node_.idle() && world_.scheduler.step(deadline)) {
    }
    if (!node_.idle()) violations_.push_back("connections outlive the drain");
    if (const std::string left = node_.stop(); !left.empty()) violations_.push_back(left);
    for (const std::string& left : weather_.leftovers) violations_.push_back(left);
    if (origins_.open_connections() > 0) violations_.push_back("origin connections are left");
    for (size_t site = 0; site < world_.options.sites.size(); ++site) {
      if (origins_.most_connections(site) > world_.options.sites[site].permits) {
        violations_.push_back("more connections to an origin than there are permits");
      }
    }
  }

  World world_;
  Origins origins_;
  FolderHistory folder_;
  SimNode node_;
  RequestMaker maker_;
  Weather weather_;
  unsigned requests_left_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<FolderVisitor> visitor_;
  std::vector<std::string> violations_;
  unsigned steps_ = 0;
  uint64_t lost_ = 0;
  std::vector<uint64_t> unseen_;  ///< when it could not be looked at whether more were lost
  uint64_t corrupt_ = 0;
  uint64_t uses_ = 0;
  bool failed_ = false;
};

}  // namespace

Outcome simulate(uint64_t seed, bool tell) { return Simulation(seed, tell).run(); }

}  // namespace perigee::sim
