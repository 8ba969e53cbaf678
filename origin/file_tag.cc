#include "origin/file_tag.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <vector>

#include "base/check.h"

namespace perigee::origin {

namespace limits = base::limits;

namespace {

constexpr size_t kReadBytes = 128 * limits::kKiB;
constexpr int64_t kNoTimeMs = 1'999;  ///< 0 and 1 s after 1970, whatever stands behind the second

void append_number(uint64_t number, std::string& out) {
  char text[16];
  out.append(text, std::to_chars(text, text + sizeof text, number, 36).ptr);
}

bool may_be_written_unseen(int64_t written_ms, int64_t now_ms) {
  return now_ms - written_ms < limits::kUnsettledMs;
}

}  // namespace

std::string modified_tag(const FileInfo& info) {
  std::string tag;
  append_number(info.size, tag);
  tag += '-';
  append_number(static_cast<uint64_t>(info.modified_ms), tag);
  tag += '-';
  append_number(static_cast<uint64_t>(info.modified_ns), tag);
  return tag;
}

bool has_time(const FileInfo& info) { return info.modified_ms < 0 || info.modified_ms > kNoTimeMs; }

bool is_settled(const FileInfo& info, int64_t now_ms) {
  return !may_be_written_unseen(info.modified_ms, now_ms);
}

std::string entity_tag(const std::string& opaque, bool settled) {
  return settled ? "\"" + opaque + "\"" : "W/\"" + opaque + "-new\"";
}

ContentHash::ContentHash() : state_(XXH3_createState()) {
  CHECK(state_ != nullptr);
  XXH3_128bits_reset(state_);
}

ContentHash::~ContentHash() { XXH3_freeState(state_); }

ContentHash::State ContentHash::step(FolderFile& file) {
  std::vector<std::byte> buffer(kReadBytes);
  const uint64_t end = std::min<uint64_t>(read_ + limits::kHashStepBytes, file.info().size);
  while (read_ < end) {
    const auto piece = std::span(buffer).first(std::min<size_t>(kReadBytes, end - read_));
    const base::Result<size_t> read = file.read(read_, piece);
    if (!read.ok() || *read != piece.size()) return State::kFailed;
    XXH3_128bits_update(state_, piece.data(), piece.size());
    read_ += piece.size();
  }
  if (!file.unchanged()) return State::kFailed;
  return read_ == file.info().size ? State::kDone : State::kMore;
}

std::string ContentHash::tag() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_);
  std::string tag;
  append_number(hash.high64, tag);
  tag += '-';
  append_number(hash.low64, tag);
  return tag;
}

std::optional<std::string> ContentTags::find(const FileInfo& info) const {
  const base::MutexLock lock(mutex_);
  const auto known = tags_.find(info);
  return known != tags_.end() ? std::optional(known->second) : std::nullopt;
}

void ContentTags::add(const FileInfo& info, const std::string& tag, int64_t now_ms) {
  if (may_be_written_unseen(std::max(info.modified_ms, info.changed_ms), now_ms)) return;
  const base::MutexLock lock(mutex_);
  if (!tags_.emplace(info, tag).second) return;
  in_order_.push_back(info);
  if (in_order_.size() <= most_) return;
  tags_.erase(in_order_.front());
  in_order_.pop_front();
}

size_t ContentTags::size() const {
  const base::MutexLock lock(mutex_);
  return tags_.size();
}

}  // namespace perigee::origin
