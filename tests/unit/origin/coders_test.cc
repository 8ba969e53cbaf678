// What is coded, when, and for how much CPU; and what a coder leaves alone.
#include "tests/unit/origin/coders_fixture.h"

namespace perigee::origin {
namespace {

TEST_F(CodersTest, WhatWasStoredIsCodedInWhatItsClientLikesBest) {
  put("a", text_of(20'000));
  stored("a", taking({Coding::kGzip, Coding::kBrotli}));
  settle();
  EXPECT_EQ(kinds(), Kinds{Outcome::kStored});
  EXPECT_TRUE(look("a", Coding::kBrotli).coded);
  EXPECT_FALSE(look("a", Coding::kGzip).coded);
  EXPECT_FALSE(look("a", Coding::kZstd).coded);
  EXPECT_EQ(outcomes_[0].object_bytes, 20'000u);
  EXPECT_EQ(outcomes_[0].coded_bytes, look("a", Coding::kBrotli).coded->body.size());
}

TEST_F(CodersTest, WhatNobodyTakesCodedCostsNothing) {
  put("a", text_of(20'000));
  stored("a", {});
  settle();
  EXPECT_EQ(outcomes_.size(), 0u);
}

TEST_F(CodersTest, OnlyWhatASiteOffersIsMade) {
  put("a", text_of(20'000));
  CodingSet offered;
  stored("a", {}, offered);
  settle();
  EXPECT_EQ(outcomes_.size(), 0u);
  offered.add(Coding::kBrotli);
  stored("a", taking({Coding::kBrotli}), offered);
  settle();
  EXPECT_TRUE(look("a", Coding::kBrotli).coded);
  EXPECT_EQ(outcomes_.size(), 1u);
}

TEST_F(CodersTest, WhatMayNotBeCodedOrIsShortIsLeftAlone) {
  put("plain", text_of(20'000), 0);
  put("short", text_of(limits::kCodedBytesLeast - 1));
  put("long enough", text_of(limits::kCodedBytesLeast));
  for (const char* key : {"plain", "short", "long enough"}) {
    stored(key, taking({Coding::kZstd}));
    hit(key);
  }
  settle();
  EXPECT_EQ(outcomes_.size(), 1u);
  EXPECT_TRUE(look("long enough", Coding::kZstd).coded);
}

TEST_F(CodersTest, AMissingCodingIsMadeWhenAClientWouldHaveTakenIt) {
  put("a", text_of(20'000));
  hit("a", Coding::kZstd, {});
  settle();
  EXPECT_EQ(outcomes_.size(), 0u) << "a client that takes none";
  hit("a", Coding::kBrotli);
  settle();
  const Found found = look("a", Coding::kBrotli);
  ASSERT_TRUE(found.coded);
  EXPECT_FALSE(is_best(*found.coded));
}

TEST_F(CodersTest, TheBestCodingIsMadeForWhatIsAskedForAgain) {
  put("a", text_of(20'000));
  stored("a", taking({Coding::kZstd}));
  settle();
  ASSERT_EQ(outcomes_.size(), 1u);
  for (uint64_t i = 1; i < limits::kCodingHits; ++i) hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 1u) << "one less than it takes";
  hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 2u);
  EXPECT_TRUE(is_best(*look("a", Coding::kZstd).coded));
  for (int i = 0; i < 5; ++i) hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 2u) << "nothing better will come";
}

TEST_F(CodersTest, FastCodingsGoFirstAndThenWhatIsAskedForMost) {
  const std::vector<std::pair<std::string, size_t>> sizes = {
      {"a", 10'000}, {"b", 20'000}, {"c", 30'000}};
  for (const auto& [key, size] : sizes) {
    put(key, text_of(size));
    stored(key, taking({Coding::kZstd}));
    settle();
  }
  outcomes_.clear();
  put("new", text_of(40'000));
  env_.hold_jobs = true;
  for (int i = 0; i < 2; ++i) hit("a");  // is begun at once
  for (int i = 0; i < 5; ++i) hit("b");
  for (int i = 0; i < 4; ++i) hit("c");
  stored("new", taking({Coding::kZstd}));
  env_.hold_jobs = false;
  settle();
  std::vector<uint64_t> order;
  for (const Outcome& outcome : outcomes_) order.push_back(outcome.object_bytes);
  // 4 x 30'000 bytes go before 5 x 20'000.
  EXPECT_EQ(order, (std::vector<uint64_t>{10'000, 40'000, 30'000, 20'000}));
}

TEST_F(CodersTest, OneJobIsUnderWayAtATime) {
  env_.hold_jobs = true;
  for (const char* key : {"a", "b", "c"}) {
    put(key, text_of(20'000));
    stored(key, taking({Coding::kZstd}));
  }
  env_.run();
  EXPECT_EQ(env_.jobs(base::Lane::kBackground), 1u);
  for (const size_t lane : {0u, 1u}) {
    EXPECT_EQ(env_.offloads(static_cast<base::Lane>(lane)), 0u) << "never before others' work";
  }
}

TEST_F(CodersTest, WhatIsNotWorthItIsNotTriedAgain) {
  put("a", noise_of(20'000));
  for (int i = 0; i < 5; ++i) {
    hit("a");
    settle();
  }
  EXPECT_EQ(kinds(), Kinds{Outcome::kNotWorthIt});
  EXPECT_FALSE(look("a", Coding::kZstd).coded);
}

TEST_F(CodersTest, SoManyAreRemembered) {
  const uint64_t first = put("a", noise_of(2'000));
  hit("a");
  settle();
  // The one that takes its place.
  uint64_t rid = 0;
  while (rid < first + limits::kCodingsSettled / 8) rid = store_->draw_rid();
  std::string key = "b";
  rid = put(key, noise_of(2'000, 2));
  while (rid % (limits::kCodingsSettled / 8) != first % (limits::kCodingsSettled / 8)) {
    key += 'b';
    rid = put(key, noise_of(2'000, rid));
  }
  hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 1u);
  hit(key);
  settle();
  hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 3u) << "beyond the bound one is tried again";
}

TEST_F(CodersTest, ACodingIsKeptIfItIsShorterByAShare) {
  const std::string noise = noise_of(100'000);
  const auto with_zeros = [&](size_t zeros) {
    return noise.substr(zeros) + std::string(zeros, '\0');
  };
  const size_t share = 100'000 / limits::kCodedGainShare;
  put("less", with_zeros(share - 100));
  put("more", with_zeros(share + 500));
  hit("less");
  settle();
  hit("more");
  settle();
  EXPECT_EQ(kinds(), (Kinds{Outcome::kNotWorthIt, Outcome::kStored}));
}

TEST_F(CodersTest, WaitingWishesAreBounded) {
  env_.hold_jobs = true;
  put("under way", text_of(2'000));
  hit("under way");
  const auto key_of = [](size_t i) { return "k" + std::to_string(i); };
  for (size_t i = 0; i < limits::kCodingWishes; ++i) {
    put(key_of(i), text_of(2'000));
    hit(key_of(i));
    if (i == 7) hit(key_of(i));
  }
  put("late", text_of(2'000));
  hit("late");
  env_.hold_jobs = false;
  settle();
  EXPECT_TRUE(look("under way", Coding::kZstd).coded);
  EXPECT_TRUE(look("late", Coding::kZstd).coded) << "it takes the place of others";
  EXPECT_TRUE(look(key_of(7), Coding::kZstd).coded) << "what was asked for twice stays";
  EXPECT_FALSE(look(key_of(6), Coding::kZstd).coded);
  EXPECT_EQ(outcomes_.size(), 3u);
}

TEST_F(CodersTest, AFullLaneMeansSkip) {
  env_.lane_capacity[static_cast<size_t>(base::Lane::kBackground)] = 0;
  put("a", text_of(20'000));
  hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 0u);
  env_.lane_capacity[static_cast<size_t>(base::Lane::kBackground)] = 1;
  hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 1u);
}

TEST_F(CodersTest, RestsInProportionToItsWork) {
  g_us_a_look = 4'000;
  for (const unsigned percent : {limits::kCodingCpuPercent, 20u, 100u}) {
    SCOPED_TRACE(percent);
    outcomes_.clear();
    use(percent);
    const std::string key = std::to_string(percent);
    put(key, text_of(20'000));
    stored(key, taking({Coding::kGzip}));
    hit(key, Coding::kZstd);
    env_.run();
    if (percent < 100) {
      ASSERT_EQ(outcomes_.size(), 1u);
      EXPECT_EQ(outcomes_[0].cpu_us, 8'000) << "looked at before its one step, and at its end";
      const int64_t rest_ms = percent == 20 ? 32 : 8;
      env_.advance(rest_ms - 1);
      EXPECT_EQ(outcomes_.size(), 1u);
      env_.advance(20);
    }
    EXPECT_EQ(outcomes_.size(), 2u);
    settle();
  }
}

TEST_F(CodersTest, WithoutCpuNothingIsCoded) {
  use(0);
  put("a", text_of(20'000));
  stored("a", taking({Coding::kZstd}));
  hit("a");
  settle();
  EXPECT_EQ(outcomes_.size(), 0u);
}

TEST_F(CodersTest, WhatDoesNotDecodeIsTriedOnceForAllCodings) {
  put("a", "no gzip", kSentGzip);
  put("b", text_of(20'000));
  hit("a", Coding::kBrotli);
  hit("a", Coding::kZstd);
  hit("b", Coding::kZstd);
  settle();
  EXPECT_EQ(kinds(), (Kinds{Outcome::kUndecodable, Outcome::kStored}));
  EXPECT_EQ(outcomes_[0].key, "a");
  EXPECT_EQ(outcomes_[0].sent, Coding::kGzip);
  EXPECT_EQ(outcomes_[0].wrong, Verified::kFailed);
  EXPECT_EQ(outcomes_[1].key, "");
  hit("a", Coding::kZstd);
  settle();
  EXPECT_EQ(outcomes_.size(), 2u);
  // What comes in its place is tried anew.
  put("a", "no gzip either", kSentGzip);
  hit("a", Coding::kZstd);
  settle();
  EXPECT_EQ(kinds().back(), Outcome::kUndecodable);
  EXPECT_EQ(outcomes_.size(), 3u);
}

TEST_F(CodersTest, WhereTheStoreIsShortACodedHitGivesTheBodyAway) {
  const uint64_t rid = put("a", text_of(20'000));
  put("sent coded", text_of(20'000),
      http::ReuseFlag::kCodable | static_cast<uint32_t>(Coding::kBrotli)
                                      << http::ReuseFlag::kSentCodingShift);
  stored("a", taking({Coding::kZstd}));
  settle();
  hit("a");
  settle();
  EXPECT_EQ(look("a", Coding::kZstd).head->kind, cache_store::RecordKind::kObject);
  for (int i = 0; !store_->is_short(); ++i) put("other" + std::to_string(i), noise_of(200'000));
  hit("a", Coding::kZstd, {});
  settle();
  EXPECT_EQ(look("a", Coding::kZstd).head->kind, cache_store::RecordKind::kObject)
      << "nobody was sent a coding";
  outcomes_.clear();
  hit("a");
  settle();
  const Found found = look("a", Coding::kZstd);
  EXPECT_EQ(found.head->kind, cache_store::RecordKind::kShell);
  EXPECT_EQ(found.head->rid, rid);
  EXPECT_EQ(found.head->whole_length, 20'000u);
  ASSERT_TRUE(found.coded);
  // The best coding is made of the one that is there.
  hit("a");
  hit("a");
  settle();
  EXPECT_TRUE(is_best(*look("a", Coding::kZstd).coded));
  EXPECT_EQ(kinds().front(), Outcome::kDropped);
  hit("sent coded", Coding::kBrotli);
  settle();
  EXPECT_EQ(look("sent coded", Coding::kBrotli).head->kind, cache_store::RecordKind::kObject);
}

TEST_F(CodingJobTest, AnotherVersionIsNotCoded) {
  const uint64_t rid = put("a", text_of(20'000));
  EXPECT_EQ(run("a", rid + 1).kind, Outcome::kGone);
  EXPECT_EQ(run("b", rid).kind, Outcome::kGone);
  EXPECT_EQ(run("a", rid).kind, Outcome::kStored);
}

TEST_F(CodingJobTest, WhatIsThereIsNotMadeTwice) {
  const uint64_t rid = put("a", text_of(20'000));
  EXPECT_EQ(run("a", rid).kind, Outcome::kStored);
  EXPECT_EQ(run("a", rid).kind, Outcome::kPresent);
  EXPECT_EQ(run("a", rid, CodingWay::kBest).kind, Outcome::kStored);
  EXPECT_EQ(run("a", rid, CodingWay::kBest).kind, Outcome::kPresent);
  EXPECT_EQ(run("a", rid).kind, Outcome::kPresent) << "nor made worse";
}

TEST_F(CodingJobTest, TakesNoMoreCpuThanOneJobMay) {
  const uint64_t rid = put("a", text_of(2 * limits::kCodingStepBytes));
  // Looks: at the beginning, before each step, at the end.
  g_us_a_look = limits::kCodingCpuMs * 1000 / 2;
  EXPECT_EQ(run("a", rid).kind, Outcome::kStored);
  const uint64_t other = put("b", text_of(2 * limits::kCodingStepBytes));
  g_us_a_look += 1;
  EXPECT_EQ(run("b", other).kind, Outcome::kTooSlow);
  EXPECT_FALSE(look("b", Coding::kGzip).coded);
}

TEST_F(CodingJobTest, LooksAtItsBoundsBeforeEachStep) {
  g_us_a_look = 1;
  const uint64_t one = put("a", text_of(limits::kCodingStepBytes));
  EXPECT_EQ(run("a", one).cpu_us, 2);
  const uint64_t two = put("b", text_of(limits::kCodingStepBytes + 1));
  EXPECT_EQ(run("b", two).cpu_us, 3);
}

TEST_F(CodingJobTest, WhatDoesNotComeBackIsNotStored) {
  const std::string text = text_of(2 * limits::kCodingStepBytes);
  const uint64_t rid = put("a", text);
  // Memory that goes bad under the encoder, before its second step.
  static std::byte* body = nullptr;
  body = const_cast<std::byte*>(look("a", Coding::kGzip).head->body.data());
  Outcome result;
  CodingJob job(
      *store_, {"a", store_->digest("a"), rid, Coding::kGzip, CodingWay::kFast},
      [] {
        if (++g_us == 3) *body ^= std::byte{1};
        return int64_t{0};
      },
      [&result](const Outcome& outcome) { result = outcome; });
  const std::atomic<bool> stop{false};
  job.work(stop);
  job.done();
  EXPECT_EQ(result.kind, Outcome::kFailed);
  EXPECT_FALSE(look("a", Coding::kGzip).coded);
}

TEST_F(CodingJobTest, WhatBlowsUpIsLeft) {
  // A text that is about so many times as long as its coding.
  const auto bomb = [](size_t times) {
    const std::string noise = noise_of(200);
    std::string text = noise;
    for (int i = 0; i < 10; ++i) {
      const size_t coded = gzip(text).size();
      text = noise + std::string(coded * times - noise.size(), '0');
    }
    return text;
  };
  const std::string most = bomb(limits::kDecodedTimes - 1);
  const std::string more = bomb(limits::kDecodedTimes + 1);
  const uint64_t first = put("most", gzip(most), kSentGzip);
  EXPECT_EQ(decode("most", first).kind, Outcome::kStored);
  EXPECT_TRUE(base::as_text(look("most", Coding::kIdentity).coded->body) == most);
  const uint64_t second = put("more", gzip(more), kSentGzip);
  const Outcome outcome = decode("more", second);
  EXPECT_EQ(outcome.kind, Outcome::kUndecodable);
  EXPECT_EQ(outcome.wrong, Verified::kTooLong);
  // Nor does it help to be cut to members.
  const uint64_t third = put("members", gzip(more) + gzip(more), kSentGzip);
  EXPECT_EQ(decode("members", third).kind, Outcome::kUndecodable);
}

TEST_F(CodingJobTest, MembersAreDecodedAsOne) {
  // A member that ends with a step of the input, and one that ends with a step of the output.
  std::string noise = noise_of(limits::kCodingStepBytes);
  while (gzip(noise).size() > limits::kCodingStepBytes) noise.pop_back();
  ASSERT_EQ(gzip(noise).size(), limits::kCodingStepBytes);
  const std::string text = text_of(limits::kCodingStepBytes);
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {gzip(noise) + gzip(text) + gzip("x"), noise + text + "x"},
      {gzip(text) + gzip(text) + gzip(noise), text + text + noise},
      {gzip("") + gzip(text) + gzip(""), text}};
  for (size_t i = 0; i < bodies.size(); ++i) {
    const std::string key = std::to_string(i);
    EXPECT_EQ(decode(key, put(key, bodies[i].first, kSentGzip)).kind, Outcome::kStored);
    EXPECT_TRUE(base::as_text(look(key, Coding::kIdentity).coded->body) == bodies[i].second) << i;
  }
  const std::string garbage = gzip(noise) + "garbage";
  EXPECT_EQ(decode("garbage", put("garbage", garbage, kSentGzip)).kind, Outcome::kUndecodable);
  std::string hollow;
  while (hollow.size() < 2 * limits::kCodingStepBytes) hollow += gzip("");
  EXPECT_EQ(decode("hollow", put("hollow", hollow, kSentGzip)).kind, Outcome::kUndecodable);
  EXPECT_EQ(decode("full", put("full", hollow + gzip("x"), kSentGzip)).kind, Outcome::kStored);
  g_us_a_look = limits::kCodingCpuMs * 1000 / 2;
  EXPECT_EQ(decode("slow", put("slow", hollow + gzip("x"), kSentGzip)).kind, Outcome::kTooSlow)
      << "it is no single step";
}

TEST_F(CodingJobTest, EndsWithTheProcess) {
  const uint64_t rid = put("a", text_of(20'000));
  EXPECT_EQ(run("a", rid, CodingWay::kFast, true).kind, Outcome::kStopped);
  EXPECT_FALSE(look("a", Coding::kGzip).coded);
}

TEST_F(CodingJobTest, APurgeThatCameMeanwhileIsHeeded) {
  const uint64_t rid = put("a", text_of(20'000));
  const cache_store::Digest digest = store_->digest("a");
  const Found found = store_->peek(digest, "a", 0);
  store_->purge({.digest = digest, .wall_ms = 1'700'000'000'000});
  EXPECT_EQ(run("a", rid).kind, Outcome::kGone);
  EXPECT_EQ(store_->stats().objects, 0u);
}

}  // namespace
}  // namespace perigee::origin
