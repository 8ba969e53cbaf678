// Codings that an origin has ready: taken before anything is encoded, if they are what they should
// be.
#include "origin/precoded.h"

#include <algorithm>
#include <map>

#include "tests/unit/origin/coders_fixture.h"

namespace perigee::origin {
namespace {

using http::kMadeCodings;

std::vector<std::byte> coded(Coding coding, const std::string& text,
                             Effort effort = Effort::kBest) {
  const std::string bytes = encoded(coding, text, effort);
  const auto span = std::as_bytes(std::span(bytes));
  return {span.begin(), span.end()};
}

/// An origin with these codings, whatever it is asked for.
class PlayedPrecoded final : public Precoded {
 public:
  /// What it has, and what becomes of it.
  struct Played {
    std::vector<std::byte> bytes;
    bool settled = true;
  };
  std::unique_ptr<Ready> open(const Query& query) const override {
    asked.emplace_back(query.target, query.coding);
    now_ms = query.now_ms;
    body_bytes = query.body_bytes;
    const auto found = ready.find(query.coding);
    if (found == ready.end()) return nullptr;
    return std::make_unique<Opened>(*this, found->second);
  }
  void has(Coding coding, std::vector<std::byte> bytes, bool settled = true) {
    ready[coding] = {std::move(bytes), settled};
  }

  std::map<Coding, Played> ready;
  bool beside_another = false;  ///< it lies beside another body
  uint64_t readable = UINT64_MAX;
  mutable std::vector<std::pair<std::string, Coding>> asked;
  mutable int64_t now_ms = 0;
  mutable uint64_t body_bytes = 0;

 private:
  class Opened final : public Ready {
   public:
    Opened(const PlayedPrecoded& owner, const Played& played) : owner_(owner), played_(played) {}
    const std::string& name() const override { return name_; }
    uint64_t size() const override { return played_.bytes.size(); }
    bool settled() const override { return played_.settled; }
    bool read(uint64_t at, std::span<std::byte> out) override {
      if (at + out.size() > std::min<uint64_t>(owner_.readable, size())) return false;
      std::copy_n(played_.bytes.begin() + static_cast<ptrdiff_t>(at), out.size(), out.begin());
      return true;
    }
    bool lies_beside(uint64_t, std::span<const std::byte>) override {
      return !owner_.beside_another;
    }

   private:
    const PlayedPrecoded& owner_;
    const Played& played_;
    const std::string name_ = "/folder/a";
  };
};

class ReadyCodings : public CodingJobTest {
 protected:
  ReadyCodings() : played_(std::make_shared<PlayedPrecoded>()) { precoded_ = played_; }
  bool stored_is(Coding coding, const std::vector<std::byte>& bytes) {
    const Found found = look("a", coding);
    return found.coded && std::ranges::equal(found.coded->body, bytes);
  }

  const std::string text_ = text_of(20'000);
  const std::shared_ptr<PlayedPrecoded> played_;
};

const http::AcceptedCodings kAll = taking({Coding::kZstd, Coding::kBrotli, Coding::kGzip});

TEST_F(ReadyCodings, AreTakenAtOnceAndNothingBetterIsMade) {
  for (const Coding coding : kMadeCodings) played_->has(coding, coded(coding, text_));
  put("a", text_);
  stored("a", kAll);
  settle();
  EXPECT_EQ(kinds(), Kinds(3, Outcome::kStored));
  for (const Outcome& outcome : outcomes_) EXPECT_TRUE(outcome.was_ready);
  for (const Coding coding : kMadeCodings) {
    EXPECT_TRUE(stored_is(coding, coded(coding, text_)));
    for (int i = 0; i < 5; ++i) hit("a", coding);
  }
  settle();
  EXPECT_EQ(outcomes_.size(), 3u);
  EXPECT_EQ(played_->asked.size(), 3u);
}

TEST_F(ReadyCodings, AreAskedForByTheTargetTheObjectAndTheTime) {
  put("a", text_);
  hit("a", Coding::kBrotli);
  const int64_t now_ms = env_.wall().ms;
  settle();
  ASSERT_EQ(played_->asked.size(), 1u);
  EXPECT_EQ(played_->asked[0], std::pair(std::string("/a"), Coding::kBrotli));
  EXPECT_EQ(played_->body_bytes, text_.size());
  EXPECT_EQ(played_->now_ms, now_ms);
}

TEST_F(ReadyCodings, ThatAreNotThereAreEncodedForWhoTakesThem) {
  put("a", text_);
  stored("a", taking({Coding::kZstd}));
  settle();
  EXPECT_EQ(kinds(), (Kinds{Outcome::kStored, Outcome::kNotReady, Outcome::kNotReady}));
  EXPECT_FALSE(outcomes_[0].was_ready);
  EXPECT_FALSE(is_best(*look("a", Coding::kZstd).coded));
  hit("a", Coding::kBrotli);
  settle();
  EXPECT_TRUE(look("a", Coding::kBrotli).coded) << "that none was ready does not forbid it";
}

TEST_F(ReadyCodings, OfACodingThatASiteDoesNotOfferAreLeft) {
  for (const Coding coding : kMadeCodings) played_->has(coding, coded(coding, text_));
  put("a", text_);
  CodingSet offered;
  offered.add(Coding::kGzip);
  stored("a", taking({Coding::kGzip}), offered);
  settle();
  EXPECT_EQ(kinds(), Kinds{Outcome::kStored});
  EXPECT_TRUE(look("a", Coding::kGzip).coded);
}

TEST_F(ReadyCodings, AreTakenWithoutCpuToo) {
  use(0);
  played_->has(Coding::kBrotli, coded(Coding::kBrotli, text_));
  put("a", text_);
  stored("a", kAll);
  settle();
  EXPECT_EQ(kinds(), (Kinds{Outcome::kNotReady, Outcome::kStored, Outcome::kNotReady}));
  EXPECT_TRUE(stored_is(Coding::kBrotli, coded(Coding::kBrotli, text_)));
  for (const Coding coding : kMadeCodings) {
    for (int i = 0; i < 5; ++i) hit("a", coding, taking({coding}));
  }
  settle();
  EXPECT_EQ(outcomes_.size(), 3u) << "nothing is encoded, and nothing looked for again";
  EXPECT_FALSE(look("a", Coding::kZstd).coded);
}

TEST_F(ReadyCodings, OfWhatAnEarlierRunStoredAreFoundByAHit) {
  use(0);
  for (const Coding coding : kMadeCodings) played_->has(coding, coded(coding, text_));
  put("a", text_);
  hit("a", Coding::kZstd, taking({Coding::kZstd, Coding::kBrotli}));
  settle();
  EXPECT_EQ(kinds(), Kinds(2, Outcome::kStored));
  EXPECT_TRUE(look("a", Coding::kBrotli).coded);
}

TEST_F(ReadyCodings, WithoutCpuLooksForThemTakeALittle) {
  use(0);
  g_us_a_look = 4'000;
  put("a", text_);
  stored("a", kAll);
  env_.run();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].cpu_us, 4'000);
  env_.advance(4 * (100 - limits::kReadyCpuPercent) / limits::kReadyCpuPercent - 1);
  EXPECT_EQ(outcomes_.size(), 1u);
  env_.advance(20);
  EXPECT_EQ(outcomes_.size(), 2u);
}

TEST_F(ReadyCodings, ShortLooksAddUpToARest) {
  g_us_a_look = 400;
  for (const Coding coding : kMadeCodings) played_->has(coding, coded(coding, text_));
  for (const char* key : {"a", "b"}) {
    put(key, text_);
    stored(key, kAll);
  }
  env_.run();
  EXPECT_EQ(outcomes_.size(), 3u) << "400 us each: more than a millisecond is owed";
  settle();
  EXPECT_EQ(outcomes_.size(), 6u);
}

TEST_F(ReadyCodings, ThatCameLaterTakeThePlaceOfWhatWasMadeFast) {
  put("a", text_);
  stored("a", kAll);
  settle();
  EXPECT_FALSE(is_best(*look("a", Coding::kZstd).coded));
  played_->has(Coding::kZstd, coded(Coding::kZstd, text_));
  for (uint64_t i = 0; i < limits::kCodingHits; ++i) hit("a", Coding::kZstd, kAll);
  settle();
  EXPECT_TRUE(outcomes_.back().was_ready);
  EXPECT_TRUE(is_best(*look("a", Coding::kZstd).coded));
}

TEST_F(ReadyCodings, OfGzipDoNotKeepABetterCodingFromBeingMade) {
  played_->has(Coding::kGzip, coded(Coding::kGzip, text_));
  put("a", text_);
  stored("a", taking({Coding::kGzip}));
  settle();
  ASSERT_TRUE(is_best(*look("a", Coding::kGzip).coded));
  for (int i = 0; i < 5; ++i) hit("a", Coding::kGzip);
  settle();
  EXPECT_FALSE(look("a", Coding::kZstd).coded) << "nobody was there who takes it";
  for (uint64_t i = 0; i < limits::kCodingHits; ++i) hit("a", Coding::kGzip, kAll);
  settle();
  EXPECT_TRUE(is_best(*look("a", Coding::kZstd).coded));
}

TEST_F(ReadyCodings, ThatDoNotDecodeToTheObjectAreNamedAndNotTaken) {
  const std::vector<std::byte> good = coded(Coding::kGzip, text_);
  std::vector<std::byte> longer = good;
  longer.push_back(std::byte{0});
  std::vector<std::byte> members = coded(Coding::kGzip, text_.substr(0, 10'000));
  const std::vector<std::byte> second = coded(Coding::kGzip, text_.substr(10'000));
  members.insert(members.end(), second.begin(), second.end());
  std::vector<std::byte> damaged = good;
  damaged[damaged.size() / 2] ^= std::byte{1};
  const std::map<std::string, std::vector<std::byte>> bad = {
      {"truncated", {good.begin(), good.end() - 1}},
      {"longer", longer},
      {"damaged", damaged},
      {"of two members, of which some clients read one", members},
      {"of another file", coded(Coding::kGzip, text_of(20'000 - 1))},
      {"of a longer file", coded(Coding::kGzip, text_of(20'000 + 1))},
      {"of another coding", coded(Coding::kBrotli, text_)},
      {"of nothing", {}},
  };
  for (const auto& [what, bytes] : bad) {
    SCOPED_TRACE(what);
    played_->has(Coding::kGzip, bytes);
    const Outcome outcome = run("a", put("a", text_));
    EXPECT_EQ(outcome.kind, Outcome::kStored);
    EXPECT_FALSE(outcome.was_ready);
    EXPECT_EQ(outcome.not_coding, "/folder/a");
    EXPECT_TRUE(stored_is(Coding::kGzip, coded(Coding::kGzip, text_, Effort::kFast)));
    EXPECT_EQ(run("a", put("a", text_), CodingWay::kReady).kind, Outcome::kNotReady);
  }
}

TEST_F(ReadyCodings, ThatAreJustBeingWrittenAreNotJudged) {
  const std::vector<std::byte> good = coded(Coding::kGzip, text_);
  played_->has(Coding::kGzip, {good.begin(), good.end() - 1}, false);
  EXPECT_EQ(run("a", put("a", text_)).not_coding, "");
  played_->has(Coding::kGzip, good, false);
  EXPECT_TRUE(run("a", put("a", text_)).was_ready) << "what is whole is taken";
}

TEST_F(ReadyCodings, NeedOnlyBeShorter) {
  const std::string text = noise_of(20'000) + std::string(100, '\0');
  ASSERT_EQ(run("a", put("a", text), CodingWay::kBest).kind, Outcome::kNotWorthIt);
  const std::vector<std::byte> bytes = coded(Coding::kGzip, text);
  ASSERT_LT(bytes.size(), text.size());
  played_->has(Coding::kGzip, bytes);
  EXPECT_EQ(run("a", put("a", text)).kind, Outcome::kStored);
  EXPECT_TRUE(stored_is(Coding::kGzip, bytes));
}

TEST_F(ReadyCodings, ReplaceWhatWasMadeFastAndNothingBetter) {
  const uint64_t rid = put("a", text_);
  EXPECT_EQ(run("a", rid).kind, Outcome::kStored);
  EXPECT_EQ(run("a", rid, CodingWay::kReady).kind, Outcome::kNotReady);
  played_->has(Coding::kGzip, coded(Coding::kGzip, text_));
  EXPECT_EQ(run("a", rid).kind, Outcome::kPresent);
  EXPECT_EQ(run("a", rid, CodingWay::kReady).kind, Outcome::kStored);
  EXPECT_TRUE(stored_is(Coding::kGzip, coded(Coding::kGzip, text_)));
  EXPECT_EQ(run("a", rid, CodingWay::kReady).kind, Outcome::kPresent);
  EXPECT_EQ(run("a", rid, CodingWay::kBest).kind, Outcome::kPresent);
}

TEST_F(ReadyCodings, AreFoundForAnObjectThatLiesInItsCodingAlone) {
  const uint64_t rid = put("a", text_);
  EXPECT_EQ(run("a", rid).kind, Outcome::kStored);
  EXPECT_EQ(run("a", rid, CodingWay::kDrop).kind, Outcome::kDropped);
  played_->has(Coding::kBrotli, coded(Coding::kBrotli, text_));
  EXPECT_EQ(run("a", rid, CodingWay::kReady, false, Coding::kBrotli).kind, Outcome::kStored);
  EXPECT_EQ(played_->body_bytes, text_.size());
}

TEST_F(ReadyCodings, BesideAnotherBodyOrUnreadableAreLeftAlone) {
  played_->has(Coding::kGzip, coded(Coding::kGzip, text_of(20'000 - 1)));
  played_->beside_another = true;
  EXPECT_EQ(run("a", put("a", text_)).not_coding, "");
  played_->beside_another = false;
  played_->readable = 10;
  const Outcome made = run("a", put("a", text_));
  EXPECT_EQ(made.not_coding, "");
  EXPECT_EQ(made.kind, Outcome::kStored);
  EXPECT_TRUE(stored_is(Coding::kGzip, coded(Coding::kGzip, text_, Effort::kFast)));
}

/// Of what is longer than a record, in fragments and in one record.
class LongReadyCodings : public ReadyCodings {
 protected:
  std::vector<std::byte> stored_coding(Coding coding) {
    const std::string text = coded_bytes("a", coding);
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }

  const std::string noisy_ = text_of(600'000) + noise_of(900'000);
  const std::string plain_ = text_of(1'500'000);
};

TEST_F(LongReadyCodings, AreTakenWhereverTheyFit) {
  for (const std::string& text : {noisy_, plain_}) {
    const uint64_t rid = put_long("a", text);
    for (const Coding coding : kMadeCodings) {
      const std::vector<std::byte> ready = coded(coding, text);
      played_->has(coding, ready);
      const Outcome made = run("a", rid, CodingWay::kReady, false, coding);
      EXPECT_EQ(made.kind, Outcome::kStored);
      EXPECT_TRUE(made.was_ready);
      EXPECT_EQ(made.coded_bytes, ready.size());
      EXPECT_TRUE(stored_coding(coding) == ready);
      EXPECT_TRUE(is_best(*look("a", coding).coded));
      EXPECT_EQ(played_->body_bytes, text.size());
    }
  }
}

TEST_F(LongReadyCodings, ThatDoNotDecodeToTheObjectAreNamedAndNotTaken) {
  for (const std::string& text : {noisy_, plain_}) {
    const uint64_t rid = put_long("a", text);
    std::vector<std::byte> damaged = coded(Coding::kGzip, text);
    damaged[damaged.size() / 2] ^= std::byte{1};
    played_->has(Coding::kGzip, damaged);
    Outcome made = run("a", rid, CodingWay::kReady);
    EXPECT_EQ(made.kind, Outcome::kNotReady);
    EXPECT_EQ(made.not_coding, "/folder/a");
    EXPECT_TRUE(stored_coding(Coding::kGzip).empty());
    played_->has(Coding::kGzip, damaged, false);
    EXPECT_EQ(run("a", rid, CodingWay::kReady).not_coding, "") << "it is being written";
    played_->has(Coding::kGzip, damaged);
    played_->beside_another = true;
    EXPECT_EQ(run("a", rid, CodingWay::kReady).not_coding, "") << "it is of another file";
    played_->beside_another = false;
    made = run("a", rid);
    EXPECT_EQ(made.kind, Outcome::kStored);
    EXPECT_FALSE(made.was_ready);
    EXPECT_FALSE(is_best(*look("a", Coding::kGzip).coded));
    EXPECT_TRUE(stored_coding(Coding::kGzip) == coded(Coding::kGzip, text, Effort::kFast));
  }
}

TEST_F(LongReadyCodings, ThatCannotBeReadAreLeftAlone) {
  const uint64_t rid = put_long("a", noisy_);
  played_->has(Coding::kGzip, coded(Coding::kGzip, noisy_));
  played_->readable = 700'000;
  const Outcome made = run("a", rid);
  EXPECT_EQ(made.kind, Outcome::kStored);
  EXPECT_FALSE(made.was_ready);
  EXPECT_EQ(made.not_coding, "");
  EXPECT_TRUE(stored_coding(Coding::kGzip) == coded(Coding::kGzip, noisy_, Effort::kFast));
}

TEST_F(ReadyCodings, OfWhatTheOriginSentCodedAreNotAskedFor) {
  const std::vector<std::byte> sent = coded(Coding::kGzip, text_);
  const uint32_t flags = http::ReuseFlag::kCodable | static_cast<uint32_t>(Coding::kGzip)
                                                         << http::ReuseFlag::kSentCodingShift;
  EXPECT_EQ(decode("a", put("a", std::string(base::as_text(sent)), flags)).kind, Outcome::kStored);
  EXPECT_EQ(played_->asked.size(), 0u);
}

}  // namespace
}  // namespace perigee::origin
