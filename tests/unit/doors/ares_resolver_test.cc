// Names through c-ares: answered in a later turn, in bounded time, or not at all when nobody waits.
#include "edge/doors/ares_resolver.h"

#include <optional>

#include "tests/unit/doors/loopback.h"

namespace perigee::edge {
namespace {

using Answer = base::Result<base::Addresses>;

class Resolve : public testing::Test {
 protected:
  base::Pending ask(const std::string& host) {
    return loop.env.resolve(host, 8080,
                            [this](Answer result) { answer.emplace(std::move(result)); });
  }
  bool answered() {
    return loop.run_until([this] { return answer.has_value(); });
  }

  TurnedLoop loop;
  std::optional<Answer> answer;
};

class Localhost : public Resolve, public testing::WithParamInterface<const char*> {};

TEST_P(Localhost, IsLoopbackWithoutANameServer) {
  base::Pending pending = ask(GetParam());
  EXPECT_FALSE(answer.has_value()) << "never inside the call";
  ASSERT_TRUE(answered());
  ASSERT_TRUE(answer->ok()) << answer->error().message;
  EXPECT_FALSE(pending.waiting());
  EXPECT_EQ((*answer)->size(), 2u) << "one of each family";
  for (const base::Address& address : **answer) {
    EXPECT_TRUE(address.is_loopback());
    EXPECT_EQ(address.port, 8080);
  }
}

INSTANTIATE_TEST_SUITE_P(Names, Localhost,
                         testing::Values("localhost", "LocalHost", "localhost.", "app.localhost"));

TEST_F(Resolve, ANameThatIsNotThereIsAnErrorInBoundedTime) {
  // Without a name server it is a timeout, with one "no such name" (RFC 6761): the loop's guard is
  // 10 s.
  base::Pending pending = ask("name.invalid");
  ASSERT_TRUE(answered());
  ASSERT_FALSE(answer->ok());
  EXPECT_NE(answer->error().message.find("name.invalid"), std::string::npos);
}

TEST_F(Resolve, ANameTooLongIsNotAsked) {
  base::Pending pending = ask(std::string(300, 'a'));
  EXPECT_FALSE(answer.has_value());
  ASSERT_TRUE(answered());
  EXPECT_EQ(answer->error().code, base::ErrorCode::kResolve);
  const auto is_too_long = [this](size_t size) {
    answer.reset();
    base::Pending longest = ask(std::string(size, 'a'));
    EXPECT_TRUE(answered());
    return answer->error().message.find("the name is too long") != std::string::npos;
  };
  EXPECT_TRUE(is_too_long(254));
  EXPECT_FALSE(is_too_long(253)) << "it is asked, and its one label is refused there";
}

TEST_F(Resolve, OneThatWasAbandonedIsNeverCalled) {
  ask("localhost");
  base::Pending other = ask("localhost");
  ASSERT_TRUE(answered());
  answer.reset();
  loop.turn();
  EXPECT_FALSE(answer.has_value());
}

TEST(ResolverAtTheEnd, DropsWhatIsInFlight) {
  bool called = false;
  base::Pending pending;
  {
    TurnedLoop loop;
    pending = loop.env.resolve("name.invalid", 80, [&](Answer) { called = true; });
    pending.abandon();
  }
  EXPECT_FALSE(called);
}

TEST(ResolverAtTheEnd, AnswersWhoStillWaits) {
  bool called = false;
  base::Pending pending;
  {
    TurnedLoop loop;
    pending = loop.env.resolve("name.invalid", 80, [&](Answer answer) { called = !answer.ok(); });
  }
  EXPECT_TRUE(called);
  EXPECT_FALSE(pending.waiting());
}

}  // namespace
}  // namespace perigee::edge
