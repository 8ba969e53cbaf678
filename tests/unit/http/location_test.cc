// Which target of this site a Location means (RFC 3986 §5; http-rules 2.14).
#include "http/location.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::same_origin_target");

std::string resolved(std::string_view reference, std::string_view target = "/a/b/c?q",
                     std::string_view scheme = "http", std::string_view authority = "h.example") {
  return same_origin_target(reference, scheme, authority, target).value_or("none");
}

struct Row {
  const char* name;
  const char* section;
  const char* sentence;
  const char* reference;
  const char* target;
};

const Row kRows[] = {
    {"AbsolutePath", "RFC 3986 §5.3", "a path from the root", "/x/y", "/x/y"},
    {"AbsolutePathWithQuery", "RFC 3986 §5.3", "the query comes with it", "/x?y=/../z",
     "/x?y=/../z"},
    {"Sibling", "RFC 3986 §5.2.3", "relative to the folder", "x", "/a/b/x"},
    {"SiblingWithQuery", "RFC 3986 §5.2.3", "relative to the folder", "x?y", "/a/b/x?y"},
    {"Folder", "RFC 3986 §5.2.4", "dot segments are removed", ".", "/a/b/"},
    {"FolderWithSlash", "RFC 3986 §5.2.4", "dot segments are removed", "./", "/a/b/"},
    {"Child", "RFC 3986 §5.2.4", "dot segments are removed", "./x", "/a/b/x"},
    {"Parent", "RFC 3986 §5.2.4", "dot segments are removed", "..", "/a/"},
    {"ParentsChild", "RFC 3986 §5.2.4", "dot segments are removed", "../x", "/a/x"},
    {"AboveTheRoot", "RFC 3986 §5.2.4", "there is nothing above the root", "../../../../x", "/x"},
    {"DotsInTheMiddle", "RFC 3986 §5.2.4", "dot segments are removed", "/x/./y/../z", "/x/z"},
    {"DotsAtTheEnd", "RFC 3986 §5.2.4", "dot segments are removed", "/x/y/..", "/x/"},
    {"DotAtTheEnd", "RFC 3986 §5.2.4", "dot segments are removed", "/x/y/.", "/x/y/"},
    {"EmptySegmentsStay", "RFC 3986 §5.2.4", "an empty segment is one", "/x//y/", "/x//y/"},
    {"TrailingSlashStays", "RFC 3986 §5.2.4", "an empty segment is one", "/x/", "/x/"},
    {"DotsInTheQueryStay", "RFC 3986 §5.2.4", "only the path has segments", "x?../y",
     "/a/b/x?../y"},
    {"QueryAlone", "RFC 3986 §5.3", "a query alone keeps the path", "?y", "/a/b/c?y"},
    {"EmptyQuery", "RFC 3986 §5.3", "a query alone keeps the path", "?", "/a/b/c?"},
    {"Empty", "RFC 3986 §5.3", "an empty reference is the target", "", "/a/b/c?q"},
    {"FragmentAlone", "RFC 3986 §5.3", "the fragment is dropped", "#f", "/a/b/c?q"},
    {"Fragment", "RFC 3986 §5.3", "the fragment is dropped", "/x?y#f?g", "/x?y"},
    {"Whitespace", "RFC 9110 §5.5", "values have none around them", " /x\t", "/x"},
    {"ColonBehindASlash", "RFC 3986 §4.2", "no scheme there", "./x:y", "/a/b/x:y"},
    {"ColonInTheQuery", "RFC 3986 §4.2", "no scheme there", "x?y:z", "/a/b/x?y:z"},
    {"Absolute", "RFC 9111 §4.4", "the same origin", "http://h.example/x", "/x"},
    {"AbsoluteInUpperCase", "RFC 3986 §6.2.2.1", "scheme and host in any case",
     "HTTP://H.Example/X", "/X"},
    {"AbsoluteWithDefaultPort", "RFC 3986 §6.2.3", "the default port is the origin's",
     "http://h.example:80/x", "/x"},
    {"AbsoluteWithoutPath", "RFC 3986 §6.2.3", "an empty path is /", "http://h.example", "/"},
    {"AbsoluteWithQueryAlone", "http-rules 4.11", "an empty path is /", "http://h.example?x",
     "/?x"},
    {"AbsoluteWithDots", "RFC 3986 §5.2.2", "dot segments are removed", "http://h.example/x/../y",
     "/y"},
    {"NetworkPath", "RFC 3986 §4.2", "the scheme of the request", "//h.example/x", "/x"},
    {"OtherHost", "RFC 9111 §4.4", "another origin", "http://other.example/x", "none"},
    {"OtherHostWithoutScheme", "RFC 9111 §4.4", "another origin", "//other.example/x", "none"},
    {"Subdomain", "RFC 9111 §4.4", "another origin", "http://www.h.example/x", "none"},
    {"OtherPort", "RFC 9111 §4.4", "another origin", "http://h.example:8080/x", "none"},
    {"OtherScheme", "RFC 9111 §4.4", "another origin", "https://h.example/x", "none"},
    {"UserInformation", "RFC 9110 §4.2.4", "an authority with user information is an error",
     "http://u@h.example/x", "none"},
    {"NoAuthority", "RFC 9110 §4.2.1", "http has an authority", "http:/x", "none"},
    {"NoAuthorityButAPath", "RFC 9110 §4.2.1", "http has an authority", "http:x", "none"},
    {"EmptyAuthority", "RFC 9110 §4.2.1", "the host is not empty", "http:///x", "none"},
    {"Mail", "RFC 9111 §4.4", "another scheme", "mailto:a@h.example", "none"},
    {"Script", "RFC 9111 §4.4", "another scheme", "javascript:/x", "none"},
    {"HighBytesInAQueryAlone", "http-rules 1.11", "raw UTF-8 is keyed percent-encoded",
     "http://h.example?\xc3\xbc", "/?%C3%BC"},
    {"HighBytes", "http-rules 1.11", "raw UTF-8 is keyed percent-encoded", "/\xc3\xbc", "/%C3%BC"},
    {"LowerCaseDigits", "http-rules 1.11", "the key has upper case", "/%c3%bc", "/%C3%BC"},
    {"NoUtf8", "http-rules 1.11", "no such target was ever keyed", "/\xfc", "none"},
    {"SpaceInside", "http-rules 1.11", "no such target was ever keyed", "/x y", "none"},
    {"Backslash", "http-rules 1.11", "no such target was ever keyed", "/x\\y", "none"},
    {"EncodedDots", "http-rules 1.11", "no such target was ever keyed", "/%2e%2e/x", "none"},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const Row& row : kRows) {
    test::register_rule("LocationRules", row.name,
                        {std::string(row.section) + "; http-rules 2.14", row.sentence,
                         std::string_view(row.target) == "none" ? "invalidates nothing"
                                                                : "that target is invalidated",
                         ""},
                        __FILE__, __LINE__, [&row] {
                          EXPECT_EQ(resolved(row.reference), row.target) << row.reference;
                        });
  }
  return 0;
}();

TEST(Location, OnAnotherPortAndScheme) {
  EXPECT_EQ(resolved("https://h.example:8443/x", "/", "https", "h.example:8443"), "/x");
  EXPECT_EQ(resolved("https://h.example/x", "/", "https", "h.example:8443"), "none");
  EXPECT_EQ(resolved("https://h.example:443/x", "/", "https", "h.example"), "/x");
  EXPECT_EQ(resolved("//[::1]:8080/x", "/", "http", "[::1]:8080"), "/x");
}

TEST(Location, AgainstARoot) {
  EXPECT_EQ(resolved("x", "/"), "/x");
  EXPECT_EQ(resolved("..", "/"), "/");
  EXPECT_EQ(resolved("?x", "/?y"), "/?x");
  EXPECT_EQ(resolved("x", "/a?b=/c/d"), "/x");
}

}  // namespace
}  // namespace perigee::http
