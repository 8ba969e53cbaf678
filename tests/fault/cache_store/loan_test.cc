// Pages of the store that are on loan to a socket when their slab is to be used again: what was
// lent is never written over, and a slab that cannot be detached is out of use.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <deque>
#include <functional>

#include "tests/fault/cache_store/file_store.h"

namespace perigee::cache_store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Status;

constexpr uint64_t kSlabs = 8;
constexpr size_t kBody = 60'000;  ///< a pipe holds it
constexpr int kRound = 320;       ///< puts that write each slab at least once

/// The system's file, with a detach that the test makes fail.
class WatchedIo final : public StoreIo {
 public:
  explicit WatchedIo(std::function<Status(uint64_t offset)>& refuses) : refuses_(refuses) {}
  base::Result<FileFacts> open(const std::string& path) override { return file_->open(path); }
  Status allocate(uint64_t size) override { return file_->allocate(size); }
  base::Result<const std::byte*> map(uint64_t size) override { return file_->map(size); }
  base::Result<uint64_t> size() override { return file_->size(); }
  Status pread(uint64_t offset, std::span<std::byte> into) override {
    return file_->pread(offset, into);
  }
  Status pwrite(uint64_t offset, std::span<const std::byte> bytes) override {
    return file_->pwrite(offset, bytes);
  }
  Status pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) override {
    return file_->pwrite_durable(offset, bytes);
  }
  Status sync() override { return file_->sync(); }
  Status detach(uint64_t offset, uint64_t length) override {
    const Status refused = refuses_(offset);
    return refused.ok() ? file_->detach(offset, length) : refused;
  }
  void populate(uint64_t offset, uint64_t length) override { file_->populate(offset, length); }
  std::optional<uint64_t> count_resident(uint64_t offset, uint64_t length) override {
    return file_->count_resident(offset, length);
  }
  bool find_resident(uint64_t offset, std::span<unsigned char> pages) override {
    return file_->find_resident(offset, pages);
  }
  void release(uint64_t offset, uint64_t length) override { file_->release(offset, length); }
  Status lock_memory() override { return file_->lock_memory(); }
  Status map_again(uint64_t offset, uint64_t length) override {
    return file_->map_again(offset, length);
  }
  int fd() const override { return file_->fd(); }

 private:
  const std::unique_ptr<StoreIo> file_ = make_file_io();
  std::function<Status(uint64_t)>& refuses_;
};

/// Bytes of a record as a socket holds them: page references.
class Loan {
 public:
  Loan(int file, const RecordView& record) : body_(record.body.begin(), record.body.end()) {
    EXPECT_EQ(::pipe2(pipe_, O_CLOEXEC), 0);
    auto offset = static_cast<off_t>(record.body_offset);
    EXPECT_EQ(::sendfile(pipe_[1], file, &offset, body_.size()),
              static_cast<ssize_t>(body_.size()));
  }
  ~Loan() {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  /// What the peer gets, whenever it reads.
  bool is_intact() const {
    std::vector<std::byte> got(body_.size());
    size_t size = 0;
    while (size < got.size()) {
      const ssize_t n = ::read(pipe_[0], got.data() + size, got.size() - size);
      if (n <= 0) return false;
      size += static_cast<size_t>(n);
    }
    return got == body_;
  }
  const std::vector<std::byte>& body() const { return body_; }

 private:
  const std::vector<std::byte> body_;
  int pipe_[2] = {-1, -1};
};

/// A TCP connection whose client reads nothing: what was lent to it lies in its socket buffers.
class StalledClient {
 public:
  StalledClient() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* name = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener, name, size), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::getsockname(listener, name, &size), 0);
    client_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(client_, name, size), 0);
    server_ = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ::close(listener);
  }
  ~StalledClient() {
    ::close(client_);
    ::close(server_);
  }
  /// False: its buffers are full.
  bool lend(int file, const RecordView& record) {
    auto offset = static_cast<off_t>(record.body_offset);
    const ssize_t n = ::sendfile(server_, file, &offset, record.body.size());
    if (n <= 0) return false;
    const auto* bytes = reinterpret_cast<const char*>(record.body.data());
    lent_.append(bytes, static_cast<size_t>(n));
    return static_cast<size_t>(n) == record.body.size();
  }
  size_t lent_bytes() const { return lent_.size(); }
  /// Now it reads all.
  bool gets_what_was_lent() {
    ::shutdown(server_, SHUT_WR);
    std::string got(lent_.size() + 1, 0);
    size_t size = 0;
    ssize_t n = 1;
    while (n > 0) {
      n = ::recv(client_, got.data() + size, got.size() - size, 0);
      size += n > 0 ? static_cast<size_t>(n) : 0;
    }
    got.resize(size);
    return got == lent_;
  }

 private:
  int client_ = -1;
  int server_ = -1;
  std::string lent_;
};

/// Another process, which reads a file over and over, as a backup does.
class Backup {
 public:
  explicit Backup(const std::string& path) {
    EXPECT_EQ(::pipe2(passes_, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ != 0) {
      ::close(passes_[1]);
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(passes_[1], STDOUT_FILENO);
    const char* const script = "while cat \"$1\" > /dev/null; do echo; done";
    ::execl("/bin/sh", "sh", "-c", script, "sh", path.c_str(), nullptr);
    ::_exit(127);
  }
  ~Backup() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(passes_[0]);
  }
  /// It has read all of the file once more than when this was last called.
  void wait_for_pass() const {
    char newline = 0;
    EXPECT_EQ(::read(passes_[0], &newline, 1), 1);
  }

 private:
  int passes_[2] = {-1, -1};
  pid_t pid_ = -1;
};

/// Slabs as large as lending asks for, or small ones, from which nothing is lent.
class LentPages : public FileStoreTest, public testing::WithParamInterface<const char*> {
 protected:
  explicit LentPages(uint64_t slab_bytes = largest_folio_bytes())
      : FileStoreTest(GetParam(), slab_bytes, kSlabs) {}
  std::unique_ptr<StoreIo> make_io() override { return std::make_unique<WatchedIo>(refuses_); }
  void refuse_from_now_on(uint64_t at, ErrorCode code) {
    refuses_ = [at, code](uint64_t offset) -> Status {
      if (offset != at) return base::Done{};
      return Error{code, 0, "it cannot be detached"};
    };
  }
  /// Each slab is written again, but for those out of use.
  void wrap_around() {
    for (int i = 0; i < kRound; ++i) {
      ASSERT_TRUE(put(1'000 + i, kBody)) << i;
      maintain();
    }
  }
  size_t slabs_out_of_use() const {
    size_t count = 0;
    for (const std::string& sentence : listener_.sentences) {
      count += sentence.find("out of use") != std::string::npos ? 1 : 0;
    }
    return count;
  }
  uint64_t slab_of(const RecordView& record) const {
    return record.body_offset / options_.slab_bytes * options_.slab_bytes;
  }
  bool file_has(const std::vector<std::byte>& body, uint64_t offset) {
    std::vector<std::byte> now(body.size());
    EXPECT_TRUE(io_->pread(offset, now).ok());
    return now == body;
  }

  std::function<Status(uint64_t)> refuses_ = [](uint64_t) -> Status { return base::Done{}; };
};

TEST_P(LentPages, AreNotWrittenOverWhenTheirSlabIsUsedAgain) {
  open();
  ASSERT_TRUE(store_->can_lend_pages());
  ASSERT_TRUE(put(0, kBody));
  Found found = find(0);
  ASSERT_EQ(found.state, Found::kHit);
  const uint64_t offset = found.head->body_offset;
  const Loan loan(io_->fd(), *found.head);
  found = {};
  wrap_around();
  found = find(0);
  ASSERT_EQ(found.state, Found::kHit) << "it was used, so it was copied";
  EXPECT_NE(found.head->body_offset, offset);
  EXPECT_FALSE(file_has(loan.body(), offset)) << "its slab was written again";
  EXPECT_TRUE(loan.is_intact());
  EXPECT_EQ(slabs_out_of_use(), 0u);
}

TEST_P(LentPages, AreIntactWhileAnotherProcessReadsTheWholeStore) {
  open();
  ASSERT_TRUE(store_->can_lend_pages());
  constexpr int kRecords = 60;
  for (int i = 0; i < kRecords; ++i) ASSERT_TRUE(put(i, kBody));
  std::deque<StalledClient> clients(3);
  for (StalledClient& client : clients) {
    for (int i = 0; i < kRecords; ++i) {
      const Found found = find(i);
      ASSERT_EQ(found.state, Found::kHit);
      if (!client.lend(io_->fd(), *found.head)) break;
    }
    ASSERT_GE(client.lent_bytes(), size_t{1} << 20);
  }
  {
    const Backup backup(options_.path);
    for (int turnover = 0; turnover < 3; ++turnover) {
      backup.wait_for_pass();
      wrap_around();
      backup.wait_for_pass();
    }
  }
  for (StalledClient& client : clients) EXPECT_TRUE(client.gets_what_was_lent());
  EXPECT_EQ(slabs_out_of_use(), 0u);
}

TEST_P(LentPages, OfASlabThatCannotBeDetachedKeepItOutOfUse) {
  for (const ErrorCode code : {ErrorCode::kIo, ErrorCode::kUnsupported, ErrorCode::kNoSpace}) {
    listener_ = {};
    open_new_file();
    ASSERT_TRUE(store_->can_lend_pages());
    ASSERT_TRUE(put(0, kBody));
    Found found = find(0);
    ASSERT_EQ(found.state, Found::kHit);
    const uint64_t offset = found.head->body_offset;
    const Loan loan(io_->fd(), *found.head);
    refuse_from_now_on(slab_of(*found.head), code);
    found = {};
    wrap_around();
    wrap_around();
    EXPECT_EQ(slabs_out_of_use(), 1u) << "it is told once";
    EXPECT_TRUE(file_has(loan.body(), offset)) << "it is not written again";
    EXPECT_TRUE(loan.is_intact());
    EXPECT_EQ(find(0).state, Found::kMiss);
    refuses_ = [](uint64_t) -> Status { return base::Done{}; };
    // The next start knows of no loan.
    open();
    wrap_around();
    EXPECT_FALSE(file_has(loan.body(), offset));
  }
}

TEST_P(LentPages, AndTheirProofLeaveNoDescriptorBehind) {
  const auto count = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto before = count();
  open();
  ASSERT_TRUE(store_->can_lend_pages());
  EXPECT_EQ(count(), before + 1) << "the file's own";
  store_.reset();
  io_.reset();
  EXPECT_EQ(count(), before);
}

TEST_P(LentPages, AreNotLentWhereTheFirstDetachFails) {
  refuses_ = [](uint64_t) -> Status { return Error{ErrorCode::kUnsupported, 0, "not here"}; };
  open();
  EXPECT_FALSE(store_->can_lend_pages());
  wrap_around();
  EXPECT_EQ(slabs_out_of_use(), 0u) << "nothing is on loan: slabs are used again as they are";
  EXPECT_TRUE(find(1'000 + kRound - 1).state == Found::kHit);
}

INSTANTIATE_TEST_SUITE_P(Folders, LentPages, testing::Values("/tmp", "/dev/shm"),
                         [](const auto& row) {
                           return std::string(row.index == 0 ? "Disk" : "Memory");
                         });

/// Smaller than a folio may be: a page of it may share one with a neighbour.
class SmallSlabs : public LentPages {
 protected:
  SmallSlabs() : LentPages(64 << 10) {}
};

TEST_P(SmallSlabs, AreUsedAgainUnlessTheyHaveLostTheirBlocks) {
  for (const ErrorCode code : {ErrorCode::kIo, ErrorCode::kNoSpace}) {
    listener_ = {};
    refuses_ = [](uint64_t) -> Status { return base::Done{}; };
    open_new_file();
    EXPECT_FALSE(store_->can_lend_pages());
    ASSERT_TRUE(put(0, 1'000));
    Found found = find(0);
    refuse_from_now_on(slab_of(*found.head), code);
    found = {};
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(put(1'000 + i, 12'000)) << i;
      maintain();
    }
    EXPECT_EQ(slabs_out_of_use(), code == ErrorCode::kNoSpace ? 1u : 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, SmallSlabs, testing::Values("/tmp", "/dev/shm"),
                         [](const auto& row) {
                           return std::string(row.index == 0 ? "Disk" : "Memory");
                         });

}  // namespace
}  // namespace perigee::cache_store
