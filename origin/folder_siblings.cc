#include "origin/folder_siblings.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/limits.h"
#include "origin/file_tag.h"
#include "origin/folder_search.h"

namespace perigee::origin {
namespace {

constexpr size_t kReadBytes = 128 * base::limits::kKiB;

std::string_view suffix_of(http::Coding coding) {
  switch (coding) {
    case http::Coding::kZstd:
      return ".zst";
    case http::Coding::kBrotli:
      return ".br";
    case http::Coding::kGzip:
      return ".gz";
    case http::Coding::kIdentity:
      break;
  }
  return "";
}

/// By what is known of both before they are read.
bool may_be_coding_of(const FileInfo& file, const FileInfo& sibling) {
  const auto time = [](const FileInfo& info) {
    return std::tie(info.modified_ms, info.modified_ns);
  };
  return !sibling.directory && sibling.size > 0 && sibling.size < file.size &&
         time(sibling) >= time(file);
}

bool holds(FolderFile& file, std::span<const std::byte> body) {
  std::vector<std::byte> buffer(std::min(kReadBytes, body.size()));
  for (size_t at = 0; at < body.size();) {
    const auto piece = std::span(buffer).first(std::min(buffer.size(), body.size() - at));
    const base::Result<size_t> read = file.read(at, piece);
    const bool same = read.ok() && *read == piece.size() &&
                      std::memcmp(piece.data(), body.data() + at, piece.size()) == 0;
    if (!same) return false;
    at += piece.size();
  }
  return true;
}

}  // namespace

std::optional<Precoded::Ready> FolderSiblings::find(const Query& query) const {
  const std::string_view suffix = suffix_of(query.coding);
  const auto opened = folder_->place->open();
  if (suffix.empty() || !opened.ok()) return std::nullopt;
  const FolderFound found =
      find_in_folder(**opened, {folder_->options, folder_->types}, query.target);
  const bool there = found.kind == FolderFound::kFile && !found.instead;
  if (!there || found.file->info().size != query.body.size()) return std::nullopt;
  const std::string path = found.path + std::string(suffix);
  const auto sibling = (*opened)->open(path);
  if (!sibling.ok()) return std::nullopt;
  FolderFile& file = **sibling;
  const FileInfo& info = file.info();
  if (!may_be_coding_of(found.file->info(), info)) return std::nullopt;
  if (!holds(*found.file, query.body)) return std::nullopt;
  Ready ready{folder_->options.path + "/" + path, std::vector<std::byte>(info.size),
              is_settled(info, query.now_ms)};
  const base::Result<size_t> read = file.read(0, ready.bytes);
  const bool whole = read.ok() && *read == ready.bytes.size() && file.unchanged();
  return whole ? std::optional(std::move(ready)) : std::nullopt;
}

}  // namespace perigee::origin
