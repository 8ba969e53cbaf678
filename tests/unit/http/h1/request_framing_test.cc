// Where a request ends: everything that could be read in two ways is refused, and no byte of
// content is ever taken for a request.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/rule.h"
#include "tests/unit/http/h1/wire.h"

namespace perigee::test {
namespace {

GUARDS("http::Http1RequestReader, http::MessageParser, http::request_framing");

using namespace std::string_literals;
namespace limits = base::limits;

std::string chunked(std::string_view content) {
  return post("Transfer-Encoding: chunked\r\n", content);
}

/// Legal, and refused by some versions of llhttp: taken whole, or refused; never anything between.
void taken_or_refused(const std::string& bytes, std::string_view body) {
  WireResult result = wire(bytes);
  if (result.outcome().refusals.empty()) {
    result.request("POST", "/").body(body).stays_open();
  } else {
    result.ignoring_requests().refused(400);
  }
}

RULE(Http1Framing, ContentLength, "RFC 9112 §6.3; RFC 9110 §8.6",
     "a valid Content-Length is the length of the content", "so many bytes are content", "") {
  wire(post("Content-Length: 5\r\n", "hello")).request("POST", "/").body("hello").stays_open();
  wire(post("content-length:005\r\n", "hello")).request("POST", "/").body("hello").stays_open();
  wire(post("Content-Length: 0\r\n")).request("POST", "/").no_body().stays_open();
  wire(post("")).request("POST", "/").no_body().stays_open();
  wire(post("Content-Length: 3\r\n", "\r\n\r") + "\r\n" + get({}, "/2"))
      .request("POST", "/")
      .body("\r\n\r")
      .request("GET", "/2")
      .stays_open();
}

RULE(Http1Framing, InvalidContentLengthsAre400, "RFC 9112 §6.3; RFC 9112 §11.2",
     "an invalid Content-Length, or several, cannot be trusted", "400 and close", "") {
  for (const std::string value : {"+5",
                                  "-5",
                                  "-0",
                                  "5,5",
                                  "5, 5",
                                  "5 5",
                                  "0x5",
                                  "",
                                  " ",
                                  "5.0",
                                  "5e0",
                                  "a",
                                  "5a",
                                  "\t",
                                  ",5",
                                  "5,",
                                  "18446744073709551616",
                                  "18446744073709551620",
                                  "99999999999999999999",
                                  "18446744073709551615",
                                  "9223372036854775808",
                                  "\"5\"",
                                  "5;",
                                  "\xef\xbc\x95"}) {
    each_refused(400, {post("Content-Length: " + value + "\r\n", "hello")});
  }
  each_refused(400, {post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
                     post("Content-Length: 5\r\ncontent-length: 6\r\n", "hello"),
                     post("Content-Length: 0\r\nContent-Length: 5\r\n", "hello"),
                     post("Content-Length:\r\nContent-Length: 5\r\n", "hello")});
}

TEST(Http1Framing, ALargeContentLengthIsOnlyANumber) {
  CodecRig rig(FlowKind::kHold);
  rig.send(post("Content-Length: 9223372036854775807\r\n", "hello"));
  ASSERT_EQ(rig.requests.size(), 1u);
  EXPECT_EQ(rig.exchange()->request().content_length, 9223372036854775807u);
  EXPECT_FALSE(rig.read_body());
  EXPECT_EQ(rig.requests[0].body, "hello");
}

RULE(Http1Framing, LengthAndCodingTogetherAre400, "RFC 9112 §6.1; RFC 9112 §6.3; http-rules 1.16",
     "Transfer-Encoding beside Content-Length may be an attack and ought to be an error",
     "400 and close", "") {
  const std::string content = "0\r\n\r\n";
  each_refused(400, {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", content),
                     post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", content),
                     post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", content),
                     post("Transfer-Encoding: \r\nContent-Length: 5\r\n", content),
                     post("Transfer-Encoding: x\r\nContent-Length: 5\r\n", content),
                     post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", content)});
}

RULE(Http1Framing, TransferEncodingIsChunkedOnce, "RFC 9112 §6.1; RFC 9112 §6.3; http-rules 1.16",
     "chunked must be the final coding, applied once; without it the length is unknown: 400",
     "exactly chunked, in any case, of HTTP/1.1; any list is 400", "") {
  const std::string content = "2\r\nhi\r\n0\r\n\r\n";
  for (const std::string value : {"chunked", "CHUNKED", "Chunked", " \t chunked "}) {
    wire(post("Transfer-Encoding:" + value + "\r\n", content))
        .request("POST", "/")
        .body("hi")
        .stays_open();
  }
  taken_or_refused(post("Transfer-Encoding: chunked\t\r\n", content), "hi");
  for (const std::string value :
       {",chunked", "chunked,", "chunked, chunked", "gzip, chunked", "chunked, gzip",
        "chunked, identity", "identity", "identity, chunked", "", " ", "chunked;q=1", "\"chunked\"",
        "chunked x", "xchunked,", "chun ked", "chunked;", "\vchunked", "chunked\x01"}) {
    each_refused(400, {post("Transfer-Encoding: " + value + "\r\n", content)});
  }
  each_refused(400, {post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", content),
                     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", content),
                     post("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", content),
                     post("Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n", content),
                     "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + content,
                     "POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n" + content});
}

RULE(Http1Framing, OneUnknownCodingIs501, "RFC 9112 §6.1; http-rules 1.16",
     "a server that does not understand a transfer coding should answer 501", "501", "") {
  for (const std::string value :
       {"gzip", "x", "xchunked", "chunkedx", "x-chunked", "deflate", "br"}) {
    each_refused(501, {post("Transfer-Encoding: " + value + "\r\n", "0\r\n\r\n")});
  }
}

RULE(Http1Framing, ContentOfGetAndHeadIsFramedAsAnyOther, "RFC 9112 §6.3; http-rules 1.20",
     "the method does not change how the content of a request ends",
     "read to its end, whoever decides what is done with it; a length of 0 is none", "") {
  wire(get("Content-Length: 0\r\n")).request("GET", "/").no_body().stays_open();
  const std::string content = get({}, "/smuggled");
  for (const std::string method : {"GET", "HEAD"}) {
    const std::string head = method + " / HTTP/1.1\r\nHost: a\r\n";
    wire(head + "Content-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content)
        .request(method, "/")
        .body(content)
        .stays_open();
    wire(head + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        .request(method, "/")
        .body("x")
        .stays_open();
  }
  for (const std::string method : {"OPTIONS", "DELETE", "PATCH", "PROPFIND", "SEARCH"}) {
    wire(method + " / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        .request(method, "/")
        .body("hi");
  }
}

RULE(Http1Chunked, IsDecoded, "RFC 9112 §7.1",
     "a recipient must parse and decode the chunked coding",
     "the content goes on without its framing", "") {
  wire(chunked("5\r\nhello\r\n0\r\n\r\n")).request("POST", "/").body("hello").stays_open();
  wire(chunked("0\r\n\r\n")).request("POST", "/").body("").stays_open();
  wire(chunked("1\r\na\r\n0A\r\n0123456789\r\n00\r\n\r\n"))
      .request("POST", "/")
      .body("a0123456789");
  wire(chunked("a\r\n\r\n0\r\n\r\n\r\nx\r\n0\r\n\r\n"))
      .request("POST", "/")
      .body("\r\n0\r\n\r\n\r\nx");
  wire(chunked("0000000005\r\nhello\r\n000\r\n\r\n"))
      .request("POST", "/")
      .body("hello")
      .stays_open();
  const std::string next = get({}, "/2");
  wire(chunked("5\r\nhello\r\n0\r\n\r\n") + next)
      .request("POST", "/")
      .body("hello")
      .request("GET", "/2");
}

RULE(Http1Chunked, BadSizesAre400, "RFC 9112 §7.1; RFC 9112 §11.2",
     "a chunk size is hexadecimal, and recipients guard against overflow", "400 and close", "") {
  for (const std::string size : {"0x5", "+5", "-5", " 5", "5 ", "5\t", "", "g", "5g", "5,", "5 ;a",
                                 "10000000000000005", "ffffffffffffffffff", "8000000000000000",
                                 "00000000000000005", "5\v", "\"5\"", "5.", "5\x80"}) {
    each_refused(400, {chunked(size + "\r\nhello\r\n0\r\n\r\n")});
  }
}

RULE(Http1Chunked, LinesEndInCrLfAlone, "RFC 9112 §7.1; RFC 9112 §2.2",
     "chunk lines end in CRLF; a lone CR or LF is read differently by others", "400 and close",
     "") {
  each_refused(
      400,
      {chunked("5\nhello\r\n0\r\n\r\n"), chunked("5\r\nhello\n0\r\n\r\n"),
       chunked("5\r\nhello0\r\n\r\n"), chunked("5\r\nhelloXX0\r\n\r\n"),
       chunked("5\rhello\r\n0\r\n\r\n"), chunked("5\r\rhello\r\n0\r\n\r\n"),
       chunked("5\r\nhello\r\r0\r\n\r\n"), chunked("5\r\nhello\r\n0\n\r\n"),
       chunked("5\r\nhello\r\n0\r\n\n"), chunked("0\r\n\rX"), chunked("0\r\nX: y\n\r\n"),
       chunked("0\r\nX: y\r\n\n"), chunked("0\r\nX: y\n\n"), chunked("5\r\nhello\r\n\r\n0\r\n\r\n"),
       chunked("5;a\nhello\r\n0\r\n\r\n"), chunked("5;a\rhello\r\n0\r\n\r\n"),
       chunked("5\r\r;x\nhello\r\n0\r\n\r\n"), chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n")});
}

RULE(Http1Chunked, ExtensionsAreReadAndDropped, "RFC 9112 §7.1.1; http-rules 1.21",
     "a recipient ignores unknown chunk extensions, and bounds their length",
     "dropped; 400 beyond 256 bytes per chunk or 4 KiB per message, or where they are not of "
     "the grammar",
     "") {
  wire(chunked("5;a\r\nhello\r\n0;b=c\r\n\r\n")).request("POST", "/").body("hello").stays_open();
  const auto with = [](size_t extension) {
    return chunked("1;" + std::string(extension, 'x') + "\r\na\r\n0\r\n\r\n");
  };
  wire(with(limits::kChunkExtensionBytes - 1)).request("POST", "/").body("a").stays_open();
  each_refused(400, {with(limits::kChunkExtensionBytes), with(limits::kChunkExtensionBytes + 1),
                     with(100'000), chunked("5;a=\x01\r\nhello\r\n0\r\n\r\n"),
                     chunked("5;a\0b\r\nhello\r\n0\r\n\r\n"s)});
  for (const std::string extension : {";a=\"\"", ";a=\"b;c\"", ";a;b;c=d"}) {
    wire(chunked("5" + extension + "\r\nhello\r\n0\r\n\r\n"))
        .request("POST", "/")
        .body("hello")
        .stays_open();
  }
  for (const std::string extension : {";a=b;c=d", ";a=\"d;\\\"e\";c", "; a = b", ";a=\"\\\"\" ; b",
                                      ";\ta\t=\t\"b\"", ";a;b;c=d ;e"}) {
    taken_or_refused(chunked("5" + extension + "\r\nhello\r\n0\r\n\r\n"), "hello");
  }
  for (const std::string extension :
       {";", ";;a", "; ", ";=b", ";a=", ";a= ", ";a=\"b", ";a=\"b\\\"", ";a=\"b\"c", ";a=b=c",
        ";a b", ";a=b c", ";(", ";\xff", ";a=\"b\\\x01\"", ";a=\"\x7f\""}) {
    each_refused(400, {chunked("5" + extension + "\r\nhello\r\n0\r\n\r\n")});
  }
  const auto many = [](size_t bytes) {
    std::string content;
    for (; bytes >= 128; bytes -= 128) content += "1;" + std::string(127, 'x') + "\r\na\r\n";
    return chunked(content + "0\r\n\r\n");
  };
  wire(many(limits::kChunkExtensionsBytes))
      .request("POST", "/")
      .body(std::string(limits::kChunkExtensionsBytes / 128, 'a'));
  each_refused(400, {many(limits::kChunkExtensionsBytes + 128)});
}

RULE(Http1Chunked, TrailersAreDropped, "RFC 9112 §7.1.2; RFC 9110 §6.5.1",
     "a recipient may discard trailers, and must not merge those whose meaning it does not know",
     "dropped, and bounded as a head is: 431 beyond 16 KiB", "") {
  wire(chunked("0\r\nX: y\r\n\r\n")).request("POST", "/").body("").field_count(2).stays_open();
  wire(chunked("0\r\nContent-Length: 5\r\nHost: evil\r\nConnection: close\r\n\r\n") + get({}, "/2"))
      .request("POST", "/")
      .body("")
      .authority("a")
      .request("GET", "/2")
      .stays_open();
  const auto of_size = [](size_t size) {
    return chunked("0\r\nX: " + std::string(size - 4, 'y') + "\r\n\r\n");
  };
  wire(of_size(limits::kTrailerBytes)).request("POST", "/").body("").stays_open();
  each_refused(431, {of_size(limits::kTrailerBytes + 1)});
  std::string many;
  while (many.size() < 2 * limits::kTrailerBytes) many += "X: y\r\n";
  each_refused(431, {chunked("0\r\n" + many + "\r\n")});
}

RULE(Http1Chunked, BadTrailersAre400, "RFC 9112 §7.1.2; RFC 9112 §5",
     "a trailer section holds field lines", "400 and close", "") {
  each_refused(400, {chunked("0\r\nX y: z\r\n\r\n"), chunked("0\r\nX\r\n\r\n"),
                     chunked("0\r\nX: a\0b\r\n\r\n"s), chunked("0\r\n: z\r\n\r\n"),
                     chunked("0\r\nX: y\r\n z\r\n\r\n"), chunked("0\r\nGET / HTTP/1.1\r\n\r\n")});
}

TEST(Http1Chunked, AMillionTinyChunksNeedNoMemory) {
  CodecRig rig;
  rig.send(chunked(""));
  std::string tiny;
  for (int i = 0; i < 10'000; ++i) tiny += "1\r\nx\r\n";
  for (int i = 0; i < 100; ++i) {
    rig.send(tiny);
    ASSERT_EQ(rig.requests[0].body->size(), 10'000u);
    rig.requests[0].body->clear();
  }
  rig.send("0\r\n\r\n");
  EXPECT_TRUE(rig.requests[0].sent_whole);
  EXPECT_EQ(rig.state(), http::ServerCodec::State::kOpen);
}

RULE(Http1Pipelining, AnswersComeInOrder, "RFC 9112 §9.3.2",
     "a server sends the answers in the order of the requests", "one after another", "") {
  wire(get({}, "/1") + get({}, "/2") + post("Content-Length: 2\r\n", "hi") + get({}, "/3"))
      .request("GET", "/1")
      .request("GET", "/2")
      .request("POST", "/")
      .body("hi")
      .request("GET", "/3")
      .stays_open();
  std::string burst;
  for (int i = 0; i < 40; ++i) burst += get();
  CodecRig rig;
  rig.send(burst);
  EXPECT_EQ(rig.requests.size(), 40u);
}

RULE(Http1Pipelining, ContentIsNeverARequest, "RFC 9112 §11.2; http-rules 1.20",
     "content that looks like a request is content", "read to its end, or the connection closes",
     "") {
  const std::string inner = get({}, "/smuggled");
  const std::string length = "Content-Length: " + std::to_string(inner.size()) + "\r\n";
  wire(post(length, inner) + get({}, "/2"))
      .request("POST", "/")
      .body(inner)
      .request("GET", "/2")
      .stays_open();
  // A flow that answers before the content was read closes, whatever has come of it by then.
  wire(post(length, inner) + get({}, "/2"), FlowKind::kAnswerAtOnce)
      .request("POST", "/")
      .sent("Connection: close\r\n")
      .lingers();
  wire(chunked("2\r\nhi\r\n0\r\n\r\n") + get({}, "/2"), FlowKind::kAnswerAtOnce)
      .request("POST", "/")
      .sent("Connection: close\r\n")
      .lingers();
}

RULE(Http1Pipelining, NothingBehindARefusalIsRead, "RFC 9112 §11.2; http-rules 1.14",
     "after a message with bad framing the connection closes",
     "answers before it are sent, then the refusal, then a lingering close", "") {
  wire(get({}, "/1") + "GET /2\r\n\r\n" + get({}, "/3")).request("GET", "/1").refused(400);
  wire(get({}, "/1") + post("Content-Length: x\r\n") + get({}, "/3"))
      .request("GET", "/1")
      .refused(400);
}

}  // namespace
}  // namespace perigee::test
