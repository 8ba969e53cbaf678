// Which fields are kept and passed on (RFC 9111 §3.1, RFC 9110 §7.6.1), and head images that are
// not.
#include "http/stored_response.h"

#include <gtest/gtest.h>

#include <cstring>

#include "http/head_image.h"
#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS(
    "http::make_head_image, http::view_head_image, http::without_fields, "
    "http::with_whole_body");

using Strings = std::vector<std::string>;

Strings kept(std::initializer_list<std::string> lines) {
  const Answer answer(lines);
  return lines_of(answer.stored().block);
}

RULE(StoredFields, AllButHopByHop, "RFC 9111 §3.1; http-rules 2.12",
     "Caches store all fields of a response, those that they do not know too",
     "every field as it came, in order, repeated lines apart, empty values and bytes 0x80-0xFF too",
     "") {
  const Strings fields = {"Test-Header: 1",
                          "X-Test-Header: 2",
                          "Content-Foo: 3",
                          "Content-Type: text/html",
                          "Content-Security-Policy: default-src 'self'",
                          "X-Frame-Options: deny",
                          "X-XSS-Protection: 1",
                          "Clear-Site-Data: \"cookies\"",
                          "Public-Key-Pins: x",
                          "Strict-Transport-Security: max-age=1",
                          "WWW-Authenticate: Basic",
                          "Set-Cookie2: a=b",
                          "Content-Disposition: attachment; filename=\"\xC3\xBC\"",
                          "Link: </a>",
                          "Link: </b>",
                          "x-empty: ",
                          "Server: origin",
                          "Cache-Control: max-age=60",
                          "CDN-Cache-Control: max-age=60",
                          "Surrogate-Key: a b",
                          "Cache-Status: shield; hit",
                          "Via: 1.1 shield",
                          "Vary: Accept",
                          "Content-Encoding: what"};
  std::vector<http::Field> storage(fields.size() + 1);
  http::ReceivedResponse received;
  received.status = 200;
  received.fields = http::HeaderList(storage);
  for (const std::string_view line : fields) {
    const size_t colon = line.find(": ");
    received.fields.add(line.substr(0, colon), line.substr(colon + 2));
  }
  Strings expected = fields;
  // Before what is of these very bytes.
  expected.insert(expected.end() - 1, date(0));
  const std::vector<std::byte> image =
      http::make_head_image(received, {kReceivedMs, kReceivedMs}, {});
  EXPECT_EQ(lines_of(http::view_head_image(image, {})->block), expected);
}

RULE(StoredFields, NotHopByHop, "RFC 9110 §7.6.1; RFC 9111 §3.1; http-rules 2.12",
     "Fields of one connection are neither stored nor forwarded",
     "Connection, Keep-Alive, Proxy-Connection, Proxy-Authenticate, Proxy-Authentication-Info, "
     "Proxy-Authorization, TE, Trailer, Transfer-Encoding, Upgrade are dropped",
     "") {
  EXPECT_EQ(kept({"Connection: close", "Keep-Alive: timeout=5", "Proxy-Connection: close",
                  "Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x",
                  "Proxy-Authorization: x", "TE: trailers", "Trailer: X", "Transfer-Encoding: gzip",
                  "Upgrade: h2c", "X: 1", date(0)}),
            (Strings{"X: 1", date(0)}));
}

RULE(StoredFields, NotWhatConnectionNames, "RFC 9110 §7.6.1; http-rules 2.12",
     "A field that Connection names is dropped before anything else is done with the message",
     "dropped, names in any case, on any Connection line", "") {
  EXPECT_EQ(kept({"a: 1", "Connection: A, b", "B: 2", "c: 3", "d: 4", "connection: keep-alive,D",
                  date(0)}),
            (Strings{"c: 3", date(0)}));
}

RULE(StoredFields, FramingIsOurs, "RFC 9112 §6; http-rules 1.5",
     "Framing belongs to each connection", "Content-Length is written anew, once", "") {
  EXPECT_EQ(kept({"Content-Length: 7", "X: 1", date(0)}),
            (Strings{"X: 1", date(0), "Content-Length: 7"}));
  const Answer answer({"X: 1", date(0)});
  EXPECT_FALSE(answer.stored().content_length);
  const std::vector<std::byte> known = http::with_whole_body(answer.image(), 123, "");
  const auto view = http::view_head_image(known, {});
  EXPECT_EQ(view->content_length, 123u);
  EXPECT_EQ(lines_of(view->block), (Strings{"X: 1", date(0), "Content-Length: 123"}));
  EXPECT_EQ(lines_of(http::view_head_image(http::with_whole_body(known, 5, ""), {})->block),
            (Strings{"X: 1", date(0), "Content-Length: 5"}));
}

RULE(StoredFields, NoLengthWhereNoneBelongs, "RFC 9110 §8.6; http-rules 1.5",
     "A 1xx or 204 must not carry Content-Length, and that of a 304 describes another message",
     "dropped from 204 and 304, also where they are only relayed", "") {
  for (const uint16_t status : {204, 304}) {
    const Answer answer(status, {"Content-Length: 7", date(0)});
    EXPECT_EQ(lines_of(answer.stored().block), Strings{date(0)}) << status;
    EXPECT_FALSE(answer.stored().content_length) << status;
  }
  const Answer head = Answer({"Content-Length: 7", date(0)}).to(Request("HEAD", {}));
  EXPECT_EQ(head.stored().content_length, 7u);
}

RULE(StoredFields, AgeIsKeptApart, "RFC 9111 §5.1; http-rules 2.1",
     "Age is a statement about one moment", "not among the stored lines; relayed as it came", "") {
  const Answer answer({"Age: 30", "X: 1", date(0)});
  EXPECT_EQ(lines_of(answer.stored().block), (Strings{"X: 1", date(0)}));
  EXPECT_EQ(answer.stored().received_age, "30");
  EXPECT_EQ(Answer({"Age: abc"}).stored().received_age, "abc");
  EXPECT_EQ(Answer({"X: 1"}).stored().received_age, "");
}

RULE(StoredFields, Date, "RFC 9110 §6.6.1; http-rules 1.3",
     "A recipient with a clock that gets a response without Date records the time of receipt",
     "a missing or unparsable Date becomes the time of receipt; a valid one stays as it came", "") {
  EXPECT_EQ(kept({"X: 1"}), (Strings{"X: 1", date(0)}));
  EXPECT_EQ(kept({"Date: yesterday", "X: 1"}), (Strings{"X: 1", date(0)}));
  EXPECT_EQ(kept({date(-50), "X: 1"}), (Strings{date(-50), "X: 1"}));
  EXPECT_EQ(kept({"date: Tuesday, 14-Nov-23 22:13:20 GMT"}),
            (Strings{"date: Tuesday, 14-Nov-23 22:13:20 GMT"}));
  EXPECT_EQ(kept({date(-50), date(-40)}), Strings{date(-50)});
  EXPECT_EQ(Answer({date(-50)}).stored().date_ms, kReceivedMs - 50'000);
  EXPECT_EQ(Answer({}).stored().date_ms, kReceivedMs);
}

RULE(StoredFields, AltSvc, "RFC 7838 §2.1; http-rules 4.14",
     "Alt-Svc of the origin names services that are not the cache",
     "dropped, since it would lead clients around us; a value of the site is sent instead",
     "alt_svc") {
  EXPECT_EQ(kept({"Alt-Svc: h3=\":443\"", date(0)}), Strings{date(0)});
}

RULE(StoredFields, DescriptionsOfTheBytesStandLast, "RFC 9530 §2; http-rules 4.6",
     "Digests, length and ETag belong to one coding of the representation",
     "they stand behind the lines that all codings share", "") {
  EXPECT_EQ(kept({"ETag: \"a\"", "Digest: x", "X: 1", "Content-MD5: y", "Repr-Digest: z",
                  "Content-Digest: w", date(0)}),
            (Strings{"X: 1", date(0), "ETag: \"a\"", "Digest: x", "Content-MD5: y",
                     "Repr-Digest: z", "Content-Digest: w"}));
}

RULE(StoredFields, Validators, "RFC 9110 §8.8", "Validators are kept as they came",
     "the first ETag and the first Last-Modified, unquoted tags and invalid dates too", "") {
  const Answer answer({"ETag: unquoted", "ETag: \"b\"", "Last-Modified: soon", last_modified(-5)});
  const http::StoredResponse stored = answer.stored();
  EXPECT_EQ(stored.etag, "unquoted");
  EXPECT_EQ(stored.last_modified, "soon");
  EXPECT_EQ(stored.last_modified_ms, -1);
  EXPECT_EQ(Answer({last_modified(-5)}).stored().last_modified_ms, kReceivedMs - 5000);
}

RULE(StoredFields, WithoutNames, "RFC 9111 §5.2.2.4", "Fields that may not be stored are left out",
     "names in any case, all lines of a name; the rest is untouched", "") {
  const Answer answer({"A: 1", "b: 2", "a: 3", "Content-Length: 9", date(0)});
  const std::vector<std::string_view> names = {"a", "B"};
  const std::vector<std::byte> image = http::without_fields(answer.image(), names);
  EXPECT_EQ(lines_of(http::view_head_image(image, {})->block),
            (Strings{date(0), "Content-Length: 9"}));
}

// --- images ---

TEST(HeadImage, KeepsReasonAndPolicy) {
  http::ReceivedResponse received;
  received.status = 404;
  received.reason = "Nothing Here";
  base::ReuseFacts policy;
  policy.status = 404;
  policy.lifetime_ms = 5;
  const std::vector<std::byte> image =
      http::make_head_image(received, {kReceivedMs, kReceivedMs}, {});
  const auto view = http::view_head_image(image, policy);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->reason, "Nothing Here");
  EXPECT_EQ(view->policy.status, 404);
  EXPECT_EQ(view->policy.lifetime_ms, 5);
  EXPECT_EQ(lines_of(view->block), Strings{date(0)});
}

TEST(HeadImage, WithoutADateTheInstantOfReceiptIsKept) {
  http::ReceivedResponse received;
  received.status = 200;
  const auto image = http::make_head_image(received, {kReceivedMs, kReceivedMs + 250}, {});
  EXPECT_EQ(http::view_head_image(image, {})->date_ms, kReceivedMs + 250);
}

TEST(HeadImage, NoLastModifiedIsNoTime) {
  EXPECT_EQ(Answer({"X: 1"}).stored().last_modified_ms, -1);
  EXPECT_EQ(Answer({"Last-Modified: yesterday"}).stored().last_modified_ms, -1);
  EXPECT_EQ(Answer({last_modified(-5)}).stored().last_modified_ms, kReceivedMs - 5'000);
}

TEST(HeadImage, ALengthOfZeroIsALength) {
  EXPECT_EQ(Answer({"Content-Length: 0"}).stored().content_length, 0u);
  EXPECT_EQ(Answer({"X: 1"}).stored().content_length, std::nullopt);
}

TEST(HeadImage, WhatIsNoneIsNotRewritten) {
  const std::string_view names[] = {"X"};
  EXPECT_TRUE(http::without_fields({}, names).empty());
  EXPECT_TRUE(http::with_whole_body({}, 5, "").empty());
  std::vector<std::byte> image = Answer({"X: 1"}).image();
  image[0] ^= std::byte{1};
  EXPECT_FALSE(http::view_head_image(image, {})) << "of another format";
}

TEST(HeadImage, ReasonAndAgeHoldNoLineBreak) {
  for (const std::string_view where : {"reason", "age"}) {
    const Lines age({"Age: 7age"});
    http::ReceivedResponse received;
    received.status = 200;
    received.reason = "a reason";
    received.fields = age.fields();
    std::vector<std::byte> image = http::make_head_image(received, {kReceivedMs, kReceivedMs}, {});
    ASSERT_TRUE(http::view_head_image(image, {}));
    const std::string_view text(reinterpret_cast<const char*>(image.data()), image.size());
    image[text.find(where)] = std::byte{'\n'};
    EXPECT_FALSE(http::view_head_image(image, {})) << where;
  }
}

TEST(HeadImage, TooLargeIsEmpty) {
  const auto of_size = [](size_t size) {
    const size_t others = Answer({"X: "}).image().size();
    return Answer({"X: " + std::string(size - others, 'x')}).image().size();
  };
  EXPECT_EQ(of_size(base::limits::kHeadImageBytes), base::limits::kHeadImageBytes);
  EXPECT_EQ(of_size(base::limits::kHeadImageBytes + 1), 0u);
  const std::string half(33'000, 'x');
  const Answer too_large({"X: " + half, "Y: " + half});
  EXPECT_TRUE(too_large.image().empty());
}

TEST(HeadImage, EveryCutIsRefused) {
  const Answer answer({"ETag: \"a\"", "Content-Length: 5", date(0)});
  const std::vector<std::byte>& image = answer.image();
  for (size_t size = 0; size < image.size(); ++size) {
    const std::vector<std::byte> cut(image.begin(), image.begin() + static_cast<long>(size));
    EXPECT_FALSE(http::view_head_image(cut, {})) << size;
  }
  std::vector<std::byte> longer = image;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(http::view_head_image(longer, {}));
}

/// What a damaged record could hold: it is refused or read within its bounds, as ASan sees.
TEST(HeadImage, AnyDamagedByteIsRefusedOrHarmless) {
  const Answer answer({"ETag: \"a\"", "Content-Length: 5", last_modified(-5), date(0)});
  const std::vector<std::byte> image = answer.image();
  for (size_t at = 0; at < image.size(); ++at) {
    for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
      std::vector<std::byte> damaged = image;
      damaged[at] ^= static_cast<std::byte>(flip);
      const auto view = http::view_head_image(damaged, {});
      if (!view) continue;
      size_t bytes = view->reason.size() + view->received_age.size() + view->etag.size();
      for (const std::string& line : lines_of(view->block)) bytes += line.size();
      EXPECT_LE(bytes, 2 * damaged.size());
    }
  }
}

}  // namespace
}  // namespace perigee::test
