// What all loops share of one folder.
#pragma once

#include <memory>
#include <utility>

#include "origin/file_tag.h"
#include "origin/folder_io.h"
#include "origin/folder_options.h"

namespace perigee::origin {

/// Any thread. Jobs on the pool hold it, so it may outlive its site.
struct SharedFolder {
  SharedFolder(const DirectoryOriginOptions& configured, std::unique_ptr<FolderPlace> where)
      : options(configured), place(std::move(where)), types(configured.types, desktop_types()) {}

  const DirectoryOriginOptions options;
  const std::unique_ptr<FolderPlace> place;
  const MediaTypes types;
  ContentTags tags;
};

}  // namespace perigee::origin
