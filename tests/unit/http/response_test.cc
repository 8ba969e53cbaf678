// The heads that clients get: which lines a 200, 206, 304 or 416 carries, Age, Cache-Status, and
// our own error pages.
#include "http/response.h"

#include <gtest/gtest.h>

#include "http/head_image.h"
#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::select, http::make_response, http::make_interim, http::make_error");

using http::CacheStatus;
using http::Forward;
using http::Presentation;
using http::Selection;
using Strings = std::vector<std::string>;

const std::string kHit = "Cache-Status: perigee; hit; ttl=5";

/// What `answer`, stored with a body of this size, gives `request` as a hit of age 7.
class Hit {
 public:
  explicit Hit(const Answer& answer, const Request& request = {}, uint64_t body_size = 10,
               const Presentation& presentation = {.cache_name = "perigee"}) {
    const http::StoredResponse stored = answer.stored();
    selection = http::select(stored, request.head(), body_size);
    const auto head =
        http::make_response(stored, selection, body_size, 7, CacheStatus{.hit = true, .ttl_s = 5},
                            presentation, arena_);
    EXPECT_TRUE(head);
    status = head->status;
    content_length = head->content_length;
    lines = lines_of(*head);
  }
  bool has(const std::string& line) const {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
  size_t count(const std::string& name) const {
    return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
      return line.starts_with(name + ":");
    }));
  }

  Selection selection;
  uint16_t status = 0;
  std::optional<uint64_t> content_length;
  Strings lines;

 private:
  http::Arena arena_;
};

/// A response as it is relayed: nothing chosen, no age of ours.
Strings relayed(const Answer& answer, const CacheStatus& cache = {.forward = Forward::kUriMiss}) {
  http::Arena arena;
  const http::StoredResponse stored = answer.stored();
  const Selection whole{.status = stored.policy.status};
  const auto head = http::make_response(stored, whole, stored.content_length, std::nullopt, cache,
                                        {.cache_name = "perigee"}, arena);
  return lines_of(*head);
}

// --- a whole response ---

RULE(Hit, KeepsTheStoredLines, "RFC 9111 §4; http-rules 1.3, 2.1",
     "A stored response is sent with its stored fields and one Age",
     "the lines as they came, Date too; only Age and Cache-Status are written", "") {
  const Hit hit(Answer({"Content-Type: text/html", date(-3), "Age: 1", "ETag: \"a\"",
                        "Content-Length: 10", "Link: 1", "Link: 2"}));
  EXPECT_EQ(hit.status, 200);
  EXPECT_EQ(hit.lines, (Strings{"Content-Type: text/html", date(-3), "Link: 1", "Link: 2",
                                "ETag: \"a\"", "Content-Length: 10", "Age: 7", kHit}));
}

RULE(Hit, AnyStatus, "RFC 9111 §4", "A stored redirect or error is sent as it is",
     "status, reason and fields as stored; conditions and Range are for 2xx and 200 only", "") {
  const Hit redirect(Answer(301, {"Location: /x", "ETag: \"a\"", date(0)}),
                     {"If-None-Match: \"a\"", "Range: bytes=0-1"});
  EXPECT_EQ(redirect.status, 301);
  EXPECT_TRUE(redirect.has("Location: /x"));
}

RULE(Hit, HeadIsTheGetWithoutItsBody, "RFC 9110 §9.3.2; http-rules 2.10",
     "HEAD gets the fields that GET would get", "Content-Length too, and no body", "") {
  const Answer answer({"X: 1", date(0)});
  const Hit get(answer);
  const Hit head(answer, Request("HEAD", {}));
  EXPECT_EQ(head.lines, get.lines);
  EXPECT_TRUE(head.has("Content-Length: 10"));
  EXPECT_TRUE(get.selection.body);
  EXPECT_FALSE(head.selection.body);
}

RULE(Hit, NoLengthOnA204, "RFC 9110 §8.6", "A 204 must not carry Content-Length", "it has none",
     "") {
  const Hit hit(Answer(204, {date(0)}), {}, 0);
  EXPECT_EQ(hit.count("Content-Length"), 0u);
  EXPECT_FALSE(hit.selection.body);
}

RULE(Relay, AgeAsItCame, "RFC 9111 §5.1; http-rules 2.1", "Age tells of reuse by a cache",
     "a relayed response keeps its Age; none is added or raised", "") {
  EXPECT_EQ(relayed(Answer({"Age: 30", date(0)})),
            (Strings{date(0), "Age: 30", "Cache-Status: perigee; fwd=uri-miss"}));
  EXPECT_EQ(relayed(Answer({date(0)})), (Strings{date(0), "Cache-Status: perigee; fwd=uri-miss"}));
}

RULE(Relay, StatusesThatWeDoNotMake, "RFC 9110 §15.3.7, §15.4.5; http-rules 2.11",
     "A 206 or 304 of the origin is passed on as its own answer",
     "with all its fields, Content-Range as it came, no Content-Length on a 304", "") {
  EXPECT_EQ(relayed(Answer(206, {"Content-Range: bytes 4-8/9", "Content-Digest: x",
                                 "Content-Length: 5", date(0)})),
            (Strings{"Content-Range: bytes 4-8/9", date(0), "Content-Digest: x",
                     "Content-Length: 5", "Cache-Status: perigee; fwd=uri-miss"}));
  EXPECT_EQ(relayed(Answer(304, {"X: 1", "Content-Length: 5", date(0)})),
            (Strings{"X: 1", date(0), "Cache-Status: perigee; fwd=uri-miss"}));
}

// --- 1xx ---

RULE(Interim, WhatGoesOn, "RFC 9110 §8.6, §15.2; http-rules 2.13",
     "A 1xx carries no Content-Length; its other end-to-end fields are for the client",
     "Content-Length and hop-by-hop fields are dropped; Set-Cookie reaches only a request that "
     "nobody else waits with",
     "") {
  const Answer hints(103, {"Link: </a>", "Content-Length: 5", "Set-Cookie: a=b",
                           "Connection: X-Hop", "X-Hop: 1", "X-Kept: 1"});
  for (const bool shared : {false, true}) {
    http::Arena arena;
    const auto head = http::make_interim(hints.received(), shared, arena);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status, 103);
    EXPECT_EQ(lines_of(*head), shared ? (Strings{"Link: </a>", "X-Kept: 1"})
                                      : (Strings{"Link: </a>", "Set-Cookie: a=b", "X-Kept: 1"}));
  }
}

TEST(Response, KeepsTheReasonThatCame) {
  http::Arena arena;
  const Answer answer({"X: 1"});
  http::ReceivedResponse received = answer.received();
  received.reason = "Fine";
  const auto image = http::make_head_image(received, answer.times(), {});
  const auto stored = http::view_head_image(image, {.status = 200});
  ASSERT_TRUE(stored);
  const auto head = http::make_response(*stored, {.status = 200}, 0, 7, {.hit = true},
                                        {.cache_name = "perigee"}, arena);
  EXPECT_EQ(head->reason, "Fine");
  received.status = 103;
  EXPECT_EQ(http::make_interim(received, false, arena)->reason, "Fine");
}

// --- 304 ---

RULE(NotModified, Fields, "RFC 9110 §15.4.5; http-rules 2.9",
     "A 304 must carry Content-Location, Date, ETag, Vary, Cache-Control and Expires of the 200",
     "those, CDN-Cache-Control, Last-Modified and Age; no other, no Content-Length", "") {
  const Hit hit(Answer({"Content-Type: text/html", "Cache-Control: max-age=60",
                        "CDN-Cache-Control: max-age=9", expires(9), "Vary: Accept", "Vary: Foo",
                        "Content-Location: /x", last_modified(-5), "Content-Encoding: br",
                        "Content-Language: de", "X: 1", "Content-Length: 10", "ETag: \"a\"",
                        "Cache-Status: shield; hit", date(-3)}),
                {"If-None-Match: \"a\""});
  EXPECT_EQ(hit.status, 304);
  EXPECT_EQ(hit.lines,
            (Strings{"Cache-Control: max-age=60", "CDN-Cache-Control: max-age=9", expires(9),
                     "Vary: Accept", "Vary: Foo", "Content-Location: /x", last_modified(-5),
                     "Cache-Status: shield; hit", date(-3), "ETag: \"a\"", "Age: 7", kHit}));
  EXPECT_FALSE(hit.content_length);
  EXPECT_FALSE(hit.selection.body);
}

RULE(NotModified, ForHeadToo, "RFC 9110 §13.2.2", "Conditions apply to GET and HEAD",
     "HEAD with a condition that holds gets the same 304", "") {
  EXPECT_EQ(Hit(Answer({"ETag: \"a\""}), Request("HEAD", {"If-None-Match: \"a\""})).status, 304);
}

RULE(NotModified, FromStoredSuccessOnly, "RFC 9110 §13.2.1; http-rules 2.9",
     "Conditions are ignored where the answer without them is no 2xx",
     "a stored 404 or 301 is sent as it is", "") {
  for (const uint16_t status : {301, 404, 500}) {
    EXPECT_EQ(Hit(Answer(status, {"ETag: \"a\""}), {"If-None-Match: \"a\""}).status, status);
    EXPECT_EQ(Hit(Answer(status, {"ETag: \"a\""}), {"If-None-Match: *"}).status, status);
  }
  EXPECT_EQ(Hit(Answer(203, {"ETag: \"a\""}), {"If-None-Match: \"a\""}).status, 304);
}

RULE(NotModified, FailedConditionsGoToTheOrigin, "RFC 9111 §4.3.2; http-rules 1.15",
     "If-Match and If-Unmodified-Since are for the origin to refuse",
     "a hit when they hold against the stored response; else the request goes alone with them",
     "") {
  EXPECT_FALSE(Hit(Answer({"ETag: \"a\""}), {"If-Match: \"a\""}).selection.conditions_failed);
  EXPECT_TRUE(Hit(Answer({"ETag: \"a\""}), {"If-Match: \"b\""}).selection.conditions_failed);
  EXPECT_TRUE(Hit(Answer({"ETag: W/\"a\""}), {"If-Match: W/\"a\""}).selection.conditions_failed);
  EXPECT_TRUE(Hit(Answer({last_modified(-5)}), {"If-Unmodified-Since: " + at(-9)})
                  .selection.conditions_failed);
}

// --- 206 and 416 ---

RULE(Range, Fields, "RFC 9110 §15.3.7; http-rules 2.11, 4.6",
     "A 206 carries the fields of the 200, and Content-Range",
     "all stored fields; Content-Range and Content-Length are its own, Content-Digest is dropped",
     "") {
  const Hit hit(Answer({"Content-Type: text/html", "Cache-Control: max-age=60", "X: 1",
                        "ETag: \"a\"", last_modified(-5), "Content-Range: odd", "Content-Digest: x",
                        "Repr-Digest: y", "Content-Length: 10", date(0)}),
                {"Range: bytes=2-4"});
  EXPECT_EQ(hit.status, 206);
  EXPECT_EQ(hit.lines,
            (Strings{"Content-Type: text/html", "Cache-Control: max-age=60", "X: 1",
                     last_modified(-5), date(0), "ETag: \"a\"", "Repr-Digest: y",
                     "Content-Range: bytes 2-4/10", "Content-Length: 3", "Age: 7", kHit}));
  EXPECT_EQ(hit.content_length, 3u);
  EXPECT_EQ(hit.selection.begin, 2u);
  EXPECT_EQ(hit.selection.end, 5u);
}

TEST(Range, TheLargestNumbersHaveRoom) {
  constexpr uint64_t kSize = 1'000'000'000'000'000'000;
  const Hit hit(Answer({"Content-Length: 1000000000000000000", date(0)}),
                {"Range: bytes=900000000000000000-999999999999999998"}, kSize);
  EXPECT_TRUE(hit.has("Content-Range: bytes 900000000000000000-999999999999999998/" +
                      std::to_string(kSize)));
}

RULE(Range, FieldsOfSeveralParts, "RFC 9110 §15.3.7.2; http-rules 2.11",
     "A multipart answer has no Content-Range, and says that it is one",
     "all stored fields, but Content-Type stands in each part", "") {
  const Answer answer({"Content-Type: text/html", "X: 1", "Content-Range: odd", "ETag: \"a\"",
                       "Content-Digest: x", "Content-Length: 10", date(0)});
  const Hit hit(answer, {"Range: bytes=8-, 0-1"});
  EXPECT_EQ(hit.status, 206);
  ASSERT_EQ(hit.selection.parts.size(), 2u);
  EXPECT_EQ(hit.selection.parts[0], (http::ByteSpan{8, 10}));
  const uint64_t bytes = multipart_plan(answer.stored(), hit.selection, 10).bytes();
  EXPECT_EQ(
      hit.lines,
      (Strings{"X: 1", date(0), "ETag: \"a\"",
               "Content-Type: multipart/byteranges; boundary=perigee-byteranges-0000000000000000",
               "Content-Length: " + std::to_string(bytes), "Age: 7", kHit}));
  EXPECT_EQ(hit.content_length, bytes);
}

RULE(Range, Unsatisfiable, "RFC 9110 §15.5.17",
     "A 416 to a byte range says how long the content is", "Content-Range: bytes */length, no body",
     "") {
  const Hit hit(Answer({"Content-Type: text/html", "ETag: \"a\"", "Content-Length: 10", date(0)}),
                {"Range: bytes=10-"});
  EXPECT_EQ(hit.status, 416);
  EXPECT_EQ(hit.lines, (Strings{date(0), "ETag: \"a\"", "Content-Range: bytes */10",
                                "Content-Length: 0", "Age: 7", kHit}));
  EXPECT_EQ(hit.content_length, 0u);
  EXPECT_FALSE(hit.selection.body);
}

RULE(Range, UnsatisfiableOfAVariant, "RFC 9110 §12.5.5, §15.5.17",
     "What an answer depends on stands in it, whatever its status",
     "a 416 keeps Vary, what other origins may read, and what caches before us said", "") {
  const Strings kept = {"Vary: Origin", "Access-Control-Allow-Origin: https://a",
                        "Cache-Status: shield; hit"};
  const Hit hit(Answer({kept[0], kept[1], kept[2]}), {"Range: bytes=10-"});
  EXPECT_EQ(hit.status, 416);
  for (const std::string& line : kept) EXPECT_TRUE(hit.has(line)) << line;
}

RULE(Range, WhatIsNoneIsIgnored, "RFC 9110 §14.2",
     "A server ignores a Range of a unit or a form that it does not understand",
     "the whole is sent", "") {
  for (const std::string range : {"lines=0-1", "bytes", "bytes=", "bytes=a-b", "bytes=3-2"}) {
    EXPECT_EQ(Hit(Answer({}), {"Range: " + range}).status, 200) << range;
  }
}

RULE(Range, OnlyWhereIfRangeHolds, "RFC 9110 §13.1.5; http-rules 2.11",
     "A range whose If-Range does not hold is ignored", "the whole is sent", "") {
  const Answer answer({"ETag: \"a\""});
  EXPECT_EQ(Hit(answer, {"Range: bytes=0-1", "If-Range: \"a\""}).status, 206);
  EXPECT_EQ(Hit(answer, {"Range: bytes=0-1", "If-Range: \"b\""}).status, 200);
}

RULE(Range, ForwardsOnly, "RFC 9110 §14.2", "Ranges that are not ascending may be ignored",
     "of a body that can only be read as it comes, they are; one that stays is cut in any order",
     "") {
  const http::StoredResponse stored = Answer({}).stored();
  const auto status = [&](const std::string& range, http::BodyAccess access) {
    return http::select(stored, Request({range}).head(), 10, access).status;
  };
  EXPECT_EQ(status("Range: bytes=8-,0-1", http::BodyAccess::kForward), 200);
  EXPECT_EQ(status("Range: bytes=0-1,8-", http::BodyAccess::kForward), 206);
  EXPECT_EQ(status("Range: bytes=8-,0-1", http::BodyAccess::kAnywhere), 206);
}

TEST(Range, OfABodyWhoseSizeIsNotKnownIsIgnored) {
  const http::StoredResponse stored = Answer({}).stored();
  const Request request({"Range: bytes=0-1"});
  EXPECT_EQ(http::select(stored, request.head(), std::nullopt).status, 200);
}

RULE(Range, OnlyForGetFromA200, "RFC 9110 §14.2; http-rules 2.11",
     "Range is defined for GET and a 200", "ignored on HEAD and for other stored statuses", "") {
  EXPECT_EQ(Hit(Answer({}), Request("HEAD", {"Range: bytes=0-1"})).status, 200);
  for (const uint16_t status : {203, 404, 301}) {
    EXPECT_EQ(Hit(Answer(status, {}), {"Range: bytes=0-1"}).status, status);
  }
}

RULE(Range, OfTwoLinesNeitherIsTaken, "RFC 9110 §5.3, §14.2; http-rules 2.11",
     "Range is one value; a server may ignore it", "two lines are ignored, equal ones too", "") {
  const Answer answer({});
  EXPECT_EQ(Hit(answer, {"Range: bytes=0-1", "Range: bytes=4-5"}).status, 200);
  EXPECT_EQ(Hit(answer, {"Range: bytes=0-1", "Range: bytes=0-1"}).status, 200);
  EXPECT_EQ(Hit(answer, {"Range: bytes=0-1"}).status, 206);
}

RULE(Range, PreconditionsFirst, "RFC 9110 §13.2.2; http-rules 2.11",
     "Range is looked at after the other conditions", "a matching If-None-Match is a 304", "") {
  EXPECT_EQ(Hit(Answer({"ETag: \"a\""}), {"Range: bytes=0-1", "If-None-Match: \"a\""}).status, 304);
  EXPECT_EQ(Hit(Answer({"ETag: \"a\""}), {"Range: bytes=0-1", "If-None-Match: \"b\""}).status, 206);
}

// --- Cache-Status ---

std::string cache_status(const CacheStatus& status) {
  http::Arena arena;
  return std::string(http::format_cache_status(status, "perigee", arena));
}

RULE(CacheStatusField, HitXorForward, "RFC 9211 §2.1, §2.2", "hit and fwd exclude one another",
     "either of them, or neither where no cache was asked", "") {
  EXPECT_EQ(cache_status({.hit = true}), "perigee; hit");
  EXPECT_EQ(cache_status({.hit = true, .forward = Forward::kStale}), "perigee; hit");
  EXPECT_EQ(cache_status({.forward = Forward::kMethod}), "perigee; fwd=method");
  EXPECT_EQ(cache_status({}), "perigee");
}

RULE(CacheStatusField, ForwardReasons, "RFC 9211 §2.2", "The reasons are registered words",
     "bypass, method, uri-miss, vary-miss, request, stale, partial", "") {
  const std::pair<Forward, const char*> kWords[] = {
      {Forward::kBypass, "bypass"},    {Forward::kMethod, "method"},
      {Forward::kUriMiss, "uri-miss"}, {Forward::kVaryMiss, "vary-miss"},
      {Forward::kRequest, "request"},  {Forward::kStale, "stale"},
      {Forward::kPartial, "partial"},
  };
  for (const auto& [forward, word] : kWords) {
    EXPECT_EQ(cache_status({.forward = forward}), std::string("perigee; fwd=") + word);
  }
}

RULE(CacheStatusField, Parameters, "RFC 9211 §2.3-§2.8",
     "fwd-status, ttl, stored, collapsed and detail say more",
     "ttl may be negative; stored and collapsed are there only when true", "") {
  EXPECT_EQ(cache_status({.hit = true, .ttl_s = 30}), "perigee; hit; ttl=30");
  EXPECT_EQ(cache_status({.hit = true, .ttl_s = -412, .detail = "stale-while-revalidate"}),
            "perigee; hit; ttl=-412; detail=stale-while-revalidate");
  EXPECT_EQ(cache_status({.forward = Forward::kStale,
                          .forward_status = 304,
                          .stored = true,
                          .collapsed = true,
                          .detail = "revalidated"}),
            "perigee; fwd=stale; fwd-status=304; stored; collapsed; detail=revalidated");
  // Without fwd there is nothing that these could be about.
  EXPECT_EQ(cache_status({.hit = true, .forward_status = 200}), "perigee; hit");
}

RULE(CacheStatusField, OursIsLast, "RFC 9211 §2", "Each cache appends its member to the list",
     "the origin's lines stay as they are and ours comes after them, on hits, 304 and 206 too",
     "") {
  const Answer answer(
      {"Cache-Status: shield; fwd=miss, Other; hit", "ETag: \"a\"", "Content-Length: 10", date(0)});
  for (const Request& request :
       {Request({}), Request({"If-None-Match: \"a\""}), Request({"Range: bytes=0-1"})}) {
    const Hit hit(answer, request);
    EXPECT_EQ(hit.count("Cache-Status"), 2u);
    EXPECT_TRUE(hit.has("Cache-Status: shield; fwd=miss, Other; hit")) << hit.status;
    EXPECT_EQ(hit.lines.back(), kHit) << hit.status;
  }
  EXPECT_EQ(relayed(answer).back(), "Cache-Status: perigee; fwd=uri-miss");
}

// --- what a site adds and takes ---

RULE(Presented, CdnCacheControl, "RFC 9213 §3.1; http-rules 1.4, 2.6",
     "A targeted field may be for other CDN caches downstream too",
     "passed on unchanged; a site may have it removed, and it is stored all the same",
     "cdn_cache_control") {
  const Answer answer({"CDN-Cache-Control: max-age=60", "Cache-Control: no-store", "ETag: \"a\"",
                       "Content-Length: 10", date(0)});
  EXPECT_TRUE(Hit(answer).has("CDN-Cache-Control: max-age=60"));
  const Presentation removing{.cache_name = "perigee", .remove_cdn_cache_control = true};
  EXPECT_EQ(Hit(answer, {}, 10, removing).lines,
            (Strings{"Cache-Control: no-store", date(0), "ETag: \"a\"", "Content-Length: 10",
                     "Age: 7", kHit}));
  for (const Request& request :
       {Request({"If-None-Match: \"a\""}), Request({"Range: bytes=0-1"})}) {
    EXPECT_EQ(Hit(answer, request, 10, removing).count("CDN-Cache-Control"), 0u);
  }
  EXPECT_EQ(lines_of(answer.stored().block).front(), "CDN-Cache-Control: max-age=60");
}

RULE(Presented, AltSvcOfTheSite, "RFC 7838 §3; http-rules 4.14",
     "Alt-Svc names other ways to the same authority", "the site's value is sent on every response",
     "alt_svc") {
  const Presentation with{.cache_name = "perigee", .alt_svc = "h2=\":443\""};
  for (const Request& request : {Request({}), Request({"If-None-Match: \"a\""})}) {
    const Hit hit(Answer({"Alt-Svc: h3=\":443\"", "ETag: \"a\""}), request, 10, with);
    EXPECT_EQ(hit.count("Alt-Svc"), 1u);
    EXPECT_TRUE(hit.has("Alt-Svc: h2=\":443\""));
  }
  EXPECT_EQ(Hit(Answer({"Alt-Svc: h3=\":443\""})).count("Alt-Svc"), 0u);
}

// --- our own ---

RULE(OwnError, NeverStored, "RFC 9111 §3; http-rules 3.18",
     "Our own error pages are nobody's content",
     "Date of our clock, Cache-Control: no-store, a short text, Cache-Status", "") {
  http::Arena arena;
  std::string_view body;
  http::ResponseHead head = http::make_error(504, "the origin is away", arena, body);
  http::add_own_fields(kReceivedMs, {.forward = Forward::kStale}, "perigee", arena, head);
  EXPECT_EQ(head.status, 504);
  EXPECT_EQ(body, "504 Gateway Timeout: the origin is away\n");
  EXPECT_EQ(head.content_length, body.size());
  EXPECT_EQ(lines_of(head),
            (Strings{"Cache-Control: no-store", "Content-Type: text/plain; charset=utf-8",
                     "Content-Length: 40", date(0), "Cache-Status: perigee; fwd=stale"}));
}

// --- memory ---

TEST(ResponseMemory, A304FitsWhateverTheHead) {
  const Answer answer({"ETag: \"a\"", "X: " + std::string(60'000, 'x')});
  const http::StoredResponse stored = answer.stored();
  std::vector<std::byte> little(1024);
  http::Arena arena(little, 0);
  const auto head = http::make_response(stored, {.status = 304}, 10, 0, {.hit = true},
                                        {.cache_name = "perigee"}, arena);
  ASSERT_TRUE(head);
  EXPECT_EQ(lines_of(*head),
            (Strings{date(0), "ETag: \"a\"", "Age: 0", "Cache-Status: perigee; hit"}));
}

/// A 206 without its fields would be another response: there is none then.
TEST(ResponseMemory, WithoutRoomThereIsNoHead) {
  const Answer answer({"X: " + std::string(2'000, 'x')});
  const http::StoredResponse stored = answer.stored();
  std::vector<std::byte> little(1024);
  http::Arena arena(little, 0);
  EXPECT_FALSE(http::make_response(stored, {.status = 206, .begin = 0, .end = 5}, 10, 0,
                                   {.hit = true}, {.cache_name = "perigee"}, arena));
  http::Arena none({}, 0);
  EXPECT_FALSE(http::make_response(stored, {.status = 200}, 10, 0, {.hit = true},
                                   {.cache_name = "perigee"}, none));
}

TEST(ResponseMemory, AnErrorNeedsNone) {
  http::Arena none({}, 0);
  std::string_view body = "?";
  http::ResponseHead head = http::make_error(503, "no memory", none, body);
  http::add_own_fields(kReceivedMs, {}, "perigee", none, head);
  EXPECT_EQ(body, "");
  EXPECT_EQ(lines_of(head),
            (Strings{"Cache-Control: no-store", "Content-Type: text/plain; charset=utf-8",
                     "Content-Length: 0"}));
}

TEST(ResponseMemory, AHitTakesNothingFromTheHeap) {
  const Answer answer({"ETag: \"a\"", "Content-Type: text/html", "Content-Length: 10"});
  const http::StoredResponse stored = answer.stored();
  std::vector<std::byte> first(2048);
  for (const uint16_t status : {200, 304, 206}) {
    http::Arena arena(first);
    EXPECT_TRUE(http::make_response(stored, {.status = status, .begin = 0, .end = 5}, 10, 0,
                                    {.hit = true, .ttl_s = 5}, {.cache_name = "perigee"}, arena));
    EXPECT_EQ(arena.heap_bytes(), 0u) << status;
  }
}

}  // namespace
}  // namespace perigee::test
