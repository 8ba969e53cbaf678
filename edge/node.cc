#include "edge/node.h"

#include <algorithm>
#include <variant>

#include "edge/log.h"
#include "origin/directory_origin.h"

namespace perigee::edge {

namespace limits = base::limits;

Node::Node(const Config& config, cache_store::Store& store, Metrics& metrics, AccessLog& access_log)
    : config_(config),
      store_(store),
      metrics_(metrics),
      access_log_(access_log),
      origin_watch_(config, metrics, log_warning),
      fill_budget_(std::max<size_t>(
          std::min<size_t>(limits::kFillBytes, config.store.size_bytes / 4), limits::kMiB)),
      fills_(origin::make_fill_table({store_, fill_budget_, *this, config.sites.size()})) {
  http1_.request_line_bytes = config.request_line_bytes;
  http1_.head_ms = config.head_ms;
  http1_.idle_ms = config.idle_ms;
}

base::Result<std::unique_ptr<Node>> Node::make(const Config& config, cache_store::Store& store,
                                               Metrics& metrics, AccessLog& access_log,
                                               OpenFolder open_folder) {
  std::unique_ptr<Node> node(new Node(config, store, metrics, access_log));
  for (const SiteConfig& site : config.sites) {
    std::unique_ptr<origin::OriginGate> gate;
    std::unique_ptr<origin::FolderIo> folder;
    if (const auto* directory = std::get_if<origin::DirectoryOriginOptions>(&site.origin)) {
      base::Result<std::unique_ptr<origin::FolderIo>> opened = open_folder(directory->path);
      if (!opened.ok()) return opened.error();
      folder = std::move(*opened);
    } else {
      gate = std::make_unique<origin::OriginGate>(
          std::get<origin::HttpOriginOptions>(site.origin).connections);
    }
    node->gates_.push_back(std::move(gate));
    node->folders_.push_back(std::move(folder));
  }
  return node;
}

std::vector<std::unique_ptr<origin::Origin>> Node::make_origins(base::Env& env,
                                                                origin::ResolverCache& names) {
  std::vector<std::unique_ptr<origin::Origin>> origins;
  for (size_t i = 0; i < config_.sites.size(); ++i) {
    const SiteConfig& site = config_.sites[i];
    if (const auto* directory = std::get_if<origin::DirectoryOriginOptions>(&site.origin)) {
      origins.push_back(origin::make_directory_origin(*directory, *folders_[i], env));
    } else {
      origins.push_back(origin::make_http_origin(std::get<origin::HttpOriginOptions>(site.origin),
                                                 *gates_[i], names, env));
    }
  }
  return origins;
}

void Node::on_fill_begun() { metrics_.on_fill_begun(); }

void Node::on_fill_response(const origin::FillRequest& request, const http::ReceivedResponse& head,
                            const http::ResponseTimes& times) {
  origin_watch_.on_head(request.site, head, times, *request.policy);
}

void Node::on_fill_ended(const origin::FillRequest& request, const origin::FillEnd& end) {
  metrics_.on_fill_ended(end.stored, end.error != nullptr);
  if (end.error != nullptr) origin_watch_.on_failure(request.site, *end.error, end.now);
}

}  // namespace perigee::edge
