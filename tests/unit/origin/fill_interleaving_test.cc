// Two loops and one fill, one step at a time in an order that a seed chooses: every place where a
// lock is taken or given back is one where the other may come in between.
#include <random>
#include <string>

#include "tests/support/interleaving.h"
#include "tests/unit/origin/fill_fixture.h"

namespace perigee::origin {
namespace {

constexpr uint64_t kSeeds = 300;

class FillInterleaving : public FillsTest {
 protected:
  FillInterleaving() : FillsTest(2) {}

  /// A new waiter that joins, without a turn of any loop.
  TestWaiter& waiter(size_t loop, const std::string& target) {
    return waiters_.emplace_back(*loops_[loop], target, "");
  }
  void join_now(TestWaiter& waiter, size_t loop, const std::string& target) {
    EXPECT_TRUE(loops_[loop]->fills.join(request(loop, target), waiter, JoinMode::kShared));
  }
  void turns(size_t loop) { loops_[loop]->env.run(); }

  std::mt19937_64 chance_;
  test::Interleaving threads_{[this](uint64_t n) { return chance_() % n; }};
};

TEST_F(FillInterleaving, TwoLoopsThatAskAtOnceAreOneFetch) {
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::string target = "/" + std::to_string(seed);
    TestWaiter& one = waiter(0, target);
    TestWaiter& other = waiter(1, target);
    {
      chance_.seed(seed);
      threads_.run({[&] { join_now(one, 0, target); }, [&] { join_now(other, 1, target); }});
    }
    run();
    EXPECT_EQ(fetches(), seed);
    const size_t owner = origin(0).open.empty() ? 1 : 0;
    fetch(owner).answer(200, "Cache-Control: max-age=60\nContent-Length: 5", "hello");
    run();
    EXPECT_EQ(one.text(), "hello");
    EXPECT_EQ(other.text(), "hello");
  }
}

TEST_F(FillInterleaving, WhoWaitsForBytesIsAlwaysWoken) {
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::string target = "/" + std::to_string(seed);
    TestWaiter& owner = waiter(0, target);
    TestWaiter& reader = waiter(1, target);
    join_now(owner, 0, target);
    join_now(reader, 1, target);
    run();
    fetch(0).head(200, "Cache-Control: max-age=60");
    run();
    {
      chance_.seed(seed);
      bool fed = false;
      const auto feeding = [&] {
        for (int piece = 0; piece < 4; ++piece) {
          fetch(0).feed("piece");
          turns(0);
        }
        fed = true;
      };
      const auto reading = [&] {
        while (!fed) {
          turns(1);
          threads_.yield();
        }
      };
      threads_.run({feeding, reading});
    }
    run();
    EXPECT_EQ(reader.text(), "piecepiecepiecepiece");
    fetch(0).end();
    run();
    EXPECT_TRUE(reader.whole());
  }
}

}  // namespace
}  // namespace perigee::origin
