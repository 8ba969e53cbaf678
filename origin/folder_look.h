// One request to a folder, up to the head of its answer and the first piece of its content.
//
// All of it blocks, so it is done on the pool, in steps: a long file is hashed in several, and
// other jobs come between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http/message.h"
#include "http/range.h"
#include "origin/file_tag.h"
#include "origin/folder_search.h"
#include "origin/shared_folder.h"

namespace perigee::origin {

/// What a look needs of a request, owned.
struct FolderRequest {
  http::Method method = http::Method::kGet;
  std::string target;
  std::string if_match;
  std::string if_none_match;
  std::string if_modified_since;
  std::string if_unmodified_since;
  std::string range;
  std::string if_range;
};

/// What a request turned into: everything of the answer, and the first piece of its content.
struct FolderAnswer {
  std::string absent;  ///< why the folder itself is not there; then nothing else is set
  uint16_t status = 200;
  std::string location;
  std::string content_type;
  std::string etag;
  std::string modified;          ///< Last-Modified
  uint64_t size = 0;             ///< of the whole content, whether it is sent or not
  http::ByteSpan span;           ///< what of it is sent: less than all in a 206
  std::vector<std::byte> piece;  ///< its first bytes
  std::shared_ptr<FolderFile> file;
};

/// A short text of our own.
FolderAnswer plain_answer(uint16_t status);

/// Any one thread at a time.
class FolderLook {
 public:
  /// Begun at `now_ms` of the wall clock.
  FolderLook(std::shared_ptr<SharedFolder> folder, FolderRequest request, int64_t now_ms);

  /// Blocking, and bounded. False: there is more to do.
  bool step();
  /// After step() returned true.
  FolderAnswer& answer() { return answer_; }

 private:
  bool begin();
  bool take(FolderFound found);
  bool take_file(FolderFound found);
  bool hash();
  bool finish(const std::string& opaque);
  bool end(FolderAnswer answer);
  void read_first_piece();
  void take_range();
  uint16_t judge(int64_t modified_ms, bool settled) const;

  const std::shared_ptr<SharedFolder> folder_;
  const FolderRequest request_;
  const int64_t now_ms_;
  size_t tries_ = 0;
  std::shared_ptr<FolderFile> file_;
  std::unique_ptr<ContentHash> hash_;  ///< of the file, while it is made
  FolderAnswer answer_;
};

}  // namespace perigee::origin
