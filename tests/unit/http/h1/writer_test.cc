// What goes to an origin, byte for byte; and that our own parser reads it back as one request.
#include "http/h1/writer.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/rule.h"
#include "tests/unit/http/h1/wire.h"

namespace perigee::test {
namespace {

GUARDS("http::append_request_head, http::append_chunk");

using http::Framing;

struct Written {
  std::array<http::Field, 10> storage;
  http::HeaderList fields{storage};
  std::string text;

  Written& add(std::string_view name, std::string_view value) {
    EXPECT_TRUE(fields.add(name, value));
    return *this;
  }
  const std::string& write(std::string_view method, std::string_view target, Framing framing,
                           uint64_t length = 0) {
    EXPECT_TRUE(http::append_request_head(text, {method, target, "h:81", fields, framing, length}));
    return text;
  }
};

RULE(RequestWriter, WritesOurOwnSerialisation, "RFC 9112 §3; RFC 9112 §6.2; RFC 9110 §7.2",
     "a request names its host, and its framing is the sender's own",
     "one Host, the forwarded fields in order, then exactly one kind of framing", "") {
  EXPECT_EQ(Written().add("X", "1").add("Y", "").write("GET", "/a?b", Framing::kNone),
            "GET /a?b HTTP/1.1\r\nHost: h:81\r\nX: 1\r\nY: \r\n\r\n");
  EXPECT_EQ(Written().write("POST", "/", Framing::kLength, 1234567890123),
            "POST / HTTP/1.1\r\nHost: h:81\r\nContent-Length: 1234567890123\r\n\r\n");
  EXPECT_EQ(Written().write("POST", "/", Framing::kLength, 0),
            "POST / HTTP/1.1\r\nHost: h:81\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(Written().write("PUT", "/", Framing::kChunked),
            "PUT / HTTP/1.1\r\nHost: h:81\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(RequestWriter, WritesChunksThatDecodeToTheirContent) {
  Written written;
  written.write("POST", "/x", Framing::kChunked);
  const std::string large(70'000, 'y');
  http::append_chunk(written.text, "hello");
  http::append_chunk(written.text, "\r\n0\r\n\r\n");
  http::append_chunk(written.text, large);
  written.text += http::kLastChunk;
  CodecRig rig;
  rig.send(written.text);
  ASSERT_EQ(rig.requests.size(), 1u);
  EXPECT_EQ(rig.requests[0].body, "hello\r\n0\r\n\r\n" + large);
  EXPECT_EQ(rig.requests[0].authority, "h:81");
  EXPECT_EQ(rig.state(), http::ServerCodec::State::kOpen);
  // What follows is the next request: the content has an end.
  rig.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_EQ(rig.requests.size(), 2u);
}

}  // namespace
}  // namespace perigee::test
