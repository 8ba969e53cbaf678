// Threads of a store, one step at a time in an order that a seed chooses: every place where a lock
// is taken or given back is one where the others may come in between.
#include "tests/support/interleaving.h"

#include <functional>
#include <random>
#include <vector>

#include "tests/fault/cache_store/small_store.h"
#include "tests/support/torture.h"

namespace perigee::cache_store {
namespace {

const uint64_t kSeeds = static_cast<uint64_t>(test::tortured(1'000));

class InterleavingTest : public SmallStoreTest {
 protected:
  using Works = std::vector<std::function<void()>>;

  void SetUp() override { open(); }
  /// `works` are made anew for each seed, and `judge` is asked when all of them have ended.
  void for_all_seeds(const std::function<Works()>& works, const std::function<void()>& judge) {
    std::mt19937_64 chance;
    test::Interleaving threads([&chance](uint64_t n) { return chance() % n; });
    for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      chance.seed(seed);
      threads.run(works());
      judge();
    }
  }
  std::function<void()> putting(const std::string& key) {
    return [this, key] {
      const Awaited awaited = store_->await(store_->digest(key));
      last_ = std::max(last_, put(key, awaited.ticket()));
    };
  }
  /// What was begun before a purge.
  uint64_t begun() { return history_.begin("none").number; }
  /// A hard purge of "a", or an erase.
  std::function<void()> purging(bool erase) {
    return [this, erase] {
      // Others may come before it begins.
      look("none");
      const uint64_t known = begun();
      if (erase) {
        store_->erase(store_->digest("a"));
      } else {
        store_->purge({store_->digest("a"), false, kNow});
      }
      floor_ = std::max(floor_, known);
      expect_purged();
    };
  }
  void expect_purged() {
    // Another purge may come while this looks.
    const uint64_t floor = floor_;
    const Sight sight = look("a");
    EXPECT_TRUE(sight.what == Sight::kNothing || sight.version > floor) << describe(sight);
  }

  uint64_t last_ = 0;   ///< the newest version that was stored
  uint64_t floor_ = 0;  ///< versions up to this one are purged
};

TEST_F(InterleavingTest, WhatWasPurgedStaysAway) {
  for_all_seeds(
      [&] {
        return Works{putting("a"), purging(false), putting("a"), purging(true)};
      },
      [&] { expect_purged(); });
  EXPECT_GT(store_->stats().puts_refused, kSeeds / 10) << "puts and purges met";
  EXPECT_GT(store_->stats().puts, kSeeds / 10);
}

/// An erase of what is awaited alone is remembered once for all of it.
TEST_F(InterleavingTest, AnEraseConcernsAllThatWasAskedForBeforeIt) {
  for_all_seeds(
      [&] {
        return Works{putting("a"), purging(true), purging(true)};
      },
      [&] { expect_purged(); });
}

TEST_F(InterleavingTest, WhatWasMarkedStaleStaysStale) {
  const auto marking = [this] {
    const uint64_t known = begun();
    store_->purge({store_->digest("a"), true, kNow});
    floor_ = std::max(floor_, known);
  };
  for_all_seeds(
      [&] {
        return Works{putting("a"), marking, putting("a")};
      },
      [&] {
        const Sight sight = look("a");
        if (sight.what == Sight::kNothing || sight.version > floor_) return;
        EXPECT_TRUE(sight.stale()) << describe(sight);
      });
}

TEST_F(InterleavingTest, OfTwoResponsesTheOneAskedForLaterStays) {
  uint64_t first = 0;
  uint64_t second = 0;
  for_all_seeds(
      [&] {
        const Ticket earlier = store_->ticket();
        const Ticket later = store_->ticket();
        return Works{[this, &first, earlier] { first = put("a", earlier); },
                     [this, &second, later] { second = put("a", later); }};
      },
      [&] {
        EXPECT_NE(second, 0u);
        EXPECT_EQ(look("a").version, second) << "and not " << first;
      });
}

/// The journal relies on the order of the numbers that purges draw.
TEST_F(InterleavingTest, PurgesReachTheJournalInTheirOrder) {
  const auto purging = [this](std::string key) {
    return [this, key = std::move(key)] {
      const PurgeResult purge = store_->purge({store_->digest(key), false, kNow});
      EXPECT_TRUE(store_->commit(purge.seq).ok());
    };
  };
  for_all_seeds(
      [&] {
        return Works{putting("a"), purging("a"), purging("b"), purging("a")};
      },
      [&] {});
  kill();
  open();
  EXPECT_FALSE(listener_.doubted());
}

/// The journal holds 32 purges: whoever finds it full compacts it, or finds that another has.
TEST_F(InterleavingTest, EachPurgeIsDurableWhoeverCompactsTheJournal) {
  const auto purging = [this] {
    for (int i = 0; i < 12; ++i) {
      const PurgeResult purge = store_->purge({store_->digest("a"), false, kNow});
      EXPECT_TRUE(store_->commit(purge.seq).ok());
    }
  };
  for_all_seeds([&] { return Works{purging, purging, purging}; }, [] {});
}

/// Twelve slabs of 16 KiB: 45 puts of 4,000 bytes write over all that is not held.
TEST_F(InterleavingTest, WhatIsReadIsNotWrittenOver) {
  const auto filling = [this] {
    for (int i = 0; i < 45; ++i) put("filler" + std::to_string(i), store_->ticket(), 4'000);
  };
  const auto reading = [this] {
    const Found found = store_->lookup(store_->digest("a"), "a", 0);
    if (found.state != Found::kHit) return;
    const std::vector<std::byte> before(found.head->body.begin(), found.head->body.end());
    // As long as the others like.
    for (int i = 0; i < 200; ++i) (void)store_->lookup(store_->digest("b"), "b", 0);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), found.head->body.begin()));
    EXPECT_NE(look("a").what, Sight::kWrong);
  };
  int held = 0;
  for_all_seeds(
      [&] {
        put("a", store_->ticket(), 3'000);
        held += store_->lookup(store_->digest("a"), "a", 0).state == Found::kHit ? 1 : 0;
        return Works{reading, filling, reading};
      },
      [&] { EXPECT_NE(look("a").what, Sight::kWrong); });
  EXPECT_GT(held, 0);
}

}  // namespace
}  // namespace perigee::cache_store
