// Bodies that are decoded as they are read: any span, backwards too, and what ends too early.
#include "origin/decoded_body.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "cache_store/store.h"
#include "http/coding/encoder.h"
#include "origin/coded_record.h"
#include "tests/support/memory_disk.h"

namespace perigee::origin {
namespace {

using cache_store::Found;
using http::Chunk;
using http::Coding;

class DecodedBodyTest : public testing::TestWithParam<Coding>, private cache_store::StoreObserver {
 protected:
  DecodedBodyTest() : disk_(32 << 20) {
    cache_store::StoreOptions options;
    options.path = "store";
    options.size_bytes = 24 << 20;
    options.slab_bytes = 2 << 20;
    store_ = std::move(*cache_store::Store::open(options, io_, *this, 1'700'000'000'000));
    for (size_t i = 0; text_.size() < 300'000; ++i) {
      text_ += std::to_string(i * 7919 % 1009) + " function ";
    }
    put(cache_store::RecordKind::kObject, text_, 0);
    rid_ = store_->peek(digest(), "a", 0).head->rid;
    coded_ = encoded(text_);
    put(cache_store::RecordKind::kCoded, coded_, slot_of(GetParam()));
  }
  static std::string encoded(const std::string& text) {
    std::vector<std::byte> coded;
    http::Encoder::make(GetParam(), http::Effort::kFast, text.size())
        ->encode(std::as_bytes(std::span(text)), true, coded);
    return std::string(base::as_text(coded));
  }
  cache_store::Digest digest() const { return store_->digest("a"); }
  void put(cache_store::RecordKind kind, const std::string& body, cache_store::Slot slot) {
    const std::span<const std::byte> piece = std::as_bytes(std::span(body));
    cache_store::Draft draft;
    draft.kind = kind;
    draft.slot = slot;
    draft.rid = rid_;
    draft.key = "a";
    draft.base = digest();
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    ASSERT_TRUE(store_->put(draft).ok());
  }
  DecodedBody body(const http::ByteSpan& span, uint64_t whole_length) {
    Found found = store_->peek(digest(), "a", http::CodingSet::all().bits());
    const cache_store::RecordView& coded = *found.coded;
    return {StoredBody(*store_, coded.pin.another(), coded, {0, coded.body.size()}), GetParam(),
            whole_length, span};
  }
  DecodedBody body(const http::ByteSpan& span) { return body(span, text_.size()); }
  /// All of it, at most `most` bytes a time; `end` is what came last.
  static std::string read(http::SpanSource& source, size_t most, Chunk::State& end) {
    std::string text;
    for (;;) {
      const Chunk chunk = source.peek(most);
      EXPECT_LE(chunk.piece.size, most);
      text += base::as_text({chunk.piece.data, chunk.piece.size});
      end = chunk.state;
      if (chunk.state != Chunk::kMore) return text;
      source.advance(chunk.piece.size);
    }
  }

  test::MemoryDisk disk_;
  test::MemoryIo io_{disk_};
  std::unique_ptr<cache_store::Store> store_;
  std::string text_;
  std::string coded_;
  uint64_t rid_ = 0;

 private:
  void on_store_event(std::string_view) override {}
};
INSTANTIATE_TEST_SUITE_P(All, DecodedBodyTest, testing::ValuesIn(http::kMadeCodings),
                         [](const auto& row) { return std::string(coding_name(row.param)); });

TEST_P(DecodedBodyTest, GivesAnySpan) {
  const uint64_t size = text_.size();
  const uint64_t step = base::limits::kCodingStepBytes;
  for (const http::ByteSpan& span : {http::ByteSpan{0, size},
                                     {0, 1},
                                     {size - 1, size},
                                     {step - 1, step + 1},
                                     {step, 2 * step},
                                     {100'000, 250'000},
                                     {7, 7}}) {
    for (const size_t most : {size_t{1'000}, SIZE_MAX}) {
      DecodedBody source = body(span);
      EXPECT_EQ(source.size(), span.size());
      Chunk::State end = Chunk::kFail;
      ASSERT_TRUE(read(source, most, end) == text_.substr(span.begin, span.size()))
          << span.begin << " " << span.end;
      EXPECT_EQ(end, Chunk::kEnd);
    }
  }
}

TEST_P(DecodedBodyTest, GoesForwardsAndBackwards) {
  DecodedBody source = body({0, 10});
  Chunk::State end = Chunk::kFail;
  for (const uint64_t at : {200'000, 10, 70'000, 70'005, 0, 299'000}) {
    source.seek({at, at + 500});
    ASSERT_TRUE(read(source, 333, end) == text_.substr(at, 500)) << at;
    EXPECT_EQ(end, Chunk::kEnd);
  }
}

TEST_P(DecodedBodyTest, PeeksAgainGiveTheSame) {
  DecodedBody source = body({50'000, 90'000});
  const Chunk first = source.peek(100);
  EXPECT_EQ(base::as_text({first.piece.data, first.piece.size}), text_.substr(50'000, 100));
  source.advance(40);
  const Chunk second = source.peek(100);
  EXPECT_EQ(base::as_text({second.piece.data, second.piece.size}), text_.substr(50'040, 100));
}

/// In codings that have members.
class DecodedMembersTest : public DecodedBodyTest {};
INSTANTIATE_TEST_SUITE_P(All, DecodedMembersTest, testing::Values(Coding::kZstd, Coding::kGzip),
                         [](const auto& row) { return std::string(coding_name(row.param)); });

TEST_P(DecodedMembersTest, AreOneBody) {
  // The first one ends with a step of reading.
  const uint64_t step = base::limits::kCodingStepBytes;
  std::string noise;
  for (uint64_t seed = 1; noise.size() < step; noise += static_cast<char>(seed >> 56)) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
  }
  while (encoded(noise).size() > step) noise.pop_back();
  ASSERT_EQ(encoded(noise).size(), step);
  put(cache_store::RecordKind::kCoded, encoded(noise) + encoded(text_) + encoded("end"),
      slot_of(GetParam()));
  const std::string all = noise + text_ + "end";
  DecodedBody source = body({0, all.size()}, all.size());
  Chunk::State end = Chunk::kFail;
  EXPECT_TRUE(read(source, 10'000, end) == all);
  EXPECT_EQ(end, Chunk::kEnd);
  source.seek({noise.size() - 5, noise.size() + 5});
  EXPECT_TRUE(read(source, SIZE_MAX, end) == all.substr(noise.size() - 5, 10));
}

TEST_P(DecodedBodyTest, HoldsNothingWhileItRests) {
  DecodedBody source = body({0, text_.size()});
  source.advance(source.peek(1'000).piece.size);
  EXPECT_EQ(store_->stats().pins, 1u);
  source.rest();
  EXPECT_EQ(store_->stats().pins, 0u);
  Chunk::State end = Chunk::kFail;
  EXPECT_TRUE(read(source, SIZE_MAX, end) == text_.substr(1'000));
}

TEST_P(DecodedBodyTest, FailsWhereItsCodingIsGone) {
  DecodedBody source = body({0, text_.size()});
  source.advance(source.peek(1'000).piece.size);
  source.rest();
  store_->erase(digest());
  for (int i = 0; i < 200; ++i) {
    const std::string other(300'000, 'x');
    const std::span<const std::byte> piece = std::as_bytes(std::span(other));
    cache_store::Draft draft;
    const std::string key = std::to_string(i);
    draft.key = key;
    draft.base = store_->digest(key);
    draft.body = {&piece, 1};
    draft.ticket = store_->ticket();
    (void)store_->put(draft);
  }
  Chunk::State end = Chunk::kEnd;
  // What was decoded before is still there.
  EXPECT_TRUE(text_.substr(1'000).starts_with(read(source, SIZE_MAX, end)));
  EXPECT_EQ(end, Chunk::kFail);
}

TEST_P(DecodedBodyTest, FailsWhereItIsNotAsLongAsItsHeadSays) {
  Chunk::State end = Chunk::kEnd;
  const uint64_t size = text_.size();
  DecodedBody shorter = body({0, size + 1}, size + 1);
  read(shorter, SIZE_MAX, end);
  EXPECT_EQ(end, Chunk::kFail);
  DecodedBody longer = body({0, size - 1}, size - 1);
  read(longer, SIZE_MAX, end);
  EXPECT_EQ(end, Chunk::kFail);
}

}  // namespace
}  // namespace perigee::origin
