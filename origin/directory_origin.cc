// Two kinds of jobs on the pool: one finds the file and reads its first piece, the others read on.
#include "origin/directory_origin.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "http/date.h"
#include "http/preconditions.h"
#include "origin/media_type.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;
using http::Chunk;
using http::Method;

constexpr size_t kReadBytes = 128 * limits::kKiB;
constexpr int64_t kLaneRetryMs = 10;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The path of a target, percent-decoded once, without its first slash. False: malformed, or a byte
/// that no file name has.
bool decode_path(std::string_view target, std::string& out) {
  std::string_view path = target.substr(0, target.find('?'));
  if (!path.starts_with('/')) return false;
  path.remove_prefix(1);
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out += path[i];
      continue;
    }
    if (i + 2 >= path.size()) return false;
    const int high = hex_value(path[i + 1]);
    const int low = hex_value(path[i + 2]);
    if (high < 0 || low < 0) return false;
    const char byte = static_cast<char>(high * 16 + low);
    if (byte == '/' || byte == '\0') return false;
    out += byte;
    i += 2;
  }
  return true;
}

bool is_hidden(std::string_view path) {
  constexpr std::string_view kPublic = ".well-known/";
  if (path.starts_with(kPublic)) path.remove_prefix(kPublic.size());
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

/// What the job needs of a request, owned.
struct FolderRequest {
  Method method = Method::kGet;
  std::string target;
  std::string if_match;
  std::string if_none_match;
  std::string if_modified_since;
  std::string if_unmodified_since;
};

/// What a request turned into: everything of the answer, and the first piece of its content.
struct FolderAnswer {
  uint16_t status = 200;
  std::string location;
  std::string content_type;
  std::string etag;
  std::string modified;
  uint64_t size = 0;             ///< of the content, whether it is sent or not
  std::vector<std::byte> piece;  ///< its first bytes
  std::shared_ptr<FolderFile> file;
};

std::string etag_of(const FileInfo& info) {
  char text[64];
  char* at = text;
  *at++ = '"';
  for (const uint64_t part : {info.inode, info.size, static_cast<uint64_t>(info.modified_ms),
                              static_cast<uint64_t>(info.modified_ns)}) {
    if (at != text + 1) *at++ = '-';
    at = std::to_chars(at, text + sizeof text, part, 36).ptr;
  }
  *at++ = '"';
  return {text, at};
}

FolderAnswer plain(uint16_t status) {
  FolderAnswer answer;
  answer.status = status;
  answer.content_type = "text/plain; charset=utf-8";
  const std::string text =
      std::to_string(status) + " " + std::string(http::reason_phrase(status)) + "\n";
  const auto bytes = std::as_bytes(std::span(text));
  answer.piece.assign(bytes.begin(), bytes.end());
  answer.size = text.size();
  return answer;
}

/// RFC 9110 §13.2.2 against the file: 200, 304 or 412.
uint16_t judge(const FolderRequest& request, const FolderAnswer& answer, int64_t modified_ms,
               int64_t now_ms) {
  http::StoredResponse file;
  file.policy.status = 200;
  file.etag = answer.etag;
  file.last_modified = answer.modified;
  file.last_modified_ms = modified_ms / 1000 * 1000;
  file.date_ms = now_ms;
  std::array<http::Field, 4> storage;
  http::RequestHead head;
  head.method = request.method;
  head.fields = http::HeaderList(storage);
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) head.fields.add(name, value);
  };
  add("If-Match", request.if_match);
  add("If-None-Match", request.if_none_match);
  add("If-Modified-Since", request.if_modified_since);
  add("If-Unmodified-Since", request.if_unmodified_since);
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

FolderAnswer redirect_to_folder(std::string_view target) {
  FolderAnswer answer = plain(301);
  const size_t query = std::min(target.find('?'), target.size());
  answer.location = std::string(target.substr(0, query)) + "/" + std::string(target.substr(query));
  return answer;
}

/// Finds the file that a request means and reads its first piece. Blocking.
FolderAnswer look(FolderIo& folder, const MediaTypes& types, const FolderRequest& request,
                  int64_t now_ms) {
  std::string path;
  if (!decode_path(request.target, path) || is_hidden(path)) return plain(404);
  const bool wants_folder = path.empty() || path.ends_with('/');
  if (wants_folder) path += "index.html";
  base::Result<std::unique_ptr<FolderFile>> opened = folder.open(path);
  if (!opened.ok()) {
    const base::ErrorCode code = opened.error().code;
    return plain(code == base::ErrorCode::kIo          ? 500
                 : code == base::ErrorCode::kForbidden ? 403
                                                       : 404);
  }
  const FileInfo& info = (*opened)->info();
  if (info.directory) return wants_folder ? plain(404) : redirect_to_folder(request.target);
  FolderAnswer answer;
  answer.content_type = types.type_of(path);
  answer.etag = etag_of(info);
  // Never later than Date (RFC 9110 §8.8.2.1).
  const int64_t modified_ms = std::min(info.modified_ms, now_ms);
  char date[http::kDateSize];
  answer.modified = http::format_date(modified_ms, date);
  answer.status = judge(request, answer, modified_ms, now_ms);
  if (answer.status == 412) return plain(412);
  answer.size = info.size;
  if (answer.status != 200 || request.method != Method::kGet) return answer;
  answer.file = std::move(*opened);
  answer.piece.resize(static_cast<size_t>(std::min<uint64_t>(info.size, limits::kFillChunkBytes)));
  const base::Result<size_t> read = answer.file->read(0, answer.piece);
  // Asked for each piece, since a range may be answered before the whole was read.
  const bool whole = read.ok() && *read == answer.piece.size() && answer.file->unchanged();
  if (!whole) return plain(503);
  return answer;
}

std::string field_of(const FetchRequest& request, http::FieldName name) {
  return std::string(request.fields.value(name));
}

/// One request to the folder: a job to find the file, then a job for each further piece that is
/// pulled.
class FolderFetch final : public Fetch {
 public:
  FolderFetch(const DirectoryOriginOptions& options, FolderIo& folder, const MediaTypes& types,
              base::Env& env, const FetchRequest& request, FetchUser& user)
      : options_(options),
        folder_(folder),
        types_(types),
        env_(env),
        user_(user),
        request_{request.method,
                 std::string(request.target),
                 field_of(request, http::FieldName::kIfMatch),
                 field_of(request, http::FieldName::kIfNoneMatch),
                 field_of(request, http::FieldName::kIfModifiedSince),
                 field_of(request, http::FieldName::kIfUnmodifiedSince)},
        begun_ms_(env.wall().ms),
        start_timer_([this] { start(); }),
        retry_timer_([this] { wake(); }) {
    // Nothing is called back inside fetch().
    if (!begin()) env_.arm(start_timer_, env_.now());
  }

  Chunk peek(size_t max) override {
    const size_t ready = piece_.size() - piece_at_;
    const bool last = sent_ + ready == size_;
    if (ready > 0) {
      const size_t n = std::min(max, ready);
      return {{piece_.data() + piece_at_, n}, last && n == ready ? Chunk::kEnd : Chunk::kMore};
    }
    if (failed_) return {{}, Chunk::kFail};
    if (sent_ == size_) return {{}, Chunk::kEnd};
    if (!pending_.waiting() && !retry_timer_.armed()) read_next();
    return {{}, Chunk::kLater};
  }
  void advance(size_t n) override {
    piece_at_ += n;
    sent_ += n;
    CHECK(piece_at_ <= piece_.size() && sent_ <= size_);
  }
  std::optional<uint64_t> size() const override { return size_; }
  void become_relay(base::Holder) override {}  ///< a file is not held up by its reader

 private:
  class LookJob;
  class ReadJob;

  bool is_answered_here() const {
    return request_.method != Method::kGet && request_.method != Method::kHead;
  }
  bool begin();
  void start();
  void read_next();
  void found(FolderAnswer answer);
  void on_piece(std::vector<std::byte> bytes, bool whole);

  const DirectoryOriginOptions& options_;
  FolderIo& folder_;
  const MediaTypes& types_;
  base::Env& env_;
  FetchUser& user_;
  const FolderRequest request_;
  const int64_t begun_ms_;
  base::Timer start_timer_;
  base::Timer retry_timer_;  ///< the pool was full
  base::Pending pending_;
  std::shared_ptr<FolderFile> file_;
  std::vector<std::byte> piece_;
  size_t piece_at_ = 0;
  uint64_t size_ = 0;
  uint64_t sent_ = 0;
  bool failed_ = false;
};

class FolderFetch::LookJob final : public base::Job {
 public:
  explicit LookJob(FolderFetch& fetch)
      : fetch_(fetch),
        folder_(fetch.folder_),
        types_(fetch.types_),
        request_(fetch.request_),
        now_ms_(fetch.begun_ms_) {}
  void work(const std::atomic<bool>&) noexcept override {
    answer_ = look(folder_, types_, request_, now_ms_);
  }
  void done() noexcept override { fetch_.found(std::move(answer_)); }

 private:
  FolderFetch& fetch_;
  FolderIo& folder_;
  const MediaTypes& types_;
  const FolderRequest request_;
  const int64_t now_ms_;
  FolderAnswer answer_;
};

class FolderFetch::ReadJob final : public base::Job {
 public:
  ReadJob(FolderFetch& fetch, std::vector<std::byte> bytes)
      : fetch_(fetch), file_(fetch.file_), offset_(fetch.sent_), bytes_(std::move(bytes)) {}
  void work(const std::atomic<bool>&) noexcept override {
    const base::Result<size_t> read = file_->read(offset_, bytes_);
    whole_ = read.ok() && *read == bytes_.size() && file_->unchanged();
  }
  void done() noexcept override { fetch_.on_piece(std::move(bytes_), whole_); }

 private:
  FolderFetch& fetch_;
  const std::shared_ptr<FolderFile> file_;
  const uint64_t offset_;
  std::vector<std::byte> bytes_;
  bool whole_ = false;
};

/// False: answered without the folder, or the pool is full.
bool FolderFetch::begin() {
  if (is_answered_here()) return false;
  std::unique_ptr<base::Job> job = std::make_unique<LookJob>(*this);
  return env_.offload(base::Lane::kLatency, job, pending_);
}

void FolderFetch::start() {
  if (is_answered_here()) return found(plain(request_.method == Method::kOptions ? 204 : 405));
  user_.on_fetch_failed({FetchError::kBusy, "too many files are being read"});
}

void FolderFetch::found(FolderAnswer answer) {
  std::array<http::Field, 12> storage;
  http::ReceivedResponse head;
  head.fields = http::HeaderList(storage);
  head.status = answer.status;
  char date[http::kDateSize];
  head.fields.add("Date", http::format_date(env_.wall().ms, date));
  if (head.status == 405 || head.status == 204) head.fields.add("Allow", "GET, HEAD, OPTIONS");
  const bool content = !http::never_has_body(Method::kGet, head.status);
  if (content) {
    head.fields.add("Content-Type", answer.content_type);
    head.content_length = answer.size;
  }
  if (!answer.etag.empty()) {
    head.fields.add("ETag", answer.etag);
    head.fields.add("Last-Modified", answer.modified);
  }
  if (!answer.location.empty()) head.fields.add("Location", answer.location);
  // Pages that load a font with `crossorigin` meet the copy that others loaded without
  // (http-rules 4.5).
  if (answer.content_type.starts_with("font/")) {
    head.fields.add("Access-Control-Allow-Origin", "*");
  }
  const bool lasting = head.status == 200 || head.status == 301 || head.status == 304;
  if (lasting) head.fields.add("Cache-Control", options_.cache_control);
  head.has_body = !http::never_has_body(request_.method, head.status);
  head.keep_alive = true;
  if (head.has_body) {
    size_ = answer.size;
    piece_ = std::move(answer.piece);
    file_ = std::move(answer.file);
  }
  user_.on_fetch_head(head, {begun_ms_, env_.wall().ms});
}

void FolderFetch::read_next() {
  CHECK(piece_at_ == piece_.size() && sent_ < size_ && file_ != nullptr);
  std::vector<std::byte> bytes = std::move(piece_);
  bytes.resize(static_cast<size_t>(std::min<uint64_t>(kReadBytes, size_ - sent_)));
  piece_.clear();
  piece_at_ = 0;
  std::unique_ptr<base::Job> job = std::make_unique<ReadJob>(*this, std::move(bytes));
  if (env_.offload(base::Lane::kLatency, job, pending_)) return;
  env_.arm(retry_timer_, env_.now() + kLaneRetryMs);
}

void FolderFetch::on_piece(std::vector<std::byte> bytes, bool whole) {
  // Not what the head promised any more: what was sent cannot be completed.
  failed_ = !whole;
  if (whole) piece_ = std::move(bytes);
  wake();
}

class DirectoryOrigin final : public Origin {
 public:
  DirectoryOrigin(const DirectoryOriginOptions& options, FolderIo& folder, const MediaTypes& types,
                  base::Env& env)
      : options_(options), folder_(folder), types_(types), env_(env) {}
  std::unique_ptr<Fetch> fetch(const FetchRequest& request, FetchUser& user) override {
    return std::make_unique<FolderFetch>(options_, folder_, types_, env_, request, user);
  }
  void drain() override {}

 private:
  const DirectoryOriginOptions& options_;
  FolderIo& folder_;
  const MediaTypes& types_;
  base::Env& env_;
};

}  // namespace

std::unique_ptr<Origin> make_directory_origin(const DirectoryOriginOptions& options,
                                              FolderIo& folder, base::Env& env) {
  // Read once, at start.
  static const MediaTypes kTypes = load_media_types();
  return std::make_unique<DirectoryOrigin>(options, folder, kTypes, env);
}

}  // namespace perigee::origin
