#include "edge/config_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "cache_store/geometry.h"
#include "edge/regular_file.h"
#include "edge/snapshot.h"

namespace perigee::edge {

namespace {

/// As the user that this process acts for.
bool may(const std::string& path, int mode) {
  return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
}

/// Why a file that is not there cannot be made; empty: it can.
std::string why_not_made(const std::string& path) {
  const std::string folder = folder_for(path);
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) == 0 && !S_ISDIR(facts.st_mode)) {
    return folder + " is no folder";
  }
  if (may(folder, W_OK | X_OK)) return "";
  return "nothing can be made in " + folder + ": " + std::strerror(errno);
}

void check_origin(const SiteConfig& site, const Spot& spot, ReadConfig& read) {
  if (const auto* folder = std::get_if<origin::DirectoryOriginOptions>(&site.origin)) {
    const std::optional<std::string> absent = absent_folder(*folder);
    if (absent) read.problems.warning(spot, *absent + kUntilThere);
    return;
  }
  const auto& options = std::get<origin::HttpOriginOptions>(site.origin);
  const std::string host = options.host == "localhost" ? "127.0.0.1" : options.host;
  const std::optional<base::Address> address = base::Address::parse_host(host, options.port);
  if (!address) return;
  const bool own = std::any_of(
      read.config.listeners.begin(), read.config.listeners.end(),
      [&](const ListenerConfig& listener) {
        const std::string any = listener.address.host_text();
        const bool loopback = host == "127.0.0.1" || host == "::1";
        return listener.address.port == options.port &&
               (listener.address == *address || (loopback && (any == "0.0.0.0" || any == "::")));
      });
  if (own) read.problems.warning(spot, "this is an address of the node itself");
}

std::string mib_text(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

void check_room(const StoreConfig& store, uint64_t wanted, ReadConfig& read) {
  struct stat facts {};
  struct statvfs disk {};
  const bool there = ::stat(store.path.c_str(), &facts) == 0;
  if (::statvfs(folder_for(store.path).c_str(), &disk) != 0) return;
  constexpr uint64_t kBlockBytes = 512;  // of st_blocks, whatever the disk has
  const uint64_t has = there ? static_cast<uint64_t>(facts.st_blocks) * kBlockBytes : 0;
  const uint64_t room = has + uint64_t{disk.f_bavail} * disk.f_frsize;
  if (wanted <= room) return;
  read.problems.warning(read.spots.store_size, "the store takes " + mib_text(wanted) +
                                                   ", and the disk has room for " + mib_text(room));
}

void check_store(ReadConfig& read) {
  const StoreConfig& store = read.config.store;
  const Spot& spot = read.spots.store_path;
  struct stat facts {};
  if (::stat(store.path.c_str(), &facts) == 0) {
    const base::Status kind = check_regular_file(store.path);
    if (!kind.ok()) return read.problems.error(spot, kind.error().message);
    if (!may(store.path, R_OK | W_OK)) {
      return read.problems.error(
          spot, "the store file " + store.path + " cannot be opened: " + std::strerror(errno));
    }
  } else if (const std::string why = why_not_made(store.path); !why.empty()) {
    return read.problems.error(spot, "the store file " + store.path + " cannot be made: " + why);
  }
  cache_store::StoreOptions options;
  options.size_bytes = store.size_bytes;
  const base::Result<cache_store::Geometry> geometry = cache_store::choose_geometry(options);
  if (!geometry.ok()) {
    return read.problems.error(read.spots.store_size, geometry.error().message + "; this is " +
                                                          std::string(store.size_why));
  }
  check_room(store, geometry->file_bytes(), read);
}

void check_access_log(ReadConfig& read) {
  const std::string& path = read.config.log.access;
  if (!is_access_log_file(read.config.log)) return;
  const auto wrong = [&](const std::string& why) {
    read.problems.error(read.spots.access_log,
                        "the access log " + path + " cannot be opened: " + why);
  };
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    if (const std::string why = why_not_made(path); !why.empty()) wrong(why);
  } else if (S_ISDIR(facts.st_mode)) {
    wrong(std::strerror(EISDIR));
  } else if (!may(path, W_OK)) {
    wrong(std::strerror(errno));
  }
}

}  // namespace

void check_surroundings(ReadConfig& read) {
  for (size_t i = 0; i < read.config.sites.size(); ++i) {
    check_origin(read.config.sites[i], read.spots.origins[i], read);
  }
  check_store(read);
  check_access_log(read);
}

}  // namespace perigee::edge
