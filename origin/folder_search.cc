#include "origin/folder_search.h"

#include <optional>
#include <utility>

#include "http/asset_shape.h"
#include "origin/folder_path.h"

namespace perigee::origin {
namespace {

using Kind = FolderFound::Kind;

FolderFound redirect(std::string path) {
  FolderFound found;
  found.kind = Kind::kRedirect;
  found.path = std::move(path);
  return found;
}

class Search {
 public:
  Search(FolderIo& folder, const FolderRules& rules)
      : folder_(folder), options_(rules.options), types_(rules.types) {}

  FolderFound find(std::string_view target) {
    std::optional<FolderPath> path = read_folder_path(target);
    if (!path || is_hidden(path->text)) return not_found_page();
    FolderFound found = is_folder(path->text) ? folder(path->text) : file(path->text);
    if (found.kind == Kind::kNothing) found = instead_of(path->text);
    const bool there = found.kind == Kind::kFile && !found.instead;
    return there && path->merged ? redirect(std::move(path->text)) : std::move(found);
  }

 private:
  static bool is_folder(std::string_view path) { return path.empty() || path.ends_with('/'); }

  /// A regular file; kNothing for a folder, for which `is_directory` (null: unasked) is set.
  FolderFound open(std::string path, bool* is_directory = nullptr) {
    FolderFound found;
    base::Result<std::unique_ptr<FolderFile>> opened = folder_.open(path);
    if (!opened.ok()) {
      const base::ErrorCode code = opened.error().code;
      found.kind = code == base::ErrorCode::kNotFound    ? Kind::kNothing
                   : code == base::ErrorCode::kForbidden ? Kind::kForbidden
                                                         : Kind::kBroken;
      return found;
    }
    const bool directory = (*opened)->info().directory;
    if (is_directory != nullptr) *is_directory = directory;
    if (directory) return found;
    found.kind = Kind::kFile;
    found.path = std::move(path);
    found.file = std::move(*opened);
    return found;
  }

  FolderFound file(const std::string& path) {
    bool is_directory = false;
    FolderFound found = open(path, &is_directory);
    if (found.kind != Kind::kNothing) return found;
    if (options_.clean_urls) {
      found = open(path + ".html");
      if (found.kind != Kind::kNothing) return found;
    }
    if (!is_directory) return found;
    found = folder(path + "/");
    return found.kind == Kind::kFile ? redirect(path + "/") : std::move(found);
  }

  /// Of a path that ends in a slash, or is empty.
  FolderFound folder(const std::string& path) {
    for (const std::string& name : options_.index) {
      FolderFound found = open(path + name);
      if (found.kind != Kind::kNothing) return found;
    }
    if (!options_.clean_urls || path.empty()) return {};
    std::string page = path.substr(0, path.size() - 1);
    FolderFound found = open(page + ".html");
    return found.kind == Kind::kFile ? redirect(std::move(page)) : std::move(found);
  }

  FolderFound instead_of(std::string_view path) {
    // Who asks for a well-known file is told the truth.
    const bool may_be_page =
        !path.starts_with('.') && !http::is_asset_shaped(path) && types_.may_be_page(path);
    if (!options_.fallback.empty() && may_be_page) {
      FolderFound found = open(options_.fallback.substr(1));
      if (found.kind == Kind::kFile) return found;
    }
    return not_found_page();
  }

  FolderFound not_found_page() {
    if (options_.not_found.empty()) return {};
    FolderFound found = open(options_.not_found.substr(1));
    if (found.kind != Kind::kFile) return {};
    found.instead = true;
    return found;
  }

  FolderIo& folder_;
  const DirectoryOriginOptions& options_;
  const MediaTypes& types_;
};

}  // namespace

FolderFound find_in_folder(FolderIo& folder, const FolderRules& rules, std::string_view target) {
  return Search(folder, rules).find(target);
}

}  // namespace perigee::origin
