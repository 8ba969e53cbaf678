// What a 304 and an answer to HEAD do to a stored response (RFC 9111 §3.2, §4.3.4, §4.3.5).
#include <gtest/gtest.h>

#include "http/head_image.h"
#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::freshen_head_image, http::may_freshen, http::head_agrees");

using Strings = std::vector<std::string>;

/// The lines after `update` freshened `stored`, received at the same time.
Strings freshened(const Answer& stored, const Answer& update) {
  const std::vector<std::byte> image =
      http::freshen_head_image(stored.stored(), update.received(), update.times());
  return lines_of(http::view_head_image(image, {})->block);
}

Answer not_modified(std::initializer_list<std::string> lines) { return Answer(304, lines); }

bool may_freshen(std::initializer_list<std::string> stored,
                 std::initializer_list<std::string> update) {
  const Answer kept(stored);
  return http::may_freshen(kept.stored(), not_modified(update).received());
}

// --- may it ---

RULE(MayFreshen, StrongTags, "RFC 9111 §4.3.4; http-rules 2.9",
     "A 304 with a strong validator freshens only what has the same strong validator",
     "another ETag freshens nothing, and the response is fetched again without conditions", "") {
  EXPECT_TRUE(may_freshen({"ETag: \"a\""}, {"ETag: \"a\""}));
  EXPECT_FALSE(may_freshen({"ETag: \"a\""}, {"ETag: \"b\""}));
  EXPECT_FALSE(may_freshen({last_modified(-5)}, {"ETag: \"a\""}));
  EXPECT_FALSE(may_freshen({"ETag: \"a\""}, {"ETag: \"A\""}));
}

RULE(MayFreshen, WeakTags, "RFC 9111 §4.3.4; RFC 9110 §8.8.3.2",
     "A 304 with a weak validator freshens what it corresponds to",
     "compared weakly: W/ on either side, the same opaque part; nginx with gzip answers a "
     "condition on W/\"a\" with \"a\"",
     "") {
  EXPECT_TRUE(may_freshen({"ETag: W/\"a\""}, {"ETag: \"a\""}));
  EXPECT_TRUE(may_freshen({"ETag: W/\"a\""}, {"ETag: W/\"a\""}));
  EXPECT_TRUE(may_freshen({"ETag: \"a\""}, {"ETag: W/\"a\""}));
  EXPECT_FALSE(may_freshen({"ETag: W/\"a\""}, {"ETag: W/\"b\""}));
}

RULE(MayFreshen, UnquotedTags, "RFC 9110 §8.8.3; http-rules 3.12",
     "A tag that does not parse has no meaning of its own", "opaque: the same bytes, or not", "") {
  EXPECT_TRUE(may_freshen({"ETag: a"}, {"ETag: a"}));
  EXPECT_FALSE(may_freshen({"ETag: a"}, {"ETag: \"a\""}));
  EXPECT_FALSE(may_freshen({"ETag: \"a\""}, {"ETag: a"}));
}

RULE(MayFreshen, LastModified, "RFC 9111 §4.3.4",
     "Last-Modified is a weak validator, and must correspond",
     "without an ETag in the 304 a differing Last-Modified freshens nothing", "") {
  EXPECT_TRUE(may_freshen({last_modified(-5)}, {last_modified(-5)}));
  EXPECT_FALSE(may_freshen({last_modified(-5)}, {last_modified(-4)}));
  EXPECT_TRUE(may_freshen({"ETag: \"a\"", last_modified(-5)}, {"ETag: \"a\"", last_modified(-4)}));
  EXPECT_TRUE(may_freshen({"ETag: \"a\""}, {last_modified(-4)}));
}

RULE(MayFreshen, NoValidator, "RFC 9111 §4.3.4",
     "A 304 without validators means the one response that was asked about", "freshens it", "") {
  EXPECT_TRUE(may_freshen({"ETag: \"a\""}, {}));
  EXPECT_TRUE(may_freshen({last_modified(-5)}, {date(0)}));
}

// --- the merge ---

RULE(Freshen, EveryFieldReplaces, "RFC 9111 §3.2, §4.3.4; http-rules 2.9",
     "A cache must add each field of the 304 to the stored response, replacing those of its name",
     "replaced, whatever the field, Content-Type, Content-MD5, Expires … too, but Vary", "") {
  for (const std::string name : {"Test-Header",
                                 "X-Test-Header",
                                 "Content-Foo",
                                 "X-Content-Foo",
                                 "Cache-Control",
                                 "Content-Location",
                                 "Content-MD5",
                                 "Content-Security-Policy",
                                 "Content-Type",
                                 "Clear-Site-Data",
                                 "ETag",
                                 "Expires",
                                 "Public-Key-Pins",
                                 "Set-Cookie2",
                                 "X-Frame-Options",
                                 "X-XSS-Protection",
                                 "Last-Modified",
                                 "CDN-Cache-Control",
                                 "Surrogate-Key",
                                 "Cache-Status",
                                 "Via",
                                 "Link",
                                 "Content-Language"}) {
    EXPECT_EQ(freshened(Answer({name + ": old", date(0)}), not_modified({name + ": new", date(0)})),
              freshened(Answer({date(0)}), not_modified({name + ": new", date(0)})))
        << name;
  }
}

RULE(Freshen, DigestsStay, "RFC 9530 §2, §3; http-rules 2.9, 4.6",
     "Content-Digest is of the content of its own message, and a 304 has none",
     "the digests that the body was compared with stay, and none comes from a 304", "") {
  for (const std::string name : {"Content-Digest", "Repr-Digest"}) {
    const auto update = not_modified({name + ": new", date(0)});
    EXPECT_EQ(freshened(Answer({name + ": old", date(0)}), update),
              (Strings{date(0), name + ": old"}));
    EXPECT_EQ(freshened(Answer({date(0)}), update), Strings{date(0)});
  }
}

RULE(Freshen, AllLinesOfAName, "RFC 9111 §3.2; http-rules 2.9",
     "Replacement is by field, not by line",
     "all lines of the 304 take the place of all stored ones of that name, in any case", "") {
  EXPECT_EQ(freshened(Answer({"Link: 1", "X: x", "link: 2", date(0)}),
                      not_modified({"LINK: 3", "LINK: 4", "LINK: 5", date(0)})),
            (Strings{"X: x", "LINK: 3", "LINK: 4", "LINK: 5", date(0)}));
}

TEST(Freshen, ManyFieldsEachReplaceTheirOwn) {
  std::vector<http::Field> before;
  std::vector<http::Field> after;
  std::vector<std::string> names;
  for (int i = 0; i < 150; ++i) names.push_back("X-" + std::to_string(i));
  for (size_t i = 0; i < names.size(); ++i) {
    before.push_back({http::FieldName::kOther, names[i], "old"});
    if (i % 2 == 0) after.push_back({http::FieldName::kOther, names[i], "new"});
  }
  const auto list = [](std::vector<http::Field>& fields) {
    http::HeaderList out(fields);
    for (size_t i = 0; i < fields.size(); ++i) out.add(http::Field(fields[i]));
    return out;
  };
  http::ReceivedResponse received;
  received.status = 200;
  received.fields = list(before);
  const http::ResponseTimes times{kReceivedMs, kReceivedMs};
  const auto image = http::make_head_image(received, times, {});
  http::ReceivedResponse update;
  update.status = 304;
  update.fields = list(after);
  const auto merged = http::freshen_head_image(*http::view_head_image(image, {}), update, times);
  const auto stored = http::view_head_image(merged, {});
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->block.size(), names.size() + 1) << "and Date";
  for (size_t i = 0; i < names.size(); ++i) {
    const Strings lines = lines_of(stored->block);
    const std::string line = names[i] + (i % 2 == 0 ? ": new" : ": old");
    EXPECT_EQ(std::count(lines.begin(), lines.end(), line), 1) << line;
  }
}

RULE(Freshen, OmittedFieldsStay, "RFC 9111 §4.3.4; http-rules 2.9",
     "Fields that the 304 omits are kept", "kept as they were stored", "") {
  EXPECT_EQ(freshened(Answer({"A: 1", "ETag: \"a\"", "B: 2", date(-9)}), not_modified({date(0)})),
            (Strings{"A: 1", "B: 2", date(0), "ETag: \"a\""}));
}

RULE(Freshen, NeverReplaced, "RFC 9111 §3.2; http-rules 2.9, 3.15",
     "What describes the stored bytes, or one connection, is not updated",
     "not Content-Length, Content-Encoding, Content-Range, Set-Cookie, hop-by-hop fields and what "
     "Connection names",
     "") {
  const Answer stored(
      {"Content-Encoding: br", "Content-Range: bytes 0-1/2", "Content-Length: 5", "A: 1", date(0)});
  EXPECT_EQ(freshened(stored, not_modified({"Content-Encoding: gzip", "Content-Range: x",
                                            "Content-Length: 10", "Set-Cookie: a=b", "Upgrade: h2c",
                                            "Keep-Alive: 5", "Transfer-Encoding: chunked",
                                            "Connection: a, close", "A: 2", "TE: x", date(0)})),
            (Strings{"Content-Range: bytes 0-1/2", "A: 1", date(0), "Content-Encoding: br",
                     "Content-Length: 5"}));
}

RULE(Freshen, StoredCookiesStay, "RFC 9111 §3.2; http-rules 3.15",
     "A cookie in a 304 is for the client whose request it was",
     "not merged; what the site let be stored stays", "set_cookie") {
  http::PolicyOptions options;
  options.set_cookie = http::SetCookieMode::kStore;
  EXPECT_EQ(freshened(Answer({"Set-Cookie: a=b", date(0)}).under(options),
                      not_modified({"Set-Cookie: a=c", date(0)})),
            (Strings{"Set-Cookie: a=b", date(0)}));
}

RULE(Freshen, AltSvcDoesNotComeBack, "RFC 7838 §2.1; http-rules 4.14",
     "Alt-Svc of the origin names services that are not the cache", "not merged from a 304 either",
     "alt_svc") {
  EXPECT_EQ(freshened(Answer({date(0)}), not_modified({"Alt-Svc: h3=\":443\"", date(0)})),
            Strings{date(0)});
}

RULE(Freshen, DateAndAge, "RFC 9111 §4.3.4, §4.2.3; http-rules 2.9",
     "The freshened response is as old as the 304",
     "Date is the 304's, else the time of receipt; the old Age is never carried over", "") {
  const Answer stored({"Cache-Control: max-age=60", "Age: 50", date(-100), "ETag: \"a\""});
  const Answer aged = not_modified({"Age: 7", date(-3)});
  const std::vector<std::byte> image =
      http::freshen_head_image(stored.stored(), aged.received(), aged.times());
  const auto view = http::view_head_image(image, {});
  EXPECT_EQ(view->received_age, "7");
  EXPECT_EQ(view->date_ms, kReceivedMs - 3000);
  EXPECT_EQ(view->block.find(http::FieldName::kDate), at(-3));
  EXPECT_EQ(freshened(stored, not_modified({})),
            (Strings{"Cache-Control: max-age=60", date(0), "ETag: \"a\""}));
  EXPECT_EQ(freshened(stored, not_modified({"Date: x"})),
            (Strings{"Cache-Control: max-age=60", date(0), "ETag: \"a\""}));
}

RULE(Freshen, NamesTheNewDirectivesForbid, "RFC 9111 §5.2.2.4; http-rules 2.3",
     "A qualified no-cache or private of the 304 limits what is stored from then on",
     "the named fields are taken out of the merged response before it is stored", "") {
  const Answer merged(
      {"Cache-Control: no-cache=\"X-User\", max-age=60", "X-User: 1", "ETag: \"a\"", date(0)});
  const std::vector<std::byte> image =
      http::without_fields(merged.image(), merged.admission().drop_names);
  EXPECT_EQ(lines_of(http::view_head_image(image, {})->block),
            (Strings{"Cache-Control: no-cache=\"X-User\", max-age=60", date(0), "ETag: \"a\""}));
}

// --- HEAD ---

bool agrees(std::initializer_list<std::string> stored, std::initializer_list<std::string> head) {
  const Answer kept(stored);
  return http::head_agrees(kept.stored(), Answer(head).received());
}

RULE(HeadFreshening, Agrees, "RFC 9111 §4.3.5; http-rules 2.10",
     "A 200 to HEAD may update a stored GET whose validators and Content-Length it repeats",
     "it agrees when ETag, Last-Modified and Content-Length, as far as it sends them, are the same",
     "") {
  EXPECT_TRUE(agrees({"ETag: \"a\"", last_modified(-5), "Content-Length: 9"},
                     {"ETag: \"a\"", last_modified(-5), "Content-Length: 9"}));
  EXPECT_TRUE(agrees({"ETag: \"a\"", "Content-Length: 9"}, {}));
  EXPECT_TRUE(agrees({}, {"Content-Length: 9"}));
}

RULE(HeadFreshening, Disagrees, "RFC 9111 §4.3.5; http-rules 2.10",
     "One that differs shows that the stored response is out of date",
     "the stored response is marked stale", "") {
  EXPECT_FALSE(agrees({"ETag: \"a\""}, {"ETag: \"b\""}));
  EXPECT_FALSE(agrees({"ETag: \"a\""}, {"ETag: W/\"a\""}));
  EXPECT_FALSE(agrees({last_modified(-5)}, {last_modified(-4)}));
  EXPECT_FALSE(agrees({"Content-Length: 9"}, {"Content-Length: 10"}));
  EXPECT_FALSE(agrees({"ETag: \"a\"", "Content-Length: 9"}, {"ETag: \"a\"", "Content-Length: 8"}));
  EXPECT_FALSE(agrees({"X: 1"}, {"ETag: \"b\""}));
  const Answer redirect(301, {"Location: /x"});
  EXPECT_FALSE(http::head_agrees(redirect.stored(), Answer({}).received()));
}

RULE(HeadFreshening, Updates, "RFC 9111 §4.3.5; http-rules 2.10",
     "The fields of the 200 to HEAD update the stored ones",
     "merged as those of a 304; fields that it omits stay", "") {
  EXPECT_EQ(
      freshened(Answer({"Cache-Control: max-age=2", "A: 1", "B: 1", "Content-Length: 9", date(-9)}),
                Answer({"Cache-Control: max-age=1000", "A: 2", date(0)})),
      (Strings{"B: 1", "Cache-Control: max-age=1000", "A: 2", date(0), "Content-Length: 9"}));
}

RULE(Freshen, AWeakTagStaysWeak, "RFC 9111 §4.3.4; RFC 9110 §8.8.1; http-rules 2.9",
     "A strong tag names bytes, of which a 304 to a weak one says nothing",
     "the stored weak tag stays", "") {
  EXPECT_EQ(freshened(Answer({"ETag: W/\"a\""}), not_modified({"ETag: \"a\""})),
            freshened(Answer({"ETag: W/\"a\""}), not_modified({})));
}

RULE(Freshen, VaryKeepsItsNames, "RFC 9111 §4.1, §4.3.4; http-rules 2.9",
     "An origin's 304 may leave names out of its Vary, as the npm registry's do",
     "what was stored stays chosen by what it was chosen by; new names are added", "") {
  const auto vary = [](std::initializer_list<std::string> stored,
                       std::initializer_list<std::string> update) {
    Strings lines;
    for (const std::string& line : freshened(Answer(stored), not_modified(update))) {
      if (line.starts_with("Vary")) lines.push_back(line);
    }
    return lines;
  };
  using Lines = Strings;
  EXPECT_EQ(vary({"Vary: accept-encoding, accept"}, {"Vary: Accept-Encoding"}),
            Lines({"Vary: accept-encoding, accept"}));
  EXPECT_EQ(vary({"Vary: Accept"}, {"Vary: Origin, accept", "Vary: Cookie"}),
            Lines({"Vary: Accept", "Vary: Origin, Cookie"}));
  EXPECT_EQ(vary({"Vary: Accept"}, {}), Lines({"Vary: Accept"}));
  EXPECT_EQ(vary({}, {"Vary: Accept"}), Lines({"Vary: Accept"}));
  EXPECT_EQ(vary({"Vary: Accept"}, {"Vary: *"}), Lines({"Vary: Accept", "Vary: *"}));
}

RULE(Freshen, AcceptRangesIsOurs, "RFC 9110 §14.3; http-rules 2.11",
     "Ranges are answered from what is stored", "a 304 does not change what it says", "") {
  EXPECT_EQ(freshened(Answer({"Accept-Ranges: bytes"}), not_modified({"Accept-Ranges: none"})),
            freshened(Answer({"Accept-Ranges: bytes"}), not_modified({})));
}

}  // namespace
}  // namespace perigee::test
