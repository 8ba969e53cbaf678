// A file that a later version of the store wrote: what is not known here is never read as
// something else, and never ends the process.
#include <cstring>

#include "cache_store/checksum.h"
#include "cache_store/format.h"
#include "tests/fault/cache_store/small_store.h"

namespace perigee::cache_store {
namespace {

using test::MemoryDisk;

class LaterVersionTest : public SmallStoreTest {
 protected:
  void SetUp() override { open(); }

  format::Superblock superblock(uint64_t place) {
    format::Superblock block;
    std::memcpy(&block, disk_.bytes() + place, sizeof block);
    return block;
  }
  /// Changes the superblock at one place as its writer would.
  template <typename F>
  void change(uint64_t place, F how) {
    format::Superblock block = superblock(place);
    how(block);
    block.checksum = checksum_of(block);
    MemoryDisk::Image image = disk_.after_kill();
    const std::span<const std::byte> bytes = bytes_of(block);
    for (size_t i = 0; i < bytes.size(); ++i) image.at(place + i) = bytes[i];
    disk_.load(image);
  }
  template <typename F>
  void change_both(F how) {
    change(format::kSuperblockA, how);
    change(format::kSuperblockB, how);
  }
  uint64_t newer_place() {
    return superblock(format::kSuperblockA).version > superblock(format::kSuperblockB).version
               ? format::kSuperblockA
               : format::kSuperblockB;
  }
  /// It is not opened, the error says how to go on, and no byte of it changes.
  void expect_refused(std::string_view why) {
    close();
    const std::vector<std::byte> before(disk_.bytes(), disk_.bytes() + disk_.size());
    test::MemoryIo io(disk_);
    const auto opened = Store::open(small_store(), io, listener_, kNow);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, base::ErrorCode::kInvalid);
    const std::string& error = opened.error().message;
    const std::string path = small_store().path;
    for (const std::string_view part :
         {std::string_view(path), why, std::string_view("stays as it is"),
          std::string_view("name another file")}) {
      EXPECT_NE(error.find(part), std::string::npos) << part << " in " << error;
    }
    ASSERT_EQ(disk_.size(), before.size());
    EXPECT_TRUE(std::equal(before.begin(), before.end(), disk_.bytes()));
  }
};

TEST_F(LaterVersionTest, OfAnotherMajorVersionItStaysAsItIs) {
  ASSERT_NE(put("a"), 0u);
  close();
  change_both([](format::Superblock& block) { block.major = format::kMajor + 1; });
  expect_refused("format 3.0, and this perigee reads format 2");
  change_both([](format::Superblock& block) { block.major = 0; });
  expect_refused("format 0.0, and this perigee reads format 2");
}

TEST_F(LaterVersionTest, WithAnIncompatibleBitItStaysAsItIs) {
  ASSERT_NE(put("a"), 0u);
  close();
  for (const uint32_t bit : {2u, 1u << 31}) {
    change_both([&](format::Superblock& block) { block.incompat = bit; });
    expect_refused("features that this perigee does not know");
  }
}

TEST_F(LaterVersionTest, OfAnotherByteOrderItStaysAsItIs) {
  ASSERT_NE(put("a"), 0u);
  close();
  change_both([](format::Superblock& block) { block.byte_order = 0x04030201; });
  expect_refused("features that this perigee does not know");
}

TEST_F(LaterVersionTest, WithWhatMayBeIgnoredItIsRead) {
  const uint64_t version = put("a");
  close();
  change_both([](format::Superblock& block) {
    block.minor = 7;
    block.compat = 0x80000001;
  });
  open();
  EXPECT_EQ(listener_.sentences, std::vector<std::string>{});
  EXPECT_EQ(look("a"), fresh(version));
}

TEST_F(LaterVersionTest, WhoseSpareSuperblockWasNotWrittenStaysToo) {
  ASSERT_NE(put("a"), 0u);
  close();
  change(newer_place(), [](format::Superblock& block) { block.incompat = 2; });
  expect_refused("features that this perigee does not know");
}

TEST_F(LaterVersionTest, ThatAnOlderOneHasTakenOverSinceIsRead) {
  const uint64_t version = put("a");
  close();
  const uint64_t older =
      newer_place() == format::kSuperblockA ? format::kSuperblockB : format::kSuperblockA;
  change(older, [](format::Superblock& block) { block.major = format::kMajor + 1; });
  open();
  EXPECT_EQ(look("a"), fresh(version));
}

/// Records of kinds and slots that are not known are not found, and nothing else is lost by them,
/// whether their slab has a table or is walked.
TEST_F(LaterVersionTest, RecordsOfUnknownKindsAreNotFound) {
  for (const bool sealed : {false, true}) {
    SCOPED_TRACE(sealed ? "from a table" : "walked");
    const uint64_t before = put("before");
    const auto put_other = [&](std::string_view key, uint8_t kind, Slot slot) {
      const std::span<const std::byte> body;
      Draft draft;
      draft.kind = static_cast<RecordKind>(kind);
      draft.slot = slot;
      draft.key = key;
      draft.base = store_->digest(key);
      draft.body = {&body, 1};
      draft.ticket = store_->ticket();
      EXPECT_TRUE(store_->put(draft).ok());
    };
    put_other("kind", 9, kHeadSlot);
    put_other("object in the spec's slot", 1, kVarySlot);
    put_other("spec in the head's slot", 5, kHeadSlot);
    put_other("slot", 1, 3);
    const uint64_t behind = put("behind");
    for (int i = 0; sealed && i < 5; ++i) put("f" + std::to_string(i), store_->ticket(), 4000);
    kill();
    open();
    EXPECT_EQ(look("before"), fresh(before));
    EXPECT_EQ(look("behind"), fresh(behind));
    for (const char* key :
         {"kind", "object in the spec's slot", "spec in the head's slot", "slot"}) {
      EXPECT_EQ(look(key), kNothing) << key;
    }
    wrap_around();
    EXPECT_NE(put("again"), 0u) << "their slabs are used again";
  }
}

}  // namespace
}  // namespace perigee::cache_store
