// What loops share of a fill, used by threads at once: nothing is lost, doubled or torn.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "origin/fill_body.h"
#include "origin/fill_table.h"
#include "tests/unit/origin/fake_store.h"

namespace perigee::origin {
namespace {

constexpr uint64_t kBodyBytes = 16 << 20;

std::byte byte_at(uint64_t offset) { return static_cast<std::byte>(offset * 131 >> 4); }

/// Appends pieces of odd sizes until the body has kBodyBytes; waits while the window is full.
void write_all(FillBody& body) {
  std::vector<std::byte> piece;
  for (uint64_t at = 0; at < kBodyBytes; at += piece.size()) {
    piece.resize(std::min<uint64_t>(1 + at * 7 % 20'000, kBodyBytes - at));
    for (size_t i = 0; i < piece.size(); ++i) piece[i] = byte_at(at + i);
    while (body.full()) std::this_thread::yield();
    body.append(piece);
    (void)body.take_waiting();
  }
  body.finish(true);
}

/// Reads to the end. Returns how many bytes were right.
uint64_t read_all(FillBody& body, unsigned loop) {
  uint64_t at = 0;
  while (true) {
    const FillBody::View view = body.take(at, loop);
    if (view.got == FillBody::Got::kWait) {
      std::this_thread::yield();
      continue;
    }
    if (view.got != FillBody::Got::kHave) break;
    for (size_t i = 0; i < view.bytes.size(); ++i) {
      if (view.bytes[i] != byte_at(at + i)) return at + i;
    }
    body.move(at, at + view.bytes.size());
    at += view.bytes.size();
  }
  body.detach(at);
  return at;
}

void read_by_many(FillBody& body) {
  std::vector<std::thread> threads;
  std::atomic<uint64_t> right{0};
  for (unsigned loop = 0; loop < 3; ++loop) {
    body.attach(0);
    threads.emplace_back([&body, &right, loop] { right += read_all(body, loop); });
  }
  threads.emplace_back([&body] { write_all(body); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 3 * kBodyBytes);
  EXPECT_EQ(body.readers(), 0u);
  EXPECT_EQ(body.size(), kBodyBytes);
}

TEST(FillThreads, ReadersOfAllLoopsGetTheWholeBody) {
  FillBody body;
  read_by_many(body);
  uint64_t kept = 0;
  for (const ChunkRef& chunk : body.chunks()) kept += chunk->size;
  EXPECT_EQ(kept, kBodyBytes);
}

TEST(FillThreads, ReadersOfAllLoopsGetTheWholeBodyThroughAWindow) {
  FillBody body;
  body.set_window(4 * base::limits::kFillChunkBytes);
  read_by_many(body);
}

class FillTableThreads : public ::testing::Test, private FillObserver {
 protected:
  void on_fill_begun() override {}
  void on_fill_ended(bool, bool) override {}

  FakeStore store_;
  base::Budget budget_{1 << 20};
  FillTable table_{{store_, budget_, *this}};
};

TEST_F(FillTableThreads, MarksOfAllLoopsAreRemembered) {
  constexpr uint64_t kRounds = 100'000;
  // Fewer than are remembered.
  constexpr uint64_t kKeys = 1'000;
  static_assert(3 * kKeys < base::limits::kHitForMissMarks);
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < 3; ++number) {
    threads.emplace_back([this, number] {
      for (uint64_t round = 0; round < kRounds; ++round) {
        const cache_store::Digest key{number * kKeys + round % kKeys + 1, round};
        table_.mark(key, {0});
        if (round % 3 == 0) table_.unmark(key);
        EXPECT_EQ(table_.marked(key, {1}), round % 3 != 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(FillTableThreads, FillsOfAllLoopsComeAndGo) {
  constexpr uint64_t kRounds = 50'000;
  const cache_store::Digest key{8, 3};
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < 3; ++number) {
    threads.emplace_back([this, &key] {
      for (uint64_t round = 0; round < kRounds; ++round) {
        auto progress = std::make_shared<Fill>();
        progress->join_digest = {key.lo + round % 5 * 8, key.hi};
        FillTable::Shard& shard = table_.shard(key);
        {
          const base::MutexLock lock(shard.mutex);
          shard.fills.emplace(progress->join_digest.lo, progress);
        }
        table_.remove(*progress);
        EXPECT_EQ(progress.use_count(), 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const base::MutexLock lock(table_.shard(key).mutex);
  EXPECT_TRUE(table_.shard(key).fills.empty());
}

}  // namespace
}  // namespace perigee::origin
