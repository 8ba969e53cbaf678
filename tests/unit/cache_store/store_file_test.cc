// The file that is to be the store, as it is found: an empty one, one of ours in any state, or
// something of somebody else, which stays as it is.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "cache_store/format.h"
#include "cache_store/geometry.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"
#include "tests/support/temp_folder.h"

namespace perigee::cache_store {
namespace {

namespace fs = std::filesystem;

class Silent final : public StoreObserver {
 public:
  void on_store_event(std::string_view sentence) override { said += std::string(sentence) + "\n"; }
  std::string said;
};

class StoreFile : public testing::Test {
 protected:
  StoreFile() {
    options_.path = folder_.file("store");
    options_.slab_bytes = 64 << 10;
    options_.journal_bytes = 16 << 10;
    options_.size_bytes = (2 << 20) + 8 * options_.slab_bytes;
  }

  /// Opens and closes it: the error's message, or "".
  std::string open(const std::string& path) {
    options_.path = path;
    const std::unique_ptr<StoreIo> io = make_file_io();
    const auto opened = Store::open(options_, *io, observer_, 1'700'000'000'000);
    return opened.ok() ? "" : opened.error().message;
  }
  std::string open() { return open(folder_.file("store")); }
  /// It is refused by name, and told how to go on.
  void expect_refused(const std::string& path, const std::string& why) {
    const std::string error = open(path);
    EXPECT_NE(error.find(path), std::string::npos) << error;
    EXPECT_NE(error.find(why), std::string::npos) << error;
    EXPECT_NE(error.find("name "), std::string::npos) << error;
  }
  std::string write(const std::string& name, std::string_view content) {
    return folder_.write(name, content);
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// Other bytes at each call.
  void fill(std::array<std::byte, 48>& entropy) { entropy.fill(static_cast<std::byte>(++filled_)); }
  static mode_t mode_of(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 07777;
  }

  test::TempFolder folder_;
  StoreOptions options_;
  Silent observer_;
  int filled_ = 0;
};

TEST_F(StoreFile, AnEmptyFileBecomesAStore) {
  write("store", "");
  EXPECT_EQ(open(), "");
  EXPECT_EQ(open(), "");
  EXPECT_EQ(observer_.said, "");
}

TEST_F(StoreFile, ItsIdentityIsItsOwnAndStays) {
  const auto identity_of = [&](const std::string& name) {
    options_.path = folder_.file(name);
    fill(options_.entropy);
    const std::unique_ptr<StoreIo> io = make_file_io();
    return Store::open(options_, *io, observer_, 1'700'000'000'000).value()->identity();
  };
  const uint64_t first = identity_of("store");
  EXPECT_NE(first, 0u);
  EXPECT_EQ(identity_of("store"), first) << "at each start";
  fs::copy_file(folder_.file("store"), folder_.file("copy"));
  const uint64_t copy = identity_of("copy");
  EXPECT_NE(copy, first);
  EXPECT_EQ(identity_of("copy"), copy);
  fs::rename(folder_.file("store"), folder_.file("moved"));
  EXPECT_EQ(identity_of("moved"), first);
  EXPECT_NE(identity_of("another"), first);
}

TEST_F(StoreFile, OfSomebodyElseStaysAsItIs) {
  std::string zeros_behind(200'000, '\0');
  zeros_behind += "my only copy";
  std::string magic_at_b(70'000, 'x');
  std::memcpy(magic_at_b.data() + format::kSuperblockB, &format::kSuperblockMagic, 8);
  const std::string contents[] = {"x",
                                  std::string(1, '\0'),
                                  std::string(sizeof(format::Superblock), '\0'),
                                  std::string(100'000, '\0'),
                                  "a text\n",
                                  std::string(100'000, 'x'),
                                  zeros_behind,
                                  magic_at_b};
  for (const std::string& content : contents) {
    const std::string path = write("notes", content);
    expect_refused(path, "is not a store of perigee");
    EXPECT_TRUE(read(path) == content) << content.size();
  }
}

TEST_F(StoreFile, ASparseFileIsNoEmptyOne) {
  const std::string path = write("disk.img", "");
  for (const uint64_t size : {uint64_t{4096}, options_.size_bytes, uint64_t{1} << 33}) {
    fs::resize_file(path, size);
    expect_refused(path, "is not a store of perigee");
    struct stat facts {};
    ASSERT_EQ(::stat(path.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_blocks, 0);
    EXPECT_EQ(static_cast<uint64_t>(facts.st_size), size);
  }
}

TEST_F(StoreFile, WhatIsNoFileIsNotOpened) {
  fs::create_directory(folder_.file("sub"));
  expect_refused(folder_.file("sub"), "is a folder");
  ASSERT_EQ(::mkfifo(folder_.file("fifo").c_str(), 0600), 0);
  expect_refused(folder_.file("fifo"), "is a FIFO");
  expect_refused("/dev/null", "is a device");
  expect_refused("/dev/zero", "is a device");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  folder_.file("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  expect_refused(folder_.file("socket"), "is a socket");
  ::close(fd);
  fs::create_symlink(folder_.file("fifo"), folder_.file("link"));
  expect_refused(folder_.file("link"), "is a FIFO");
}

TEST_F(StoreFile, ASymlinkIsWhatItLeadsTo) {
  const std::string notes = write("notes", "mine");
  fs::create_symlink(notes, folder_.file("link"));
  expect_refused(folder_.file("link"), "is not a store of perigee");
  EXPECT_EQ(read(notes), "mine");
  fs::create_symlink(folder_.file("elsewhere"), folder_.file("store"));
  EXPECT_EQ(open(), "");
  EXPECT_TRUE(fs::exists(folder_.file("elsewhere")));
  EXPECT_EQ(open(), "");
}

TEST_F(StoreFile, OneOfOursIsTakenHoweverShortItWasCut) {
  for (const uint64_t size :
       {uint64_t{8}, uint64_t{100}, uint64_t{256}, uint64_t{4096}, format::kSuperblockB,
        format::kSuperblockB + 100, uint64_t{1} << 20}) {
    ASSERT_EQ(open(), "");
    fs::resize_file(folder_.file("store"), size);
    EXPECT_EQ(open(), "") << size;
    EXPECT_GE(fs::file_size(folder_.file("store")), uint64_t{2} << 20);
  }
}

TEST_F(StoreFile, OneOfOursIsKnownByEitherPlace) {
  const std::string path = folder_.file("store");
  for (const uint64_t offset : {format::kSuperblockA, format::kSuperblockB}) {
    ASSERT_EQ(open(), "");
    std::fstream(path, std::ios::in | std::ios::out | std::ios::binary)
        .seekp(static_cast<std::streamoff>(offset))
        .write(std::string(4096, '\0').data(), 4096);
    observer_.said.clear();
    EXPECT_EQ(open(), "");
    EXPECT_EQ(observer_.said, "") << "the other place says all";
  }
}

TEST_F(StoreFile, ADiskThatIsTooSmallLeavesItEmpty) {
  // A limit of the process stands for the disk: a child has it for itself.
  ::signal(SIGXFSZ, SIG_IGN);
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit narrow{1 << 20, 1 << 20};
    ::setrlimit(RLIMIT_FSIZE, &narrow);
    ::_exit(open().find("allocated") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(fs::file_size(folder_.file("store")), 0u);
  EXPECT_EQ(open(), "");
}

TEST_F(StoreFile, ItsLayoutFollowsItsSize) {
  constexpr uint64_t kKiB = 1024;
  constexpr uint64_t kMiB = 1024 * kKiB;
  struct Row {
    uint64_t size;
    uint64_t journal;
    uint64_t slab;
  };
  for (const Row& row :
       {Row{18 * kMiB, 256 * kKiB, 256 * kKiB}, Row{64 * kMiB, kMiB, 256 * kKiB},
        Row{144 * kMiB, 2 * kMiB + 256 * kKiB, 2 * kMiB}, Row{512 * kMiB, 4 * kMiB, 4 * kMiB},
        Row{8192 * kMiB, 4 * kMiB, 4 * kMiB}}) {
    StoreOptions options;
    options.size_bytes = row.size;
    const base::Result<Geometry> geometry = choose_geometry(options);
    ASSERT_TRUE(geometry.ok()) << row.size;
    EXPECT_EQ(geometry->journal_bytes, row.journal) << row.size;
    EXPECT_EQ(geometry->slab_bytes, row.slab) << row.size;
    EXPECT_LE(geometry->file_bytes(), row.size);
    EXPECT_GT(geometry->file_bytes() + geometry->slab_bytes, row.size) << "all of it is used";
  }
}

TEST_F(StoreFile, ItAndItsNewFoldersAreForTheirOwnerAlone) {
  fs::create_directory(folder_.file("there"));
  ASSERT_EQ(::chmod(folder_.file("there").c_str(), 0755), 0);
  int round = 0;
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}, mode_t{0177}, mode_t{0777}}) {
    const std::string made = folder_.file("there/" + std::to_string(round++));
    const mode_t before = ::umask(mask);
    EXPECT_EQ(open(made + "/deep/store"), "");
    ::umask(before);
    EXPECT_EQ(mode_of(made), 0700u) << mask;
    EXPECT_EQ(mode_of(made + "/deep"), 0700u) << mask;
    EXPECT_EQ(mode_of(made + "/deep/store"), 0600u) << mask;
  }
  EXPECT_EQ(mode_of(folder_.file("there")), 0755u) << "it was there";
}

TEST_F(StoreFile, OneThatIsThereKeepsItsMode) {
  const std::string path = write("store", "");
  for (const mode_t mode : {mode_t{0640}, mode_t{0600}, mode_t{0644}}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    EXPECT_EQ(open(), "");
    EXPECT_EQ(mode_of(path), mode) << "whoever shares it has a reason";
  }
}

}  // namespace
}  // namespace perigee::cache_store
