#include "origin/directory_origin.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <vector>

#include "base/limits.h"
#include "http/date.h"
#include "http/preconditions.h"
#include "origin/media_type.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;
using http::Chunk;
using http::Method;

constexpr size_t kReadBytes = 256 * limits::kKiB;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The path of a target, percent-decoded once. False: malformed, or a byte that no file name has.
bool decode_path(std::string_view target, std::string& out) {
  const std::string_view path = target.substr(0, target.find('?'));
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

/// A segment that begins with a dot is not for the public, but for /.well-known/.
bool is_hidden(std::string_view path) {
  if (path.starts_with("/.well-known/")) path.remove_prefix(12);
  return path.find("/.") != std::string_view::npos;
}

/// What a request turned into: everything of the answer but the content of a file.
struct FolderAnswer {
  uint16_t status = 200;
  std::string location;
  std::string content_type;
  std::string etag;
  std::string modified;
  std::string text;  ///< content of an answer without a file
  bool font = false;
  std::unique_ptr<FolderFile> file;
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
  answer.text = std::to_string(status) + " " + std::string(http::reason_phrase(status)) + "\n";
  return answer;
}

/// Finds the file that a target means. Blocking.
FolderAnswer look(FolderIo& folder, const MediaTypes& types, std::string_view target) {
  std::string path;
  if (!decode_path(target, path)) return plain(404);
  if (is_hidden(path)) return plain(404);
  const bool wants_folder = path.ends_with('/');
  std::string relative = path.substr(1) + (wants_folder ? "index.html" : "");
  base::Result<std::unique_ptr<FolderFile>> opened = folder.open(relative);
  if (!opened.ok()) {
    return plain(opened.error().code == base::ErrorCode::kIo ? 500 : 404);
  }
  const FileInfo& info = (*opened)->info();
  if (info.directory) {
    if (wants_folder) return plain(404);
    FolderAnswer answer = plain(301);
    const size_t query = target.find('?');
    answer.location = std::string(target.substr(0, query)) + "/" +
                      (query == std::string_view::npos ? "" : std::string(target.substr(query)));
    return answer;
  }
  FolderAnswer answer;
  answer.content_type = types.type_of(relative);
  answer.font = answer.content_type.starts_with("font/");
  answer.etag = etag_of(info);
  char date[http::kDateSize];
  answer.modified = http::format_date(info.modified_ms, date);
  answer.file = std::move(*opened);
  return answer;
}

/// One request to the folder: a job to find the file, then a job for each piece that is pulled.
class FolderFetch final : public Fetch {
 public:
  FolderFetch(const DirectoryOriginOptions& options, FolderIo& folder, const MediaTypes& types,
              base::Env& env, const FetchRequest& request, FetchUser& user)
      : options_(options),
        folder_(folder),
        types_(types),
        env_(env),
        user_(user),
        method_(request.method),
        target_(request.target),
        begun_ms_(env.wall().ms),
        start_timer_([this] { start(); }) {
    if (const http::Field* none_match = request.fields.find(http::FieldName::kIfNoneMatch)) {
      if_none_match_ = none_match->value;
    }
    // Nothing is called back inside fetch().
    if (!begin()) env_.arm(start_timer_, env_.now());
  }

  Chunk peek(size_t max) override {
    if (failed_) return {{}, Chunk::kFail};
    const size_t ready = piece_size_ - piece_at_;
    const bool last = sent_ + ready == size_;
    if (ready > 0) {
      const size_t n = std::min(max, ready);
      return {{piece_.data() + piece_at_, n}, last && n == ready ? Chunk::kEnd : Chunk::kMore};
    }
    if (sent_ == size_) return {{}, Chunk::kEnd};
    if (!pending_.waiting() && !read_next()) return {{}, Chunk::kFail};
    return {{}, Chunk::kLater};
  }
  void advance(size_t n) override {
    piece_at_ += n;
    sent_ += n;
  }
  std::optional<uint64_t> size() const override { return size_; }

 private:
  class LookJob;
  class ReadJob;

  bool begin();
  void start();
  bool read_next();
  void found(FolderAnswer answer);
  void on_piece(std::vector<std::byte> bytes, size_t got, bool whole);

  const DirectoryOriginOptions& options_;
  FolderIo& folder_;
  const MediaTypes& types_;
  base::Env& env_;
  FetchUser& user_;
  const Method method_;
  const std::string target_;
  std::string if_none_match_;
  const int64_t begun_ms_;
  base::Timer start_timer_;
  base::Pending pending_;
  std::shared_ptr<FolderFile> file_;
  std::vector<std::byte> piece_;
  size_t piece_at_ = 0;
  size_t piece_size_ = 0;
  uint64_t size_ = 0;
  uint64_t sent_ = 0;
  bool failed_ = false;
};

class FolderFetch::LookJob final : public base::Job {
 public:
  explicit LookJob(FolderFetch& fetch)
      : fetch_(fetch), folder_(fetch.folder_), types_(fetch.types_), target_(fetch.target_) {}
  void work(const std::atomic<bool>&) noexcept override {
    answer_ = look(folder_, types_, target_);
  }
  void done() noexcept override { fetch_.found(std::move(answer_)); }

 private:
  FolderFetch& fetch_;
  FolderIo& folder_;
  const MediaTypes& types_;
  const std::string target_;
  FolderAnswer answer_;
};

class FolderFetch::ReadJob final : public base::Job {
 public:
  ReadJob(FolderFetch& fetch, std::vector<std::byte> bytes)
      : fetch_(fetch), file_(fetch.file_), offset_(fetch.sent_), bytes_(std::move(bytes)) {}
  void work(const std::atomic<bool>&) noexcept override {
    const base::Result<size_t> read = file_->read(offset_, bytes_);
    whole_ = read.ok() && *read == bytes_.size();
    got_ = read.ok() ? *read : 0;
  }
  void done() noexcept override { fetch_.on_piece(std::move(bytes_), got_, whole_); }

 private:
  FolderFetch& fetch_;
  std::shared_ptr<FolderFile> file_;
  const uint64_t offset_;
  std::vector<std::byte> bytes_;
  size_t got_ = 0;
  bool whole_ = false;
};

/// False: answered without the folder, or the pool is full.
bool FolderFetch::begin() {
  if (method_ != Method::kGet && method_ != Method::kHead) return false;
  std::unique_ptr<base::Job> job = std::make_unique<LookJob>(*this);
  return env_.offload(base::Lane::kLatency, job, pending_);
}

void FolderFetch::start() {
  if (method_ == Method::kGet || method_ == Method::kHead) {
    return user_.on_fetch_failed({FetchError::kBusy, "too many files are being read"});
  }
  found(plain(method_ == Method::kOptions ? 204 : 405));
}

void FolderFetch::found(FolderAnswer answer) {
  std::array<http::Field, 12> storage;
  http::ReceivedResponse head;
  head.fields = http::HeaderList(storage);
  char date[http::kDateSize];
  head.status = answer.status;
  const bool matches = !answer.etag.empty() && http::weakly_equal(if_none_match_, answer.etag);
  if (matches) head.status = 304;
  head.fields.add("Date", http::format_date(env_.wall().ms, date));
  if (head.status == 405 || head.status == 204) head.fields.add("Allow", "GET, HEAD, OPTIONS");
  if (!answer.content_type.empty() && !matches) {
    head.fields.add("Content-Type", answer.content_type);
  }
  if (!answer.etag.empty()) {
    head.fields.add("ETag", answer.etag);
    head.fields.add("Last-Modified", answer.modified);
  }
  if (!answer.location.empty()) head.fields.add("Location", answer.location);
  if (answer.font) head.fields.add("Access-Control-Allow-Origin", "*");
  const bool lasting = head.status == 200 || head.status == 301 || head.status == 304;
  head.fields.add("Cache-Control", lasting ? std::string_view(options_.cache_control) : "no-store");
  const bool bodiless = http::never_has_body(method_, head.status);
  const uint64_t size = answer.file != nullptr ? answer.file->info().size : answer.text.size();
  if (!http::never_has_body(Method::kGet, head.status)) head.content_length = size;
  head.has_body = !bodiless;
  head.keep_alive = true;
  size_ = bodiless ? 0 : size;
  if (!bodiless && answer.file == nullptr) {
    const auto text = std::as_bytes(std::span(answer.text));
    piece_.assign(text.begin(), text.end());
    piece_size_ = piece_.size();
  }
  file_ = std::move(answer.file);
  user_.on_fetch_head(head, {begun_ms_, env_.wall().ms});
}

bool FolderFetch::read_next() {
  const size_t n = static_cast<size_t>(std::min<uint64_t>(kReadBytes, size_ - sent_));
  std::vector<std::byte> bytes = std::move(piece_);
  bytes.resize(n);
  piece_at_ = piece_size_ = 0;
  std::unique_ptr<base::Job> job = std::make_unique<ReadJob>(*this, std::move(bytes));
  if (env_.offload(base::Lane::kLatency, job, pending_)) return true;
  failed_ = true;
  return false;
}

void FolderFetch::on_piece(std::vector<std::byte> bytes, size_t got, bool whole) {
  piece_ = std::move(bytes);
  piece_at_ = 0;
  piece_size_ = got;
  // Shorter than it was when the head was made: what was sent cannot be completed.
  failed_ = !whole;
  wake();
}

class DirectoryOrigin final : public Origin {
 public:
  DirectoryOrigin(const DirectoryOriginOptions& options, FolderIo& folder, base::Env& env)
      : options_(options), folder_(folder), env_(env) {}
  std::unique_ptr<Fetch> fetch(const FetchRequest& request, FetchUser& user) override {
    static const MediaTypes kTypes = load_media_types();
    return std::make_unique<FolderFetch>(options_, folder_, kTypes, env_, request, user);
  }
  std::string_view authority() const override { return "localhost"; }
  void drain() override {}

 private:
  const DirectoryOriginOptions& options_;
  FolderIo& folder_;
  base::Env& env_;
};

}  // namespace

std::unique_ptr<Origin> make_directory_origin(const DirectoryOriginOptions& options,
                                              FolderIo& folder, base::Env& env) {
  return std::make_unique<DirectoryOrigin>(options, folder, env);
}

}  // namespace perigee::origin
