// What Connection says, and that saying much of it costs little (RFC 9110 §7.6.1).
#include "http/connection_options.h"

#include <gtest/gtest.h>

#include "http/forward.h"
#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"
#include "tests/unit/http/h1/received.h"

namespace perigee::test {
namespace {

GUARDS("http::ConnectionOptions, http::is_critical_field");

using http::ConnectionOptions;

std::string members(size_t count) {
  std::string line = "Connection: close";
  for (size_t i = 0; i < count; ++i) line += ",x" + std::to_string(i);
  return line;
}

RULE(ConnectionLines, ABoundedNumberOfNames, "RFC 9110 §7.6.1; http-rules 5.5",
     "Every list has a bound",
     "more than 32 names in the Connection lines of one head, beside the fixed hop-by-hop ones: a "
     "request is 400, a response or an interim one is a 502",
     "") {
  EXPECT_FALSE(ConnectionOptions(Lines({members(32)}).fields()).too_many());
  EXPECT_TRUE(ConnectionOptions(Lines({members(33)}).fields()).too_many());
  EXPECT_TRUE(ConnectionOptions(Lines({members(16), "X: 1", members(17)}).fields()).too_many());
  const std::string usual = "Connection: close, keep-alive, Upgrade, TE, Trailer, HTTP2-Settings";
  EXPECT_FALSE(ConnectionOptions(Lines({members(32), usual, usual}).fields()).too_many());
  const std::string final_head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  const std::string interim = "HTTP/1.1 103 Early Hints\r\n";
  received(final_head + members(32) + "\r\n\r\n").whole();
  received(interim + members(32) + "\r\n\r\n").unfinished();
  each_is_error({final_head + members(33) + "\r\n\r\n", interim + members(33) + "\r\n\r\n"});
}

TEST(ConnectionLines, NameFieldsInAnyCase) {
  const Lines lines({"Connection: X-Hop , x-other", "Connection: \"quoted, z\", third"});
  const ConnectionOptions connection(lines.fields());
  for (const std::string_view name : {"x-hop", "X-OTHER", "Third"}) {
    EXPECT_TRUE(connection.names(name)) << name;
    EXPECT_TRUE(connection.ends_here({http::FieldName::kOther, name, "1"})) << name;
  }
  EXPECT_FALSE(connection.names("z"));
  EXPECT_FALSE(connection.names("X-Ho"));
  EXPECT_TRUE(connection.ends_here({http::FieldName::kTe, "TE", "trailers"}));
}

TEST(ConnectionLines, BeyondTheBoundEveryFieldCountsAsNamed) {
  const Lines lines({members(33), "X-Any: 1"});
  EXPECT_TRUE(ConnectionOptions(lines.fields()).names("X-Any"));
  std::vector<http::Field> storage(2);
  EXPECT_EQ(http::shared_fields(lines.fields(), {}, {}, storage).size(), 0u);
}

RULE(ConnectionLines, CriticalNames, "RFC 9110 §7.6.1",
     "Connection must not name fields that all recipients need",
     "a request whose Connection names Host, Content-Length, Authorization, Cookie, Range, "
     "Cache-Control or a condition is refused with 400",
     "") {
  const auto critical = [](const std::string& name, bool response) {
    return ConnectionOptions(Lines({"X: 1", "Connection: close, " + name}).fields())
        .names_critical(response);
  };
  for (const std::string name :
       {"Host", "content-length", "Transfer-Encoding", "Authorization", "Cookie", "Cache-Control",
        "Range", "Age", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
        "If-Range"}) {
    EXPECT_TRUE(critical(name, false)) << name;
  }
  for (const std::string name : {"keep-alive", "TE", "Upgrade", "HTTP2-Settings", "X-Any"}) {
    EXPECT_FALSE(critical(name, false)) << name;
    EXPECT_FALSE(critical(name, true)) << name;
  }
  for (const std::string name : {"Set-Cookie", "ETag", "Content-Type", "Date", "Expires",
                                 "Content-Encoding", "Last-Modified", "CDN-Cache-Control"}) {
    EXPECT_TRUE(critical(name, true)) << name;
    EXPECT_FALSE(critical(name, false)) << name << " means nothing in a request";
  }
  EXPECT_FALSE(ConnectionOptions(Lines({"Host: a"}).fields()).names_critical(false));
}

}  // namespace
}  // namespace perigee::test
