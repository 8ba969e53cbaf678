// Hosts, queries and keys: what is valid, what is the same, what must never be
// (http-rules 1.12, 3.5, 4.10, 4.11).
#include "http/cache_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS(
    "http::make_cache_key, http::make_variant_key, http::canonical_authority, "
    "http::normalize_query");

std::string authority(std::string_view text, std::string_view scheme = "http") {
  std::string out = "left over";
  return canonical_authority(text, scheme, out) ? out : "invalid";
}

std::string query(std::string_view target, const QueryOptions& options) {
  QueryScratch scratch;
  return std::string(normalize_query(target, options, scratch));
}

std::string key(std::string_view scheme, std::string_view site, std::string_view target) {
  std::string out;
  return std::string(make_cache_key(scheme, site, target, out));
}

struct AuthorityRow {
  const char* name;
  const char* sentence;
  const char* text;
  const char* canonical;
};

const AuthorityRow kAuthorityRows[] = {
    {"Name", "a registered name", "example.com", "example.com"},
    {"UpperCase", "hosts are case-insensitive", "H.EXAMPLE", "h.example"},
    {"TrailingDot", "one trailing dot means the same host", "h.example.", "h.example"},
    {"TrailingDotBeforePort", "one trailing dot means the same host", "H.EXAMPLE.:8080",
     "h.example:8080"},
    {"TwoTrailingDots", "no empty label", "h.example..", "invalid"},
    {"OnlyADot", "no empty label", ".", "invalid"},
    {"EmptyPort", "an empty port is the default one", "h:", "h"},
    {"DefaultPort", "the default port is left out", "h:80", "h"},
    {"OtherPort", "another port is kept", "h:443", "h:443"},
    {"LeadingZerosOfAPort", "a port is a number", "h:0080", "h"},
    {"LeadingZerosOfAnotherPort", "a port is a number", "h:08080", "h:8080"},
    {"LargestPort", "a port has 16 bits", "h:65535", "h:65535"},
    {"V4", "an address", "127.0.0.1:8080", "127.0.0.1:8080"},
    {"V6", "an IP literal in brackets", "[::1]:8080", "[::1]:8080"},
    {"V6WithoutPort", "an IP literal in brackets", "[FE80::1]", "[fe80::1]"},
    {"V6WithDefaultPort", "the default port is left out", "[::1]:80", "[::1]"},
    {"Punycode", "punycode is a name", "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"Underscore", "underscores are met in names", "my_host.example", "my_host.example"},
    {"Empty", "a host is not empty", "", "invalid"},
    {"OnlyAPort", "a host is not empty", ":80", "invalid"},
    {"UserInformation", "no user information", "user@h", "invalid"},
    {"Slash", "no path", "h/x", "invalid"},
    {"Space", "no whitespace", "h x", "invalid"},
    {"Comma", "no list", "h,i", "invalid"},
    {"Percent", "no percent-encoding", "h%41", "invalid"},
    {"HighByte", "no 8-bit bytes", "h\xc3\xbc", "invalid"},
    {"Question", "no query", "h?x", "invalid"},
    {"LetterInPort", "a port is digits", "h:8o", "invalid"},
    {"SignInPort", "a port is digits", "h:+8", "invalid"},
    {"PortTooLarge", "a port has 16 bits", "h:65536", "invalid"},
    {"PortZero", "nobody listens there", "h:0", "invalid"},
    {"TwoPorts", "one port", "h:80:80", "invalid"},
    {"V6WithoutBrackets", "an IP literal stands in brackets", "::1", "invalid"},
    {"V6Unclosed", "an IP literal stands in brackets", "[::1", "invalid"},
    {"V6WithTextBehind", "only a port follows", "[::1]x", "invalid"},
    {"V4InBrackets", "brackets hold version 6", "[127.0.0.1]", "invalid"},
    {"NameInBrackets", "brackets hold version 6", "[h]", "invalid"},
    {"FutureVersion", "brackets hold version 6", "[v1.x]", "invalid"},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const AuthorityRow& row : kAuthorityRows) {
    test::register_rule(
        "HostRules", row.name,
        {"RFC 9110 §7.2; RFC 3986 §3.2; http-rules 1.12; http-rules 4.10", row.sentence,
         std::string_view(row.canonical) == "invalid" ? "refused with 400" : "keyed in one form",
         ""},
        __FILE__, __LINE__, [&row] { EXPECT_EQ(authority(row.text), row.canonical) << row.text; });
  }
  return 0;
}();

TEST(Authority, TheDefaultPortFollowsTheScheme) {
  EXPECT_EQ(authority("h:443", "https"), "h");
  EXPECT_EQ(authority("h:80", "https"), "h:80");
  EXPECT_EQ(authority("h:0443", "https"), "h");
}

TEST(Authority, IsBounded) {
  EXPECT_EQ(authority(std::string(253, 'a')), std::string(253, 'a'));
  EXPECT_EQ(authority(std::string(254, 'a')), "invalid");
}

TEST(Authority, NulInAnAddressIsRefused) {
  EXPECT_EQ(authority(std::string_view("[::1\0]", 6)), "invalid");
  EXPECT_EQ(authority(std::string_view("h\0", 2)), "invalid");
}

TEST(Authority, CanonicalFormsStayAsTheyAre) {
  for (const AuthorityRow& row : kAuthorityRows) {
    const std::string once = authority(row.text);
    if (once != "invalid") {
      EXPECT_EQ(authority(once), once);
    }
  }
}

TEST(Authority, HostWithoutItsPort) {
  EXPECT_EQ(host_of("h:8080"), "h");
  EXPECT_EQ(host_of("h"), "h");
  EXPECT_EQ(host_of("[::1]:8080"), "[::1]");
  EXPECT_EQ(host_of("[::1]"), "[::1]");
}

RULE(KeyRules, NoPartReachesIntoAnother, "http-rules 3.5", "a key has scheme, site and target",
     "each with its length before it", "") {
  std::set<std::string> keys;
  keys.insert(key("http", "a", "/b"));
  keys.insert(key("https", "a", "/b"));
  keys.insert(key("http", "a/", "b"));
  keys.insert(key("http", "a/b", ""));
  keys.insert(key("httpa", "", "/b"));
  keys.insert(key("http", "A", "/b"));
  keys.insert(key("http", "a", "/B"));
  EXPECT_EQ(keys.size(), 7u);
  EXPECT_EQ(key("http", "a", "/b"), key("http", "a", "/b"));
}

RULE(KeyRules, TheQueryIsKeyedAsSent, "http-rules 4.11", "/x and /x? are two URLs", "two keys",
     "") {
  EXPECT_NE(key("http", "a", "/x"), key("http", "a", "/x?"));
  EXPECT_NE(key("http", "a", "/x?a=1&b=2"), key("http", "a", "/x?b=2&a=1"));
  EXPECT_NE(key("http", "a", "/%7e"), key("http", "a", "/~"));
}

RULE(KeyRules, VariantsOfAUrl, "RFC 9111 §4.1", "a variant is chosen by the selecting values",
     "URL, spec and values are parts of its key", "") {
  std::string out;
  std::set<std::string> keys;
  for (const uint64_t spec : {uint64_t{1}, uint64_t{256}}) {
    for (const std::string_view selected : {"", "a", "ab"}) {
      keys.insert(std::string(make_variant_key("url", spec, selected, out)));
      keys.insert(std::string(make_variant_key("urla", spec, selected, out)));
    }
  }
  EXPECT_EQ(keys.size(), 12u);
  EXPECT_EQ(keys.count(key("", "", "url")), 0u);
}

RULE(QueryRules, SentAsItIs, "http-rules 1.11", "what is keyed is what is forwarded",
     "unchanged without an option", "") {
  EXPECT_EQ(query("/x?b=1&a=2&utm_x=3&&", {}), "/x?b=1&a=2&utm_x=3&&");
  EXPECT_EQ(query("/x", {.ignore = true, .sort = true, .strip = {"*"}}), "/x");
}

RULE(QueryRules, Sorted, "http-rules 5.2", "a site may sort its parameters",
     "by name; those of one name keep their order", "query_sort") {
  const QueryOptions sort{.sort = true};
  EXPECT_EQ(query("/x?b=1&a=2", sort), "/x?a=2&b=1");
  EXPECT_EQ(query("/x?a=2&b=1&a=1&b=0&a=3", sort), "/x?a=2&a=1&a=3&b=1&b=0");
  EXPECT_EQ(query("/x?", sort), "/x?");
  EXPECT_EQ(query("/x?b&a&", sort), "/x?&a&b");
  EXPECT_EQ(query("/x?b=?&a=/", sort), "/x?a=/&b=?");
  EXPECT_EQ(query("/x?b;a=1", sort), "/x?b;a=1") << "a semicolon separates nothing";
}

RULE(QueryRules, Stripped, "http-rules 5.2", "a site may strip parameters",
     "by exact name, or by the beginning before a *", "query_strip") {
  const QueryOptions strip{.strip = {"utm_*", "fbclid"}};
  EXPECT_EQ(query("/x?utm_source=a&id=1&fbclid=b", strip), "/x?id=1");
  EXPECT_EQ(query("/x?id=1&utm_", strip), "/x?id=1");
  EXPECT_EQ(query("/x?utm_source=a", strip), "/x");
  EXPECT_EQ(query("/x?fbclid", strip), "/x");
  EXPECT_EQ(query("/x?fbclid2=b&FBCLID=c", strip), "/x?fbclid2=b&FBCLID=c");
  EXPECT_EQ(query("/x?id=utm_x&x=fbclid", strip), "/x?id=utm_x&x=fbclid");
  EXPECT_EQ(query("/x?a=1&b=2", {.strip = {"*"}}), "/x");
  EXPECT_EQ(query("/x?b=1&utm_a=2&a=3", {.sort = true, .strip = {"utm_*"}}), "/x?a=3&b=1");
}

RULE(QueryRules, Ignored, "http-rules 5.2", "a site may ignore the query",
     "neither keyed nor forwarded", "query_ignore") {
  EXPECT_EQ(query("/x?a=1?b", {.ignore = true}), "/x");
  EXPECT_EQ(query("/x?", {.ignore = true, .sort = true}), "/x");
}

TEST(Query, WhatIsNormalStaysSo) {
  const QueryOptions options{.sort = true, .strip = {"utm_*"}};
  for (const std::string_view target :
       {"/x?", "/x?b&a&", "/x?z=1&y=2&utm_a&y=1", "/x?&&&", "/x?=1&=0"}) {
    const std::string once = query(target, options);
    EXPECT_EQ(query(once, options), once);
  }
}

TEST(CacheKey, IsReadBackForPeople) {
  const std::string url = key("https", "a.test:8443", "/p?q=1");
  const auto own = read_key(url);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->url, "https://a.test:8443/p?q=1");
  EXPECT_EQ(own->selected, "");
  std::string variant;
  make_variant_key(url, 7, "accept: text/html", variant);
  const auto other = read_key(variant);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->url, "https://a.test:8443/p?q=1");
  EXPECT_EQ(other->selected, "accept: text/html");
}

TEST(CacheKey, WhatIsNoKeyIsNotReadAsOne) {
  const std::string url = key("https", "a.test", "/p");
  for (size_t size = 0; size < url.size(); ++size) EXPECT_FALSE(read_key(url.substr(0, size)));
  EXPECT_FALSE(read_key(url + "x"));
  EXPECT_FALSE(read_key("https://a.test/p"));
  EXPECT_FALSE(read_key(std::string(12, '\xff')));
}

}  // namespace
}  // namespace perigee::http
