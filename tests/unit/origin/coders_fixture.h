// Coders and their jobs on a store in memory, on a loop whose time and CPU the test decides.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "cache_store/store.h"
#include "origin/coded_record.h"
#include "origin/coders.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_disk.h"

namespace perigee::origin {

namespace limits = base::limits;
using cache_store::Found;
using http::Coding;
using http::CodingSet;
using http::Effort;
using Outcome = CodingOutcome;
using Kinds = std::vector<Outcome::Kind>;

/// What a test says that jobs cost: each look at the clock takes so long.
inline int64_t g_us = 0;
inline int64_t g_us_a_look = 0;
inline int64_t looks_at_clock() { return g_us += g_us_a_look; }

inline std::string text_of(size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += std::to_string(i * 7919 % 1009) + " and ";
  text.resize(size);
  return text;
}

inline std::string noise_of(size_t size, uint64_t seed = 1) {
  std::string noise;
  while (noise.size() < size) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    noise += static_cast<char>(seed >> 56);
  }
  return noise;
}

inline std::string encoded(Coding coding, std::string_view text, Effort effort = Effort::kFast) {
  std::vector<std::byte> out;
  http::Encoder::make(coding, effort, text.size())
      ->encode(std::as_bytes(std::span(text)), true, out);
  return std::string(base::as_text(out));
}

inline http::AcceptedCodings taking(std::initializer_list<Coding> codings) {
  http::AcceptedCodings accepted;
  for (const Coding coding : codings) accepted.sets[0].add(coding);
  return accepted;
}

/// The flags of what an origin sent in gzip.
inline constexpr uint32_t kSentGzip =
    http::ReuseFlag::kCodable | static_cast<uint32_t>(Coding::kGzip)
                                    << http::ReuseFlag::kSentCodingShift;

class CodersTest : public testing::Test,
                   protected CodingObserver,
                   private cache_store::StoreObserver {
 protected:
  CodersTest() : disk_(64 << 20) {
    g_us = g_us_a_look = 0;
    open();
    use(50);
  }
  /// Opens the store, again.
  void open() {
    coders_.reset();
    store_.reset();
    cache_store::StoreOptions options;
    options.path = "store";
    options.size_bytes = 48 << 20;
    options.slab_bytes = 1 << 20;
    store_ = std::move(*cache_store::Store::open(options, io_, *this, 1'700'000'000'000));
  }
  void use(unsigned cpu_percent) {
    coders_.reset();
    shared_ =
        std::make_unique<CoderShared>(CoderShared{*store_, *this, cpu_percent, looks_at_clock});
    coders_ = std::make_unique<Coders>(*shared_, env_);
  }
  /// The rid that it was stored under.
  uint64_t put(const std::string& key, const std::string& body,
               uint32_t flags = http::ReuseFlag::kCodable) {
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    cache_store::Draft draft;
    draft.key = key;
    draft.base = store_->digest(key);
    draft.policy.flags = flags;
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    return store_->put(draft)->head->rid;
  }
  /// The rid of an object that lies in fragments: all of `body`, but those that are left out.
  uint64_t put_long(const std::string& key, const std::string& body,
                    uint32_t flags = http::ReuseFlag::kCodable,
                    std::optional<uint64_t> left_out = std::nullopt) {
    cache_store::Draft draft;
    draft.kind = cache_store::RecordKind::kHead;
    draft.rid = store_->draw_rid();
    draft.key = key;
    draft.base = store_->digest(key);
    draft.policy.flags = flags;
    draft.whole_length = body.size();
    draft.ticket = store_->ticket();
    const uint64_t each = store_->fragment_bytes();
    for (uint64_t number = 0; number * each < body.size(); ++number) {
      if (number != left_out) put_fragment({draft.rid, number}, draft, body);
    }
    return store_->put(draft)->head->rid;
  }
  /// That piece of `body`.
  void put_fragment(const cache_store::FragmentId& id, const cache_store::Draft& draft,
                    const std::string& body) {
    const uint64_t each = store_->fragment_bytes();
    const std::string_view part = std::string_view(body).substr(id.number * each, each);
    const std::span<const std::byte> piece = std::as_bytes(std::span(part));
    ASSERT_TRUE(store_->put_fragment({id, draft.base, draft.ticket, {&piece, 1}}).ok());
  }
  Found look(const std::string& key, Coding coding) {
    return store_->peek(store_->digest(key), key,
                        static_cast<cache_store::SlotMask>(1 << slot_of(coding)));
  }
  /// The bytes of a coding, wherever they lie; empty: it is not there.
  std::string coded_bytes(const std::string& key, Coding coding) {
    const Found found = look(key, coding);
    if (!found.coded || !is_there(*store_, *found.coded)) return {};
    if (!lies_in_fragments(*found.coded)) return std::string(base::as_text(found.coded->body));
    return read(fragments_of(*found.coded));
  }
  std::string read(const FragmentedObject& object) {
    std::string text;
    for (uint64_t number = 0; text.size() < object.size; ++number) {
      const Found found = store_->peek_fragment(object.fragment(number));
      if (found.state != Found::kHit) return {};
      text += base::as_text(found.head->body);
    }
    return text;
  }
  /// A client that takes this coding hits it.
  void hit(const std::string& key, Coding coding = Coding::kZstd) {
    hit(key, coding, taking({coding}));
  }
  /// A client that takes these hits what there is of that coding.
  void hit(const std::string& key, Coding coding, const http::AcceptedCodings& accepted) {
    const cache_store::Digest base = store_->digest(key);
    coders_->on_hit({key, base, precoded_, "/" + key}, look(key, coding), accepted);
  }
  void stored(const std::string& key, const http::AcceptedCodings& accepted,
              CodingSet offered = CodingSet::all()) {
    const Found found = look(key, Coding::kZstd);
    const cache_store::Digest base = store_->digest(key);
    coders_->on_stored({key, base, precoded_, "/" + key}, *found.head, offered, accepted);
  }
  std::vector<Outcome::Kind> kinds() const {
    std::vector<Outcome::Kind> result;
    for (const Outcome& outcome : outcomes_) result.push_back(outcome.kind);
    return result;
  }
  /// Until nothing is left to do, rests included.
  void settle() {
    env_.run();
    env_.advance(3'600'000);
  }

  test::MemoryDisk disk_;
  test::MemoryIo io_{disk_};
  std::unique_ptr<cache_store::Store> store_;
  test::FakeEnv env_;
  std::unique_ptr<CoderShared> shared_;
  std::unique_ptr<Coders> coders_;
  std::vector<Outcome> outcomes_;
  PrecodedPtr precoded_;

 private:
  void on_coded(const CodingOutcome& outcome) override { outcomes_.push_back(outcome); }
  void on_store_event(std::string_view) override {}
};

/// One job by hand.
class CodingJobTest : public CodersTest {
 protected:
  static std::string gzip(const std::string& text) {
    return encoded(Coding::kGzip, text, Effort::kBest);
  }
  Outcome decode(const std::string& key, uint64_t rid) {
    return run(key, rid, CodingWay::kFast, false, Coding::kIdentity);
  }
  Outcome run(const std::string& key, uint64_t rid, CodingWay way = CodingWay::kFast,
              bool stopped = false, Coding coding = Coding::kGzip) {
    Outcome result;
    CodingTask task{key, store_->digest(key), rid, coding, way};
    task.precoded = precoded_;
    task.target = "/" + key;
    task.begun_ms = env_.wall().ms;
    CodingJob job(*store_, std::move(task), looks_at_clock,
                  [&result](const Outcome& outcome) { result = outcome; });
    const std::atomic<bool> stop{stopped};
    job.work(stop);
    job.done();
    return result;
  }
};

}  // namespace perigee::origin
