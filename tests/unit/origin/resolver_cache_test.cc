// Names are asked for once in a while, by one question at a time, and kept within bounds.
#include "origin/resolver_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/support/fake_env.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;
using Answer = base::Result<base::Addresses>;

class ResolverCacheTest : public ::testing::Test {
 protected:
  ResolverCacheTest() {
    env_.on_resolve = [this](const std::string&) { return answer_; };
    names_.emplace(env_);
  }
  void answer_with(const char* address, int64_t ttl_ms = 0) {
    base::Addresses addresses{*base::Address::parse_host(address, 0)};
    addresses.ttl_ms = ttl_ms;
    answer_ = Answer(addresses);
  }
  void fail() { answer_ = Answer(base::Error{base::ErrorCode::kResolve, 0, "no"}); }
  void hang() { answer_ = std::nullopt; }
  /// Asks; the answer is appended to `said`.
  base::Pending ask(const std::string& host = "a", uint16_t port = 80) {
    return names_->resolve(host, port, [this](Answer result) {
      said_ += result.ok() ? result->at(0).text() + " " : "failed ";
    });
  }
  std::string said() {
    env_.run();
    return std::exchange(said_, {});
  }

  test::FakeEnv env_;
  std::optional<Answer> answer_;
  std::optional<ResolverCache> names_;
  std::string said_;
};

TEST_F(ResolverCacheTest, KeepsANameWithItsCallersPort) {
  answer_with("192.0.2.1");
  auto first = ask("a", 80);
  EXPECT_EQ(said(), "192.0.2.1:80 ");
  auto second = ask("a", 443);
  EXPECT_EQ(said_, "") << "never inside the call";
  EXPECT_EQ(said(), "192.0.2.1:443 ");
  EXPECT_EQ(env_.resolves, 1u);
}

struct TtlCase {
  const char* name;
  int64_t ttl_ms;
  int64_t kept_ms;
};
class NameLifetime : public ResolverCacheTest, public ::testing::WithParamInterface<TtlCase> {};
TEST_P(NameLifetime, IsTheServersWithinBounds) {
  answer_with("192.0.2.1", GetParam().ttl_ms);
  auto first = ask();
  said();
  env_.advance(GetParam().kept_ms - 1);
  auto second = ask();
  said();
  EXPECT_EQ(env_.resolves, 1u);
  env_.advance(1);
  auto third = ask();
  said();
  EXPECT_EQ(env_.resolves, 2u);
}
INSTANTIATE_TEST_SUITE_P(, NameLifetime,
                         ::testing::Values(TtlCase{"Unknown", 0, limits::kNameFloorMs},
                                           TtlCase{"Short", 1000, limits::kNameFloorMs},
                                           TtlCase{"Middle", 60'000, 60'000},
                                           TtlCase{"Long", 86'400'000, limits::kNameCapMs}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(ResolverCacheTest, AsksOnceHoweverManyWait) {
  answer_with("192.0.2.1");
  auto first = ask("a", 1);
  auto second = ask("a", 2);
  auto other = ask("b", 3);
  EXPECT_EQ(said(), "192.0.2.1:1 192.0.2.1:2 192.0.2.1:3 ");
  EXPECT_EQ(env_.resolves, 2u);
}

TEST_F(ResolverCacheTest, AFailureIsAnsweredFromTheLastAddresses) {
  answer_with("192.0.2.1");
  auto first = ask();
  said();
  env_.advance(limits::kNameFloorMs + 10);
  fail();
  auto second = ask();
  EXPECT_EQ(said(), "192.0.2.1:80 ");
  auto third = ask();
  EXPECT_EQ(said(), "192.0.2.1:80 ");
  EXPECT_EQ(env_.resolves, 2u) << "a name server that is down is not asked for each request";
}

TEST_F(ResolverCacheTest, AHangingNameServerCostsItsTimeOnce) {
  answer_with("192.0.2.1");
  auto first = ask();
  said();
  env_.advance(limits::kNameFloorMs + 10);
  hang();
  auto second = ask();
  env_.advance(limits::kResolveMs);
  EXPECT_EQ(said(), "192.0.2.1:80 ");
  auto third = ask();
  EXPECT_EQ(said(), "192.0.2.1:80 ");
}

TEST_F(ResolverCacheTest, AFailureIsNotKept) {
  fail();
  auto first = ask();
  EXPECT_EQ(said(), "failed ");
  answer_with("192.0.2.1");
  auto second = ask();
  EXPECT_EQ(said(), "192.0.2.1:80 ");
}

TEST_F(ResolverCacheTest, OneWhoLeavesIsNotCalledAndTheAnswerIsKept) {
  answer_with("192.0.2.1");
  { auto left = ask(); }
  EXPECT_EQ(said(), "");
  { auto left = ask(); }  // answered from memory, in a later turn
  EXPECT_EQ(said(), "");
  EXPECT_EQ(env_.resolves, 1u);
}

TEST_F(ResolverCacheTest, ACallbackMayLeaveForOthersAndAskAgain) {
  answer_with("192.0.2.1");
  base::Pending second;
  base::Pending third;
  base::Pending first = names_->resolve("a", 1, [&](Answer) {
    said_ += "first ";
    second.abandon();
    third = ask("a", 3);
  });
  second = ask("a", 2);
  EXPECT_EQ(said(), "first 192.0.2.1:3 ");
}

TEST_F(ResolverCacheTest, ANameThatSomebodyWaitsForIsNotForgotten) {
  answer_with("192.0.2.1");
  std::vector<base::Pending> waiting;
  for (int round = 0; round < 2; ++round) {
    said();
    waiting.clear();
    for (size_t i = 0; i < limits::kNamesCached; ++i) {
      waiting.push_back(ask("h" + std::to_string(i)));
    }
  }
  // Each is known and waited for: its answer comes in a later turn.
  waiting.push_back(ask("another"));
  EXPECT_EQ(said().size(), waiting.size() * std::string("192.0.2.1:80 ").size());
}

TEST_F(ResolverCacheTest, KeepsOnlySoManyNamesTheLastUsed) {
  answer_with("192.0.2.1");
  for (size_t i = 0; i < limits::kNamesCached; ++i) {
    auto asked = ask("h" + std::to_string(i));
    said();
  }
  auto used = ask("h0");
  said();
  auto beyond = ask("another");
  said();
  EXPECT_EQ(names_->size(), limits::kNamesCached);
  const unsigned before = env_.resolves;
  auto kept = ask("h0");
  said();
  EXPECT_EQ(env_.resolves, before);
  auto forgotten = ask("h1");
  said();
  EXPECT_EQ(env_.resolves, before + 1);
}

TEST_F(ResolverCacheTest, EndsBeforeItsAnswers) {
  answer_with("192.0.2.1");
  auto first = ask();
  said();
  auto from_memory = ask();
  hang();
  auto on_its_way = ask("b");
  names_.reset();
  EXPECT_EQ(said(), "");
  EXPECT_FALSE(from_memory.waiting());
  EXPECT_FALSE(on_its_way.waiting());
}

}  // namespace
}  // namespace perigee::origin
