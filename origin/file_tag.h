// The ETag of a file: equal on all nodes that have the same file, and strong only where it is
// honest.
//
// Made of size and time of the last change, or of a hash of the content. The clock of a file system
// goes in steps, so a file may be written twice with one time. A file that was written less than
// kUnsettledMs ago is unsettled: its tag is weak and another one than later, nothing is compared
// with it, and its hash is not remembered.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/limits.h"
#include "base/mutex.h"
#include "origin/folder_io.h"

struct XXH3_state_s;

namespace perigee::origin {

/// Without quotes: of size and time of the last change.
std::string modified_tag(const FileInfo& info);
/// False: the time says nothing, since it is at most a second after 1970, as Nix and OSTree write
/// it.
bool has_time(const FileInfo& info);
/// False: the file may be written to again without another time.
bool is_settled(const FileInfo& info, int64_t now_ms);
/// The ETag of an opaque part; weak where the file is not settled.
std::string entity_tag(const std::string& opaque, bool settled);

/// Reads a file through, in steps, for the tag of its content. Any one thread at a time.
class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  enum class State : uint8_t { kMore, kDone, kFailed };
  /// Reads the next kHashStepBytes. kFailed: it cannot be read, or was changed meanwhile. Blocking.
  State step(FolderFile& file);
  /// Without quotes; after kDone.
  std::string tag() const;

 private:
  XXH3_state_s* const state_;
  uint64_t read_ = 0;
};

/// The tags of content that were made lately, by all that tells a change of a file. Any thread.
class ContentTags {
 public:
  explicit ContentTags(size_t most = base::limits::kContentTags) : most_(most) {}
  std::optional<std::string> find(const FileInfo& info) const EXCLUDES(mutex_);
  /// Of a file that was opened at `now_ms` or later. Nothing, when it was changed so short a time
  /// before that it may be changed again unseen. Beyond the bound the oldest goes.
  void add(const FileInfo& info, const std::string& tag, int64_t now_ms) EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  struct Hash {
    size_t operator()(const FileInfo& info) const {
      return std::hash<uint64_t>()(info.inode ^ (info.size << 32) ^
                                   static_cast<uint64_t>(info.changed_ms));
    }
  };
  const size_t most_;
  mutable base::Mutex mutex_{base::LockRank::kContentTags};
  std::unordered_map<FileInfo, std::string, Hash> tags_ GUARDED_BY(mutex_);
  std::deque<FileInfo> in_order_ GUARDED_BY(mutex_);
};

}  // namespace perigee::origin
