// The door to a folder: open beneath it, stat, read. Blocking, so called from pool jobs only.
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
  int64_t modified_ns = 0;  ///< the part below a millisecond, for the ETag
  uint64_t inode = 0;
  bool directory = false;
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

/// A folder that paths cannot lead out of.
class FolderIo {
 public:
  virtual ~FolderIo() = default;
  /// Opens a path relative to the folder without ever leaving it: no `..`, no absolute path, no
  /// symlink that leads out (RESOLVE_BENEATH). kNotFound, kForbidden (also what is neither a file
  /// nor a folder, without waiting for it) or kIo. Directories open too, to be told apart.
  virtual base::Result<std::unique_ptr<FolderFile>> open(std::string_view relative_path) = 0;
};

/// Opens the folder itself. kNotFound when it is not there.
base::Result<std::unique_ptr<FolderIo>> open_folder(const std::string& path);

}  // namespace perigee::origin
