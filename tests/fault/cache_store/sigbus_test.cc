// SIGBUS that is not about a store's map ends the process as it would without us; one that is does
// not.
#include "cache_store/sigbus.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>

#include "tests/fault/cache_store/file_store.h"

namespace perigee::cache_store {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kPages = 8;
constexpr unsigned kSecondsMost = 20;

/// A file of some pages, mapped, whose end can be cut off.
class MappedFile {
 public:
  MappedFile() {
    char name[] = "/tmp/perigee-map-XXXXXX";
    fd_ = mkstemp(name);
    ::unlink(name);
    grow();
    map_ = static_cast<std::byte*>(::mmap(nullptr, kPages * kPage, PROT_READ, MAP_SHARED, fd_, 0));
  }
  ~MappedFile() {
    ::munmap(map_, kPages * kPage);
    ::close(fd_);
  }
  void cut() { EXPECT_EQ(::ftruncate(fd_, 0), 0); }
  void grow() { EXPECT_EQ(::ftruncate(fd_, kPages * kPage), 0); }
  /// Reads its first byte.
  std::byte touch(size_t page) const {
    return *static_cast<const volatile std::byte*>(map_ + page * kPage);
  }
  const std::byte* map() const { return map_; }

 private:
  int fd_ = -1;
  std::byte* map_ = nullptr;
};

/// How a child ends that does this: by its signal, or with 1 where a sanitizer reports it.
enum class End : uint8_t { kBySigbus, kInOrder, kOtherwise };
End end_of(const std::function<void()>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::alarm(kSecondsMost);
    act();
    ::_exit(testing::Test::HasFailure() ? 2 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return End::kInOrder;
  const bool reported = WIFEXITED(status) && WEXITSTATUS(status) == 1;
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
  return reported || killed ? End::kBySigbus : End::kOtherwise;
}

/// Two maps: the first one is guarded, as a store with an area of two slabs behind two pages.
class Sigbus : public testing::Test {
 protected:
  Sigbus() {
    EXPECT_TRUE(guard_map({.begin = guarded.map(),
                           .size = kPages * kPage,
                           .area = 2 * kPage,
                           .slab_bytes = 3 * kPage,
                           .words = words.data()}));
  }
  ~Sigbus() override { unguard_map(guarded.map()); }
  bool poisoned(size_t slab) const { return words[slab].is_poisoned(); }

  MappedFile guarded;
  MappedFile other;
  std::array<SlabWord, 2> words;
};

TEST_F(Sigbus, InAGuardedMapIsAPageOfZerosAndAMarkOnItsSlab) {
  guarded.cut();
  EXPECT_EQ(guarded.touch(0), std::byte{0});
  EXPECT_EQ(guarded.touch(1), std::byte{0});
  EXPECT_FALSE(poisoned(0) || poisoned(1)) << "no slab lies before the area";
  EXPECT_EQ(guarded.touch(4), std::byte{0});
  EXPECT_TRUE(poisoned(0));
  EXPECT_FALSE(poisoned(1));
  EXPECT_EQ(guarded.touch(5), std::byte{0});
  EXPECT_TRUE(poisoned(1)) << "the first page of the second slab";
}

TEST_F(Sigbus, OnlyThePageThatWasTouchedIsReplaced) {
  guarded.cut();
  EXPECT_EQ(guarded.touch(3), std::byte{0});
  EXPECT_TRUE(poisoned(0));
  words[0].poisoned.store(false);
  guarded.touch(3);
  EXPECT_FALSE(poisoned(0)) << "it reads as zeros, without a signal";
  guarded.touch(2);
  EXPECT_TRUE(poisoned(0)) << "its neighbour has a signal of its own";
}

TEST_F(Sigbus, InAnotherMapEndsTheProcess) {
  EXPECT_EQ(end_of([this] { other.touch(2); }), End::kInOrder);
  EXPECT_EQ(end_of([this] {
              other.cut();
              other.touch(2);
            }),
            End::kBySigbus);
}

TEST_F(Sigbus, InAMapThatIsGuardedNoMoreEndsTheProcess) {
  EXPECT_EQ(end_of([this] {
              guarded.cut();
              unguard_map(guarded.map());
              guarded.touch(2);
            }),
            End::kBySigbus);
}

TEST_F(Sigbus, BesideTheBoundsOfAGuardedMapEndsTheProcess) {
  // The guard ends before the map does, and begins behind its first page.
  for (const size_t page : {size_t{0}, kPages - 1}) {
    EXPECT_EQ(end_of([&] {
                EXPECT_TRUE(guard_map({.begin = other.map() + kPage,
                                       .size = (kPages - 2) * kPage,
                                       .area = kPages * kPage}));
                other.cut();
                for (size_t within = 1; within < kPages - 1; ++within) other.touch(within);
                other.touch(page);
              }),
              End::kBySigbus)
        << page;
  }
}

TEST_F(Sigbus, ThatSomebodySendsEndsTheProcess) {
  EXPECT_EQ(end_of([] { ::raise(SIGBUS); }), End::kBySigbus);
  EXPECT_EQ(end_of([] { ::kill(::getpid(), SIGBUS); }), End::kBySigbus);
}

// Who sent it stands where the kernel writes the address of a bad page.
TEST_F(Sigbus, ThatSomebodySendsIsNotTakenForAPageWhoseAddressLooksTheSame) {
  EXPECT_EQ(end_of([this] {
              siginfo_t info{};
              info.si_signo = SIGBUS;
              info.si_code = SI_QUEUE;
              info.si_addr = const_cast<std::byte*>(guarded.map() + 2 * kPage);
              ::syscall(SYS_rt_sigqueueinfo, ::getpid(), SIGBUS, &info);
            }),
            End::kBySigbus);
}

TEST(SigbusGuards, AreBoundedAndASlotThatIsGivenBackIsUsedAgain) {
  std::vector<std::unique_ptr<MappedFile>> files;
  std::array<SlabWord, 1> words;
  const auto guard = [&](const MappedFile& file) {
    return guard_map({.begin = file.map(),
                      .size = kPages * kPage,
                      .area = 0,
                      .slab_bytes = kPages * kPage,
                      .words = words.data()});
  };
  while (files.size() < 100) {
    files.push_back(std::make_unique<MappedFile>());
    if (!guard(*files.back())) break;
  }
  ASSERT_LT(files.size(), 100u);
  ASSERT_GT(files.size(), 2u);
  unguard_map(files[1]->map());
  EXPECT_TRUE(guard(*files.back()));
  files.back()->cut();
  EXPECT_EQ(files.back()->touch(1), std::byte{0});
  EXPECT_TRUE(words[0].is_poisoned());
  files[0]->cut();
  EXPECT_EQ(files[0]->touch(1), std::byte{0}) << "the others are still guarded";
  for (const auto& file : files) unguard_map(file->map());
}

}  // namespace
}  // namespace perigee::cache_store
