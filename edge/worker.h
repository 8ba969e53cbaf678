// One loop's share of the node: its connections, its run list, its flows, fills and origins.
//
// Sockets reach it through adopt(); it makes none. The simulator drives it exactly as the server
// does. One thread.
#pragma once

#include <memory>
#include <vector>

#include "edge/connection.h"
#include "edge/flow_context.h"
#include "edge/node.h"
#include "edge/request_flow.h"
#include "origin/resolver_cache.h"

namespace perigee::edge {

class Worker final : private ConnectionOwner {
 public:
  Worker(Node& node, SnapshotPtr snapshot, base::Env& env);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// What listeners for the sites offer.
  Service& site_service() { return site_service_; }
  /// A connection that a listener accepted, whose handshake is over. Refused (reset) while
  /// draining.
  void adopt(std::unique_ptr<base::Channel> channel, Service& service);
  /// New requests follow this snapshot; those that wait keep theirs.
  void use(SnapshotPtr snapshot);
  /// That new requests follow.
  const Snapshot& snapshot() const { return sites_->snapshot(); }
  /// Enters what was woken. True: there is more to do, do not block.
  bool turn();
  /// In-flight responses finish; whatever is left at `deadline` is cut.
  void drain(base::Tick deadline);
  /// Cuts every connection and cancels fills, at once.
  void stop();
  size_t connections() const { return connections_.size(); }
  /// No connection is left.
  bool idle() const { return connections_.empty(); }
  /// Called once when a draining worker has become idle.
  void on_idle(base::Task task) { idle_task_ = std::move(task); }

 private:
  void on_connection_ended(Connection& connection) override;
  int64_t park_ms() const override;
  void maintain();
  void warm_store();
  void make_room();
  void reap();

  Node& node_;
  base::Env& env_;
  RunList run_list_;
  QuietList quiet_list_;
  std::vector<std::byte> read_buffer_;
  std::unique_ptr<http::RequestScratch> scratch_;
  http::OutBuffers out_buffers_;
  origin::ResolverCache names_;
  LoopSitesPtr sites_;
  /// Earlier ones, each until nobody needs it. Ended at the end of a turn, outside of their calls.
  std::vector<LoopSitesPtr> former_sites_;
  origin::Coders coders_;
  origin::Fills fills_;
  FlowContext flow_context_;
  RequestFlow flow_;
  Service site_service_;
  ConnectionShared connection_shared_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> ended_;
  base::Timer maintain_timer_;
  base::Timer drain_timer_;
  base::Pending maintenance_;
  base::Pending warming_;
  bool to_warm_;  ///< what the start found in the store is not read ahead yet
  base::Task idle_task_;
  bool draining_ = false;
};

}  // namespace perigee::edge
