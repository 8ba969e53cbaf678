// The first line of a request and its Host: what is read, and with which status the rest is
// refused.
#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/h1/wire.h"

namespace perigee::test {
namespace {

GUARDS(
    "http::Http1RequestReader, http::MessageParser, http::judge_method, http::take_target, "
    "http::take_host");

using namespace std::string_literals;

std::string with_line(std::string_view line) { return std::string(line) + "\r\nHost: a\r\n\r\n"; }

RULE(Http1RequestLine, IsReadAsSent, "RFC 9112 §3",
     "a request line is method, target and version, one space between them",
     "method and target are taken byte for byte", "") {
  wire(get()).request("GET", "/").authority("a").no_body().stays_open();
  wire(get({}, "/a/b.html?x=1&y=%20")).request("GET", "/a/b.html?x=1&y=%20").stays_open();
  wire(with_line("HEAD /x HTTP/1.1")).request("HEAD", "/x").stays_open();
}

RULE(Http1RequestLine, OtherShapesAre400, "RFC 9112 §3; RFC 9112 §3.2",
     "a line that is not a request line is answered with 400", "400, lingering close", "") {
  each_refused(400, {with_line("GET / HTTP/1.1 "), with_line("GET  / HTTP/1.1"),
                     with_line("GET /  HTTP/1.1"), with_line(" GET / HTTP/1.1"),
                     with_line("GET / x HTTP/1.1"), with_line("GET\t/\tHTTP/1.1"),
                     with_line("GET /\tHTTP/1.1"), with_line("GET /"), with_line("GET"),
                     with_line("GET  HTTP/1.1"), with_line("/ HTTP/1.1"), with_line("GET / "),
                     with_line(" "), with_line("\t"), with_line("GET / HTTP/1.1\v"),
                     with_line("\x16\x03\x01\x02"), with_line("GET / HTTP/1.1\0"s)});
}

RULE(Http1RequestLine, BareLineEndsAre400, "RFC 9112 §2.2",
     "a recipient may take a bare LF for a line end; a bare CR must not be taken for one",
     "either is 400: proxies differ in reading them", "") {
  each_refused(
      400, {"GET / HTTP/1.1\nHost: a\r\n\r\n", "GET /x\nHost: a\r\n\r\n", "GET /x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\n", "GET / HTTP/1.1\n\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\rHost: a\r\n\r\n", "GET / HTTP/1.1\r\rHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\rZGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "GET / HTTP/1.1\r\nX: a\rb\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nX-Abc:\rxTransfer-Encoding: chunked\r\nHost: a\r\n\r\n", "\nGET"});
}

RULE(Http1RequestLine, OneEmptyLineBeforeItIsTolerated, "RFC 9112 §2.2",
     "a server should ignore at least one empty line before a request",
     "one is ignored, two are 400", "") {
  wire("\r\n" + get()).request("GET", "/").stays_open();
  wire(get({}, "/1") + "\r\n" + get({}, "/2"))
      .request("GET", "/1")
      .request("GET", "/2")
      .stays_open();
  each_refused(400, {"\r\n\r\n" + get(), "\r\n\n" + get(), "\r" + get()});
}

RULE(Http1RequestLine, VersionsBut10And11Are505, "RFC 9110 §15.6.6; RFC 9112 §2.3",
     "a server may refuse a major version, and may send 505",
     "only HTTP/1.0 and HTTP/1.1; other well-formed versions are 505, malformed ones 400", "") {
  wire("GET / HTTP/1.0\r\n\r\n").request("GET", "/").authority("").closes();
  each_refused(505, {with_line("GET / HTTP/1.2"), with_line("GET / HTTP/2.0"),
                     with_line("GET / HTTP/0.9"), with_line("GET / HTTP/9.9")});
  each_refused(
      400, {with_line("GET / http/1.1"), with_line("GET / HTTP/1."), with_line("GET / HTTP/1"),
            with_line("GET / HTTP/11"), with_line("GET / HTTP/1.10"), with_line("GET / HTTP/01.1"),
            with_line("GET / HTTP /1.1"), with_line("GET / HTTP/1,1"), with_line("GET / HTTPS/1.1"),
            with_line("GET / ICE/1.0"), with_line("GET / HTTP/a.b"), with_line("GET / HTTP/1.b"),
            with_line("GET / XTTP/1.1")});
}

RULE(Http1RequestLine, RegisteredMethodsAreRelayed, "RFC 9110 §9.1; http-rules 1.6",
     "methods are case-sensitive tokens, and a server chooses those it implements",
     "those of the registry are taken, but the ones that make tunnels", "") {
  for (const std::string method :
       {"GET",       "POST",        "PUT",      "DELETE",     "OPTIONS",  "PATCH",
        "PROPFIND",  "PROPPATCH",   "SEARCH",   "REPORT",     "COPY",     "MOVE",
        "MKCOL",     "LOCK",        "UNLOCK",   "BIND",       "REBIND",   "UNBIND",
        "ACL",       "MKACTIVITY",  "CHECKOUT", "MERGE",      "M-SEARCH", "NOTIFY",
        "SUBSCRIBE", "UNSUBSCRIBE", "PURGE",    "MKCALENDAR", "LINK",     "UNLINK"}) {
    wire(with_line(method + " /x HTTP/1.1")).request(method, "/x").stays_open();
  }
}

RULE(Http1RequestLine, OtherMethodsAre501, "RFC 9110 §9.1; RFC 9110 §15.6.2; http-rules 1.6",
     "an unknown method is answered with 501",
     "501 for unknown tokens, CONNECT, PRI, SOURCE and RTSP; 400 for what is no token", "") {
  for (const std::string method : {"QUERY",
                                   "BAN",
                                   "get",
                                   "Get",
                                   "GETX",
                                   "GE",
                                   "X",
                                   "CONNECT",
                                   "PRI",
                                   "SOURCE",
                                   "DESCRIBE",
                                   "ANNOUNCE",
                                   "SETUP",
                                   "PLAY",
                                   "PAUSE",
                                   "TEARDOWN",
                                   "GET_PARAMETER",
                                   "SET_PARAMETER",
                                   "REDIRECT",
                                   "RECORD",
                                   "FLUSH",
                                   "!#$%&'*+-.^_`|~"}) {
    each_refused(501, {with_line(method + " / HTTP/1.1")});
  }
  each_refused(
      501, {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"});
  each_refused(400, {with_line("G(T / HTTP/1.1"), with_line("GET: / HTTP/1.1"),
                     with_line("G\x80T / HTTP/1.1"), with_line("\"GET\" / HTTP/1.1"),
                     with_line("GET\0 / HTTP/1.1"s)});
}

RULE(Http1RequestLine, TraceIs405WithAllow, "RFC 9110 §9.3.8; RFC 9110 §15.5.6; http-rules 1.6",
     "a 405 says in Allow which methods there are", "405 with Allow", "") {
  wire(with_line("TRACE / HTTP/1.1")).refused(405).sent("Allow: GET, HEAD, ");
}

RULE(Http1RequestLine, ARefusedHeadGetsNoContent, "RFC 9110 §9.3.2",
     "the answer to HEAD never has content", "the refusal's head alone", "") {
  wire("HEAD / HTTP/1.1\r\n\r\n").refused(400).never_sent("no Host");
  wire("GET / HTTP/1.1\r\n\r\n").refused(400).sent("no Host");
}

RULE(Http1Target, BytesOfPathAndQuery, "RFC 9112 §3.2; RFC 3986 §3.3; http-rules 1.11",
     "a target holds no bytes but those of its grammar",
     "0x21-0x7e but # pass and are kept as sent, raw UTF-8 is encoded; other bytes are 400", "") {
  for (const std::string target :
       {"/|[]{}^`<>\"", "/a?b=\\..\\", "/.well-known/x", "/a..b", "/...", "/@scope%2Fname", "//",
        "/x?", "/?/../..", "/a//b", "/%", "/%zz", "/~a;b=c,d", "/a?%00"}) {
    wire(get({}, target)).request("GET", target).stays_open();
  }
  wire(get({}, "/caf\xc3\xa9?\xc3\xa9")).request("GET", "/caf%C3%A9?%C3%A9").stays_open();
  wire(get({}, "http://h/\xc3\xa9")).request("GET", "/%C3%A9").authority("h").stays_open();
  each_refused(400, {get({}, "/a#b"), get({}, "/\x7f"), get({}, "/caf\xe9"), get({}, "/a\x01"),
                     get({}, "/a\0b"s), get({}, "x"), get({}, "?x"), get({}, "/?a\x80"),
                     get({}, "#"), get({}, "/\xc3\xa9 x"), get({}, "http://\xc3\xa9/"),
                     with_line("G\xc3\xa9T / HTTP/1.1"), with_line("GET / HTTP/1.1\xc3\xa9")});
}

RULE(Http1Target, ARawTargetIsBoundedAsItIsForwarded, "RFC 3986 §2.1; http-rules 1.11",
     "raw UTF-8 is percent-encoded", "the request line is bounded in its encoded form: 414", "") {
  std::string target = "/";
  while (target.size() < 3000) target += "\xc3\xa9";
  wire(get({}, target)).refused(414);
}

RULE(Http1Target, DotSegmentsAreRemoved, "RFC 3986 §5.2.4, §6.2.2.3; http-rules 1.11",
     "dot segments are removed, as apt's `deb URL ./` needs it", "keyed and forwarded without them",
     "") {
  wire(get({}, "/./Packages")).request("GET", "/Packages").stays_open();
  wire(get({}, "/a/../b?/../")).request("GET", "/b?/../").stays_open();
  wire(get({}, "/../?x")).request("GET", "/?x").stays_open();
  wire(get({}, "http://h/a/..")).request("GET", "/").authority("h").stays_open();
}

RULE(Http1Target, DigitsOfEncodedBytesAreUpperCase, "RFC 3986 §6.2.2.1; http-rules 1.11",
     "%c3 and %C3 are equivalent", "keyed and forwarded in upper case", "") {
  wire(get({}, "/%c3%bc?%3d")).request("GET", "/%C3%BC?%3D").stays_open();
}

RULE(Http1Target, HiddenDotSegmentsBackslashesAndNulAre400, "RFC 3986 §6.2.2.3; http-rules 1.11",
     "origins differ in what they make of encoded dots and slashes",
     "400: what is keyed must be what the origin understands", "") {
  each_refused(400, {get({}, "/%2e%2E/x"), get({}, "/.%2e"), get({}, "/a%2f..%2fb"),
                     get({}, "/a%5c..%5cb"), get({}, "/a\\b"), get({}, "/a%00b"),
                     get({}, "/a/..%2f../b"), get({}, "/a/../%2e%2e/b")});
}

RULE(Http1Target, AsteriskIsForOptions, "RFC 9112 §3.2.4",
     "the asterisk-form is used with OPTIONS alone", "other methods with it are 400", "") {
  wire(with_line("OPTIONS * HTTP/1.1")).request("OPTIONS", "*").stays_open();
  each_refused(400, {with_line("GET * HTTP/1.1"), with_line("POST * HTTP/1.1"),
                     with_line("OPTIONS *x HTTP/1.1"), with_line("OPTIONS *?x HTTP/1.1")});
}

RULE(Http1Target, AbsoluteFormIsTaken, "RFC 9112 §3.2.2; http-rules 4.11",
     "a server takes the absolute-form, whose authority replaces Host",
     "path and query go on, an empty path is /; Host must be valid all the same", "") {
  wire(get({}, "http://h/x?y")).request("GET", "/x?y").authority("h").stays_open();
  wire(get({}, "HTTP://h:80/")).request("GET", "/").authority("h:80").stays_open();
  wire(get({}, "http://h")).request("GET", "/").authority("h").stays_open();
  wire(get({}, "http://h?x")).request("GET", "/?x").authority("h").stays_open();
  wire(get({}, "http://[::1]:81/")).request("GET", "/").authority("[::1]:81").stays_open();
  wire("GET http://h/ HTTP/1.0\r\n\r\n").request("GET", "/").authority("h").closes();
}

RULE(Http1Target, BadAbsoluteFormsAre400, "RFC 9112 §3.2.2; RFC 9110 §4.2.4; http-rules 3.6",
     "userinfo in a target is an error; another scheme is not this listener's",
     "400, and the Host field is checked as well", "") {
  each_refused(
      400,
      {get({}, "http://u@h/"), get({}, "http://u:p@h/"), get({}, "https://h/"), get({}, "ftp://h/"),
       get({}, "http:///x"), get({}, "http://"), get({}, "http:/x"), get({}, "http://h:x/"),
       get({}, "http://h/a#b"), get({}, "http://h#b"), get({}, "http://h\\x/"), get({}, "h:80"),
       get({}, "http://h/%2e%2e/x"), get({}, "://h/"), get({}, "http://h:70000/"),
       "GET http://h/ HTTP/1.1\r\n\r\n", "GET http://h/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
       "GET http://h/ HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"});
}

RULE(Http1Target, TheSchemeIsTheListeners, "RFC 9112 §3.3; http-rules 3.6",
     "the scheme of a target in origin-form is that of the connection",
     "an absolute-form must have the same", "") {
  RigOptions options;
  options.secure = true;
  wire(get({}, "https://h/x"), FlowKind::kReadThenAnswer, options)
      .request("GET", "/x")
      .authority("h")
      .stays_open();
  wire(get({}, "http://h/x"), FlowKind::kReadThenAnswer, options).refused(400);
}

RULE(Http1Host, ExactlyOneIn11AtMostOneIn10, "RFC 9112 §3.2; http-rules 1.12",
     "a request of HTTP/1.1 without Host, or any with several or an invalid one, is answered with "
     "400",
     "so it is; none in HTTP/1.0 means the default site", "") {
  wire("GET / HTTP/1.0\r\n\r\n").request("GET", "/").authority("").closes();
  wire("GET / HTTP/1.0\r\nHost: b\r\n\r\n").request("GET", "/").authority("b").closes();
  each_refused(400,
               {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n",
                "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n",
                "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.0\r\nHost: a/b@c\r\n\r\n"});
}

RULE(Http1Host, FormsThatAreValid, "RFC 9110 §7.2; http-rules 4.10",
     "Host is a uri-host and an optional port", "empty ports, trailing dots and underscores too",
     "") {
  for (const std::string host : {"h:", "H.EXAMPLE.", "[::1]:8080", "xn--bcher-kva.example",
                                 "a_b.example", "127.0.0.1:8080", "h:65535", "a-b.c"}) {
    wire("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").request("GET", "/").authority(host);
  }
  wire("GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n").request("GET", "/").authority("a");
}

RULE(Http1Host, FormsThatAre400, "RFC 9112 §3.2; http-rules 1.12",
     "an invalid Host is answered with 400", "400", "") {
  for (const std::string host :
       {"a b",         "a,b",     "a/b",      "a/b@c",       "u@a", "a:b",         "a:80:80",
        "a:-1",        "a:65536", "a:999999", "[::1",        "::1", "[a]",         "[::1]x",
        "[127.0.0.1]", "a#b",     "a?b",      "a\\b",        "%61", "caf\xc3\xa9", "\"a\"",
        "<a>",         ":80",     "a\x01",    "[::1%25eth0]"}) {
    each_refused(400, {"GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"});
  }
}

}  // namespace
}  // namespace perigee::test
