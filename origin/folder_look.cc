#include "origin/folder_look.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/limits.h"
#include "http/date.h"
#include "http/preconditions.h"
#include "http/stored_response.h"
#include "origin/folder_path.h"

namespace perigee::origin {

namespace limits = base::limits;

FolderAnswer plain_answer(uint16_t status) {
  FolderAnswer answer;
  answer.status = status;
  answer.content_type = "text/plain; charset=utf-8";
  const std::string text =
      std::to_string(status) + " " + std::string(http::reason_phrase(status)) + "\n";
  const auto bytes = std::as_bytes(std::span(text));
  answer.piece.assign(bytes.begin(), bytes.end());
  answer.size = text.size();
  answer.span = {0, answer.size};
  return answer;
}

FolderLook::FolderLook(std::shared_ptr<SharedFolder> folder, FolderRequest request, int64_t now_ms)
    : folder_(std::move(folder)), request_(std::move(request)), now_ms_(now_ms) {}

bool FolderLook::step() { return hash_ != nullptr ? hash() : begin(); }

/// Everything that answers a request is found beneath one opened folder. What is not found there is
/// looked for again, if another folder has come in its place meanwhile: a release that was just
/// removed misses files that the next one has.
bool FolderLook::begin() {
  for (++tries_;; ++tries_) {
    base::Result<std::unique_ptr<FolderIo>> opened = folder_->place->open();
    if (!opened.ok()) {
      answer_ = {};
      answer_.absent = opened.error().message;
      return true;
    }
    FolderFound found =
        find_in_folder(**opened, {folder_->options, folder_->types}, request_.target);
    const bool there = found.kind == FolderFound::kRedirect ||
                       (found.kind == FolderFound::kFile && !found.instead);
    if (there || tries_ >= limits::kFolderLooks || !(*opened)->replaced()) {
      return take(std::move(found));
    }
  }
}

bool FolderLook::end(FolderAnswer answer) {
  answer_ = std::move(answer);
  return true;
}

bool FolderLook::take(FolderFound found) {
  switch (found.kind) {
    case FolderFound::kFile:
      return take_file(std::move(found));
    case FolderFound::kRedirect:
      answer_ = plain_answer(301);
      answer_.location = folder_location(found.path, request_.target);
      return true;
    case FolderFound::kNothing:
      return end(plain_answer(404));
    case FolderFound::kForbidden:
      return end(plain_answer(403));
    case FolderFound::kBroken:
      return end(plain_answer(500));
  }
  return true;
}

bool FolderLook::take_file(FolderFound found) {
  file_ = std::move(found.file);
  const FileInfo& info = file_->info();
  answer_ = {};
  answer_.content_type = folder_->types.type_of(found.path);
  answer_.size = info.size;
  answer_.span = {0, info.size};
  if (found.instead) {
    answer_.status = 404;
    read_first_piece();
    return true;
  }
  const bool by_content =
      folder_->options.tag == DirectoryOriginOptions::Tag::kContent || !has_time(info);
  if (!by_content) return finish(modified_tag(info));
  if (const std::optional<std::string> known = folder_->tags.find(info)) return finish(*known);
  hash_ = std::make_unique<ContentHash>();
  return hash();
}

bool FolderLook::hash() {
  const ContentHash::State state = hash_->step(*file_);
  if (state == ContentHash::State::kMore) return false;
  const std::unique_ptr<ContentHash> hash = std::move(hash_);
  if (state == ContentHash::State::kFailed) {
    return tries_ < limits::kFolderLooks ? begin() : end(plain_answer(503));
  }
  const std::string tag = hash->tag();
  folder_->tags.add(file_->info(), tag, now_ms_);
  return finish(tag);
}

/// The answer of a file whose tag is known.
bool FolderLook::finish(const std::string& opaque) {
  const FileInfo& info = file_->info();
  const bool settled = is_settled(info, now_ms_);
  answer_.etag = entity_tag(opaque, settled);
  // Never later than Date (RFC 9110 §8.8.2.1).
  const int64_t modified_ms = std::min(info.modified_ms, now_ms_);
  char date[http::kDateSize];
  if (has_time(info)) answer_.modified = http::format_date(modified_ms, date);
  answer_.status = judge(modified_ms, settled);
  if (answer_.status == 412) return end(plain_answer(412));
  if (answer_.status == 200) take_range();
  if (answer_.status == 200 || answer_.status == 206) read_first_piece();
  return true;
}

/// One range of a file that cannot be another one under the same tag (RFC 9110 §13.1.5, §14.2).
void FolderLook::take_range() {
  const bool strong = http::strongly_equal(answer_.etag, answer_.etag);
  const bool same = request_.if_range.empty() || request_.if_range == answer_.etag;
  if (request_.method != http::Method::kGet || request_.range.empty() || !strong || !same) return;
  const http::RangeRequest range = http::parse_range(request_.range, answer_.size);
  if (range.kind == http::RangeRequest::kUnsatisfiable) {
    answer_.status = 416;
    answer_.span = {};
  } else if (range.kind == http::RangeRequest::kSatisfiable && range.spans.size() == 1) {
    answer_.status = 206;
    answer_.span = range.spans[0];
  }
}

void FolderLook::read_first_piece() {
  if (request_.method != http::Method::kGet) return;
  answer_.piece.resize(
      static_cast<size_t>(std::min<uint64_t>(answer_.span.size(), limits::kFillChunkBytes)));
  const base::Result<size_t> read = file_->read(answer_.span.begin, answer_.piece);
  // Asked for each piece, since a range may be answered before the whole was read.
  const bool whole = read.ok() && *read == answer_.piece.size() && file_->unchanged();
  if (!whole) {
    answer_ = plain_answer(503);
  } else {
    answer_.file = file_;
  }
}

/// RFC 9110 §13.2.2 against the file: 200, 304 or 412. What may be written to unseen is never said
/// not to be modified.
uint16_t FolderLook::judge(int64_t modified_ms, bool settled) const {
  http::StoredResponse file;
  file.policy.status = 200;
  file.etag = answer_.etag;
  file.last_modified = answer_.modified;
  file.last_modified_ms = answer_.modified.empty() ? -1 : modified_ms / 1000 * 1000;
  file.date_ms = now_ms_;
  std::array<http::Field, 4> storage;
  http::RequestHead head;
  head.method = request_.method;
  head.fields = http::HeaderList(storage);
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) head.fields.add(name, value);
  };
  add("If-Match", request_.if_match);
  if (settled) {
    add("If-None-Match", request_.if_none_match);
    add("If-Modified-Since", request_.if_modified_since);
  }
  add("If-Unmodified-Since", request_.if_unmodified_since);
  switch (http::evaluate(file, head)) {
    case http::Precondition::kNone:
      return 200;
    case http::Precondition::kNotModified:
      return 304;
    case http::Precondition::kFailed:
      return 412;
  }
  return 200;
}

}  // namespace perigee::origin
