// Names asked of a name server: what it says, what it leaves out, and what it makes up.
#include "tests/unit/doors/name_server.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "base/limits.h"
#include "edge/doors/ares_resolver.h"
#include "tests/unit/doors/loopback.h"

namespace perigee::edge {
namespace {

using Answer = base::Result<base::Addresses>;
using Messages = std::vector<std::string>;

// Dots at the end: no search list of this machine is tried.
constexpr const char* kName = "www.origin.test.";
constexpr const char* kPlain = "www.origin.test";

size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

class AskedNames : public testing::Test {
 protected:
  /// From now on names are asked of a server that answers by this script.
  void serve(NameServer::Script script) {
    resolver.reset();
    server = std::make_unique<NameServer>(std::move(script));
    resolver = std::make_unique<AresResolver>(loop.env, server->address().c_str());
  }
  /// One that has these addresses for every name, each with its time to live.
  void serve_addresses(std::vector<std::pair<std::string, uint32_t>> addresses) {
    serve([addresses](const DnsQuestion& question) {
      DnsMessage message(question);
      for (const auto& [literal, ttl] : addresses) {
        const bool v6 = literal.find(':') != std::string::npos;
        if (v6 == (question.type == kTypeAaaa)) message.address(question.name, ttl, literal);
      }
      return Messages{message.bytes()};
    });
  }
  Answer ask(const std::string& host = kName) {
    std::optional<Answer> answer;
    base::Pending pending =
        resolver->resolve(host, 8080, [&](Answer result) { answer.emplace(std::move(result)); });
    EXPECT_FALSE(answer.has_value()) << "never inside the call";
    EXPECT_TRUE(loop.run_until([&] { return answer.has_value(); }));
    if (!answer) return base::Error{base::ErrorCode::kIo, 0, "never answered"};
    return *answer;
  }
  /// What it resolves to, in its order and without ports; or the error.
  std::vector<std::string> hosts(const Answer& answer) {
    if (!answer.ok()) return {answer.error().message};
    std::vector<std::string> texts;
    for (const base::Address& address : *answer) {
      EXPECT_EQ(address.port, 8080);
      texts.push_back(address.host_text());
    }
    return texts;
  }
  std::vector<std::string> sorted_hosts(const Answer& answer) {
    std::vector<std::string> texts = hosts(answer);
    std::sort(texts.begin(), texts.end());
    return texts;
  }
  size_t asked(uint16_t type, bool tcp = false) const {
    const std::vector<DnsQuestion> all = server->asked();
    return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const DnsQuestion& one) {
      return one.type == type && one.tcp == tcp;
    }));
  }

  TurnedLoop loop;
  std::unique_ptr<NameServer> server;
  std::unique_ptr<AresResolver> resolver;
};

using Hosts = std::vector<std::string>;

// --- what it says ---

TEST_F(AskedNames, HaveTheAddressesOfBothFamilies) {
  serve_addresses({{"192.0.2.1", 60}, {"192.0.2.2", 60}, {"2001:db8::1", 60}});
  EXPECT_EQ(sorted_hosts(ask()), (Hosts{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
  EXPECT_EQ(asked(kTypeA), 1u);
  EXPECT_EQ(asked(kTypeAaaa), 1u);
  for (const DnsQuestion& question : server->asked()) EXPECT_EQ(question.name, kPlain);
}

TEST_F(AskedNames, AreServedByOneFamilyWhereTheOtherIsMissing) {
  serve_addresses({{"192.0.2.1", 60}});
  EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.1"}));
  serve_addresses({{"2001:db8::1", 60}});
  EXPECT_EQ(hosts(ask()), (Hosts{"2001:db8::1"}));
}

TEST_F(AskedNames, NameEachAddressOnce) {
  serve_addresses({{"192.0.2.1", 60}, {"192.0.2.1", 30}, {"192.0.2.2", 90}, {"192.0.2.1", 60}});
  EXPECT_EQ(sorted_hosts(ask()), (Hosts{"192.0.2.1", "192.0.2.2"}));
}

TEST_F(AskedNames, HoldForTheShortestTimeToLive) {
  serve_addresses({{"192.0.2.1", 600}, {"192.0.2.2", 30}, {"2001:db8::1", 90}});
  EXPECT_EQ(ask()->ttl_ms, 30'000);
  serve_addresses({{"192.0.2.1", 600}, {"2001:db8::1", 45}});
  EXPECT_EQ(ask()->ttl_ms, 45'000);
  serve_addresses({{"192.0.2.1", 0}, {"192.0.2.2", 600}});
  EXPECT_EQ(ask()->ttl_ms, 0);
  serve_addresses({{"192.0.2.1", 86'400}});
  EXPECT_EQ(ask()->ttl_ms, 86'400'000);
}

TEST_F(AskedNames, FollowAliases) {
  serve([](const DnsQuestion& question) {
    DnsMessage message(question);
    message.cname(question.name, 600, "a.other.test").cname("a.other.test", 600, "b.other.test");
    if (question.type == kTypeA) message.address("b.other.test", 600, "192.0.2.7");
    return Messages{message.bytes()};
  });
  EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.7"}));
}

// Whoever moves a name to another host by its alias says with the alias's time how soon.
TEST_F(AskedNames, HoldNoLongerThanTheAliasOnTheWay) {
  serve([](const DnsQuestion& question) {
    DnsMessage message(question);
    message.cname(question.name, 20, "a.other.test");
    if (question.type == kTypeA) message.address("a.other.test", 600, "192.0.2.7");
    return Messages{message.bytes()};
  });
  EXPECT_EQ(ask()->ttl_ms, 20'000);
}

TEST_F(AskedNames, AreAskedByTcpWhereADatagramIsTooSmall) {
  serve([](const DnsQuestion& question) {
    DnsMessage message(question);
    if (!question.tcp) return Messages{message.truncated().bytes()};
    if (question.type == kTypeA) {
      for (int i = 1; i <= 100; ++i) {
        message.address(question.name, 60, "192.0.2." + std::to_string(i));
      }
    }
    return Messages{message.bytes()};
  });
  EXPECT_EQ(hosts(ask()).size(), 100u);
  EXPECT_EQ(asked(kTypeA, true), 1u);
  EXPECT_EQ(asked(kTypeAaaa, true), 1u);
}

// --- what it leaves out ---

struct Refusal {
  const char* name;
  unsigned code;
  const char* says;
};
class Refused : public AskedNames, public testing::WithParamInterface<Refusal> {};

TEST_P(Refused, NamesAreAnErrorThatSaysWhichAndWhy) {
  serve([](const DnsQuestion& question) {
    return Messages{DnsMessage(question).code(GetParam().code).bytes()};
  });
  const Answer answer = ask();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, base::ErrorCode::kResolve);
  EXPECT_NE(answer.error().message.find(kPlain), std::string::npos);
  EXPECT_NE(answer.error().message.find(GetParam().says), std::string::npos)
      << answer.error().message;
}
INSTANTIATE_TEST_SUITE_P(Codes, Refused,
                         testing::Values(Refusal{"NotThere", 3, "not found"},
                                         Refusal{"Failed", 2, "cannot be resolved"},
                                         Refusal{"Refused", 5, "cannot be resolved"},
                                         Refusal{"NoAddress", 0, "cannot be resolved"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(AskedNames, HaveTheFamilyThatCameThoughTheOtherFailed) {
  for (const uint16_t failing : {kTypeA, kTypeAaaa}) {
    serve([failing](const DnsQuestion& question) {
      DnsMessage message(question);
      if (question.type == failing) return Messages{message.code(2).bytes()};
      const bool v6 = question.type == kTypeAaaa;
      message.address(question.name, 60, v6 ? "2001:db8::1" : "192.0.2.1");
      return Messages{message.bytes()};
    });
    EXPECT_EQ(hosts(ask()), (Hosts{failing == kTypeA ? "2001:db8::1" : "192.0.2.1"}));
  }
}

// A server that says nothing: its question ends in its time, others are answered meanwhile, and
// what comes afterwards concerns nobody.
TEST_F(AskedNames, OfASilentServerEndInTheirTimeAndHoldNobodyUp) {
  serve([](const DnsQuestion& question) {
    if (question.name == "silent.test") return Messages{};
    DnsMessage message(question);
    if (question.type == kTypeA) message.address(question.name, 60, "192.0.2.1");
    return Messages{message.bytes()};
  });
  std::optional<Answer> silent;
  base::Pending pending =
      resolver->resolve("silent.test.", 80, [&](Answer result) { silent = std::move(result); });
  const base::Tick begin = loop.env.now();
  EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.1"}));
  EXPECT_FALSE(silent.has_value());
  ASSERT_TRUE(loop.run_until([&] { return silent.has_value(); }));
  ASSERT_FALSE(silent->ok());
  EXPECT_EQ(silent->error().code, base::ErrorCode::kTimeout);
  EXPECT_NE(silent->error().message.find("silent.test"), std::string::npos);
  EXPECT_GE(loop.env.now() - begin, base::limits::kResolveMs);
  EXPECT_GE(asked(kTypeA), 3u) << "it was asked again within the time";
  EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.1"}));
}

TEST_F(AskedNames, AreAskedAgainWhenTheFirstDatagramIsLost) {
  // Only on the server's thread.
  auto seen = std::make_shared<std::map<uint16_t, int>>();
  serve([seen](const DnsQuestion& question) {
    if ((*seen)[question.type]++ == 0) return Messages{};
    DnsMessage message(question);
    if (question.type == kTypeA) message.address(question.name, 60, "192.0.2.1");
    return Messages{message.bytes()};
  });
  EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.1"}));
  EXPECT_EQ(asked(kTypeA), 2u);
}

// Its time is over, and before that is told c-ares ends the question, too: it is answered once.
TEST_F(AskedNames, ThatEndTwiceInOneTurnAreAnsweredOnce) {
  serve([](const DnsQuestion&) { return Messages{}; });
  int answers = 0;
  int fired = 0;
  const auto after_both = [&] {
    if (++fired == 2) resolver->cancel();
  };
  // In whatever order timers of one time fire, the question's stands between these two.
  base::Timer before(after_both);
  base::Timer behind(after_both);
  const base::Tick due = loop.env.now() + base::limits::kResolveMs;
  loop.env.arm(before, due);
  base::Pending pending = resolver->resolve("silent.test.", 80, [&](Answer result) {
    ++answers;
    EXPECT_EQ(result.error().code, base::ErrorCode::kTimeout);
  });
  loop.env.arm(behind, due);
  ASSERT_TRUE(loop.run_until([&] { return answers > 0 && fired == 2; }));
  loop.turn();
  EXPECT_EQ(answers, 1);
}

TEST_F(AskedNames, AreThoseOfThisHostOnlyBelowTheirLabel) {
  serve_addresses({{"192.0.2.1", 60}});
  EXPECT_EQ(hosts(ask("notlocalhost.")), (Hosts{"192.0.2.1"}));
  EXPECT_EQ(hosts(ask("localhost.test.")), (Hosts{"192.0.2.1"}));
  EXPECT_EQ(hosts(ask("a.LOCALHOST.")), (Hosts{"127.0.0.1", "::1"}));
  EXPECT_EQ(asked(kTypeA), 2u);
}

TEST_F(AskedNames, OfAResolverThatEndsAreNeverAnswered) {
  serve([](const DnsQuestion&) { return Messages{}; });
  bool called = false;
  base::Pending asked = resolver->resolve("silent.test.", 80, [&](Answer) { called = true; });
  base::Pending answered = resolver->resolve("localhost", 80, [&](Answer) { called = true; });
  resolver.reset();
  EXPECT_FALSE(asked.waiting());
  EXPECT_FALSE(answered.waiting());
  loop.turn();
  EXPECT_FALSE(called);
}

TEST_F(AskedNames, LeaveNothingBehind) {
  serve([](const DnsQuestion& question) {
    if (question.name == "silent.test") return Messages{};
    DnsMessage message(question);
    if (!question.tcp) return Messages{message.truncated().bytes()};
    if (question.type == kTypeA) message.address(question.name, 60, "192.0.2.1");
    return Messages{message.bytes()};
  });
  const size_t before = open_descriptors();
  const size_t handles = loop.handles();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.1"}));
  bool called = false;
  base::Pending abandoned = resolver->resolve("silent.test.", 80, [&](Answer) { called = true; });
  base::Pending kept = resolver->resolve("silent.test.", 80, [&](Answer result) {
    called = true;
    EXPECT_FALSE(result.ok());
  });
  abandoned.abandon();
  resolver->cancel();
  ASSERT_TRUE(loop.run_until([&] { return !kept.waiting(); }));
  EXPECT_TRUE(called);
  resolver.reset();
  ASSERT_TRUE(loop.run_until([&] { return server->connections() == 0; }));
  loop.turn();
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(loop.handles(), handles);
}

// --- what it makes up ---

/// A lie comes first and the truth behind it.
class Lies : public AskedNames {
 protected:
  void serve_behind(std::function<std::string(const DnsQuestion&)> lie) {
    serve([lie = std::move(lie)](const DnsQuestion& question) {
      DnsMessage truth(question);
      if (question.type == kTypeA) truth.address(question.name, 60, "192.0.2.1");
      return Messages{lie(question), truth.bytes()};
    });
  }
};

TEST_F(Lies, WithAnotherIdAreNotHeard) {
  serve_behind([](const DnsQuestion& question) {
    return DnsMessage(question)
        .id(static_cast<uint16_t>(question.id ^ 1))
        .address(question.name, 60, "203.0.113.66")
        .bytes();
  });
  EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.1"}));
}

TEST_F(Lies, ToAnotherQuestionAreNotHeard) {
  serve_behind([](const DnsQuestion& question) {
    return DnsMessage(question)
        .question("other.test", question.type)
        .address("other.test", 60, "203.0.113.66")
        .bytes();
  });
  EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.1"}));
}

/// No truth behind it: whatever it is, the answer is an error in its time or what it said, and
/// nothing worse.
TEST_F(Lies, ThatAreNoMessageAreAnErrorInTheirTime) {
  serve([](const DnsQuestion& question) {
    std::string header = DnsMessage(question).bytes();
    if (question.name == "short.test") return Messages{header.substr(0, 5)};
    if (question.name == "empty.test") return Messages{""};
    if (question.name == "cut.test") {
      std::string whole = DnsMessage(question).address(question.name, 60, "192.0.2.1").bytes();
      return Messages{whole.substr(0, whole.size() - 3)};
    }
    // Says that there are records, and there are none.
    header[7] = 9;
    if (question.name == "many.test") return Messages{header};
    return Messages{header.substr(0, 12) + std::string(400, '\xff')};
  });
  const std::vector<std::string> names = {"short.test.", "empty.test.", "cut.test.", "many.test.",
                                          "noise.test."};
  std::vector<std::optional<Answer>> answers(names.size());
  std::vector<base::Pending> pendings;
  for (size_t i = 0; i < names.size(); ++i) {
    pendings.push_back(resolver->resolve(
        names[i], 80, [into = &answers[i]](Answer result) { into->emplace(std::move(result)); }));
  }
  ASSERT_TRUE(loop.run_until([&] {
    return std::all_of(answers.begin(), answers.end(), [](const auto& one) { return one; });
  }));
  for (size_t i = 0; i < names.size(); ++i) {
    ASSERT_FALSE(answers[i]->ok()) << names[i];
    const base::ErrorCode code = answers[i]->error().code;
    EXPECT_TRUE(code == base::ErrorCode::kResolve || code == base::ErrorCode::kTimeout) << names[i];
  }
}

TEST_F(Lies, AboutAnotherNameAreNoAnswer) {
  serve([](const DnsQuestion& question) {
    DnsMessage message(question);
    message.address("other.test", 60, question.type == kTypeA ? "203.0.113.66" : "2001:db8::66");
    return Messages{message.bytes()};
  });
  const Answer answer = ask();
  ASSERT_FALSE(answer.ok()) << hosts(answer).front();
  EXPECT_EQ(answer.error().code, base::ErrorCode::kResolve);
}

TEST_F(Lies, BesideTheTruthAreLeftOut) {
  serve([](const DnsQuestion& question) {
    DnsMessage message(question);
    if (question.type == kTypeA) {
      message.address("other.test", 60, "203.0.113.66").address(question.name, 60, "192.0.2.1");
    }
    return Messages{message.bytes()};
  });
  EXPECT_EQ(hosts(ask()), (Hosts{"192.0.2.1"}));
}

TEST_F(Lies, OfAliasesInACircleAreAnError) {
  serve([](const DnsQuestion& question) {
    return Messages{DnsMessage(question)
                        .cname(question.name, 60, "a.test")
                        .cname("a.test", 60, question.name)
                        .bytes()};
  });
  const Answer answer = ask();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, base::ErrorCode::kResolve);
}

TEST_F(Lies, LargerThanAnyDatagramAreCutAndAnError) {
  serve([](const DnsQuestion& question) {
    DnsMessage message(question);
    for (int i = 0; i < 1'200; ++i) message.address(question.name, 60, "192.0.2.1");
    return Messages{message.bytes()};
  });
  const Answer answer = ask();
  EXPECT_TRUE(!answer.ok() || answer->size() == 1u);
}

}  // namespace
}  // namespace perigee::edge
