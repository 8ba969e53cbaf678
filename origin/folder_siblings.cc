#include "origin/folder_siblings.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <vector>

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

class Sibling final : public Precoded::Ready {
 public:
  Sibling(std::string name, std::unique_ptr<FolderFile> file, std::unique_ptr<FolderFile> beside,
          int64_t now_ms)
      : name_(std::move(name)),
        file_(std::move(file)),
        beside_(std::move(beside)),
        settled_(is_settled(file_->info(), now_ms)) {}

  const std::string& name() const override { return name_; }
  uint64_t size() const override { return file_->info().size; }
  bool settled() const override { return settled_; }
  bool read(uint64_t at, std::span<std::byte> out) override {
    const base::Result<size_t> read = file_->read(at, out);
    return read.ok() && *read == out.size() && file_->unchanged();
  }
  bool lies_beside(uint64_t at, std::span<const std::byte> bytes) override;

 private:
  const std::string name_;
  const std::unique_ptr<FolderFile> file_;
  const std::unique_ptr<FolderFile> beside_;
  const bool settled_;
};

bool Sibling::lies_beside(uint64_t at, std::span<const std::byte> bytes) {
  std::vector<std::byte> buffer(std::min(kReadBytes, bytes.size()));
  while (!bytes.empty()) {
    const auto piece = std::span(buffer).first(std::min(buffer.size(), bytes.size()));
    const base::Result<size_t> read = beside_->read(at, piece);
    const bool same = read.ok() && *read == piece.size() &&
                      std::memcmp(piece.data(), bytes.data(), piece.size()) == 0;
    if (!same) return false;
    at += piece.size();
    bytes = bytes.subspan(piece.size());
  }
  return true;
}

}  // namespace

std::unique_ptr<Precoded::Ready> FolderSiblings::open(const Query& query) const {
  const std::string_view suffix = suffix_of(query.coding);
  const auto opened = folder_->place->open();
  if (suffix.empty() || !opened.ok()) return nullptr;
  FolderFound found = find_in_folder(**opened, {folder_->options, folder_->types}, query.target);
  const bool there = found.kind == FolderFound::kFile && !found.instead;
  if (!there || found.file->info().size != query.body_bytes) return nullptr;
  const std::string path = found.path + std::string(suffix);
  auto sibling = (*opened)->open(path);
  if (!sibling.ok() || !may_be_coding_of(found.file->info(), (*sibling)->info())) return nullptr;
  return std::make_unique<Sibling>(folder_->options.path + "/" + path, std::move(*sibling),
                                   std::move(found.file), query.now_ms);
}

}  // namespace perigee::origin
