// Codings of what is longer than a record: put in fragments, compared before they are found, and
// left alone where they are not worth it.
#include "origin/long_coding.h"

#include <algorithm>
#include <functional>
#include <set>

#include "tests/unit/origin/coders_fixture.h"

namespace perigee::origin {
namespace {

using cache_store::FragmentId;

/// Coded it is about three quarters as long.
std::string letters_of(size_t size) {
  std::string letters = noise_of(size);
  for (char& c : letters) c = static_cast<char>('0' + (static_cast<unsigned char>(c) & 63));
  return letters;
}

/// What a test has happen in the middle of a job: called at each look at the clock.
std::function<void()> g_between;
int64_t calls_between() {
  if (g_between) g_between();
  return looks_at_clock();
}

class LongCodingTest : public CodingJobTest {
 protected:
  ~LongCodingTest() override { g_between = nullptr; }
  FragmentedObject place(const std::string& key, Coding coding) {
    return fragments_of(*look(key, coding).coded);
  }
  static std::string decoded(Coding coding, const std::string& text) {
    GoOn go_on([] { return true; });
    std::vector<std::byte> out;
    const Verified made =
        decode_whole(coding, std::as_bytes(std::span(text)), 64 << 20, go_on, out);
    return made == Verified::kMade ? std::string(base::as_text(out)) : "not whole";
  }
  Outcome run_between(const std::string& key, uint64_t rid, std::function<void()> between) {
    g_between = std::move(between);
    Outcome result;
    CodingTask task{key, store_->digest(key), rid, Coding::kGzip, CodingWay::kFast};
    CodingJob job(*store_, std::move(task), calls_between,
                  [&result](const Outcome& outcome) { result = outcome; });
    const std::atomic<bool> stop{false};
    job.work(stop);
    job.done();
    g_between = nullptr;
    return result;
  }

  const std::string text_ = letters_of(2'000'000);
};

TEST_F(LongCodingTest, IsPutInFragmentsInEachCoding) {
  const uint64_t rid = put_long("a", text_);
  for (const Coding coding : http::kMadeCodings) {
    const Outcome made = run("a", rid, CodingWay::kFast, false, coding);
    ASSERT_EQ(made.kind, Outcome::kStored);
    const Found found = look("a", coding);
    ASSERT_TRUE(found.coded);
    EXPECT_TRUE(lies_in_fragments(*found.coded));
    EXPECT_EQ(found.coded->rid, rid);
    EXPECT_FALSE(is_best(*found.coded));
    const std::string bytes = coded_bytes("a", coding);
    EXPECT_GT(bytes.size(), store_->max_object_bytes());
    EXPECT_EQ(bytes.size(), found.coded->whole_length);
    EXPECT_EQ(made.object_bytes, text_.size());
    EXPECT_EQ(made.coded_bytes, bytes.size());
    ASSERT_TRUE(decoded(coding, bytes) == text_);
    http::Selection part;
    set_made(*found.coded, part);
    EXPECT_EQ(part.made, coding);
    EXPECT_EQ(part.made_sha256, sha256_of(std::as_bytes(std::span(bytes))));
  }
}

TEST_F(LongCodingTest, LiesInOneRecordIfItFits) {
  const std::string text = text_of(3'000'000);
  const uint64_t rid = put_long("a", text);
  ASSERT_EQ(run("a", rid).kind, Outcome::kStored);
  EXPECT_FALSE(lies_in_fragments(*look("a", Coding::kGzip).coded));
  EXPECT_TRUE(decoded(Coding::kGzip, coded_bytes("a", Coding::kGzip)) == text);
}

TEST_F(LongCodingTest, SurvivesARestart) {
  const uint64_t rid = put_long("a", text_);
  ASSERT_EQ(run("a", rid).kind, Outcome::kStored);
  open();
  EXPECT_EQ(look("a", Coding::kGzip).state, Found::kCold);
  store_->warm(store_->digest("a"), "a", cache_store::kCodedSlots);
  const FragmentedObject object = place("a", Coding::kGzip);
  EXPECT_EQ(store_->peek_fragment(object.fragment(0)).state, Found::kCold);
  for (uint64_t i = 0; i * store_->fragment_bytes() < object.size; ++i) {
    store_->warm_fragment(object.fragment(i));
  }
  EXPECT_TRUE(decoded(Coding::kGzip, coded_bytes("a", Coding::kGzip)) == text_);
}

TEST_F(LongCodingTest, ColdFragmentsAreVerifiedAndRead) {
  const uint64_t rid = put_long("a", text_);
  open();
  store_->warm(store_->digest("a"), "a", 0);
  EXPECT_EQ(run("a", rid).kind, Outcome::kStored);
  EXPECT_TRUE(decoded(Coding::kGzip, coded_bytes("a", Coding::kGzip)) == text_);
}

TEST_F(LongCodingTest, WhatIsNotWorthItIsNotWrittenToItsEnd) {
  const uint64_t rid = put_long("a", noise_of(3'000'000));
  const uint64_t puts = store_->stats().puts;
  EXPECT_EQ(run("a", rid).kind, Outcome::kNotWorthIt);
  EXPECT_LE(store_->stats().puts, puts + 3'000'000 / store_->fragment_bytes() / 2 + 1);
  EXPECT_FALSE(look("a", Coding::kGzip).coded);
  // Shorter than a record at first, and then not worth it.
  const uint64_t mixed = put_long("b", text_of(200'000) + noise_of(4'000'000));
  const uint64_t before = store_->stats().puts;
  EXPECT_EQ(run("b", mixed).kind, Outcome::kNotWorthIt);
  EXPECT_GT(store_->stats().puts, before);
  EXPECT_FALSE(look("b", Coding::kGzip).coded);
}

TEST_F(LongCodingTest, ItIsJudgedByItsFirstHalf) {
  const std::string text = noise_of(1'000'000) + text_of(1'500'000);
  for (const Coding coding : http::kMadeCodings) {
    const std::string key = "a" + std::string(coding_name(coding));
    EXPECT_EQ(run(key, put_long(key, text), CodingWay::kFast, false, coding).kind,
              Outcome::kStored);
    EXPECT_TRUE(decoded(coding, coded_bytes(key, coding)) == text);
  }
}

TEST_F(LongCodingTest, TheShareIsThatOfShortOnes) {
  // What is no noise comes first: as it goes on, it looks worth it less and less.
  const auto kind = [&](const std::string& key, size_t zeros) {
    return run(key, put_long(key, std::string(zeros, 'a') + noise_of(1'000'000))).kind;
  };
  const size_t least = 1'000'000 / (limits::kCodedGainShare - 1);
  EXPECT_EQ(kind("below", least - 5'000), Outcome::kNotWorthIt);
  EXPECT_EQ(kind("above", least + 5'000), Outcome::kStored);
}

TEST_F(LongCodingTest, AnObjectWithoutAllOfItsFragmentsIsLeftAlone) {
  const uint64_t rid = put_long("a", text_, http::ReuseFlag::kCodable, 2);
  const uint64_t puts = store_->stats().puts;
  EXPECT_EQ(run("a", rid).kind, Outcome::kIncomplete);
  EXPECT_FALSE(look("a", Coding::kGzip).coded);
  EXPECT_EQ(store_->stats().puts, puts) << "it was seen at once";
}

TEST_F(LongCodingTest, AFragmentThatGoesMeanwhileEndsIt) {
  cache_store::Draft draft;
  draft.base = store_->digest("a");
  const uint64_t rid = put_long("a", text_);
  draft.ticket = store_->ticket();
  int looks = 0;
  // Of another length it is none of the object's.
  const auto lose = [&](const FragmentId& id) {
    put_fragment(id, draft, std::string(id.number * store_->fragment_bytes() + 1, 'x'));
  };
  EXPECT_EQ(run_between("a", rid,
                        [&] {
                          if (++looks == 10) lose({rid, 6});
                        })
                .kind,
            Outcome::kIncomplete)
      << "while it is encoded";
  put_fragment({rid, 6}, draft, text_);
  const uint64_t number = store_->draw_rid() + 1;
  bool lost = false;
  const auto lose_coded = [&] {
    for (uint64_t coding = number; !lost && coding < number + 1'000; ++coding) {
      if (!store_->has_fragment({rid, 0, coding})) continue;
      lose({rid, 0, coding});
      lost = true;
    }
  };
  EXPECT_EQ(run_between("a", rid, lose_coded).kind, Outcome::kIncomplete) << "of the coding";
  EXPECT_TRUE(lost);
  EXPECT_EQ(run("a", rid).kind, Outcome::kStored);
}

TEST_F(LongCodingTest, WhatWasSpentOnDecodingIsNoMeasureOfEncoding) {
  const std::string text = text_of(4'000'000);
  const uint64_t rid = put_long("a", gzip(noise_of(300'000) + text), kSentGzip);
  g_us_a_look = 15'000;
  g_us = 0;
  const Outcome made = run("a", rid, CodingWay::kFast, false, Coding::kZstd);
  EXPECT_EQ(made.kind, Outcome::kStored);
  EXPECT_LT(made.cpu_us, limits::kCodingCpuMs * 1'000);
}

TEST_F(LongCodingTest, WhatOneRecordHoldsAndStandsForMoreIsDecodedToo) {
  const std::string text = text_of(1'500'000);
  const std::string sent = gzip(text);
  ASSERT_LT(sent.size(), store_->max_object_bytes());
  const uint64_t rid = put("a", sent, kSentGzip);
  for (const Coding coding : {Coding::kBrotli, Coding::kIdentity}) {
    const Outcome made = run("a", rid, CodingWay::kFast, false, coding);
    ASSERT_EQ(made.kind, Outcome::kStored);
    EXPECT_EQ(made.key, "");
    const std::string bytes = coded_bytes("a", coding);
    EXPECT_TRUE((coding == Coding::kIdentity ? bytes : decoded(coding, bytes)) == text);
  }
  const std::string bomb = gzip(std::string(store_->max_fragmented_bytes() + 1, 'a'));
  const Outcome made = decode("b", put("b", bomb, kSentGzip));
  EXPECT_EQ(made.kind, Outcome::kUndecodable);
  EXPECT_EQ(made.wrong, Verified::kTooLong);
  EXPECT_EQ(made.key, "b");
}

TEST_F(LongCodingTest, WithoutCpuNothingIsEncoded) {
  use(0);
  put_long("a", text_);
  stored("a", taking({Coding::kZstd}));
  hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 0u);
}

TEST_F(LongCodingTest, APurgeInBetweenEndsIt) {
  const uint64_t rid = put_long("a", text_);
  int looks = 0;
  const Outcome made = run_between("a", rid, [&] {
    if (++looks == 20) store_->purge({.digest = store_->digest("a"), .wall_ms = 1});
  });
  EXPECT_EQ(made.kind, Outcome::kGone);
  EXPECT_GT(looks, 20);
  EXPECT_EQ(look("a", Coding::kGzip).state, Found::kMiss);
}

TEST_F(LongCodingTest, OfAnotherVersionItIsNotPut) {
  const uint64_t rid = put_long("a", text_);
  int looks = 0;
  const Outcome made = run_between("a", rid, [&] {
    if (++looks == 20) put("a", "another one");
  });
  EXPECT_EQ(made.kind, Outcome::kGone);
  EXPECT_EQ(made.coded_bytes, 0u);
  EXPECT_FALSE(look("a", Coding::kGzip).coded);
}

TEST_F(LongCodingTest, ItDecodesToTheObjectOrIsNotFound) {
  const uint64_t rid = put_long("a", text_);
  // The coding's first fragment is another one before it is compared.
  const uint64_t number = store_->draw_rid() + 1;
  bool planted = false;
  const Outcome made = run_between("a", rid, [&] {
    cache_store::Draft draft;
    draft.base = store_->digest("a");
    draft.ticket = store_->ticket();
    for (uint64_t coding = number; !planted && coding < number + 1'000; ++coding) {
      const FragmentId id{rid, 0, coding};
      if (!store_->has_fragment(id)) continue;
      put_fragment(id, draft, noise_of(store_->fragment_bytes(), 9));
      planted = true;
    }
  });
  EXPECT_TRUE(planted);
  EXPECT_EQ(made.kind, Outcome::kFailed);
  EXPECT_FALSE(look("a", Coding::kGzip).coded);
}

TEST_F(LongCodingTest, ABetterOneHasFragmentsOfItsOwn) {
  const uint64_t rid = put_long("a", text_);
  ASSERT_EQ(run("a", rid, CodingWay::kFast).kind, Outcome::kStored);
  const FragmentedObject fast = place("a", Coding::kGzip);
  const std::string before = read(fast);
  EXPECT_EQ(run("a", rid, CodingWay::kFast).kind, Outcome::kPresent);
  ASSERT_EQ(run("a", rid, CodingWay::kBest).kind, Outcome::kStored);
  const FragmentedObject best = place("a", Coding::kGzip);
  EXPECT_TRUE(is_best(*look("a", Coding::kGzip).coded));
  EXPECT_NE(best.coding, fast.coding);
  EXPECT_TRUE(read(fast) == before) << "readers of the first go on";
  EXPECT_TRUE(decoded(Coding::kGzip, read(best)) == text_);
  EXPECT_EQ(run("a", rid, CodingWay::kBest).kind, Outcome::kPresent);
}

TEST_F(LongCodingTest, WhatWouldTakeTooLongIsGivenUpEarly) {
  const std::string text = text_of(4'000'000);
  const uint64_t rid = put_long("a", text);
  const auto steps = static_cast<int64_t>(text.size() / limits::kCodingStepBytes);
  const auto bound = static_cast<int64_t>(limits::kCodingTooLongTimes) * limits::kCodingCpuMs;
  g_us_a_look = bound * 1'000 / steps;
  EXPECT_EQ(run("a", rid).kind, Outcome::kTooSlow);
  EXPECT_LT(g_us, limits::kCodingCpuMs * 1'000 / 2) << "before the CPU is spent";
}

TEST_F(LongCodingTest, WhatTakesTooLongIsGivenUp) {
  const uint64_t rid = put_long("a", text_of(4'000'000));
  g_us_a_look = limits::kCodingCpuMs * 1'000 / 60;
  EXPECT_EQ(run("a", rid).kind, Outcome::kTooSlow);
  EXPECT_GE(g_us, limits::kCodingCpuMs * 1'000) << "not before";
  EXPECT_EQ(run("a", rid, CodingWay::kFast, true).kind, Outcome::kStopped);
}

TEST_F(LongCodingTest, WhatTheOriginCodedIsDecodedForIt) {
  const uint64_t rid = put_long("a", gzip(text_), kSentGzip);
  for (const Coding coding : {Coding::kZstd, Coding::kIdentity}) {
    const Outcome made = run("a", rid, CodingWay::kFast, false, coding);
    ASSERT_EQ(made.kind, Outcome::kStored);
    EXPECT_EQ(made.object_bytes, text_.size());
    const std::string bytes = coded_bytes("a", coding);
    EXPECT_TRUE((coding == Coding::kIdentity ? bytes : decoded(coding, bytes)) == text_);
    EXPECT_EQ(is_best(*look("a", coding).coded), coding == Coding::kIdentity);
  }
}

TEST_F(LongCodingTest, WhatDoesNotDecodeIsTold) {
  const std::string sent = gzip(text_);
  const std::string broken = sent.substr(0, 900'000) + noise_of(400'000);
  const std::pair<std::string, Verified> cases[] = {
      {noise_of(700'000), Verified::kFailed},
      {broken, Verified::kFailed},
      {sent.substr(0, sent.size() - 4), Verified::kCut},
      {sent + "more", Verified::kFailed},
      {encoded(Coding::kGzip, std::string(200 << 20, 'a')) + gzip(text_), Verified::kTooLong}};
  int i = 0;
  for (const auto& [body, wrong] : cases) {
    const std::string key = "a" + std::to_string(i++);
    const Outcome made = decode(key, put_long(key, body, kSentGzip));
    EXPECT_EQ(made.kind, Outcome::kUndecodable) << key;
    EXPECT_EQ(made.wrong, wrong) << key;
    EXPECT_EQ(made.key, key);
    EXPECT_EQ(made.sent, Coding::kGzip);
    EXPECT_FALSE(look(key, Coding::kIdentity).coded);
  }
}

TEST_F(LongCodingTest, CodersMakeItAndTryAgainWhenItIsComplete) {
  cache_store::Draft draft;
  draft.base = store_->digest("a");
  draft.ticket = store_->ticket();
  const uint64_t rid = put_long("a", text_, http::ReuseFlag::kCodable, 3);
  for (int i = 0; i < 3; ++i) hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 0u) << "no job is begun";
  put_fragment({rid, 3}, draft, text_);
  hit("a");
  settle();
  EXPECT_EQ(kinds(), Kinds{Outcome::kStored});
  EXPECT_TRUE(decoded(Coding::kZstd, coded_bytes("a", Coding::kZstd)) == text_);
  for (int i = 0; i < 2; ++i) hit("a");
  settle();
  EXPECT_EQ(kinds(), (Kinds{Outcome::kStored, Outcome::kStored}));
  EXPECT_TRUE(is_best(*look("a", Coding::kZstd).coded));
}

TEST_F(LongCodingTest, WhatWasEvictedIsMadeAgain) {
  const uint64_t rid = put_long("a", text_);
  const auto use = [&] {
    EXPECT_EQ(store_->lookup(store_->digest("a"), "a", 0).state, Found::kHit);
    for (uint64_t i = 0; i * store_->fragment_bytes() < text_.size(); ++i) {
      EXPECT_EQ(store_->lookup_fragment({rid, i}).state, Found::kHit);
    }
  };
  stored("a", taking({Coding::kZstd}));
  settle();
  ASSERT_TRUE(decoded(Coding::kZstd, coded_bytes("a", Coding::kZstd)) == text_);
  use();
  for (int i = 0; !coded_bytes("a", Coding::kZstd).empty(); ++i) {
    ASSERT_LT(i, 500);
    put("other " + std::to_string(i), noise_of(200'000), 0);
  }
  use();
  outcomes_.clear();
  hit("a", Coding::kGzip, taking({Coding::kZstd}));
  settle();
  EXPECT_EQ(kinds(), Kinds{Outcome::kStored});
  EXPECT_TRUE(decoded(Coding::kZstd, coded_bytes("a", Coding::kZstd)) == text_);
}

TEST_F(LongCodingTest, ItsFragmentsStayUntilTheyAreNamed) {
  const std::string text = letters_of(5'500'000);
  ASSERT_LT(text.size(), store_->max_fragmented_bytes());
  const uint64_t rid = put_long("a", text);
  for (uint64_t i = 0; i * store_->fragment_bytes() < text.size(); ++i) {
    (void)store_->lookup_fragment({rid, i});
  }
  (void)store_->lookup(store_->digest("a"), "a", 0);
  int looks = 0;
  // Far more comes than what is new has room for.
  const Outcome made = run_between("a", rid, [&] {
    if (++looks <= 200) put("other " + std::to_string(looks), noise_of(200'000), 0);
  });
  EXPECT_GT(looks, 200);
  EXPECT_EQ(made.kind, Outcome::kStored);
  EXPECT_TRUE(decoded(Coding::kGzip, coded_bytes("a", Coding::kGzip)) == text);
}

TEST_F(LongCodingTest, WhatIsLongerThanTheBoundIsLeftAlone) {
  put("a", text_of(20'000));
  const auto asked = [&](uint64_t bytes) {
    Found found = look("a", Coding::kZstd);
    found.head->whole_length = bytes;
    found.head->rid = bytes;
    const cache_store::Digest base = store_->digest("a");
    coders_->on_hit({"a", base, precoded_, "/a"}, found, taking({Coding::kZstd}));
    settle();
    return outcomes_.size();
  };
  EXPECT_EQ(asked(limits::kCodedBytesMost + 1), 0u);
  EXPECT_EQ(asked(limits::kCodedBytesMost), 1u);
}

TEST_F(LongCodingTest, AHeadThatTellsNoFragmentsIsNoCoding) {
  const uint64_t rid = put_long("a", text_);
  cache_store::Draft draft;
  draft.kind = cache_store::RecordKind::kCoded;
  draft.slot = slot_of(Coding::kGzip);
  draft.rid = rid;
  draft.key = "a";
  draft.base = store_->digest("a");
  draft.whole_length = 1'000;
  draft.ticket = store_->ticket();
  ASSERT_TRUE(store_->put(draft).ok());
  EXPECT_FALSE(is_there(*store_, *look("a", Coding::kGzip).coded));
  const std::string head = "\x01" + std::string(44, 'a') + std::string(8, '\0');
  draft.head = std::as_bytes(std::span(head));
  ASSERT_TRUE(store_->put(draft).ok());
  EXPECT_FALSE(is_there(*store_, *look("a", Coding::kGzip).coded)) << "those of the body itself";
}

}  // namespace
}  // namespace perigee::origin
