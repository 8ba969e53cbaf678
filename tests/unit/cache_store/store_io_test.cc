// The operating system's file under the store: pages on loan, errors by their kind, and no byte
// half written in silence.
#include "cache_store/store_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/refused_calls.h"
#include "tests/support/temp_folder.h"

namespace perigee::cache_store {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::Status;
using test::holds_with_refused;
using test::RefusedCall;

constexpr uint64_t kPage = 4096;
// What is detached is a slab from which pages may be lent: no folio lies in two of them.
const uint64_t kLength = largest_folio_bytes();
const uint64_t kBegin = kLength;
const uint64_t kBytes = 3 * kLength;

constexpr uint32_t kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
RefusedCall no_fallocate(uint32_t mode, int error) { return {SYS_fallocate, 1, mode, error}; }

std::vector<std::byte> bytes_of(char c, size_t size) {
  return std::vector<std::byte>(size, static_cast<std::byte>(c));
}

/// Where the file lies decides which calls it knows: a tmpfs cannot zero a range.
class OpenFile : public testing::TestWithParam<const char*> {
 protected:
  OpenFile() { open(); }
  void open() {
    io_ = make_file_io();
    ASSERT_TRUE(io_->open(folder_.file("store")).ok());
    ASSERT_TRUE(io_->allocate(kBytes).ok());
    const auto map = io_->map(kBytes);
    ASSERT_TRUE(map.ok());
    map_ = *map;
    ASSERT_TRUE(io_->pwrite(0, bytes_of('o', kBytes)).ok());
  }
  struct stat facts() const {
    struct stat facts {};
    EXPECT_EQ(::stat(folder_.file("store").c_str(), &facts), 0);
    return facts;
  }
  bool map_is(char c, uint64_t begin, uint64_t length) const {
    return std::memcmp(map_ + begin, bytes_of(c, length).data(), length) == 0;
  }
  bool is_mapped() const {
    std::ifstream maps("/proc/self/maps");
    const std::string text{std::istreambuf_iterator<char>(maps), {}};
    return text.find(folder_.path()) != std::string::npos;
  }
  /// Detaches a range of which a page is on loan; then it is written again. Everybody sees what
  /// they should.
  void expect_detached() {
    const blkcnt_t blocks = facts().st_blocks;
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    auto offset = static_cast<off_t>(kBegin);
    ASSERT_EQ(::sendfile(pipe[1], io_->fd(), &offset, kPage), static_cast<ssize_t>(kPage));
    const Status detached = io_->detach(kBegin, kLength);
    EXPECT_TRUE(detached.ok()) << detached.error().message;
    EXPECT_TRUE(map_is('\0', kBegin, kLength));
    EXPECT_TRUE(map_is('o', 0, kBegin)) << "what lies before it stays";
    EXPECT_TRUE(map_is('o', kBegin + kLength, kBytes - kBegin - kLength)) << "and behind it";
    EXPECT_EQ(facts().st_size, static_cast<off_t>(kBytes));
    EXPECT_EQ(facts().st_blocks, blocks) << "its blocks are allocated, so that no write meets a "
                                            "full disk";
    EXPECT_TRUE(io_->pwrite(kBegin, bytes_of('n', kLength)).ok());
    EXPECT_TRUE(map_is('n', kBegin, kLength));
    std::vector<std::byte> lent(kPage);
    EXPECT_EQ(::read(pipe[0], lent.data(), lent.size()), static_cast<ssize_t>(kPage));
    EXPECT_EQ(lent, bytes_of('o', kPage)) << "what was lent is not written over";
    ::close(pipe[0]);
    ::close(pipe[1]);
  }

  test::TempFolder folder_{GetParam()};
  std::unique_ptr<StoreIo> io_;
  const std::byte* map_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Folders, OpenFile, testing::Values("/tmp", "/dev/shm"),
                         [](const auto& row) {
                           return std::string(row.index == 0 ? "Disk" : "Memory");
                         });

TEST_P(OpenFile, ADetachedRangeHasNewPages) { expect_detached(); }

TEST_P(OpenFile, WithoutAZeroRangeADetachedRangeIsPunchedAndAllocatedAgain) {
  EXPECT_TRUE(holds_with_refused({no_fallocate(FALLOC_FL_ZERO_RANGE, EOPNOTSUPP)},
                                 [this] { expect_detached(); }));
}

TEST_P(OpenFile, WhatCannotBePunchedEitherIsUnsupportedAndStaysAsItIs) {
  EXPECT_TRUE(holds_with_refused(
      {no_fallocate(FALLOC_FL_ZERO_RANGE, EOPNOTSUPP), no_fallocate(kPunch, EOPNOTSUPP)}, [this] {
        const Status detached = io_->detach(kBegin, kLength);
        ASSERT_FALSE(detached.ok());
        EXPECT_EQ(detached.error().code, ErrorCode::kUnsupported);
        EXPECT_TRUE(map_is('o', 0, kBytes));
      }));
}

// Whatever the second error is, the range has no blocks any more.
TEST_P(OpenFile, WhatWasPunchedAndNotAllocatedAgainHasNoSpace) {
  for (const int error : {ENOSPC, EIO, EOPNOTSUPP}) {
    EXPECT_TRUE(holds_with_refused(
        {no_fallocate(FALLOC_FL_ZERO_RANGE, EOPNOTSUPP), no_fallocate(0, error)}, [this, error] {
          const Status detached = io_->detach(kBegin, kLength);
          ASSERT_FALSE(detached.ok());
          EXPECT_EQ(detached.error().code, ErrorCode::kNoSpace);
          EXPECT_EQ(detached.error().os_error, error);
        }));
  }
}

TEST_P(OpenFile, AnErrorOfTheDiskIsNoLackOfACall) {
  EXPECT_TRUE(holds_with_refused({no_fallocate(FALLOC_FL_ZERO_RANGE, EIO)}, [this] {
    const Status detached = io_->detach(kBegin, kLength);
    ASSERT_FALSE(detached.ok());
    EXPECT_EQ(detached.error().code, ErrorCode::kIo);
    EXPECT_EQ(detached.error().os_error, EIO);
    EXPECT_TRUE(map_is('o', 0, kBytes)) << "nothing was punched";
  }));
}

TEST_P(OpenFile, ADurableWriteAsksForItAndAPlainOneDoesNot) {
  // pwritev2(fd, vectors, count, offset low, offset high, flags)
  EXPECT_TRUE(holds_with_refused({{SYS_pwritev2, 5, RWF_DSYNC, EIO}}, [this] {
    EXPECT_TRUE(io_->pwrite(0, bytes_of('n', kPage)).ok());
    const Status durable = io_->pwrite_durable(0, bytes_of('d', kPage));
    ASSERT_FALSE(durable.ok());
    EXPECT_EQ(durable.error().code, ErrorCode::kIo);
    EXPECT_TRUE(map_is('n', 0, kPage));
  }));
  EXPECT_TRUE(io_->pwrite_durable(kPage, bytes_of('d', kPage)).ok());
  EXPECT_TRUE(map_is('d', kPage, kPage));
}

TEST_P(OpenFile, ASyncThatFailsIsAnError) {
  EXPECT_TRUE(io_->sync().ok());
  const int fd = io_->fd();
  EXPECT_TRUE(holds_with_refused({{SYS_fdatasync, 0, static_cast<uint32_t>(fd), EIO}}, [this] {
    const Status synced = io_->sync();
    ASSERT_FALSE(synced.ok());
    EXPECT_EQ(synced.error().os_error, EIO);
  }));
}

TEST_P(OpenFile, AFullDiskIsNoSpaceWhateverItIsCalled) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) {
    EXPECT_TRUE(holds_with_refused({no_fallocate(0, error)}, [this] {
      const Status longer = io_->allocate(4 * kBytes);
      ASSERT_FALSE(longer.ok());
      EXPECT_EQ(longer.error().code, ErrorCode::kNoSpace);
      EXPECT_EQ(facts().st_size, static_cast<off_t>(kBytes)) << "as long as it was";
    }));
  }
}

// The kernel takes what fits below the limit, and refuses the rest at the next call.
TEST_P(OpenFile, AWriteThatIsTakenInPartGoesOnWhereItStopped) {
  EXPECT_TRUE(holds_with_refused({}, [this] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit narrow{10 * kPage + 100, 10 * kPage + 100};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &narrow), 0);
    const Status written = io_->pwrite(8 * kPage, bytes_of('n', 4 * kPage));
    ASSERT_FALSE(written.ok()) << "a part is not all of it";
    EXPECT_EQ(written.error().code, ErrorCode::kNoSpace);
    EXPECT_TRUE(map_is('n', 8 * kPage, 2 * kPage + 100));
    EXPECT_TRUE(map_is('o', 10 * kPage + 100, kPage));
  }));
}

TEST_P(OpenFile, WhatIsReadIsAllOfItOrAnError) {
  ASSERT_TRUE(io_->pwrite(3 * kPage + 5, bytes_of('n', 10)).ok());
  std::vector<std::byte> into(12);
  ASSERT_TRUE(io_->pread(3 * kPage + 4, into).ok());
  EXPECT_EQ(into.front(), std::byte{'o'});
  EXPECT_EQ(into[1], std::byte{'n'});
  EXPECT_EQ(into[10], std::byte{'n'});
  EXPECT_EQ(into.back(), std::byte{'o'});
  into.resize(2 * kPage);
  EXPECT_TRUE(io_->pread(kBytes - 2 * kPage, into).ok());
  const Status beyond = io_->pread(kBytes - kPage, into);
  ASSERT_FALSE(beyond.ok()) << "half of it is there";
  EXPECT_EQ(beyond.error().code, ErrorCode::kIo);
}

TEST_P(OpenFile, OneThatWasCutShortIsNotMadeLongerAgain) {
  const std::string path = folder_.file("store");
  fs::resize_file(path, kBytes - 1);
  EXPECT_FALSE(io_->pwrite(0, bytes_of('n', kPage)).ok());
  EXPECT_FALSE(io_->pwrite_durable(0, bytes_of('n', kPage)).ok());
  EXPECT_FALSE(io_->detach(kBegin, kLength).ok());
  EXPECT_EQ(*io_->size(), kBytes - 1);
  fs::resize_file(path, kBytes);
  EXPECT_TRUE(io_->pwrite(0, bytes_of('n', kPage)).ok()) << "as long as it was, it is whole";
}

TEST_P(OpenFile, AllocatedAnewItIsShorterOrLongerAndHasItsBlocks) {
  ASSERT_TRUE(io_->allocate(kBytes / 2).ok());
  EXPECT_EQ(*io_->size(), kBytes / 2);
  ASSERT_TRUE(io_->allocate(2 * kBytes).ok());
  EXPECT_EQ(*io_->size(), 2 * kBytes);
  EXPECT_GE(static_cast<uint64_t>(facts().st_blocks) * 512, 2 * kBytes);
  ASSERT_TRUE(io_->allocate(0).ok());
  EXPECT_EQ(*io_->size(), 0u);
}

TEST_P(OpenFile, ARangeIsMappedAgainInItsOwnPlace) {
  ASSERT_TRUE(io_->pwrite(kBegin, bytes_of('n', kLength)).ok());
  EXPECT_TRUE(io_->map_again(kBegin, kLength).ok());
  EXPECT_TRUE(map_is('n', kBegin, kLength));
  EXPECT_TRUE(map_is('o', 0, kBegin));
  ASSERT_TRUE(io_->pwrite(kBegin, bytes_of('m', kLength)).ok());
  EXPECT_TRUE(map_is('m', kBegin, kLength)) << "the file's own pages";
}

TEST_P(OpenFile, LocksItsPagesInMemoryOrSaysWhatIsAllowed) {
  EXPECT_TRUE(holds_with_refused({}, [this] {
    const rlimit narrow{8 * kPage, 8 * kPage};
    ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &narrow), 0);
    // A process that may do everything is not held to the limit.
    ASSERT_EQ(::syscall(SYS_capset, std::array<uint32_t, 2>{0x20080522, 0}.data(),
                        std::array<uint32_t, 6>{}.data()),
              0);
    const Status locked = io_->lock_memory();
    ASSERT_FALSE(locked.ok());
    EXPECT_EQ(locked.error().code, ErrorCode::kForbidden);
    EXPECT_NE(locked.error().message.find("RLIMIT_MEMLOCK allows 32768"), std::string::npos)
        << locked.error().message;
    EXPECT_NE(locked.error().message.find(std::to_string(kBytes)), std::string::npos);
  }));
}

TEST_P(OpenFile, IsLockedAgainstASecondOneUntilItGoes) {
  const std::unique_ptr<StoreIo> second = make_file_io();
  const auto refused = second->open(folder_.file("store"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kForbidden);
  EXPECT_NE(refused.error().message.find(folder_.file("store")), std::string::npos);
  io_.reset();
  const std::unique_ptr<StoreIo> third = make_file_io();
  const auto facts = third->open(folder_.file("store"));
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->size, kBytes);
  struct statx known {};
  ASSERT_EQ(::statx(third->fd(), "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &known), 0);
  EXPECT_EQ(facts->inode, known.stx_ino);
  EXPECT_EQ(facts->birth_ns / 1'000'000'000, known.stx_btime.tv_sec);
  EXPECT_EQ(facts->birth_ns % 1'000'000'000, known.stx_btime.tv_nsec);
}

TEST_P(OpenFile, LeavesNoDescriptorAndNoMapBehind) {
  const auto count = [](const char* path) {
    const fs::directory_iterator all(path);
    return std::distance(begin(all), end(all));
  };
  io_.reset();
  const auto descriptors = count("/proc/self/fd");
  open();
  EXPECT_EQ(count("/proc/self/fd"), descriptors + 1);
  EXPECT_TRUE(is_mapped());
  EXPECT_NE(::fcntl(io_->fd(), F_GETFD) & FD_CLOEXEC, 0);
  io_.reset();
  EXPECT_EQ(count("/proc/self/fd"), descriptors);
  EXPECT_FALSE(is_mapped());
}

/// On a disk: what lies in memory alone never leaves it.
class Residence : public OpenFile {
 protected:
  void drop(uint64_t offset, uint64_t length) {
    ASSERT_TRUE(io_->sync().ok());
    // Its pages are not mapped any more, and clean: so they go.
    void* at = const_cast<std::byte*>(map_) + offset;
    ASSERT_EQ(::madvise(at, length, MADV_DONTNEED), 0);
    io_->release(offset, length);
  }
  /// What both questions find after a range was dropped, and read in again.
  void expect_answers() {
    EXPECT_EQ(*io_->count_resident(0, kBytes), kBytes / kPage);
    drop(kBegin, kLength);
    EXPECT_EQ(*io_->count_resident(0, kBytes), (kBytes - kLength) / kPage);
    EXPECT_EQ(*io_->count_resident(kBegin, kLength), 0u);
    EXPECT_EQ(*io_->count_resident(kBegin - 1, 2), 1u);
    EXPECT_EQ(*io_->count_resident(0, 0), 0u);
    EXPECT_EQ(*io_->count_resident(kBytes - 1, 1), 1u);
    std::vector<unsigned char> pages(kBytes / kPage);
    ASSERT_TRUE(io_->find_resident(0, pages));
    for (size_t i = 0; i < pages.size(); ++i) {
      const bool dropped = i * kPage >= kBegin && i * kPage < kBegin + kLength;
      ASSERT_EQ(pages[i] & 1, dropped ? 0 : 1) << i;
    }
    EXPECT_FALSE(io_->find_resident(kPage, pages)) << "beyond the end";
    std::vector<std::byte> into(kPage);
    ASSERT_TRUE(io_->pread(kBegin, into).ok());
    pages.resize(1);
    ASSERT_TRUE(io_->find_resident(kBegin, pages));
    EXPECT_EQ(pages[0] & 1, 1);
    EXPECT_GE(*io_->count_resident(kBegin, kLength), 1u);
  }
};

INSTANTIATE_TEST_SUITE_P(Folders, Residence, testing::Values("/tmp"),
                         [](const auto&) { return std::string("Disk"); });

constexpr uint32_t kCachestat = 451;

TEST_P(Residence, IsAskedOfTheKernel) { expect_answers(); }

TEST_P(Residence, IsToldByTheMapWhereTheKernelIsOlder) {
  const auto fd = static_cast<uint32_t>(io_->fd());
  EXPECT_TRUE(holds_with_refused({{kCachestat, 0, fd, ENOSYS}}, [this] { expect_answers(); }));
}

TEST_P(Residence, IsNotKnownWhereNeitherTells) {
  const auto fd = static_cast<uint32_t>(io_->fd());
  const auto length = static_cast<uint32_t>(kBytes);
  EXPECT_TRUE(
      holds_with_refused({{kCachestat, 0, fd, ENOSYS}, {SYS_mincore, 1, length, ENOSYS}}, [this] {
        EXPECT_FALSE(io_->count_resident(0, kBytes));
        std::vector<unsigned char> pages(kBytes / kPage);
        EXPECT_FALSE(io_->find_resident(0, pages));
      }));
}

TEST_P(Residence, OfWhatIsMappedAndUsedIsNotGivenUp) {
  ASSERT_TRUE(io_->sync().ok());
  const volatile std::byte* touched = map_ + kBegin;
  (void)*touched;
  io_->release(kBegin, kPage);
  EXPECT_EQ(*io_->count_resident(kBegin, kPage), 1u);
}

}  // namespace
}  // namespace perigee::cache_store
