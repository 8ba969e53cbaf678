// What all loops of the node share: the configuration, the store, fills in flight, permits and
// folders.
//
// Made once at start, before any worker, and outlives them all. Nothing in it is bound to a loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/budget.h"
#include "base/fn.h"
#include "cache_store/store.h"
#include "edge/access_log.h"
#include "edge/client_slots.h"
#include "edge/config.h"
#include "edge/metrics.h"
#include "edge/origin_watch.h"
#include "http/h1/server_codec.h"
#include "origin/fills.h"
#include "origin/folder_io.h"
#include "origin/http_origin.h"
#include "origin/resolver_cache.h"

namespace perigee::edge {

class Node final : private origin::FillObserver {
 public:
  using OpenFolder =
      base::Fn<base::Result<std::unique_ptr<origin::FolderIo>>(const std::string& path)>;
  /// Opens the folders of `dir:` sites. Errors name the site and the folder.
  static base::Result<std::unique_ptr<Node>> make(const Config& config, cache_store::Store& store,
                                                  Metrics& metrics, AccessLog& access_log,
                                                  OpenFolder open_folder = &origin::open_folder);

  /// The origins of one loop, in the order of the sites.
  std::vector<std::unique_ptr<origin::Origin>> make_origins(base::Env& env,
                                                            origin::ResolverCache& names);

  const Config& config() const { return config_; }
  cache_store::Store& store() { return store_; }
  Metrics& metrics() { return metrics_; }
  AccessLog& access_log() { return access_log_; }
  origin::FillTable& fills() { return *fills_; }
  OriginWatch& origin_watch() { return origin_watch_; }
  ClientSlots& client_slots() { return client_slots_; }
  const http::Http1Options& http1() const { return http1_; }

  /// Of memory that the bodies of all fills hold.
  size_t fill_bytes() const { return fill_budget_.used(); }

 private:
  Node(const Config& config, cache_store::Store& store, Metrics& metrics, AccessLog& access_log);
  void on_fill_begun() override;
  void on_fill_response(const origin::FillRequest& request, const http::ReceivedResponse& head,
                        const http::ResponseTimes& times) override;
  void on_fill_ended(const origin::FillRequest& request, const origin::FillEnd& end) override;

  const Config& config_;
  cache_store::Store& store_;
  Metrics& metrics_;
  AccessLog& access_log_;
  OriginWatch origin_watch_;
  ClientSlots client_slots_;
  http::Http1Options http1_;
  base::Budget fill_budget_;
  origin::FillTablePtr fills_;
  std::vector<std::unique_ptr<origin::OriginGate>> gates_;  ///< one per site; null for folders
  std::vector<std::unique_ptr<origin::FolderIo>> folders_;  ///< one per site; null for HTTP origins
};

}  // namespace perigee::edge
