// perigeectl on store files in every state: what it says of them, its exit status, and that it
// leaves each file as it is.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cache_store/checksum.h"
#include "cache_store/format.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"
#include "tests/e2e/harness/client.h"
#include "tests/e2e/harness/node.h"
#include "tests/e2e/harness/process.h"
#include "tests/support/main/paths.h"
#include "tools/fake_origin.h"

namespace perigee::e2e {
namespace {

namespace fs = std::filesystem;
namespace format = cache_store::format;
using cache_store::Draft;
using cache_store::Store;

constexpr int64_t kNow = 1'700'000'000'000;

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Finished ctl(const std::string& command, const std::string& path,
             const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {test::perigeectl_binary(), "store", command, path};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run({.arguments = arguments});
}

class Silent final : public cache_store::StoreObserver {
 public:
  void on_store_event(std::string_view) override {}
};

class Perigeectl : public testing::Test {
 protected:
  Perigeectl() { path = folder.file("store"); }

  void open() {
    close();
    io_ = cache_store::make_file_io();
    cache_store::StoreOptions options;
    options.path = path;
    options.slab_bytes = 64 << 10;
    options.journal_bytes = 16 << 10;
    options.size_bytes = (2 << 20) + 16 * options.slab_bytes;
    options.entropy.fill(std::byte{0x5e});
    auto opened = Store::open(options, *io_, observer_, kNow);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(*opened);
  }
  void close() {
    store_.reset();
    io_.reset();
  }
  void put(Draft& draft, std::string_view key, const std::string& body) {
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    draft.key = key;
    draft.base = store_->digest(key);
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    ASSERT_TRUE(store_->put(draft).ok());
  }
  void put(std::string_view key, const std::string& body) {
    Draft draft;
    draft.policy.status = 200;
    draft.policy.response_time_ms = kNow;
    draft.policy.lifetime_ms = 60'000;
    put(draft, key, body);
  }
  void purge(std::string_view key, bool soft) {
    ASSERT_TRUE(store_->commit(store_->purge({store_->digest(key), soft, kNow}).seq).ok());
  }
  /// Ten objects, one of them twice; the first slab is sealed.
  void make_store() {
    open();
    for (int i = 0; i < 9; ++i) put("key" + std::to_string(i), "body" + std::string(9000, 'x'));
    put("key0", "again");
    close();
  }
  void write(uint64_t offset, std::string_view bytes) const {
    std::fstream(path, std::ios::in | std::ios::out | std::ios::binary)
        .seekp(static_cast<std::streamoff>(offset))
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  void flip(uint64_t offset) const {
    std::string byte = read_file(path).substr(offset, 1);
    byte[0] = static_cast<char>(byte[0] ^ 4);
    write(offset, byte);
  }
  uint64_t place_of(std::string_view bytes) const { return read_file(path).find(bytes); }
  /// Both superblocks, as their writer would have made them.
  template <typename F>
  void change_superblocks(F how) {
    const std::string file = read_file(path);
    for (const uint64_t offset : {format::kSuperblockA, format::kSuperblockB}) {
      format::Superblock block;
      std::memcpy(&block, file.data() + offset, sizeof block);
      how(block);
      block.checksum = cache_store::checksum_of(block);
      write(offset, {reinterpret_cast<const char*>(&block), sizeof block});
    }
  }
  /// All three, and that none changes the file.
  void expect_unreadable(std::string_view why) {
    const std::string before = read_file(path);
    for (const char* command : {"verify", "dump", "stat"}) {
      const Finished done = ctl(command, path);
      EXPECT_EQ(done.exit, 2) << command;
      EXPECT_TRUE(holds(done.err, path) && holds(done.err, why)) << done.err;
      EXPECT_EQ(done.out, "");
    }
    EXPECT_TRUE(read_file(path) == before);
  }

  TempFolder folder;
  std::string path;
  Silent observer_;
  std::unique_ptr<cache_store::StoreIo> io_;
  std::unique_ptr<Store> store_;
};

TEST_F(Perigeectl, VerifiesAWholeStoreAndLeavesItAsItIs) {
  make_store();
  const std::string before = read_file(path);
  const fs::file_time_type written = fs::last_write_time(path);
  const Finished done = ctl("verify", path);
  EXPECT_EQ(done.exit, 0) << done.out << done.err;
  EXPECT_TRUE(holds(done.out, "records: good 10 (")) << done.out;
  EXPECT_TRUE(holds(done.out, "damaged 0 (0 bytes), unknown 0 (0 bytes)")) << done.out;
  EXPECT_TRUE(holds(done.out, "node: none seen")) << done.out;
  EXPECT_TRUE(holds(done.out, "result: whole")) << done.out;
  EXPECT_TRUE(read_file(path) == before);
  EXPECT_EQ(fs::last_write_time(path), written);
}

TEST_F(Perigeectl, NeedsNoRightToWrite) {
  make_store();
  fs::permissions(path, fs::perms::owner_read);
  EXPECT_EQ(ctl("verify", path).exit, 0);
}

TEST_F(Perigeectl, AFlippedBitInABodyIsOneProblem) {
  make_store();
  flip(place_of("bodyx") + 5000);
  const Finished done = ctl("verify", path);
  EXPECT_EQ(done.exit, 1);
  EXPECT_TRUE(holds(done.out, "slab 0: the record at byte 64 (")) << done.out;
  EXPECT_TRUE(holds(done.out, "does not hold its checksums")) << done.out;
  EXPECT_TRUE(holds(done.out, "good 9 (") && holds(done.out, "damaged 1 (")) << done.out;
  EXPECT_TRUE(holds(done.out, "result: damaged, 1 problems")) << done.out;
}

TEST_F(Perigeectl, AFlippedBitAnywhereInWhatCountsIsFound) {
  make_store();
  const uint64_t slab = place_of("slab");
  const uint64_t record = place_of("recd");
  const uint64_t table_end = slab + (64 << 10);
  const std::string whole = read_file(path);
  for (const uint64_t offset :
       {format::kSuperblockA + 100, format::kSuperblockB + 250, slab + 10, record + 70,
        record + sizeof(format::RecordHeader) + 1, place_of("again"), table_end - 10,
        table_end - 100, format::kJournalBegin + 3}) {
    flip(offset);
    const Finished done = ctl("verify", path);
    EXPECT_EQ(done.exit, 1) << offset << done.out;
    EXPECT_FALSE(holds(done.out, "changing: 1")) << done.out;
    write(0, whole);
  }
  EXPECT_EQ(ctl("verify", path).exit, 0);
}

TEST_F(Perigeectl, ADamagedHeadOfAnOpenSlabIsFound) {
  open();
  put("key", "the only one");
  close();
  flip(place_of("recd") + 70);
  const Finished done = ctl("verify", path);
  EXPECT_EQ(done.exit, 1);
  EXPECT_TRUE(holds(done.out, "slab 0: the record at byte 64 is not whole")) << done.out;
}

/// A table that is whole and names another purge_seq: a faulty writer, which no checksum finds.
TEST_F(Perigeectl, ATableThatLiesIsFound) {
  make_store();
  const uint64_t end = place_of("slab") + (64 << 10);
  const std::string file = read_file(path);
  format::SlabTrailer trailer;
  std::memcpy(&trailer, file.data() + end - sizeof trailer, sizeof trailer);
  std::string table = file.substr(place_of("slab") + trailer.table_offset,
                                  trailer.count * sizeof(format::TableEntry));
  table[offsetof(format::TableEntry, purge_seq)] ^= 1;
  trailer.table_checksum = XXH3_64bits(table.data(), table.size());
  trailer.checksum = cache_store::checksum_of(trailer);
  write(place_of("slab") + trailer.table_offset, table);
  write(end - sizeof trailer, {reinterpret_cast<const char*>(&trailer), sizeof trailer});
  const Finished done = ctl("verify", path);
  EXPECT_EQ(done.exit, 1);
  EXPECT_TRUE(holds(done.out, "is not what the table of its slab says")) << done.out;
}

TEST_F(Perigeectl, ATruncatedStoreIsDamaged) {
  make_store();
  fs::resize_file(path, place_of("slab") + 20'000);
  const Finished done = ctl("verify", path);
  EXPECT_EQ(done.exit, 1);
  EXPECT_TRUE(holds(done.out, "the file ends at byte ")) << done.out;
  EXPECT_TRUE(holds(done.out, "result: damaged")) << done.out;
  fs::resize_file(path, 100);
  EXPECT_EQ(ctl("verify", path).exit, 1) << "its superblock is cut";
}

TEST_F(Perigeectl, WhatIsNoStoreCannotBeRead) {
  expect_unreadable("No such file");
  folder.write("store", "");
  expect_unreadable("is empty");
  folder.write("store", std::string(200'000, 'x'));
  expect_unreadable("is not a store of perigee");
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_EQ(ctl("verify", path).exit, 2);
  EXPECT_EQ(ctl("verify", "/dev/zero").exit, 2);
}

TEST_F(Perigeectl, AStoreOfANewerFormatCannotBeRead) {
  make_store();
  change_superblocks([](format::Superblock& block) { block.major = format::kMajor + 1; });
  expect_unreadable("format 3.0, and this perigee reads format 2");
  change_superblocks([](format::Superblock& block) {
    block.major = format::kMajor;
    block.incompat = 1u << 31;
  });
  expect_unreadable("features that this perigee does not know");
}

TEST_F(Perigeectl, AStoreOfANewerFormatIsRefusedByANodeToo) {
  make_store();
  change_superblocks([](format::Superblock& block) { block.major = format::kMajor + 1; });
  const std::string before = read_file(path);
  tools::FakeOrigin origin;
  const Finished done = run({.arguments = {binary(), "--origin", origin.url(), "--listen",
                                           "127.0.0.1:0", "--store", path}});
  EXPECT_EQ(done.exit, 78);
  EXPECT_TRUE(holds(done.err, path + " stays as it is")) << done.err;
  EXPECT_TRUE(holds(done.err, "format 3.0")) << done.err;
  EXPECT_TRUE(holds(done.err, "name another file for the store")) << done.err;
  EXPECT_TRUE(read_file(path) == before);
}

TEST_F(Perigeectl, DumpsALineForEachLiveRecord) {
  open();
  put("key0", "old");
  put("key1", "one");
  put("key2", "two");
  put("key0", "new body");
  purge("key1", false);
  purge("key2", true);
  close();
  const Finished done = ctl("dump", path);
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_EQ(std::count(done.out.begin(), done.out.end(), '\n'), 2) << done.out;
  EXPECT_TRUE(holds(done.out, R"("kind":"object","slot":0,"standing":"live","key":"key0",)"
                              R"("status":200,"body_bytes":8,"whole_bytes":8,"tags":[],)"
                              R"("response_time_ms":1700000000000,"initial_age_ms":0,)"
                              R"("lifetime_ms":60000,"stale_while_revalidate_ms":null,)"
                              R"("stale_if_error_ms":null,"stale_since_ms":null,"slab":0,)"))
      << done.out;
  EXPECT_TRUE(holds(done.out, R"("stale_since_ms":1700000000000)")) << done.out;
  const Finished all = ctl("dump", path, {"--all"});
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 4) << all.out;
  EXPECT_TRUE(holds(all.out, R"("standing":"superseded","key":"key0")")) << all.out;
  EXPECT_TRUE(holds(all.out, R"("standing":"purged","key":"key1")")) << all.out;
}

TEST_F(Perigeectl, NoKeyOfAStrangerReachesTheTerminal) {
  open();
  put("a\x1b[2J\x07\r\n\"\\\x7f\xc2\x9b", "body");
  close();
  const Finished done = ctl("dump", path);
  EXPECT_TRUE(
      holds(done.out, R"("key":"a\u001b[2J\u0007\u000d\u000a\u0022\u005c\u007f\u00c2\u009b")"))
      << done.out;
  for (const char c : done.out) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f)) << static_cast<int>(c);
  }
  const Finished named = ctl("verify", "/no\x1b[2J");
  EXPECT_FALSE(holds(named.err, "\x1b")) << "nor one of a file";
}

TEST_F(Perigeectl, FragmentsWithoutTheirHeadAreDead) {
  open();
  const std::string body(store_->fragment_bytes(), 'f');
  const std::span<const std::byte> piece = std::as_bytes(std::span(body));
  for (const char* key : {"long", "gone"}) {
    const uint64_t rid = store_->draw_rid();
    for (uint64_t number = 0; number < 2; ++number) {
      ASSERT_TRUE(
          store_->put_fragment({{rid, number}, store_->digest(key), store_->ticket(), {&piece, 1}})
              .ok());
    }
    Draft head;
    head.kind = cache_store::RecordKind::kHead;
    head.rid = rid;
    head.whole_length = 2 * body.size();
    head.key = key;
    head.base = store_->digest(key);
    head.ticket = store_->ticket();
    ASSERT_TRUE(store_->put(head).ok());
  }
  purge("gone", false);
  close();
  EXPECT_EQ(ctl("verify", path).exit, 0);
  const Finished done = ctl("stat", path);
  EXPECT_TRUE(holds(done.out, "  head: 1 (")) << done.out;
  EXPECT_TRUE(holds(done.out, "  fragment: 2 (")) << done.out;
  EXPECT_TRUE(holds(done.out, "  orphan: 2 (")) << done.out;
  EXPECT_TRUE(holds(done.out, "  purged: 1 (")) << done.out;
  const Finished dump = ctl("dump", path);
  EXPECT_TRUE(holds(dump.out, R"("kind":"fragment","slot":0,"standing":"live","number":1,)"))
      << dump.out;
}

TEST_F(Perigeectl, StatSaysWhatTheFileHoldsAndNotItsSecret) {
  make_store();
  open();
  purge("key1", false);
  close();
  const Finished done = ctl("stat", path);
  EXPECT_EQ(done.exit, 0) << done.err;
  EXPECT_TRUE(holds(done.out, "format: 2.0")) << done.out;
  EXPECT_TRUE(holds(done.out, "uuid: 5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e\n")) << done.out;
  EXPECT_FALSE(holds(done.out, std::string(34, 'e'))) << done.out;
  EXPECT_EQ(done.out.find("5e5e"), done.out.rfind("5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e")) << done.out;
  EXPECT_TRUE(holds(done.out, "epoch: 2")) << done.out;
  EXPECT_TRUE(holds(done.out, "slabs: 16 of 65536 bytes: 1 sealed, 1 without a table, 14 empty"))
      << done.out;
  EXPECT_TRUE(holds(done.out, "probation: 10 (")) << done.out;
  EXPECT_TRUE(holds(done.out, "live: 8 (") && holds(done.out, "dead: 2 (")) << done.out;
  EXPECT_TRUE(holds(done.out, "median: 2023-11-14 22:13:20Z")) << done.out;
  EXPECT_TRUE(holds(done.out, "journal: half 0, 1 of 256 units used")) << done.out;
}

TEST_F(Perigeectl, SaysWhatIsAskedOfIt) {
  const auto run_with = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), test::perigeectl_binary());
    return run({.arguments = arguments});
  };
  const Finished help = run_with({"store", "verify", "--help"});
  EXPECT_EQ(help.exit, 0);
  EXPECT_TRUE(holds(help.out, "Exit status")) << help.out;
  EXPECT_TRUE(holds(run_with({"--version"}).out, "perigeectl 0."));
  for (const auto& wrong : std::vector<std::vector<std::string>>{
           {}, {"store"}, {"store", "verify"}, {"store", "mend", "x"}, {"store", "stat", "-x"}}) {
    const Finished done = run_with(wrong);
    EXPECT_EQ(done.exit, 64);
    EXPECT_NE(done.err, "");
  }
}

TEST_F(Perigeectl, AFullDiskForItsOutputIsAnError) {
  make_store();
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  const Finished done =
      run({.arguments = {test::perigeectl_binary(), "store", "dump", path}, .out = full});
  ::close(full);
  EXPECT_EQ(done.exit, 2);
  EXPECT_TRUE(holds(done.err, "cannot be written")) << done.err;
}

/// Beside a node that stores and purges all the time: never a word of damage, and the node takes no
/// notice.
TEST_F(Perigeectl, BesideANodeThatWritesNothingIsCalledDamaged) {
  tools::FakeOrigin origin;
  Node node({.origin = origin.url(), .store = path, .store_size = "24MiB"});
  std::atomic<bool> stop{false};
  std::atomic<int> served{0};
  std::thread writer([&] {
    Client client(node.port());
    for (int i = 0; !stop; ++i) {
      const std::string page = "/page" + std::to_string(i % 50);
      client.get(page + "?h=Cache-Control:+max-age%3D600&size=40000&n=" + std::to_string(i))
          .expect(200);
      ++served;
    }
  });
  for (int i = 0; i < 10; ++i) {
    const int before = served;
    const Finished done = ctl("verify", path);
    EXPECT_EQ(done.exit, 0) << done.out << done.err;
    EXPECT_TRUE(holds(done.out, "node: running")) << done.out;
    EXPECT_EQ(ctl("dump", path).exit, 0);
    EXPECT_EQ(ctl("stat", path).exit, 0);
    EXPECT_TRUE(eventually([&] { return served > before; }));
  }
  stop = true;
  writer.join();
  const Finished dump = ctl("dump", path);
  EXPECT_TRUE(holds(dump.out, R"("body_bytes":40000)")) << "it did write";
  EXPECT_TRUE(holds(dump.out, R"("url":"http://127.0.0.1:)" + std::to_string(node.port()) +
                                  "/page1?h=Cache-Control"));
  EXPECT_EQ(node.stop(), 0);
  EXPECT_TRUE(holds(ctl("verify", path).out, "node: none seen"));
}

}  // namespace
}  // namespace perigee::e2e
