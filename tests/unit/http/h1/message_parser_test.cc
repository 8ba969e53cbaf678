// What the guards around llhttp refuse, each by the name of its fault, in both directions; and what
// the head scanner says at each bound.
#include "http/h1/message_parser.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/limits.h"
#include "http/h1/head_scanner.h"
#include "tests/support/codec_rig.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("http::MessageParser, http::HeadScanner, http::request_framing, http::response_framing");

using namespace std::string_literals;
using http::Fault;
using http::Framing;
using http::HeadScanner;
using Side = http::MessageParser::Side;
namespace limits = base::limits;

/// A head through a parser of its own.
struct ReadHead {
  const std::string head;
  std::array<http::Field, 8> storage;
  http::HeaderList fields{storage};
  http::StartLine start;
  http::MessageParser parser;
  Fault fault;

  ReadHead(Side side, std::string text)
      : head(std::move(text)), fault(parser.read_head(side, head, start, fields)) {}
};

struct FaultyHead {
  std::string head;
  Fault fault;
};

std::string request_with(const std::string& lines) { return "GET / HTTP/1.1\r\n" + lines + "\r\n"; }
std::string response_with(const std::string& lines) {
  return "HTTP/1.1 200 OK\r\n" + lines + "\r\n";
}

RULE(MessageParserGuards, RequestLines, "RFC 9112 §3; RFC 9112 §2.3",
     "a request line is method, target and version, one space between them",
     "each other shape has its fault, whatever llhttp makes of it", "") {
  for (const auto& [head, fault] : std::vector<FaultyHead>{
           {"GET /\r\n\r\n", Fault::kStartLine},
           {"GET / HTTP/1.1 \r\n\r\n", Fault::kStartLine},
           {"GET  / HTTP/1.1\r\n\r\n", Fault::kStartLine},
           {"GET /  HTTP/1.1\r\n\r\n", Fault::kStartLine},
           {"G\x01T / HTTP/1.1\r\n\r\n", Fault::kStartLine},
           {"GET / HTTP/1.1\rX: y\r\n\r\n", Fault::kStartLine},
           {"GET / RTSP/1.0\r\n\r\n", Fault::kStartLine},
           {"SOURCE / ICE/1.0\r\n\r\n", Fault::kStartLine},
           {"GET / HTTP/0.9\r\n\r\n", Fault::kVersion},
           {"GET / HTTP/2.0\r\n\r\n", Fault::kVersion},
           {"GET / HTTP/1.2\r\n\r\n", Fault::kVersion},
           {"BREW / HTTP/1.1\r\n\r\n", Fault::kMethod},
           {"GET /\x80 HTTP/1.1\r\n\r\n", Fault::kSyntax},
       }) {
    EXPECT_EQ(ReadHead(Side::kRequest, head).fault, fault) << escaped(head);
  }
}

TEST(MessageParserGuards, AMethodIsToldWheneverTheLineIsWellFormed) {
  EXPECT_EQ(ReadHead(Side::kRequest, "HEAD / HTTP/1.1\r\nX Y: z\r\n\r\n").start.method, "HEAD");
  EXPECT_EQ(ReadHead(Side::kRequest, "HEAD / HTTP/3.7\r\n\r\n").start.method, "HEAD");
  EXPECT_EQ(ReadHead(Side::kRequest, "BREW / HTTP/1.1\r\n\r\n").start.method, "BREW");
  EXPECT_EQ(ReadHead(Side::kRequest, "HEAD /\r\n\r\n").start.method, "");
}

RULE(MessageParserGuards, StatusLines, "RFC 9112 §4",
     "a status line is version, three digits and a reason",
     "each other shape has its fault, whatever llhttp makes of it", "") {
  for (const auto& [head, fault] : std::vector<FaultyHead>{
           {"HTTP/1.1 20 OK\r\n\r\n", Fault::kStartLine},
           {"HTTP/1.1 099 x\r\n\r\n", Fault::kStartLine},
           {"HTTP/1.1 1000 x\r\n\r\n", Fault::kStartLine},
           {"HTTP/1.1 200\tOK\r\n\r\n", Fault::kStartLine},
           {"HTTP/1.1 200 O\x7fK\r\n\r\n", Fault::kStartLine},
           {"ICY 200 OK\r\n\r\n", Fault::kStartLine},
           {"HTTP/2.0 200 OK\r\n\r\n", Fault::kVersion},
           {"HTTP/0.9 200 OK\r\n\r\n", Fault::kVersion},
       }) {
    const Fault found = ReadHead(Side::kResponse, head).fault;
    // A version that llhttp does not know is a malformed line of an origin all the same.
    EXPECT_TRUE(found == fault || (fault == Fault::kVersion && found == Fault::kStartLine))
        << escaped(head);
  }
}

RULE(MessageParserGuards, FieldLines, "RFC 9112 §5; RFC 9112 §5.2; RFC 9110 §5.5",
     "a field line is a token, a colon and a value, on one line",
     "folds, empty names, spaces before the colon and control bytes are faults", "") {
  for (const std::string& lines :
       {"X: a\r\n b\r\n"s, "X:\r\n b\r\n"s, "X: a\r\n\tb\r\n"s, "X: a\r\n \r\n"s, ": a\r\n"s,
        "X : a\r\n"s, "X\r\n"s, "X: a\rb\r\n"s, "X: a\0b\r\n"s, "X: \x7f\r\n"s, "X\x80: a\r\n"s,
        " X: a\r\n"s, "Content-Length: 1\r\n 0\r\n"s, "Transfer-Encoding:\r\n chunked\r\n"s}) {
    for (const Side side : {Side::kRequest, Side::kResponse}) {
      const std::string head = side == Side::kRequest ? request_with(lines) : response_with(lines);
      const Fault fault = ReadHead(side, head).fault;
      EXPECT_TRUE(fault == Fault::kFieldLine || fault == Fault::kSyntax) << escaped(head);
    }
  }
  std::string many;
  for (int i = 0; i < 8; ++i) many += "X: a\r\n";
  EXPECT_EQ(ReadHead(Side::kRequest, request_with(many)).fault, Fault::kNone);
  EXPECT_EQ(ReadHead(Side::kRequest, request_with(many + "X: a\r\n")).fault, Fault::kTooManyFields);
}

TEST(MessageParser, TellsWhatAHeadSays) {
  const ReadHead request(Side::kRequest,
                         "M-SEARCH /a?b HTTP/1.0\r\nHost:a\r\nX:\r\nY: \t v \t\r\n\r\n");
  EXPECT_EQ(request.fault, Fault::kNone);
  EXPECT_EQ(request.start.method, "M-SEARCH");
  EXPECT_EQ(request.start.target, "/a?b");
  EXPECT_EQ(request.start.version_minor, 0);
  ASSERT_EQ(request.fields.size(), 3u);
  EXPECT_EQ(request.fields[0].token, http::FieldName::kHost);
  EXPECT_EQ(request.fields[1].value, "");
  EXPECT_EQ(request.fields[2].value, "v");
  const ReadHead response(Side::kResponse, "HTTP/1.1 999 \r\n\r\n");
  EXPECT_EQ(response.fault, Fault::kNone);
  EXPECT_EQ(response.start.status, 999);
  EXPECT_EQ(response.start.reason, "");
  EXPECT_EQ(ReadHead(Side::kResponse, "HTTP/1.0 404  no way\r\n\r\n").start.reason, " no way");
}

TEST(MessageParser, AgreesWithOneFramingAlone) {
  const auto agrees = [](Side side, const std::string& lines, Framing framing, uint64_t length) {
    const ReadHead head(side, side == Side::kRequest ? request_with(lines) : response_with(lines));
    EXPECT_EQ(head.fault, Fault::kNone);
    return head.parser.agrees(framing, length);
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::string five = "Content-Length: 5\r\n";
  for (const Side side : {Side::kRequest, Side::kResponse}) {
    EXPECT_TRUE(agrees(side, "", Framing::kNone, 0));
    EXPECT_TRUE(agrees(side, "Content-Length: 0\r\n", Framing::kNone, 0));
    EXPECT_FALSE(agrees(side, five, Framing::kNone, 0));
    EXPECT_FALSE(agrees(side, chunked, Framing::kNone, 0));
    EXPECT_TRUE(agrees(side, five, Framing::kLength, 5));
    EXPECT_FALSE(agrees(side, five, Framing::kLength, 4));
    EXPECT_FALSE(agrees(side, five, Framing::kLength, 6));
    EXPECT_FALSE(agrees(side, "", Framing::kLength, 0));
    EXPECT_FALSE(agrees(side, chunked, Framing::kLength, 0));
    EXPECT_TRUE(agrees(side, chunked, Framing::kChunked, 0));
    EXPECT_FALSE(agrees(side, five, Framing::kChunked, 0));
    EXPECT_FALSE(agrees(side, "", Framing::kChunked, 0));
  }
  EXPECT_TRUE(agrees(Side::kResponse, "Transfer-Encoding: x\r\n", Framing::kClose, 0));
  EXPECT_FALSE(agrees(Side::kResponse, chunked, Framing::kClose, 0));
  EXPECT_FALSE(agrees(Side::kResponse, five, Framing::kClose, 0));
}

/// What chunked content comes to, given in pieces.
struct Decoded {
  std::string content;
  size_t consumed = 0;
  bool done = false;
  Fault fault = Fault::kNone;
};

Decoded decode(Side side, const std::vector<std::string_view>& pieces) {
  const std::string lines = "Transfer-Encoding: chunked\r\n";
  ReadHead head(side, side == Side::kRequest ? request_with(lines) : response_with(lines));
  Decoded result;
  for (std::string_view piece : pieces) {
    while (!piece.empty() && !head.parser.done() && head.parser.fault() == Fault::kNone) {
      const auto step = head.parser.read_chunked(std::as_bytes(std::span(piece)));
      result.content.append(reinterpret_cast<const char*>(step.content.data()),
                            step.content.size());
      result.consumed += step.consumed;
      piece.remove_prefix(step.consumed);
    }
  }
  result.done = head.parser.done();
  result.fault = head.parser.fault();
  return result;
}

/// The outcome of the whole, and the same at every split and byte by byte, in both directions.
Decoded decode_at_every_split(std::string_view bytes) {
  const Decoded whole = decode(Side::kRequest, {bytes});
  for (const Side side : {Side::kRequest, Side::kResponse}) {
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      const Decoded split = decode(side, {bytes.substr(0, cut), bytes.substr(cut)});
      EXPECT_EQ(split.fault, whole.fault) << escaped(bytes) << " at " << cut;
      EXPECT_EQ(split.content, whole.content) << escaped(bytes) << " at " << cut;
      EXPECT_EQ(split.done, whole.done) << escaped(bytes) << " at " << cut;
    }
    std::vector<std::string_view> single;
    for (size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
    const Decoded split = decode(side, single);
    EXPECT_EQ(split.fault, whole.fault) << escaped(bytes) << " byte by byte";
    EXPECT_EQ(split.content, whole.content) << escaped(bytes) << " byte by byte";
  }
  return whole;
}

RULE(MessageParserGuards, ChunkLinesAndEnds, "RFC 9112 §7.1; RFC 9112 §7.1.1",
     "a chunk is a line with its size, so many bytes, and CRLF",
     "each other shape has its fault at every split, and what came before is content", "") {
  for (const std::string& line : {""s,
                                  "x"s,
                                  "0x5"s,
                                  " 5"s,
                                  "5 "s,
                                  "+5"s,
                                  "5\t"s,
                                  "8000000000000000"s,
                                  "10000000000000000"s,
                                  "00000000000000005"s,
                                  "5;"s,
                                  "5;;a"s,
                                  "5;=b"s,
                                  "5;a="s,
                                  "5;a=\"b"s,
                                  "5;a=\"b\"c"s,
                                  "5;("s,
                                  "5;a=\"\x7f\""s,
                                  "5;a=\x01"s,
                                  "5;\xff"s,
                                  "5\r"s,
                                  "5;a\r"s,
                                  "5;a\n"s}) {
    const Decoded decoded = decode_at_every_split("1\r\n!\r\n" + line + "\r\nhello\r\n0\r\n\r\n");
    EXPECT_EQ(decoded.fault, Fault::kChunkLine) << escaped(line);
    EXPECT_EQ(decoded.content, "!") << escaped(line);
  }
  for (const std::string& end : {"\n"s, "\r"s, "XX"s, ""s, "\r\r"s, "\n\r"s}) {
    const Decoded decoded = decode_at_every_split("5\r\nhello" + end + "0\r\n\r\n");
    EXPECT_EQ(decoded.fault, Fault::kChunkEnd) << escaped(end);
    EXPECT_EQ(decoded.content, "hello") << escaped(end);
  }
}

RULE(MessageParserGuards, TrailerLines, "RFC 9112 §7.1.2; RFC 9112 §5",
     "a trailer section holds field lines and ends with an empty one",
     "folds, empty names and lone line ends are faults at every split", "") {
  for (const std::string& trailers :
       {"X: y\r\n z\r\n\r\n"s, ": y\r\n\r\n"s, "X y: z\r\n\r\n"s, "X\r\n\r\n"s, "X: a\0b\r\n\r\n"s,
        " X: y\r\n\r\n"s, "X: y\n\r\n"s, "X: y\r\n\n"s, "\n"s, "\rX"s, "X: y\r\r\n\r\n"s,
        "X: y\rz\r\n\r\n"s}) {
    EXPECT_EQ(decode_at_every_split("0\r\n" + trailers).fault, Fault::kTrailerLine)
        << escaped(trailers);
  }
}

TEST(MessageParser, StopsBehindTheMessage) {
  const std::string_view message = "5;a\r\nhello\r\n0\r\nX: y\r\n\r\n";
  const Decoded decoded = decode(Side::kRequest, {std::string(message) + "GET / HTTP/1.1\r\n"});
  EXPECT_TRUE(decoded.done);
  EXPECT_EQ(decoded.content, "hello");
  EXPECT_EQ(decoded.consumed, message.size());
  EXPECT_TRUE(decode_at_every_split(message).done);
}

HeadScanner::State scan(const HeadScanner::Bounds& bounds, std::string_view bytes) {
  HeadScanner whole(bounds);
  const size_t used = whole.take(bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    HeadScanner split(bounds);
    size_t taken = split.take(bytes.substr(0, cut));
    if (split.state() == HeadScanner::State::kMore) taken += split.take(bytes.substr(cut));
    EXPECT_EQ(split.state(), whole.state()) << escaped(bytes) << " at " << cut;
    if (whole.state() != HeadScanner::State::kWhole) continue;
    EXPECT_EQ(taken, used) << escaped(bytes) << " at " << cut;
    EXPECT_EQ(split.lines(), whole.lines());
    EXPECT_EQ(split.skipped(), whole.skipped());
  }
  return whole.state();
}

TEST(HeadScannerBounds, AreJudgedAtTheByteThatExceedsThem) {
  const HeadScanner::Bounds bounds{
      .first_line_bytes = 5, .line_bytes = 3, .head_bytes = 18, .empty_line_first = true};
  using State = HeadScanner::State;
  EXPECT_EQ(scan(bounds, "12345\r\nabc\r\n\r\nrest"), State::kWhole);
  EXPECT_EQ(scan(bounds, "\r\n12345\r\n\r\n"), State::kWhole);
  EXPECT_EQ(scan(bounds, "12345\r\nabc\r\n"), State::kMore);
  EXPECT_EQ(scan(bounds, "123456\r\n"), State::kFirstLineTooLong);
  EXPECT_EQ(scan(bounds, "1234567"), State::kFirstLineTooLong);
  EXPECT_EQ(scan(bounds, "12345\r\nabcd\r\n"), State::kTooLarge);
  EXPECT_EQ(scan(bounds, "12345\r\nabc\r\nab\r\n\r\nrest"), State::kWhole);
  EXPECT_EQ(scan(bounds, "12345\r\nabc\r\nabc\r\n\r\n"), State::kTooLarge);
  EXPECT_EQ(scan(bounds, "12345\r\nabc\r\nd\r\n"), State::kMore);
  EXPECT_EQ(scan(bounds, "1\n"), State::kBareLf);
  EXPECT_EQ(scan(bounds, "\n"), State::kBareLf);
  EXPECT_EQ(scan(bounds, "1\r\n\n"), State::kBareLf);
  EXPECT_EQ(scan(bounds, "\r\n\r\n"), State::kEmpty);
  HeadScanner::Bounds strict = bounds;
  strict.empty_line_first = false;
  EXPECT_EQ(scan(strict, "\r\n1\r\n"), State::kEmpty);
}

TEST(HeadScannerBounds, EachHeadIsScannedByItself) {
  HeadScanner scanner(
      {.first_line_bytes = 8, .line_bytes = 8, .head_bytes = 32, .empty_line_first = true});
  for (int head = 0; head < 3; ++head) {
    EXPECT_FALSE(scanner.started());
    EXPECT_EQ(scanner.take("\r\n1\r\na\r\n\r\nnext"), 10u);
    EXPECT_TRUE(scanner.started());
    EXPECT_EQ(scanner.lines(), 2u);
    EXPECT_EQ(scanner.skipped(), 2u);
    scanner.reset();
  }
}

}  // namespace
}  // namespace perigee::test
