// A real process on a real file, killed at random instants while it puts, purges and keeps up. What
// it had done is found; what it had purged is not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "cache_store/store_io.h"
#include "tests/fault/cache_store/history.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torture.h"

namespace perigee::cache_store {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;
constexpr uint64_t kKeys = 64;
const int kKills = test::tortured(100);

/// In memory that outlives the process: what it was about to do, and what it had done.
struct Ledger {
  struct Key {
    std::atomic<uint64_t> begun;   ///< the newest version that may have been put
    std::atomic<uint64_t> put;     ///< the newest that was
    std::atomic<uint64_t> purged;  ///< versions up to this one are gone, durably
    std::atomic<uint64_t> doubt;   ///< versions up to this one may be gone
  };
  std::array<Key, kKeys> keys;
  std::atomic<uint64_t> numbers;  ///< drawn
  std::atomic<uint64_t> purges;
  std::atomic<uint64_t> steps;
};

std::string key_of(uint64_t key) { return "key" + std::to_string(key); }

/// Each version follows from its number, so that every process knows it.
void describe_version(Version& version) {
  version.body_bytes = version.number * 0x9e3779b97f4a7c15ull >> 50;
  version.head_bytes = 8 + version.number % 200;
}

class KillTest : public testing::Test {
 protected:
  KillTest() {
    options_.path = folder_.file("store");
    options_.slab_bytes = 64 << 10;
    options_.journal_bytes = 16 << 10;
    options_.size_bytes = (2 << 20) + 40 * options_.slab_bytes;
    void* shared =
        mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ledger_ = new (shared) Ledger();
  }
  ~KillTest() override { munmap(ledger_, sizeof *ledger_); }

  std::unique_ptr<Store> open(StoreIo& io, StoreObserver& observer) {
    auto opened = Store::open(options_, io, observer, kNow);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  /// In the child: until it is killed.
  void work(uint64_t seed);
  void put_next(Store& store);
  void purge_one(Store& store, std::mt19937_64& chance);
  /// In the parent.
  void kill_after(uint64_t steps, uint64_t seed);
  void check();

  test::TempFolder folder_;
  StoreOptions options_;
  Ledger* ledger_ = nullptr;
  History history_;
  uint64_t versions_ = 0;  ///< in `history_`
  uint64_t found_ = 0;
  uint64_t coded_ = 0;  ///< of them
};

void KillTest::put_next(Store& store) {
  const Ticket ticket = store.ticket();
  History history;
  Version version;
  version.number = version.body_of = ledger_->numbers.fetch_add(1) + 1;
  version.key = key_of(version.number % kKeys);
  describe_version(version);
  Ledger::Key& key = ledger_->keys[version.number % kKeys];
  key.begun = version.number;
  const std::vector<std::byte> head = history.head_of(version);
  const std::vector<std::byte> body = history.body_of(version);
  const std::span<const std::byte> piece(body);
  Draft draft;
  draft.key = version.key;
  draft.base = store.digest(draft.key);
  draft.head = head;
  draft.body = {&piece, 1};
  draft.ticket = ticket;
  const base::Result<Found> put = store.put(draft);
  if (!put.ok()) return;
  key.put = version.number;
  // Some of them are coded then, and some of these give their body away.
  const auto slot = static_cast<Slot>(version.number / kKeys % 12);
  if (slot < 1 || slot > 4 || version.body_bytes == 0) return;
  draft.rid = put->head->rid;
  const auto coded =
      History::put_coding(store, draft.key, draft.base, draft.rid, slot, draft.ticket);
  if (coded.ok() && slot % 2 == 0) (void)History::put_shell(store, draft, version.body_bytes);
}

void KillTest::purge_one(Store& store, std::mt19937_64& chance) {
  const uint64_t number = chance() % kKeys;
  Ledger::Key& key = ledger_->keys[number];
  const uint64_t newest = key.put;
  key.doubt = UINT64_MAX;
  const PurgeResult purge = store.purge({store.digest(key_of(number)), false, kNow});
  key.doubt = ledger_->numbers.load();
  if (!store.commit(purge.seq).ok()) _exit(2);
  key.purged = newest;
  ledger_->purges.fetch_add(1);
}

void KillTest::work(uint64_t seed) {
  const std::unique_ptr<StoreIo> io = make_file_io();
  Listener listener;
  const std::unique_ptr<Store> store = open(*io, listener);
  if (store == nullptr) _exit(3);
  std::thread upkeep([&] {
    std::mt19937_64 chance(seed);
    for (int64_t wall_ms = kNow;; wall_ms += 400) {
      purge_one(*store, chance);
      for (int i = 0; i < 4 && store->maintain({.wall_ms = wall_ms}); ++i) {
      }
      ledger_->steps.fetch_add(1);
    }
  });
  while (true) {
    put_next(*store);
    ledger_->steps.fetch_add(1);
  }
}

void KillTest::kill_after(uint64_t steps, uint64_t seed) {
  ledger_->steps = 0;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) work(seed);
  int status = 0;
  while (ledger_->steps < steps && waitpid(child, &status, WNOHANG) == 0) usleep(100);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
}

void KillTest::check() {
  while (versions_ < ledger_->numbers) {
    Version& version = history_.begin(key_of(++versions_ % kKeys));
    describe_version(version);
  }
  const std::unique_ptr<StoreIo> io = make_file_io();
  Listener listener;
  const std::unique_ptr<Store> store = open(*io, listener);
  ASSERT_NE(store, nullptr);
  EXPECT_FALSE(listener.doubted());
  for (uint64_t number = 0; number < kKeys; ++number) {
    Ledger::Key& key = ledger_->keys[number];
    const Sight seen = history_.look(*store, key_of(number));
    ASSERT_NE(seen.what, Sight::kWrong) << number;
    if (key.put > key.doubt) {
      EXPECT_TRUE(seen.version == key.put || seen.version == key.begun)
          << "put " << key.put << ", seen " << describe(seen);
    }
    if (seen.what == Sight::kNothing) continue;
    ++found_;
    coded_ += seen.codings != 0 ? 1 : 0;
    EXPECT_LE(seen.version, key.begun);
    EXPECT_TRUE(seen.version > key.purged || seen.stale_since_ms == kUnconfirmedMs)
        << "purged up to " << key.purged << ", seen " << describe(seen);
    // It was killed before it could note what it had put.
    if (seen.version > key.put) key.put = seen.version;
  }
}

TEST_F(KillTest, NothingIsLostWrongOrBackAfterAKillAtAnyInstant) {
  std::mt19937_64 chance(1);
  for (int round = 0; round < kKills; ++round) {
    SCOPED_TRACE("kill " + std::to_string(round));
    kill_after(1 + chance() % 300, chance());
    check();
    if (HasFailure()) return;
  }
  EXPECT_GT(found_, kKills * kKeys / 4);
  EXPECT_GT(coded_, static_cast<uint64_t>(kKills));
  EXPECT_GT(ledger_->purges, 100u);
}

}  // namespace
}  // namespace perigee::cache_store
