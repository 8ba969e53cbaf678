#include "edge/store_size.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/limits.h"
#include "cache_store/geometry.h"
#include "edge/regular_file.h"

namespace perigee::edge {

namespace {

constexpr uint64_t kUsualBytes = 1ull << 30;
constexpr uint64_t kDiskShare = 10;
constexpr const char* kGroups = "/sys/fs/cgroup";

void note_limit(const std::string& path, uint64_t& bytes) {
  std::ifstream file(path);
  uint64_t limit = 0;
  if (file >> limit && limit > 0) bytes = std::min(bytes, limit);
}

/// The machine's, or that of a control group: of this process's own and of all above it.
uint64_t memory_bytes() {
  uint64_t bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  note_limit(std::string(kGroups) + "/memory/memory.limit_in_bytes", bytes);
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    constexpr std::string_view kUnified = "0::";
    if (!line.starts_with(kUnified)) continue;
    std::string group = line.substr(kUnified.size());
    while (!group.empty()) {
      note_limit(kGroups + group + "/memory.max", bytes);
      group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
    }
  }
  note_limit(std::string(kGroups) + "/memory.max", bytes);
  return bytes;
}

}  // namespace

ChosenSize choose_store_size(const StoreGround& ground) {
  // What is shorter is no store yet, or a creation that was cut short.
  if (ground.present_bytes >= cache_store::kLeastStoreBytes) {
    return {ground.present_bytes, "as large as it was"};
  }
  ChosenSize chosen{kUsualBytes, "the default"};
  if (ground.memory_bytes / base::limits::kMemoryShare < chosen.bytes) {
    chosen = {ground.memory_bytes / base::limits::kMemoryShare, "half of the memory"};
  }
  if (ground.disk_free / kDiskShare < chosen.bytes) {
    chosen = {ground.disk_free / kDiskShare, "a tenth of the free disk"};
  }
  return chosen;
}

StoreGround look_at_ground(const std::string& path) {
  StoreGround ground;
  ground.memory_bytes = memory_bytes();
  struct stat facts {};
  if (::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode)) {
    ground.present_bytes = static_cast<uint64_t>(facts.st_size);
  }
  struct statvfs disk {};
  if (::statvfs(folder_for(path).c_str(), &disk) == 0) {
    ground.disk_free = uint64_t{disk.f_bavail} * disk.f_frsize;
  }
  return ground;
}

}  // namespace perigee::edge
