// Field lines of a request: their bytes, their limits, and the fields that the codec itself obeys.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/rule.h"
#include "tests/unit/http/h1/wire.h"

namespace perigee::test {
namespace {

GUARDS("http::Http1RequestReader, http::MessageParser, http::take_options");

using namespace std::string_literals;
namespace limits = base::limits;

RULE(Http1Fields, ValuesAreTakenAsTheyCame, "RFC 9110 §5.5; RFC 9112 §5.1; http-rules 2.12, 4.13",
     "whitespace around a value is no part of it; values may be empty and hold obs-text",
     "the trimmed bytes, 0x80-0xff and tabs inside included, go on", "") {
  wire(get("X: \t v a\tl \t\r\n")).request("GET", "/").field("X", "v a\tl").stays_open();
  wire(get("X:v\r\n")).request("GET", "/").field("X", "v").stays_open();
  wire(get("X:\r\nY: \t \r\nAccept:\r\n"))
      .request("GET", "/")
      .field("X", "")
      .field("Y", "")
      .field("Accept", "")
      .field_count(4);
  wire(get("X: caf\xc3\xa9\x80\xff\r\n")).request("GET", "/").field("X", "caf\xc3\xa9\x80\xff");
  wire(get("X: a: b\r\nX: c\r\n")).request("GET", "/").field("X", "a: b").field_count(3);
}

RULE(Http1Fields, NamesKeepCaseAndUnderscores, "RFC 9110 §5.1; http-rules 3.14",
     "field names are case-insensitive tokens", "any token passes, underscores too", "") {
  wire(get("x_y-Z: 1\r\n!#$%&'*+-.^_`|~09: 2\r\n"))
      .request("GET", "/")
      .field("x_y-Z", "1")
      .field("!#$%&'*+-.^_`|~09", "2")
      .stays_open();
  const std::string name(300, 'n');
  wire(get(name + ": v\r\n")).request("GET", "/").field(name, "v").stays_open();
}

RULE(Http1Fields, BadNamesAre400, "RFC 9112 §5.1",
     "whitespace between a name and its colon is answered with 400; a name is a token", "400", "") {
  each_refused(400, {get("X Y: z\r\n"), get("X : z\r\n"), get("X\t: z\r\n"), get(": z\r\n"),
                     get("X\r\n"), get("X\x80: z\r\n"), get("X\x01: z\r\n"), get("(X): z\r\n"),
                     get("X\0Y: z\r\n"s), get("\"X\": z\r\n"), get("X/Y: z\r\n"),
                     get("Content-Length : 5\r\n"), get("Transfer-Encoding : chunked\r\n")});
}

RULE(Http1Fields, ControlBytesInValuesAre400, "RFC 9110 §5.5",
     "CR, LF and NUL in a value are dangerous; other controls are invalid", "400", "") {
  each_refused(400, {get("X: a\0b\r\n"s), get("X: \0\r\n"s), get("X: a\x01\r\n"),
                     get("X: a\x1f\r\n"), get("X: a\x7f\r\n"), get("X: a\vb\r\n"),
                     get("X: a\x1b[1m\r\n"), get("X: a\rb\r\n"), get("X: a\r\r\n")});
}

RULE(Http1Fields, FoldedLinesAre400, "RFC 9112 §5.2",
     "a server that gets obs-fold answers 400 or replaces it", "400", "") {
  each_refused(400, {get("X: a\r\n b\r\n"), get("X: a\r\n\tb\r\n"), get("X:\r\n a\r\n"),
                     get("Content-Length: 1\r\n 0\r\n"), get("Transfer-Encoding:\r\n chunked\r\n"),
                     "GET / HTTP/1.1\r\n Host: a\r\n\r\n", get("X: a\r\n \r\n")});
}

RULE(Http1Fields, ConnectionMayNotNameWhatARequestMeans, "RFC 9110 §7.6.1; http-rules 2.12",
     "a sender must not list in Connection a field meant for all recipients",
     "400 when it names Host, framing, credentials, cookies, conditions, Range or Age", "") {
  for (const std::string name :
       {"Host", "content-length", "Transfer-Encoding", "Authorization", "Cookie", "Cache-Control",
        "Range", "Age", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
        "If-Range"}) {
    each_refused(
        400, {get("Connection: " + name + "\r\n"), get("Connection: close, x ," + name + "\r\n"),
              get("Connection: close\r\nConnection: " + name + "\r\n")});
  }
  wire(get("Connection: X-Hop, TE\r\nX-Hop: 1\r\n")).request("GET", "/").stays_open();
}

RULE(Http1Fields, UpgradeIsDroppedAndTheConnectionEnds,
     "RFC 9110 §7.8; RFC 9113 §3.1; http-rules 1.13", "a server may ignore Upgrade",
     "answered as HTTP/1.1 with Connection: close; what follows is not read", "") {
  wire(get("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: "
           "AAMAAABkAAQAAP__\r\n") +
       get({}, "/smuggled"))
      .request("GET", "/")
      .asks_upgrade()
      .sent("Connection: close\r\n")
      .never_sent("HTTP/1.1 101")
      .lingers();
  wire(get("Upgrade: websocket\r\nConnection: upgrade\r\n") + "\x81\x05hello")
      .request("GET", "/")
      .asks_upgrade()
      .lingers();
  wire(get("HTTP2-Settings: x\r\n")).request("GET", "/").asks_upgrade().lingers();
  wire(post("Upgrade: x\r\nConnection: upgrade\r\nContent-Length: 2\r\n", "hi"))
      .request("POST", "/")
      .asks_upgrade()
      .body("hi")
      .lingers();
}

RULE(Http1KeepAlive, PersistsUnlessToldOtherwise, "RFC 9112 §9.3; RFC 9110 §7.6.1; http-rules 4.8",
     "1.1 persists unless close is named; 1.0 persists only when keep-alive is, and never past "
     "close",
     "so it does; the answer to 1.0 says keep-alive", "") {
  wire(get()).request("GET", "/").stays_open().never_sent("Connection:");
  wire(get("Connection: keep-alive\r\n"))
      .request("GET", "/")
      .stays_open()
      .never_sent("Connection:");
  for (const std::string lines :
       {"Connection: close\r\n", "connection: CLOSE\r\n", "Connection: close, keep-alive\r\n",
        "Connection: keep-alive, close\r\n", "Connection: keep-alive\r\nConnection: close\r\n",
        "Connection: x,,close,\r\n"}) {
    wire(get(lines)).request("GET", "/").closes().sent("Connection: close\r\n");
  }
  wire(get("Connection: closed\r\n")).request("GET", "/").stays_open();
  const std::string old = "GET / HTTP/1.0\r\n";
  wire(old + "\r\n").request("GET", "/").closes().sent("Connection: close\r\n");
  wire(old + "Connection: Keep-Alive\r\n\r\n")
      .request("GET", "/")
      .stays_open()
      .sent("Connection: keep-alive\r\n");
  wire(old + "Connection: keep-alive, close\r\n\r\n").request("GET", "/").closes();
  wire(old + "Proxy-Connection: keep-alive\r\n\r\n").request("GET", "/").closes();
}

RULE(Http1KeepAlive, NothingBehindCloseIsRead, "RFC 9112 §9.6",
     "a server does not process requests received after one that says close",
     "the bytes are drained, so that the answer is not lost to a reset", "") {
  wire(get("Connection: close\r\n") + get({}, "/2")).request("GET", "/").lingers();
  wire("GET / HTTP/1.0\r\n\r\n" + get({}, "/2")).request("GET", "/").lingers();
  // Bytes behind content, held back until its answer.
  wire(post("Connection: close\r\nContent-Length: 2\r\n", "hi") + get({}, "/2"))
      .request("POST", "/")
      .body("hi")
      .lingers();
}

RULE(Http1Limits, RequestLine, "RFC 9112 §3; RFC 9110 §15.5.15; http-rules 4.20",
     "a longer target than a server wishes to parse is answered with 414",
     "414 beyond 8 KiB of request line", "request_line_limit") {
  const size_t around = std::string("GET  HTTP/1.1").size();
  const auto of_size = [&](size_t size) { return "/" + std::string(size - around - 1, 'x'); };
  const std::string longest = of_size(limits::kRequestLineBytes);
  wire(get({}, longest)).request("GET", longest).stays_open();
  each_refused(414, {get({}, of_size(limits::kRequestLineBytes + 1)),
                     std::string(limits::kRequestLineBytes + 2, 'x'),
                     "\r\n" + get({}, of_size(limits::kRequestLineBytes + 1))});
  RigOptions options;
  options.request_line_bytes = limits::kRequestLineBytesMost;
  const std::string longer = of_size(limits::kRequestLineBytesMost);
  wire(get({}, longer), FlowKind::kReadThenAnswer, options).request("GET", longer).stays_open();
  wire(get({}, longer + "x"), FlowKind::kReadThenAnswer, options).refused(414);
}

RULE(Http1Limits, OneField, "RFC 6585 §5; RFC 9110 §5.4",
     "fields larger than a server wishes to process are answered with a 4xx",
     "431 when name, value and 32 bytes of charge exceed 8 KiB", "") {
  const std::string value(limits::kFieldBytes - limits::kFieldCharge - 1, 'v');
  wire(get("X: " + value + "\r\n")).request("GET", "/").field("X", value).stays_open();
  wire(get("X:" + value + " \t\r\n")).request("GET", "/").field("X", value).stays_open();
  each_refused(431, {get("X: " + value + "v\r\n"), get("X" + value + "v: \r\n"),
                     get("X: " + std::string(limits::kFieldBytes, 'v') + "\r\n"),
                     get("X: " + std::string(limits::kFieldBytes + 1, 'v'))});
}

RULE(Http1Limits, WholeHead, "RFC 6585 §5; RFC 9110 §5.4",
     "a head larger than a server wishes to process is answered with a 4xx", "431 beyond 16 KiB",
     "") {
  const auto of_size = [](size_t size) {
    std::string lines;
    const size_t around = get().size();
    while (size - around - lines.size() > 4096) lines += "X: " + std::string(1019, 'v') + "\r\n";
    const size_t left = size - around - lines.size();
    return get(lines + "Y: " + std::string(left - 5, 'v') + "\r\n");
  };
  ASSERT_EQ(of_size(limits::kRequestHeadBytes).size(), limits::kRequestHeadBytes);
  wire(of_size(limits::kRequestHeadBytes)).request("GET", "/").stays_open();
  each_refused(431,
               {of_size(limits::kRequestHeadBytes + 1), of_size(limits::kRequestHeadBytes + 2)});
  // The bound is one head's, not one read's.
  const std::string half = of_size(limits::kRequestHeadBytes / 2 + 1);
  wire(half + half).request("GET", "/").request("GET", "/").stays_open();
}

RULE(Http1Limits, NumberOfFields, "RFC 6585 §5", "too many fields are answered with 431",
     "431 beyond 100 field lines", "") {
  const auto of_count = [](size_t count) {
    std::string lines;
    for (size_t i = 1; i < count; ++i) lines += "A:\r\n";
    return get(lines);
  };
  wire(of_count(limits::kRequestFields)).request("GET", "/").field_count(limits::kRequestFields);
  each_refused(431, {of_count(limits::kRequestFields + 1), of_count(2000)});
}

RULE(Http1Expect, ContinueIsSentWhenContentIsWanted, "RFC 9110 §10.1.1; http-rules 4.24",
     "a server answers 100 when it will read the content, or a final status at once",
     "100 at the first pull of the content; never to HTTP/1.0 and never without content", "") {
  const std::string expect = "Expect: 100-continue\r\nContent-Length: 2\r\n";
  wire(post(expect, "hi"))
      .request("POST", "/")
      .body("hi")
      .sent("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200");
  wire(post("expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"))
      .request("POST", "/")
      .body("hi")
      .sent("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200");
  wire("POST / HTTP/1.0\r\n" + expect + "\r\nhi")
      .request("POST", "/")
      .body("hi")
      .never_sent(" 100 ");
  wire("POST / HTTP/1.0\r\nExpect: x\r\n\r\n").request("POST", "/").no_body().never_sent(" 417 ");
  wire(get("Expect: 100-continue\r\n")).request("GET", "/").never_sent(" 100 ").stays_open();
  wire(post("Expect: 100-continue\r\nContent-Length: 0\r\n"))
      .request("POST", "/")
      .never_sent(" 100 ");
}

RULE(Http1Expect, AFinalAnswerReplacesContinue, "RFC 9110 §10.1.1; RFC 9112 §9.6; http-rules 1.14",
     "after a final status instead of 100 the content may come or not",
     "the connection ends, so that content is never taken for a request", "") {
  wire(post("Expect: 100-continue\r\nContent-Length: 30\r\n", get({}, "/smuggled")),
       FlowKind::kAnswerAtOnce)
      .request("POST", "/")
      .never_sent(" 100 ")
      .sent("Connection: close\r\n")
      .lingers();
}

RULE(Http1Expect, OtherExpectationsAre417, "RFC 9110 §10.1.1; RFC 9110 §15.5.18; http-rules 1.6",
     "an expectation other than 100-continue may be answered with 417", "417", "") {
  each_refused(417, {get("Expect: 200-ok\r\n"), get("Expect: 100-continue, x\r\n"),
                     get("Expect:\r\n"), get("Expect: 100-continue;a=b\r\n"),
                     get("Expect: 100-continue\r\nExpect: 100-continue\r\n"),
                     post("Expect: y\r\nContent-Length: 1\r\n", "x")});
}

}  // namespace
}  // namespace perigee::test
