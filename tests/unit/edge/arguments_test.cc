// The command line: what it sets, what does not go together, and what a mistyped option is told.
#include "edge/arguments.h"

#include <gtest/gtest.h>

#include "edge/config.h"
#include "tests/support/edge/config_files.h"
#include "tests/support/temp_folder.h"

namespace perigee::edge {
namespace {

using Words = std::vector<std::string>;

Arguments parse(const Words& words) {
  std::vector<const char*> all = {"perigee"};
  for (const std::string& word : words) all.push_back(word.c_str());
  return parse_arguments(static_cast<int>(all.size()), all.data());
}

/// The first line of what is said of a usage error; "": there is none.
std::string mistake(const Words& words) {
  const Arguments arguments = parse(words);
  if (!arguments.exit_code) return "";
  EXPECT_EQ(arguments.exit_code, 64);
  return arguments.message.substr(0, arguments.message.find('\n'));
}

TEST(Arguments, AnOptionThatTakesTheNextOneForItsValueIsAMistake) {
  EXPECT_EQ(mistake({"--origin", "http://a", "--access-log", "--check"}),
            "perigee: --access-log lacks its value before --check");
  EXPECT_EQ(mistake({"--store", "--check", "--origin", "http://a"}),
            "perigee: --store lacks its value before --check");
  EXPECT_EQ(mistake({"--origin", "http://a", "--ttl", "--stale-if-error=1h"}),
            "perigee: --ttl lacks its value before --stale-if-error=1h");
  EXPECT_EQ(mistake({"--origin", "http://a", "--store", "--odd-name"}), "");
}

const Words kOrigin = {"--origin", "http://127.0.0.1:9"};
Words with_origin(const Words& words) {
  Words all = kOrigin;
  all.insert(all.end(), words.begin(), words.end());
  return all;
}
Config good(const Words& words) {
  base::Result<Config> config = config_or_mistake(read_config(parse(with_origin(words))));
  EXPECT_TRUE(config.ok()) << config.error().message;
  return config.ok() ? std::move(*config) : Config();
}
std::string value_mistake(const Words& words) {
  const base::Result<Config> config = config_or_mistake(read_config(parse(with_origin(words))));
  return config.ok() ? "" : config.error().message;
}

TEST(Arguments, KeysOfASiteAreOptionsToo) {
  const SiteConfig site = good({"--host-header", "app.internal", "--ttl", "1h", "--default-ttl=10m",
                                "--stale-if-error", "1d"})
                              .sites.at(0);
  EXPECT_EQ(site.host_header, "app.internal");
  EXPECT_EQ(site.policy->ttl_s, 3600);
  EXPECT_EQ(site.policy->default_ttl_s, 600);
  EXPECT_EQ(site.policy->stale_if_error_s, 86'400);
  EXPECT_TRUE(site.is_default);
}

TEST(Arguments, ListsHaveCommasOrAreRepeated) {
  for (const Words& words : {Words{"--purge-from", "10.0.0.0/8,192.0.2.1"},
                             Words{"--purge-from", "10.0.0.0/8", "--purge-from", "192.0.2.1"}}) {
    const SiteConfig site = good(words).sites.at(0);
    ASSERT_EQ(site.purge_from.size(), 2u);
    EXPECT_TRUE(contains(site.purge_from, *base::Address::parse_host("10.1.2.3", 0)));
    EXPECT_TRUE(contains(site.purge_from, *base::Address::parse_host("192.0.2.1", 0)));
    EXPECT_FALSE(contains(site.purge_from, *base::Address::parse_host("127.0.0.1", 0)));
  }
  EXPECT_EQ(good({"--trusted-proxies", "10.0.0.0/8"}).trusted_proxies.size(), 1u);
}

TEST(Arguments, LogsAreSetByOptions) {
  const Config config = good({"--access-log", "/x/access", "--log-level", "debug"});
  EXPECT_EQ(config.log.access, "/x/access");
  EXPECT_EQ(config.log.level, "debug");
}

TEST(Arguments, AValueIsReadAsInTheFileAndItsMistakeNamesTheOption) {
  EXPECT_EQ(value_mistake({"--ttl", "60"}),
            "--ttl: 'ttl' is a duration with a unit, such as \"30s\"");
  EXPECT_EQ(value_mistake({"--default-ttl", "1500ms"}),
            "--default-ttl: 'default_ttl' is in whole seconds");
  EXPECT_EQ(value_mistake({"--host-header", "a b"}), "--host-header: 'host_header' is a host");
  EXPECT_EQ(value_mistake({"--purge-from", "10.0.0.0/8,nobody"}),
            "--purge-from: 'nobody' is not an address or a network");
  EXPECT_EQ(value_mistake({"--log-level", "loud"}),
            "--log-level: 'level' is one of \"info\", \"debug\", \"warning\", \"error\"");
  EXPECT_EQ(read_config(parse({"--origin", "ftp://x"})).problems.all().at(0).sentence(),
            "--origin: 'ftp://x' is not an origin: http://host:port, https://host, or dir:/folder");
}

TEST(Arguments, AllMistakesAreToldAtOnceAndAreUsageErrors) {
  const ReadConfig read =
      read_config(parse({"--origin", "x", "--ttl", "1", "--listen", "y", "--store-size", "z"}));
  ASSERT_EQ(read.problems.all().size(), 4u) << read.problems.text();
  EXPECT_TRUE(read.problems.is_usage());
}

TEST(Arguments, WhatIsWrittenIntoAValueStaysInIt) {
  // As text, none of it is a key of its own.
  for (const std::string evil : {"a\"\nbypass = true\n#", "\\", "\"", "a\tb", "\x7f", "\xff"}) {
    const ReadConfig read = read_config(parse(with_origin({"--host-header", evil})));
    EXPECT_FALSE(read.ok()) << evil;
    EXPECT_EQ(read.problems.all().at(0).spot.name, "--host-header") << evil;
    EXPECT_EQ(good({"--access-log", "/x/\"\\ y"}).log.access, "/x/\"\\ y");
  }
}

TEST(Arguments, AFileAndAnOriginDoNotGoTogether) {
  EXPECT_EQ(mistake({"-c", "a.toml", "--origin", "dir:x"}),
            "perigee: -c and --origin do not go together: write it in a.toml");
  for (const std::string option :
       {"--host-header", "--ttl", "--default-ttl", "--stale-if-error", "--purge-from",
        "--trusted-proxies", "--access-log", "--log-level"}) {
    EXPECT_EQ(mistake({"-c", "a.toml", option, "x"}),
              "perigee: -c and " + option + " do not go together: write it in a.toml");
  }
  EXPECT_EQ(mistake({"-c", "a.toml", "--listen", ":1", "--store", "x", "--store-size", "1GiB",
                     "--workers", "3", "--check"}),
            "");
  EXPECT_EQ(mistake({}), "perigee: nothing to serve: give --origin or -c");
  EXPECT_EQ(mistake({"--ttl", "1h"}), "perigee: nothing to serve: give --origin or -c");
}

TEST(Arguments, AMistypedOptionIsNamedWithItsNearest) {
  EXPECT_EQ(mistake({"--orgin", "http://a"}),
            "perigee: unknown option '--orgin', did you mean '--origin'?");
  EXPECT_EQ(mistake({"--orgin=http://a"}),
            "perigee: unknown option '--orgin', did you mean '--origin'?");
  EXPECT_EQ(mistake(with_origin({"--purge-form", "10.0.0.0/8"})),
            "perigee: unknown option '--purge-form', did you mean '--purge-from'?");
  EXPECT_EQ(mistake(with_origin({"-listen", ":80"})),
            "perigee: unknown option '-listen', did you mean '--listen'?");
  EXPECT_EQ(mistake(with_origin({"--chek"})),
            "perigee: unknown option '--chek', did you mean '--check'?");
  EXPECT_EQ(mistake(with_origin({"--nonsense"})), "perigee: unknown option '--nonsense'");
  EXPECT_EQ(mistake(with_origin({"--x"})), "perigee: unknown option '--x'");
  EXPECT_EQ(mistake(with_origin({"http://b"})), "perigee: unexpected argument 'http://b'");
}

TEST(Arguments, AnOptionThatStandsForOneValueIsGivenOnce) {
  EXPECT_NE(mistake(with_origin({"--ttl", "1h", "--ttl", "2h"})), "");
  EXPECT_NE(mistake(with_origin({"--ttl"})), "");
}

}  // namespace
}  // namespace perigee::edge
