// The codings that lie ready in a folder: beside `app.js` its siblings `app.js.zst`, `app.js.br`
// and `app.js.gz`.
//
// A sibling is found by the file that a request means, through the same door, so nothing is read
// that the folder would not serve.
#pragma once

#include <memory>
#include <utility>

#include "origin/precoded.h"
#include "origin/shared_folder.h"

namespace perigee::origin {

class FolderSiblings final : public Precoded {
 public:
  explicit FolderSiblings(std::shared_ptr<SharedFolder> folder) : folder_(std::move(folder)) {}

  /// A sibling counts if it is a regular file, shorter than the file and not older. Both are found
  /// beneath one opened folder.
  std::unique_ptr<Ready> open(const Query& query) const override;

 private:
  const std::shared_ptr<SharedFolder> folder_;
};

}  // namespace perigee::origin
