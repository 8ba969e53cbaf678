#include "edge/doors/origin_check.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "edge/doors/uv_env.h"
#include "edge/log.h"
#include "edge/snapshot.h"

namespace perigee::edge {

namespace {

/// The names of origins; addresses and folders need none.
std::set<std::string> names_of(const Config& config) {
  std::set<std::string> names;
  for (const SiteConfig& site : config.sites) {
    const auto* options = std::get_if<origin::HttpOriginOptions>(&site.origin);
    if (options != nullptr && !base::Address::parse_host(options->host, 0)) {
      names.insert(options->host);
    }
  }
  return names;
}

/// One question for each name, on a loop of their own.
class Names {
 public:
  explicit Names(ThreadPool& pool) : env_(0, pool) {}
  ~Names() { env_.close(); }
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  /// Why each that cannot be resolved cannot be.
  std::vector<std::string> fail_to_resolve(const std::set<std::string>& names) {
    left_ = names.size();
    for (const std::string& name : names) {
      pending_.push_back(env_.resolve(
          name, 0, [this](base::Result<base::Addresses> found) { on_answer(std::move(found)); }));
    }
    if (left_ > 0) env_.run();
    return std::move(reasons_);
  }

 private:
  void on_answer(const base::Result<base::Addresses>& found) {
    if (!found.ok()) reasons_.push_back(found.error().message);
    if (--left_ == 0) env_.quit();
  }

  UvEnv env_;
  std::vector<base::Pending> pending_;
  size_t left_ = 0;
  std::vector<std::string> reasons_;
};

}  // namespace

base::Status check_origins(const Config& config, ThreadPool& pool) {
  const std::set<std::string> names = names_of(config);
  const std::vector<std::string> reasons = Names(pool).fail_to_resolve(names);
  const bool no_name_is_known = reasons.size() == names.size();
  std::string missing = reasons.empty() ? "" : "the origin " + reasons.front();
  const auto is_missing = [&](const SiteConfig& site) {
    if (const auto* folder = std::get_if<origin::DirectoryOriginOptions>(&site.origin)) {
      const std::optional<std::string> absent = absent_folder(*folder);
      if (absent && missing.empty()) missing = *absent;
      return absent.has_value();
    }
    const auto& options = std::get<origin::HttpOriginOptions>(site.origin);
    return no_name_is_known && names.contains(options.host);
  };
  if (std::all_of(config.sites.begin(), config.sites.end(), is_missing)) {
    return base::Error{base::ErrorCode::kResolve, 0, missing + "; no store was made"};
  }
  for (const std::string& reason : reasons) log_warning("the origin " + reason);
  return base::Done{};
}

}  // namespace perigee::edge
