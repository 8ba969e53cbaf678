// A file that is not what was written: bits flipped, slabs swapped, pages zeroed, old parts put
// back, cut short; while the store is closed, and while it runs. A damaged record is a miss: never
// a wrong byte, never a crash, and never an object that was purged.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "cache_store/format.h"
#include "tests/fault/cache_store/small_store.h"
#include "tests/support/torture.h"

namespace perigee::cache_store {
namespace {

using test::MemoryDisk;
using test::MemoryIo;

constexpr uint64_t kSlabBytes = 16 << 10;
constexpr uint64_t kSlabs = 12;
constexpr uint64_t kAreaBytes = kSlabs * kSlabBytes;
constexpr uint64_t kArea = kSmallStoreBytes - kAreaBytes;
const int kTrials = test::tortured(700);
constexpr int64_t kNow = 1'800'000'000'000;

/// A store with a past, killed; and how it was some time before.
struct Past {
  explicit Past(uint64_t seed, int identity = 7) : workload(seed, small_store(identity)) {
    EXPECT_TRUE(workload.open());
    for (int step = 0; step < 250; ++step) {
      if (step == 150) before = workload.disk().after_kill();
      EXPECT_TRUE(workload.step());
    }
    now = workload.disk().after_kill();
  }
  Workload workload;
  MemoryDisk::Image before;
  MemoryDisk::Image now;
};

class CorruptionTest : public testing::Test {
 protected:
  using Damage = std::function<void(MemoryDisk::Image&, std::mt19937_64&, const Past&)>;

  /// Somewhere where something is: superblocks, journal or slabs.
  static uint64_t place(std::mt19937_64& chance) {
    switch (chance() % 4) {
      case 0:
        return (chance() % 2) * format::kSuperblockB + chance() % sizeof(format::Superblock);
      case 1:
        return format::kJournalBegin + chance() % (2 * 2048);
      default:
        return kArea + chance() % kAreaBytes;
    }
  }
  static uint64_t slab(std::mt19937_64& chance) { return kArea + chance() % kSlabs * kSlabBytes; }

  void try_damage(const Damage& damage, bool purges_hold) {
    for (uint64_t seed = 1; seed <= 2; ++seed) {
      const Past past(seed);
      std::mt19937_64 chance(seed * 1000);
      for (int trial = 0; trial < kTrials; ++trial) {
        SCOPED_TRACE("seed " + std::to_string(seed) + ", trial " + std::to_string(trial));
        MemoryDisk::Image image = past.now;
        damage(image, chance, past);
        expect_no_wrong_byte(image, past, purges_hold);
        if (HasFailure()) return;
      }
    }
    EXPECT_GT(found_, kTrials) << "not all is lost";
  }

  void expect_no_wrong_byte(const MemoryDisk::Image& image, const Past& past, bool purges_hold) {
    disk_.load(image);
    MemoryIo io(disk_);
    Listener listener;
    auto opened = Store::open(small_store(), io, listener, kNow);
    if (!opened.ok()) {
      EXPECT_EQ(opened.error().code, base::ErrorCode::kInvalid) << opened.error().message;
      EXPECT_FALSE(image_is_ours(image)) << "only what does not look like a store is refused";
      return;
    }
    const Workload& workload = past.workload;
    for (size_t key = 0; key < workload.keys().size(); ++key) {
      const Sight seen = workload.history().look(**opened, workload.keys()[key]);
      ASSERT_NE(seen.what, Sight::kWrong) << describe(seen);
      if (seen.what == Sight::kNothing) continue;
      ++found_;
      const Version& version = *workload.history().find(seen.version);
      EXPECT_TRUE(!purges_hold || seen.stale_since_ms == kUnconfirmedMs ||
                  version.begun >= workload.facts()[key].hard_for(version))
          << "a purged object is back: " << describe(seen);
    }
    expect_life_goes_on(**opened);
  }

  /// It begins as a store does, or the second place does and the first holds nothing else.
  static bool image_is_ours(const MemoryDisk::Image& image) {
    MemoryDisk::Image copy = image;
    const auto magic_at = [&](uint64_t offset) {
      uint64_t magic = 0;
      for (int i = 7; i >= 0; --i) magic = magic << 8 | static_cast<uint64_t>(copy.at(offset + i));
      return magic;
    };
    if (magic_at(format::kSuperblockA) == format::kSuperblockMagic) return true;
    for (uint64_t i = 0; i < sizeof(format::Superblock); ++i) {
      if (copy.at(format::kSuperblockA + i) != std::byte{}) return false;
    }
    return magic_at(format::kSuperblockB) == format::kSuperblockMagic;
  }

  /// Enough to use every slab again.
  static void expect_life_goes_on(Store& store) {
    const std::string body(3900, 'b');
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    for (int i = 0; i < 50; ++i) {
      const std::string key = "after" + std::to_string(i);
      Draft draft;
      draft.key = key;
      draft.base = store.digest(key);
      draft.body = {&piece, 1};
      draft.ticket = store.ticket();
      ASSERT_TRUE(store.put(draft).ok());
      const Found found = store.lookup(draft.base, key, 0);
      ASSERT_EQ(found.state, Found::kHit);
      ASSERT_TRUE(std::ranges::equal(found.head->body, piece));
      store.maintain({.wall_ms = kNow});
    }
  }

  MemoryDisk disk_{kSmallStoreBytes};
  int found_ = 0;
};

TEST_F(CorruptionTest, FlippedBits) {
  try_damage(
      [](MemoryDisk::Image& image, std::mt19937_64& chance, const Past&) {
        for (uint64_t flips = 1 + chance() % 64; flips > 0; --flips) {
          image.at(place(chance)) ^= static_cast<std::byte>(1 << chance() % 8);
        }
      },
      true);
}

TEST_F(CorruptionTest, OneFlippedBitInTheJournal) {
  try_damage(
      [](MemoryDisk::Image& image, std::mt19937_64& chance, const Past&) {
        image.at(format::kJournalBegin + chance() % 4096) ^=
            static_cast<std::byte>(1 << chance() % 8);
      },
      true);
}

TEST_F(CorruptionTest, SlabsThatChangedPlacesOrWereCopied) {
  try_damage(
      [](MemoryDisk::Image& image, std::mt19937_64& chance, const Past&) {
        const uint64_t a = slab(chance);
        const uint64_t b = slab(chance);
        const bool copied = chance() % 2 == 0;
        for (uint64_t i = 0; i < kSlabBytes; ++i) {
          const std::byte moved = image.at(a + i);
          image.at(a + i) = copied ? moved : image.at(b + i);
          image.at(b + i) = moved;
        }
      },
      true);
}

TEST_F(CorruptionTest, ZeroedSectorsAndPages) {
  try_damage(
      [](MemoryDisk::Image& image, std::mt19937_64& chance, const Past&) {
        for (uint64_t holes = 1 + chance() % 3; holes > 0; --holes) {
          const uint64_t size = chance() % 2 == 0 ? 512 : 4096;
          const uint64_t begin = place(chance) / size * size;
          for (uint64_t i = 0; i < size; ++i) image.at(begin + i) = std::byte{0};
        }
      },
      false);
}

TEST_F(CorruptionTest, OldPartsPutBack) {
  try_damage(
      [](MemoryDisk::Image& image, std::mt19937_64& chance, const Past& past) {
        MemoryDisk::Image before = past.before;
        const bool superblocks = chance() % 3 == 0;
        const uint64_t size = superblocks         ? format::kJournalBegin
                              : chance() % 2 == 0 ? 512
                                                  : kSlabBytes;
        const uint64_t begin = superblocks ? 0 : slab(chance) + chance() % kSlabBytes / size * size;
        for (uint64_t i = 0; i < size; i += 64) {
          for (uint64_t at = begin + i; at < begin + i + 64; ++at) image.at(at) = before.at(at);
        }
      },
      false);
}

TEST_F(CorruptionTest, AShorterFile) {
  try_damage(
      [](MemoryDisk::Image& image, std::mt19937_64& chance, const Past&) {
        image.size = chance() % 3 == 0 ? chance() % (256 << 10) : kArea + chance() % kAreaBytes;
        std::erase_if(image.pages,
                      [&](const auto& page) { return page.first * 4096 >= image.size; });
        if (image.size == 0 || !image.pages.contains(image.size / 4096)) return;
        MemoryDisk::Page& last = image.pages[image.size / 4096];
        std::fill(last.begin() + static_cast<ptrdiff_t>(image.size % 4096), last.end(),
                  std::byte{0});
      },
      true);
}

TEST_F(CorruptionTest, SlabsOfAnotherStore) {
  const Past other(99, 8);
  try_damage(
      [&](MemoryDisk::Image& image, std::mt19937_64& chance, const Past&) {
        MemoryDisk::Image foreign = other.now;
        const uint64_t begin = slab(chance);
        for (uint64_t i = 0; i < kSlabBytes; ++i) image.at(begin + i) = foreign.at(begin + i);
      },
      false);
}

/// Lengths whose sum wraps, so that the record seems to end where it does.
class WrappingLengths : public SmallStoreTest {};

TEST_F(WrappingLengths, OfARecordThatWasVerifiedAreAMiss) {
  open();
  for (const uint64_t length : {UINT64_MAX, UINT64_MAX - 63, UINT64_MAX - 255}) {
    SCOPED_TRACE(length);
    const std::string key = "key" + std::to_string(length);
    const uint64_t version = put(key);
    ASSERT_EQ(look(key), fresh(version));
    const std::string_view bytes(reinterpret_cast<const char*>(disk_.bytes()), disk_.size());
    const size_t header = bytes.find(key) - sizeof(format::RecordHeader);
    ASSERT_LT(header, disk_.size());
    disk_.write(header + offsetof(format::RecordHeader, body_length),
                std::as_bytes(std::span(&length, 1)));
    EXPECT_EQ(store_->lookup(store_->digest(key), key, 0).state, Found::kMiss);
  }
}

}  // namespace
}  // namespace perigee::cache_store
