// The door to a folder: find it, open beneath it, stat, read. Blocking, so called from pool jobs
// only.
//
// What the path of a folder names may change at any time: a link is pointed at the next release, a
// new folder is renamed into its place, or it is removed and built again. So a FolderPlace is asked
// for the folder before each use, and a FolderIo is one folder, which stays what it was.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace perigee::origin {

struct FileInfo {
  uint64_t size = 0;
  int64_t modified_ms = 0;  ///< wall time
  int64_t modified_ns = 0;  ///< the part below a millisecond
  int64_t changed_ms = 0;  ///< wall time of the last change of the inode (ctime), which nobody sets
  int64_t changed_ns = 0;  ///< the part below a millisecond
  uint64_t device = 0;
  uint64_t inode = 0;
  bool directory = false;
  bool operator==(const FileInfo&) const = default;
};

/// One open file. Any one thread at a time.
class FolderFile {
 public:
  virtual ~FolderFile() = default;
  virtual const FileInfo& info() const = 0;
  /// Bytes read, fewer only at the end of the file.
  virtual base::Result<size_t> read(uint64_t offset, std::span<std::byte> into) = 0;
  /// False: what info() described is no more; the file was written to, or cut, since it was opened.
  /// A file that only grew counts as unchanged: its first bytes are what they were, as a log's are.
  virtual bool unchanged() = 0;
};

/// One folder that paths cannot lead out of. Any one thread at a time.
class FolderIo {
 public:
  virtual ~FolderIo() = default;
  /// Opens a path relative to the folder. It is never absolute and has no segment `..`. Links may
  /// lead to any place in the folder; whether they may lead out of it, the FolderPlace says.
  /// kNotFound, kForbidden (a link that leads out, or what is neither a file nor a folder, without
  /// waiting for it) or kIo. Directories open too, to be told apart.
  virtual base::Result<std::unique_ptr<FolderFile>> open(std::string_view relative_path) = 0;
  /// The path of the folder names another one by now, or none.
  virtual bool replaced() = 0;
};

/// Where a folder is. Any thread.
class FolderPlace {
 public:
  virtual ~FolderPlace() = default;
  /// Opens the folder that is there now. The error names it.
  virtual base::Result<std::unique_ptr<FolderIo>> open() const = 0;
};

/// Which folder, and whether its links bind.
struct FolderPlaceOptions {
  std::string path;           ///< absolute
  bool follow_links = false;  ///< links may lead out of the folder
};
std::unique_ptr<FolderPlace> make_folder_place(FolderPlaceOptions options);

}  // namespace perigee::origin
