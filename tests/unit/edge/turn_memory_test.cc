// What lives for one turn of the loop must not be used after it: names, keys and texts of one
// request, while other requests of the same worker come in between.
#include <gtest/gtest.h>

#include <type_traits>

#include "base/limits.h"
#include "base/poison.h"
#include "edge/route.h"
#include "tests/support/edge/stand.h"

namespace perigee::test {
namespace {

namespace limits = base::limits;

/// A site without names: every Host is served, and keyed by its own name.
constexpr std::string_view kUnnamed =
    "[[site]]\ndefault = true\norigin = \"http://127.0.0.1:10\"\nhost_header = \"client\"\n";

std::string get_of(std::string_view target, std::string_view host) {
  std::string text = "GET ";
  text.append(target).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n\r\n");
  return text;
}

/// The first request of that target which the origin saw.
const Asked* asked_for(const Stand& stand, std::string_view target) {
  for (const Asked& asked : stand.origin.asked) {
    if (asked.target == target) return &asked;
  }
  return nullptr;
}

class SeveralHosts : public testing::TestWithParam<std::string> {};

/// Short names lie inside a std::string, long ones on the heap: another request overwrites the
/// former and frees the latter.
TEST_P(SeveralHosts, EachFillCarriesTheNameOfItsOwnRequest) {
  Stand stand{std::string(kUnnamed)};
  const std::string host = GetParam();
  const std::string stranger = "stranger." + GetParam() + "." + std::string(60, 'x');
  stand.origin.on("/page", [](const Asked& asked) {
    return Reply(200).cache("max-age=60").body("for " + asked["X-Forwarded-Host"]);
  });
  stand.origin.on("/other", Reply(200).body("other"));
  Client victim(stand);
  Client other(stand);
  victim.write(get_of("/page", host));
  other.write(get_of("/other", stranger));
  stand.run();
  const Asked* page = asked_for(stand, "/page");
  ASSERT_NE(page, nullptr);
  EXPECT_EQ((*page)["X-Forwarded-Host"], host);
  EXPECT_EQ((*page)["Host"], host);
  const std::string answer = victim.arrived();
  EXPECT_TRUE(answer.ends_with("for " + host)) << answer;
  const Asked* second = asked_for(stand, "/other");
  ASSERT_NE(second, nullptr);
  EXPECT_EQ((*second)["X-Forwarded-Host"], stranger);
}

/// A refresh behind and a fill that waits for a connection outlive their turn too.
TEST_P(SeveralHosts, ARefreshBehindCarriesTheNameOfItsOwnRequest) {
  Stand stand{std::string(kUnnamed)};
  const std::string host = GetParam();
  stand.origin.on("/page", [](const Asked& asked) {
    return Reply(200)
        .cache("max-age=1, stale-while-revalidate=600")
        .body("for " + asked["X-Forwarded-Host"]);
  });
  Client victim(stand);
  Client other(stand);
  victim.write(get_of("/page", host));
  (void)victim.arrived();
  stand.env.step_wall(5'000);
  victim.write(get_of("/page", host));
  other.write(get_of("/other", "stranger." + std::string(80, 'y')));
  stand.run();
  size_t pages = 0;
  for (const Asked& asked : stand.origin.asked) {
    if (asked.target != "/page") continue;
    ++pages;
    EXPECT_EQ(asked["X-Forwarded-Host"], host);
  }
  EXPECT_EQ(pages, 2u);
}

INSTANTIATE_TEST_SUITE_P(Names, SeveralHosts,
                         testing::Values("a.test", "a-name-that-no-string-holds-inside.test"),
                         [](const auto& name) {
                           return name.param.size() < 16 ? "Short" : "Long";
                         });

static_assert(!std::is_convertible_v<edge::TurnText, std::string_view>);
static_assert(!std::is_convertible_v<edge::TurnText, std::string>);
static_assert(!std::is_copy_constructible_v<edge::Route>);
static_assert(!std::is_move_constructible_v<edge::Route>);

/// Under AddressSanitizer a text of a route that is gone is a report, short or long.
TEST(TurnMemory, TheTextsOfARouteArePoisonedWhenItIsGone) {
  Stand stand{std::string(kUnnamed)};
  edge::RouteScratch scratch;
  origin::ResolverCache names(stand.env);
  const auto sites = std::make_shared<edge::LoopSites>(stand.snapshot(), stand.env, names);
  for (const std::string& host : {std::string("a.test"), std::string(100, 'h') + ".test"}) {
    http::RequestHead request;
    request.scheme = "http";
    request.authority = host;
    request.target = "/";
    std::string_view name;
    std::string_view key;
    {
      const edge::Route route(request, sites, stand.store(), scratch);
      const edge::Route again(request, sites, stand.store(), scratch);
      name = route.site_name.now();
      key = route.key.now();
      EXPECT_EQ(name, host);
      EXPECT_FALSE(base::is_poisoned(name.data()) || base::is_poisoned(key.data()));
    }
    EXPECT_EQ(base::is_poisoned(name.data()), base::kPoisons);
    EXPECT_EQ(base::is_poisoned(key.data()), base::kPoisons);
  }
}

/// Many small answers of our own to a reader that is slow: those that wait for room in the queue
/// keep their text, whoever is answered in between.
TEST(TurnMemory, AnAnswerOfOursKeepsItsTextWhileItWaitsForRoom) {
  Stand stand;
  Client slow(stand);
  Client other(stand);
  // One of its answers fills the way to it.
  slow.reading().capacity = 300;
  const std::string refused = "PURGE /x HTTP/1.1\r\nHost: site.test\r\n\r\n";
  const size_t requests = 3 * limits::kSpillBytes / refused.size();
  for (size_t i = 0; i < requests; ++i) slow.write(refused);
  std::string arrived;
  for (std::string more = slow.arrived(); !more.empty(); more = slow.arrived()) {
    arrived += more;
    // Another connection's request uses the memory of the turn.
    other.ask("GET", "/" + std::string(3'000, 'z'), "Cache-Control: only-if-cached\r\n").answer();
    slow.reading().capacity = 20'000;
  }
  size_t whole = 0;
  const std::string_view sentence = "purging is not allowed from this address";
  for (size_t at = arrived.find("HTTP/1.1 403"); at != std::string::npos;
       at = arrived.find("HTTP/1.1 403", at + 1)) {
    const size_t next = arrived.find("HTTP/1.1 ", at + 1);
    const std::string one = arrived.substr(at, next == std::string::npos ? next : next - at);
    ASSERT_NE(one.find(sentence), std::string::npos) << one;
    ++whole;
  }
  EXPECT_EQ(whole, requests);
}

}  // namespace
}  // namespace perigee::test
