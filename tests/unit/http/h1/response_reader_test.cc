// What an origin sends: where a response ends, and what is an error (a 502 for the client).
#include "http/h1/response_reader.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/rule.h"
#include "tests/unit/http/h1/received.h"

namespace perigee::test {
namespace {

GUARDS("http::ResponseReader, http::MessageParser, http::response_framing");

using namespace std::string_literals;
using http::Method;
namespace limits = base::limits;

std::string ok(std::string_view field_lines, std::string_view content = {}) {
  return "HTTP/1.1 200 OK\r\n" + std::string(field_lines) + "\r\n" + std::string(content);
}

std::string chunked(std::string_view content) {
  return ok("Transfer-Encoding: chunked\r\n", content);
}

RULE(ResponseStatusLine, IsVersionStatusReason, "RFC 9112 §4; RFC 9110 §15",
     "the reason is optional and has no meaning; a status is three digits",
     "a missing reason is fine, statuses from 600 to 999 are relayed as they are", "") {
  received("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      .status(200)
      .reason("OK")
      .whole()
      .reusable();
  received("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").status(200).reason("").whole();
  received("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").status(200).reason("").whole();
  received("HTTP/1.1 404 N\xc3\xb6 \t way\r\nContent-Length: 0\r\n\r\n")
      .status(404)
      .reason("N\xc3\xb6 \t way");
  received("HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n").status(600).whole();
  received("HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n").status(999).whole();
  received("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").status(200).whole().not_reusable();
}

RULE(ResponseStatusLine, OtherShapesAreErrors, "RFC 9112 §4; RFC 9112 §2.2",
     "a status line is version, three digits and a reason, ended by CRLF",
     "502: other versions, statuses below 100, bare LF, control bytes", "") {
  const std::string rest = "\r\nContent-Length: 0\r\n\r\n";
  each_is_error({"HTTP/1.1 000 x" + rest,
                 "HTTP/1.1 001 x" + rest,
                 "HTTP/1.1 099 x" + rest,
                 "HTTP/1.1 99 x" + rest,
                 "HTTP/1.1 99x x" + rest,
                 "HTTP/1.1 1000 x" + rest,
                 "HTTP/1.1 20 OK" + rest,
                 "HTTP/1.1 -20 OK" + rest,
                 "HTTP/1.1  200 OK" + rest,
                 "HTTP/1.1 200OK" + rest,
                 "HTTP/1.1\t200 OK" + rest,
                 "HTTP/1.1 200\tOK" + rest,
                 "HTTP/1.2 200 OK" + rest,
                 "HTTP/2.0 200 OK" + rest,
                 "HTTP/2 200" + rest,
                 "HTTP/0.9 200 OK" + rest,
                 "http/1.1 200 OK" + rest,
                 "ICY 200 OK" + rest,
                 "HTTP/1.1" + rest,
                 " HTTP/1.1 200 OK" + rest,
                 "200 OK" + rest,
                 "\r\nHTTP/1.1 200 OK" + rest,
                 "\r\n\r\n",
                 "HTTP/1.1 200 O\x01K" + rest,
                 "HTTP/1.1 200 O\0K"s + rest,
                 "HTTP/1.1 200 O\rK" + rest,
                 "HTTP/1.1 200 O\x7fK" + rest,
                 "<html>hello</html>\n",
                 "\n",
                 "HTTP/1.1 200 OK\n",
                 "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
                 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
                 "HTTP/1.1 200 OK\r\r\nContent-Length: 0\r\n\r\n"});
}

RULE(ResponseFields, AreTakenAsTheyCame, "RFC 9110 §5.5; RFC 9112 §5.1; http-rules 2.12, 4.13",
     "whitespace around a value is no part of it; values may be empty and hold obs-text",
     "lines keep their order and bytes", "") {
  received(ok("X: \t a b \t\r\nY:\r\nx_y: caf\xc3\xa9\x80\xff\r\nX: 2\r\nContent-Length: 0\r\n"))
      .field("X", "a b")
      .field("Y", "")
      .field("x_y", "caf\xc3\xa9\x80\xff")
      .field("X", "2")
      .field_count(5)
      .whole();
}

RULE(ResponseFields, MalformedOnesAreErrors, "RFC 9112 §5; RFC 9112 §5.2; RFC 9110 §5.5",
     "a proxy replaces or refuses obs-fold, and must not relay CR, LF or NUL", "502", "") {
  for (const std::string line :
       {"X Y: z", "X : z", "X\t: z", ": z", "X", " X: y", "\tX: y", "X: y\r\n z", "X: y\r\n\tz",
        "X:\r\n y", "X: a\rb", "X: a\x01", "X: a\x7f", "X\x80: y", "X: a\vb", "Content-Length : 0",
        "Transfer-Encoding:\r\n chunked"}) {
    each_is_error({ok(line + "\r\nContent-Length: 0\r\n")});
  }
  each_is_error({ok("X: a\0b\r\nContent-Length: 0\r\n"s), ok("X\0: b\r\nContent-Length: 0\r\n"s)});
}

RULE(ResponseLimits, HeadsAreBounded, "RFC 9110 §5.4",
     "a recipient may refuse fields larger than it wishes to process",
     "502 beyond 32 KiB of head or 200 fields", "") {
  const auto of_size = [](size_t size) {
    std::string lines = "Content-Length: 0\r\n";
    while (size - ok(lines).size() > 2048) lines += "X: " + std::string(1019, 'v') + "\r\n";
    return ok(lines + "Y: " + std::string(size - ok(lines).size() - 5, 'v') + "\r\n");
  };
  ASSERT_EQ(of_size(limits::kOriginHeadBytes).size(), limits::kOriginHeadBytes);
  received(of_size(limits::kOriginHeadBytes)).status(200).whole();
  each_is_error({of_size(limits::kOriginHeadBytes + 1),
                 "HTTP/1.1 200 OK\r\nX: " + std::string(limits::kOriginHeadBytes, 'x')});
  const auto of_count = [](size_t count) {
    std::string lines = "Content-Length: 0\r\n";
    for (size_t i = 1; i < count; ++i) lines += "A:\r\n";
    return ok(lines);
  };
  received(of_count(limits::kOriginFields)).field_count(limits::kOriginFields).whole();
  each_is_error({of_count(limits::kOriginFields + 1)});
}

RULE(ResponseFraming, ContentLength, "RFC 9112 §6.3; http-rules 1.5",
     "a valid Content-Length without Transfer-Encoding is the length of the content",
     "the response ends there; what follows is never parsed", "") {
  received(ok("Content-Length: 5\r\n", "hello")).content_length(5).body("hello").whole().reusable();
  received(ok("Content-Length: 0\r\n")).content_length(0).body("").whole().reusable();
  const std::string next = ok("Content-Length: 1\r\n", "x");
  received(ok("Content-Length: 2\r\n", "hi" + next)).body("hi").whole(next.size());
  received(ok("Content-Length: 2\r\n", "hi\0\xff"s)).body("hi").whole(2);
  received(ok("Content-Length: 5\r\n", "hell")).body("hell").unfinished();
}

RULE(ResponseFraming, AShortBodyIsAnError, "RFC 9112 §8; http-rules 1.5",
     "a message shorter than its framing is incomplete", "an error, however the connection ended",
     "") {
  for (const Ending ending : {Ending::kFin, Ending::kReset}) {
    received(ok("Content-Length: 5\r\n", "hell"), Method::kGet, ending).body("hell").is_error();
    received(ok("Content-Length: 5\r\n"), Method::kGet, ending).is_error();
    received(chunked("5\r\nhello\r\n"), Method::kGet, ending).body("hello").is_error();
    received(chunked("5\r\nhello\r\n0\r\n"), Method::kGet, ending).is_error();
    received(chunked(""), Method::kGet, ending).is_error();
    received("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Method::kGet, ending).is_error();
    received("HTTP/1.1 100 Continue\r\n\r\n", Method::kGet, ending).interims({100}).is_error();
    received("", Method::kGet, ending).is_error();
    received(ok("Content-Length: 5\r\n", "hello"), Method::kGet, ending).body("hello").whole();
    received(ok("Content-Length: 0\r\n"), Method::kGet, ending).whole();
  }
}

RULE(ResponseFraming, AmbiguousLengthsAreErrors, "RFC 9112 §6.3; RFC 9112 §11.2",
     "with an invalid Content-Length a proxy answers 502 and discards the response",
     "502: repeated, both kinds of framing, and anything but digits", "") {
  for (const std::string value :
       {"+5", "-5", "5,5", "5, 5", "0x5", "", "a", "5a", "5 5", "18446744073709551616",
        "18446744073709551615", "9223372036854775808", "99999999999999999999", "5.0", "\"5\""}) {
    each_is_error({ok("Content-Length: " + value + "\r\n", "hello")});
  }
  each_is_error({ok("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
                 ok("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
                 ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                 ok("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
                 ok("Transfer-Encoding: x\r\nContent-Length: 5\r\n", "hello"),
                 ok("Transfer-Encoding: \r\nContent-Length: 5\r\n", "hello")});
}

RULE(ResponseFraming, TransferEncoding, "RFC 9112 §6.1; RFC 9112 §6.3; http-rules 1.16",
     "chunked as the final coding ends the message; otherwise the close does",
     "chunked alone is decoded, one unknown coding is read to the close, all else is 502", "") {
  for (const std::string value : {"chunked", "CHUNKED", " \tChunked "}) {
    received(ok("Transfer-Encoding:" + value + "\r\n", "2\r\nhi\r\n0\r\n\r\n"))
        .body("hi")
        .content_length(std::nullopt)
        .whole()
        .reusable();
  }
  received(ok("Transfer-Encoding: x\r\n", "2\r\nhi"), Method::kGet, Ending::kFin)
      .body("2\r\nhi")
      .whole()
      .not_reusable();
  received(ok("Transfer-Encoding: x\r\n", "2\r\nhi")).body("2\r\nhi").unfinished();
  for (const std::string value :
       {"chunked, chunked", "gzip, chunked", "chunked, gzip", ",chunked", "chunked,", "gzip",
        "x-gzip", "deflate", "compress", "x-compress", "identity", "Identity", "", "x, y", "x y",
        "chunked;q=1", "\"chunked\""}) {
    each_is_error({ok("Transfer-Encoding: " + value + "\r\n", "2\r\nhi\r\n0\r\n\r\n")});
  }
  each_is_error({ok("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                 ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                 "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 "HTTP/1.0 200 OK\r\nTransfer-Encoding: x\r\n\r\nhi"});
}

RULE(ResponseFraming, CloseDelimitedOnesAreWholeAfterFin,
     "RFC 9112 §6.3; RFC 9112 §8; http-rules 1.17",
     "without length and coding the content ends with the connection",
     "whole after FIN or close_notify, incomplete after a reset", "") {
  for (const std::string version : {"HTTP/1.0", "HTTP/1.1"}) {
    const std::string bytes = version + " 200 OK\r\nConnection: keep-alive\r\n\r\nhello";
    received(bytes, Method::kGet, Ending::kFin).body("hello").content_length(std::nullopt).whole();
    received(bytes, Method::kGet, Ending::kFin).not_reusable();
    received(bytes, Method::kGet, Ending::kReset).body("hello").is_error();
    received(bytes).body("hello").unfinished();
    received(version + " 200 OK\r\n\r\n", Method::kGet, Ending::kFin).body("").whole();
  }
}

RULE(ResponseFraming, SomeNeverHaveContent, "RFC 9112 §6.3; RFC 9110 §8.6; http-rules 1.5",
     "1xx, 204, 304 and answers to HEAD end with their head, whatever it says",
     "so they do; a 204 that says otherwise closes the connection", "") {
  const std::string next = "HTTP/1.1 200 OK\r\n\r\n";
  const std::string not_modified = "HTTP/1.1 304 Not Modified\r\n";
  received(not_modified + "\r\n" + next).status(304).bodiless().whole(next.size()).reusable();
  received(not_modified + "Content-Length: 500\r\n\r\n")
      .content_length(500)
      .bodiless()
      .whole()
      .reusable();
  received(not_modified + "Transfer-Encoding: chunked\r\n\r\n" + next)
      .bodiless()
      .whole(next.size());
  received("HTTP/1.1 204 No Content\r\n\r\n").bodiless().whole().reusable();
  received("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").bodiless().whole().reusable();
  for (const std::string line : {"Content-Length: 5", "Transfer-Encoding: chunked"}) {
    received("HTTP/1.1 204 No Content\r\n" + line + "\r\n\r\nhello")
        .bodiless()
        .whole(5)
        .not_reusable();
  }
  received(ok("Content-Length: 500\r\n"), Method::kHead)
      .content_length(500)
      .bodiless()
      .whole()
      .reusable();
  received(ok("Transfer-Encoding: chunked\r\n"), Method::kHead).bodiless().whole().reusable();
  received(ok(""), Method::kHead).content_length(std::nullopt).bodiless().whole().reusable();
}

RULE(ResponseFraming, AmbiguousLengthsAreErrorsWithoutContentToo, "RFC 9112 §6.3; http-rules 1.16",
     "a sender must not send Content-Length beside Transfer-Encoding, nor one that is no number",
     "502, also where no content follows", "") {
  for (const std::string lines :
       {"Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: x\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"}) {
    each_is_error({"HTTP/1.1 304 Not Modified\r\n" + lines + "\r\n",
                   "HTTP/1.1 204 No Content\r\n" + lines + "\r\n",
                   "HTTP/1.1 103 Early Hints\r\n" + lines + "\r\n"});
    received(ok(lines), Method::kHead).is_error();
  }
}

RULE(ResponseInterim, AnyNumberUpToTen, "RFC 9110 §15.2; http-rules 2.13",
     "a client parses interim responses before the final one", "10 are taken, the next is a 502",
     "") {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  received("HTTP/1.1 100 Continue\r\n\r\n" + hints + "HTTP/1.1 199\r\n\r\n" +
           ok("Content-Length: 2\r\n", "hi"))
      .interims({100, 103, 199})
      .status(200)
      .field_count(1)
      .body("hi")
      .whole()
      .reusable();
  std::string ten;
  for (size_t i = 0; i < limits::kInterimResponses; ++i) ten += hints;
  received(ten + ok("Content-Length: 0\r\n")).status(200).whole();
  received(ten + hints).is_error();
  received(hints).interims({103}).unfinished();
}

RULE(ResponseInterim, OnesThatPromiseContentEndTheConnection, "RFC 9110 §8.6; http-rules 1.5",
     "a server must not send Content-Length or Transfer-Encoding in a 1xx",
     "they are ignored, and the connection is not used again", "") {
  for (const std::string line : {"Content-Length: 5", "Transfer-Encoding: chunked"}) {
    received("HTTP/1.1 103 x\r\n" + line + "\r\n\r\n" + ok("Content-Length: 0\r\n"))
        .interims({103})
        .status(200)
        .whole()
        .not_reusable();
  }
  received("HTTP/1.1 103 x\r\nContent-Length: 0\r\n\r\n" + ok("Content-Length: 0\r\n"))
      .whole()
      .reusable();
}

RULE(ResponseInterim, SwitchingProtocolsIsAnError, "RFC 9110 §15.2.2; http-rules 1.13",
     "101 answers a request for an upgrade, to one of the protocols that it names", "else 502",
     "upgrade") {
  each_is_error({"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"});
  received(ok("Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n", "hi"))
      .body("hi")
      .whole();
}

RULE(ResponseInterim, ASwitchThatWasAskedForIsFinal, "RFC 9110 §7.8; http-rules 1.13",
     "behind a 101 both sides speak the protocol that it names", "what follows is content",
     "upgrade") {
  const auto asked = [](std::string_view head) {
    http::ResponseReader reader;
    reader.begin(Method::kGet, "websocket");
    const std::string bytes = std::string(head) + "\r\n\r\nHTTP/1.1 200 no\r\n\r\n";
    const auto input = std::as_bytes(std::span(bytes));
    const http::ResponseReader::Step step = reader.next(input);
    if (step.event != http::ResponseReader::Event::kHead) return std::string(reader.error());
    EXPECT_EQ(reader.head().status, 101);
    EXPECT_TRUE(reader.head().has_body && !reader.head().keep_alive);
    const http::ResponseReader::Step body = reader.next(input.subspan(step.consumed));
    EXPECT_EQ(body.event, http::ResponseReader::Event::kBody);
    EXPECT_EQ(reader.next_eof(true), http::ResponseReader::Event::kEnd);
    return std::string(reinterpret_cast<const char*>(body.body.data()), body.body.size());
  };
  const std::string switched = "HTTP/1.1 101 Switching Protocols\r\n";
  const std::string raw = "HTTP/1.1 200 no\r\n\r\n";
  EXPECT_EQ(asked(switched + "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade"), raw);
  const std::string unasked = "the origin switched protocols unasked";
  EXPECT_EQ(asked(switched + "Upgrade: h2c\r\nConnection: upgrade"), unasked);
  EXPECT_EQ(asked(switched + "Upgrade: websocket, h2c\r\nConnection: upgrade"), unasked);
  EXPECT_EQ(asked(switched + "Upgrade: websocket"), unasked);
  EXPECT_EQ(asked(switched + "Connection: upgrade"), unasked);
  EXPECT_EQ(asked("HTTP/1.0 101 x\r\nUpgrade: websocket\r\nConnection: upgrade"), unasked);
  const std::string promises = "the origin's 101 promises content";
  const std::string right = switched + "Upgrade: websocket\r\nConnection: upgrade\r\n";
  EXPECT_EQ(asked(right + "Content-Length: 3"), promises);
  EXPECT_EQ(asked(right + "Transfer-Encoding: chunked"), promises);
}

RULE(ResponseChunked, IsDecoded, "RFC 9112 §7.1; RFC 9112 §7.1.1; RFC 9112 §7.1.2",
     "chunks are decoded, extensions ignored, trailers may be discarded", "trailers are dropped",
     "") {
  received(chunked("5\r\nhello\r\n1;a;c=\"d\"\r\n!\r\n000\r\nX: y\r\nContent-Length: 9\r\n\r\n"))
      .body("hello!")
      .field_count(1)
      .whole()
      .reusable();
  received(chunked("0\r\n\r\nHTTP/1.1 200 OK\r\n")).body("").whole(17);
}

RULE(ResponseChunked, ErrorsAreErrors, "RFC 9112 §7.1; RFC 9112 §2.2; RFC 9112 §8",
     "content that does not decode is incomplete", "what came before is delivered, then an error",
     "") {
  for (const std::string content :
       {"5\nhello\r\n0\r\n\r\n", "x\r\n", "0x5\r\nhello", " 5\r\nhello", "5 \r\nhello",
        "+5\r\nhello", "5\r\nhelloX", "5\r\nhello\n0\r\n\r\n", "10000000000000000\r\n",
        "8000000000000000\r\n", "\r\n", "0\r\n\n", "0\r\nX: y\n\r\n", "0\r\nX y: z\r\n\r\n",
        "0\r\nX\r\n\r\n", "5;a\n", "5\r\r", "-1\r\n"}) {
    each_is_error({chunked(content)});
  }
  received(chunked("5\r\nhello\r\nX")).body("hello").is_error();
  each_is_error({chunked("1;" + std::string(limits::kChunkExtensionBytes, 'x') + "\r\na\r\n"),
                 chunked("0\r\nX: " + std::string(limits::kTrailerBytes, 'x') + "\r\n\r\n")});
}

RULE(ResponseKeepAlive, AsTheConnectionFieldSays, "RFC 9112 §9.3",
     "1.1 persists unless close is named; 1.0 persists only when keep-alive is", "so it does", "") {
  const std::string length = "Content-Length: 0\r\n";
  received(ok(length)).reusable();
  received(ok("Connection: close\r\n" + length)).not_reusable();
  received(ok("Connection: keep-alive\r\nConnection: x, CLOSE\r\n" + length)).not_reusable();
  received("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + length + "\r\n").reusable();
  received("HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n" + length + "\r\n").not_reusable();
}

TEST(ResponseReader, BeginsAgainOnTheSameConnection) {
  http::ResponseReader parser;
  for (int i = 0; i < 3; ++i) {
    parser.begin(Method::kGet);
    EXPECT_FALSE(parser.started());
    const std::string bytes =
        "HTTP/1.1 103 x\r\nContent-Length: 1\r\n\r\n" + ok("Content-Length: 2\r\n");
    std::span<const std::byte> input{reinterpret_cast<const std::byte*>(bytes.data()),
                                     bytes.size()};
    http::ResponseReader::Step step = parser.next(input);
    EXPECT_EQ(step.event, http::ResponseReader::Event::kInterim);
    EXPECT_TRUE(parser.started());
    step = parser.next(input.subspan(step.consumed));
    EXPECT_EQ(step.event, http::ResponseReader::Event::kHead);
    EXPECT_FALSE(parser.head().keep_alive);
    parser.begin(Method::kHead);
    step = parser.next(input.subspan(input.size() - ok("Content-Length: 2\r\n").size()));
    EXPECT_EQ(step.event, http::ResponseReader::Event::kHead);
    EXPECT_TRUE(parser.head().keep_alive) << "the taint was another response's";
    EXPECT_EQ(parser.next({}).event, http::ResponseReader::Event::kEnd);
  }
}

TEST(ResponseReader, ChunksAndInterimsOfEachResponseAreItsOwn) {
  http::ResponseReader parser;
  std::string bytes;
  for (size_t i = 0; i < limits::kInterimResponses; ++i) bytes += "HTTP/1.1 103 x\r\n\r\n";
  bytes += ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n");
  for (int response = 0; response < 3; ++response) {
    parser.begin(Method::kGet);
    std::span<const std::byte> input{reinterpret_cast<const std::byte*>(bytes.data()),
                                     bytes.size()};
    std::string body;
    size_t interims = 0;
    using Event = http::ResponseReader::Event;
    Event event = Event::kNeedMore;
    while (event != Event::kEnd && event != Event::kError) {
      const http::ResponseReader::Step step = parser.next(input);
      event = step.event;
      input = input.subspan(step.consumed);
      interims += event == Event::kInterim ? 1 : 0;
      if (event == Event::kBody) {
        body.append(reinterpret_cast<const char*>(step.body.data()), step.body.size());
      }
    }
    EXPECT_EQ(event, Event::kEnd) << parser.error();
    EXPECT_EQ(interims, limits::kInterimResponses);
    EXPECT_EQ(body, "hello") << response;
    EXPECT_TRUE(input.empty());
  }
}

TEST(ResponseReader, AMillionTinyChunksNeedNoMemory) {
  http::ResponseReader parser;
  parser.begin(Method::kGet);
  std::string bytes = chunked("");
  for (int i = 0; i < 100'000; ++i) bytes += "1\r\nx\r\n";
  std::span<const std::byte> input{reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
  size_t content = 0;
  while (!input.empty()) {
    const http::ResponseReader::Step step = parser.next(input);
    ASSERT_NE(step.event, http::ResponseReader::Event::kError);
    ASSERT_GT(step.consumed, 0u);
    content += step.body.size();
    input = input.subspan(step.consumed);
  }
  EXPECT_EQ(content, 100'000u);
}

}  // namespace
}  // namespace perigee::test
