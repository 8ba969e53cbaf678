// The names of sites: in which form they are kept, and which ones no request could have.
#include "edge/host_names.h"

#include <gtest/gtest.h>

#include "edge/log.h"
#include "edge/snapshot.h"
#include "tests/unit/edge/config_fixture.h"

namespace perigee::edge {
namespace {

std::string name(std::string_view text) {
  const base::Result<std::string> parsed = parse_host_name(text);
  return parsed.ok() ? *parsed : parsed.error().message;
}

TEST(HostNames, AreKeptInCanonicalForm) {
  EXPECT_EQ(name("www.Example.ORG"), "www.example.org");
  EXPECT_EQ(name("example.org."), "example.org");
  EXPECT_EQ(name("example.org:80"), "example.org");
  EXPECT_EQ(name("example.org.:08443"), "example.org:8443");
  EXPECT_EQ(name("[2001:DB8::1]:81"), "[2001:db8::1]:81");
  EXPECT_EQ(name("*.Example.org."), "*.example.org");
  EXPECT_EQ(name("*.example.org:8443"), "*.example.org:8443");
}

TEST(HostNames, ThatNoRequestCouldHaveAreMistakes) {
  EXPECT_EQ(name("https://example.org"), "'https://example.org' is a URL: write the host alone");
  for (const std::string text : {"example.org/", "a/b", "a?b", "a#b", "me@a"}) {
    EXPECT_EQ(name(text), "'" + text + "' holds more than a host and a port");
  }
  EXPECT_EQ(name("*"), "'*' is not a host: the site for all others says default = true");
  for (const std::string text : {"www.*.org", "*a.org", "a*", "*.*.org", "*:80", "a.*"}) {
    EXPECT_EQ(name(text),
              "'" + text + "' has a '*' elsewhere than at its beginning, as in \"*.example.org\"");
  }
  for (const std::string text : {"a:0", "a:65536", "a:99999", "a:http", "*.a:99999", "[::1]:x"}) {
    EXPECT_EQ(name(text), "'" + text + "' has a port that is not from 1 to 65535");
  }
  for (const std::string text :
       {"", "a b", ":80", "*.", "*..a", "*.[::1]", "[::1", "a..", "a%20b"}) {
    EXPECT_EQ(name(text), "'" + text + "' is not a host");
  }
}

class Wildcards : public ConfigTest {
 protected:
  /// Sites in this order, with the ports 1, 2, … of their origins.
  void read_sites(const std::vector<std::string>& keys) {
    std::string toml;
    for (size_t i = 0; i < keys.size(); ++i) {
      toml += "[[site]]\n" + keys[i] + "\norigin = \"http://h:" + std::to_string(i + 1) + "\"\n";
    }
    snapshot_ = Snapshot::make(good(toml), nullptr, metrics_, log_warning);
  }
  /// The site's number; 0: none.
  int site_of(std::string_view authority) const {
    const Site* site = snapshot_->find(authority);
    return site == nullptr ? 0 : http_of(site->config).port;
  }

  Metrics metrics_{1};
  SnapshotPtr snapshot_;
};

TEST_F(Wildcards, StandForOneLabelOrMore) {
  read_sites({"hosts = [\"*.example.org\"]"});
  for (const std::string_view host : {"a.example.org", "a.b.example.org", "a.example.org:81"}) {
    EXPECT_EQ(site_of(host), 1) << host;
  }
  for (const std::string_view host :
       {"example.org", ".example.org", "a..example.org", "aexample.org", "a.example.orgx", "",
        "a.example.org.x", "[::1]", "example.org:81", "*.org"}) {
    EXPECT_EQ(site_of(host), 0) << host;
  }
}

TEST_F(Wildcards, TheLongestWinsAndANameBeatsThem) {
  for (const bool backwards : {false, true}) {
    std::vector<std::string> keys = {"hosts = [\"*.example.org\"]", "hosts = [\"*.b.example.org\"]",
                                     "hosts = [\"a.b.example.org\", \"example.org\"]",
                                     "default = true"};
    if (backwards) std::reverse(keys.begin(), keys.end());
    read_sites(keys);
    const auto expect = [&](std::string_view host, int number) {
      EXPECT_EQ(site_of(host), backwards ? 5 - number : number) << host;
    };
    expect("x.example.org", 1);
    expect("b.example.org", 1);
    expect("x.b.example.org", 2);
    expect("x.a.b.example.org", 2);
    expect("a.b.example.org", 3);
    expect("a.b.example.org:81", 3);
    expect("example.org", 3);
    expect("other.test", 4);
  }
}

TEST_F(Wildcards, OneWithThePortGoesBeforeOneWithoutIt) {
  read_sites({"hosts = [\"*.example.org\"]", "hosts = [\"*.example.org:8443\"]",
              "hosts = [\"*.org:8443\"]"});
  EXPECT_EQ(site_of("a.example.org"), 1);
  EXPECT_EQ(site_of("a.example.org:81"), 1);
  EXPECT_EQ(site_of("a.example.org:8443"), 2);
  EXPECT_EQ(site_of("example.org:8443"), 3);
  EXPECT_EQ(site_of("example.org"), 0);
}

TEST_F(Wildcards, AreListedOnce) {
  EXPECT_EQ(mistake("[[site]]\nhosts = [\"*.a.test\"]\norigin = \"dir:x\"\n"
                    "[[site]]\nhosts = [\"a.test\", \"*.A.test:80\"]\norigin = \"dir:y\"\n"),
            "5:20: '*.A.test:80' is listed twice");
}

TEST_F(Wildcards, TheLongestHostThereIsCostsLittle) {
  // All that is looked at is bounded by the host's length; here that no label is skipped.
  read_sites({"hosts = [\"*.a.a\"]", "hosts = [\"*.b\"]"});
  std::string host = "a";
  while (host.size() + 2 <= 253) host += ".a";
  EXPECT_EQ(site_of(host), 1);
  host.back() = 'b';
  EXPECT_EQ(site_of(host), 2);
  host.back() = 'c';
  EXPECT_EQ(site_of(host), 0);
}

}  // namespace
}  // namespace perigee::edge
