// The node under the simulator: the production store, fills, origins, flow and connections over
// simulated doors; started, drained, stopped and killed as a process is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache_store/store.h"
#include "cache_store/store_io.h"
#include "edge/node.h"
#include "edge/worker.h"
#include "tests/sim/client.h"
#include "tests/sim/folder_site.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_env.h"

namespace perigee::sim {

class SimNode final : public Acceptor, private cache_store::StoreObserver {
 public:
  SimNode(World& world, Internet& internet, FolderHistory& folder);
  ~SimNode() override;

  /// False: the disk did not let it.
  bool start();
  void mend_disk();
  /// New requests follow another snapshot of the same configuration.
  void reload();
  /// In-flight responses finish until the deadline; nothing new is accepted.
  void drain(int64_t most_ms);
  /// Every worker is drained.
  bool idle() const;
  /// In the order of the server's stop. Returns what was left behind that should not have been.
  std::string stop();
  /// kill -9.
  void kill();
  void cut_power();
  /// The process dies in the middle of its next writes; see died().
  void die_soon() {
    disk_.die_after(static_cast<unsigned>(world_.random.between(0, world_.random.pick(kSoon))));
  }
  bool died() const { return running() && disk_.dead(); }
  uint64_t disk_uses() const { return disk_.uses(); }
  uint64_t disk_errors() const { return disk_.errors(); }
  uint64_t pages_detached() const { return disk_.detached(); }

  bool running() const { return node_ != nullptr; }
  /// Nothing to do before somebody outside or the clock moves.
  bool quiet() const;
  cache_store::StoreStats stats() const { return store_->stats(); }
  /// What is held though nothing is going on; empty: nothing.
  std::string held() const;
  /// Of what is bounded, what exceeds its bound; empty: nothing.
  std::string exceeded() const;

  // Acceptor
  bool accept(const LinkPtr& link) override;

 private:
  void on_store_event(std::string_view sentence) override;
  void destroy();
  edge::SnapshotPtr make_snapshot();

  /// Writes: in the middle of one record, and after several of which none is synced yet.
  inline static const std::vector<int64_t> kSoon = {3, 20};

  World& world_;
  Internet& internet_;
  FolderHistory& folder_;
  SimDisk disk_;
  edge::Config config_;
  std::unique_ptr<cache_store::StoreIo> io_;
  std::unique_ptr<cache_store::Store> store_;
  std::unique_ptr<edge::Metrics> metrics_;
  std::unique_ptr<edge::AccessLog> access_log_;
  std::vector<edge::SnapshotPtr> snapshots_;  ///< since the start, in their order
  std::unique_ptr<edge::Node> node_;
  std::unique_ptr<SimPool> pool_;
  std::vector<std::unique_ptr<SimEnv>> envs_;
  std::vector<std::unique_ptr<edge::Worker>> workers_;
  std::vector<LinkPtr> links_;
  bool accepting_ = false;
};

}  // namespace perigee::sim
