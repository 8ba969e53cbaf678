// Two kinds of jobs on the pool: one looks for the file and reads its first piece, the others read
// on.
#include "origin/directory_origin.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "http/date.h"
#include "origin/folder_look.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;
using http::Chunk;
using http::Method;

constexpr size_t kReadBytes = 128 * limits::kKiB;
constexpr int64_t kLaneRetryMs = 10;

FolderRequest request_of(const FetchRequest& request) {
  const auto value = [&](http::FieldName name) { return std::string(request.fields.value(name)); };
  return {request.method,
          std::string(request.target),
          value(http::FieldName::kIfMatch),
          value(http::FieldName::kIfNoneMatch),
          value(http::FieldName::kIfModifiedSince),
          value(http::FieldName::kIfUnmodifiedSince),
          value(http::FieldName::kRange),
          value(http::FieldName::kIfRange)};
}

/// Of a 206 and a 416; else empty.
std::string content_range(const FolderAnswer& answer) {
  const std::string size = std::to_string(answer.size);
  if (answer.status == 416) return "bytes */" + size;
  if (answer.status != 206) return "";
  return "bytes " + std::to_string(answer.span.begin) + "-" + std::to_string(answer.span.end - 1) +
         "/" + size;
}

/// One request to the folder: jobs to find the file, then a job for each further piece that is
/// pulled.
class FolderFetch final : public Fetch {
 public:
  FolderFetch(std::shared_ptr<SharedFolder> folder, base::Env& env, const FetchRequest& request,
              FetchUser& user)
      : folder_(std::move(folder)),
        env_(env),
        user_(&user),
        method_(request.method),
        begun_ms_(env_.wall().ms),
        start_timer_([this] { start(); }),
        retry_timer_([this] { retry(); }) {
    if (!is_answered_here()) {
      look_ = std::make_shared<FolderLook>(folder_, request_of(request), begun_ms_);
    }
    // Nothing is called back inside fetch().
    if (look_ == nullptr || !look_on()) env_.arm(start_timer_, env_.now());
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
  void hand_to(FetchUser& user) override { user_ = &user; }
  void become_relay(base::Holder) override {}  ///< a file is not held up by its reader
  void tunnel(http::BodySource&) override { CHECK(false); }  ///< it answers no 101

 private:
  class LookJob;
  class ReadJob;

  bool is_answered_here() const { return method_ != Method::kGet && method_ != Method::kHead; }
  bool look_on();
  void looked(bool done);
  void start();
  void retry();
  void read_next();
  void found(FolderAnswer& answer);
  void on_piece(std::vector<std::byte> bytes, bool whole);

  const std::shared_ptr<SharedFolder> folder_;
  base::Env& env_;
  FetchUser* user_;
  const Method method_;
  const int64_t begun_ms_;
  base::Timer start_timer_;
  base::Timer retry_timer_;  ///< the pool was full
  base::Pending pending_;
  std::shared_ptr<FolderLook> look_;  ///< until there is an answer
  std::shared_ptr<FolderFile> file_;
  std::vector<std::byte> piece_;
  size_t piece_at_ = 0;
  uint64_t begin_ = 0;  ///< of what is sent, in the file
  uint64_t size_ = 0;   ///< of what is sent
  uint64_t sent_ = 0;
  bool failed_ = false;
};

/// One step of the look.
class FolderFetch::LookJob final : public base::Job {
 public:
  explicit LookJob(FolderFetch& fetch) : fetch_(fetch), look_(fetch.look_) {}
  void work(const std::atomic<bool>&) noexcept override { done_ = look_->step(); }
  void done() noexcept override { fetch_.looked(done_); }

 private:
  FolderFetch& fetch_;
  const std::shared_ptr<FolderLook> look_;
  bool done_ = false;
};

class FolderFetch::ReadJob final : public base::Job {
 public:
  ReadJob(FolderFetch& fetch, std::vector<std::byte> bytes)
      : fetch_(fetch),
        file_(fetch.file_),
        offset_(fetch.begin_ + fetch.sent_),
        bytes_(std::move(bytes)) {}
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

/// False: the pool is full.
bool FolderFetch::look_on() {
  std::unique_ptr<base::Job> job = std::make_unique<LookJob>(*this);
  return env_.offload(base::Lane::kLatency, job, pending_);
}

void FolderFetch::looked(bool done) {
  if (!done) {
    if (!look_on()) env_.arm(retry_timer_, env_.now() + kLaneRetryMs);
    return;
  }
  const std::shared_ptr<FolderLook> look = std::move(look_);
  FolderAnswer& answer = look->answer();
  if (!answer.absent.empty()) {
    return user_->on_fetch_failed({FetchError::kAbsent, std::move(answer.absent)});
  }
  found(answer);
}

void FolderFetch::start() {
  if (is_answered_here()) {
    FolderAnswer answer = plain_answer(method_ == Method::kOptions ? 204 : 405);
    return found(answer);
  }
  user_->on_fetch_failed({FetchError::kBusy, "too many files are being read"});
}

void FolderFetch::retry() {
  if (look_ == nullptr) return wake();
  looked(false);
}

void FolderFetch::found(FolderAnswer& answer) {
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
    head.content_length = answer.span.size();
  }
  const std::string range = content_range(answer);
  if (!range.empty()) head.fields.add("Content-Range", range);
  if (!answer.etag.empty()) head.fields.add("ETag", answer.etag);
  if (!answer.modified.empty()) head.fields.add("Last-Modified", answer.modified);
  if (!answer.location.empty()) head.fields.add("Location", answer.location);
  // Pages that load a font with `crossorigin` meet the copy that others loaded without
  // (http-rules 4.5).
  if (answer.content_type.starts_with("font/")) {
    head.fields.add("Access-Control-Allow-Origin", "*");
  }
  const bool lasting =
      head.status == 200 || head.status == 206 || head.status == 301 || head.status == 304;
  if (lasting) head.fields.add("Cache-Control", folder_->options.cache_control);
  head.has_body = !http::never_has_body(method_, head.status);
  head.keep_alive = true;
  if (head.has_body) {
    begin_ = answer.span.begin;
    size_ = answer.span.size();
    piece_ = std::move(answer.piece);
    file_ = std::move(answer.file);
  }
  user_->on_fetch_head(head, {begun_ms_, env_.wall().ms});
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
  DirectoryOrigin(std::shared_ptr<SharedFolder> folder, base::Env& env)
      : folder_(std::move(folder)), env_(env) {}
  std::unique_ptr<Fetch> fetch(const FetchRequest& request, FetchUser& user) override {
    return std::make_unique<FolderFetch>(folder_, env_, request, user);
  }
  void drain() override {}

 private:
  const std::shared_ptr<SharedFolder> folder_;
  base::Env& env_;
};

}  // namespace

std::unique_ptr<Origin> make_directory_origin(std::shared_ptr<SharedFolder> folder,
                                              base::Env& env) {
  return std::make_unique<DirectoryOrigin>(std::move(folder), env);
}

}  // namespace perigee::origin
