// What of a request chooses among variants: only what the origin saw, and looks at (RFC 9111 §4.1).
#include "http/selecting.h"

#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::SelectingFields, http::append_accept_types");

using http::PolicyOptions;
using http::Storable;
using Strings = std::vector<std::string>;

Strings selecting(std::initializer_list<std::string> request, const PolicyOptions& policy = {}) {
  const Lines lines(request);
  http::SelectingFields fields;
  return lines_of(fields.of(lines.fields(), policy));
}

RULE(Selecting, WhatIsForwarded, "RFC 9111 §4.1; http-rules 2.7",
     "Vary compares requests by the fields that the origin could see",
     "a field that is not forwarded selects nothing: conditions, poison, client directives, "
     "Accept-Encoding, what the site does not list",
     "forward_headers") {
  const std::initializer_list<std::string> request = {"Accept: a",
                                                      "X-Forwarded-Proto: http",
                                                      "Range: bytes=0-1",
                                                      "X-Hop: 1",
                                                      "Cache-Control: x",
                                                      "Accept-Encoding: br",
                                                      "Connection: X-Hop",
                                                      "Cookie: a=b",
                                                      "If-None-Match: \"a\"",
                                                      "Via: 1.1 a"};
  EXPECT_EQ(selecting(request), (Strings{"Accept: a", "Cookie: a=b", "Via: 1.1 a"}));
  PolicyOptions listing;
  listing.forward_headers = {"Accept"};
  EXPECT_EQ(selecting(request, listing), (Strings{"Accept: a", "Via: 1.1 a"}));
  PolicyOptions honouring;
  honouring.honour_client_directives = true;
  EXPECT_EQ(selecting({"Cache-Control: x", "Pragma: no-cache"}, honouring),
            (Strings{"Cache-Control: x", "Pragma: no-cache"}));
}

RULE(Selecting, IgnoredFields, "RFC 9111 §4.1; http-rules 4.7",
     "Vary: User-Agent makes a variant for every version of every browser",
     "a site may say that a field in Vary does not matter", "vary_ignore") {
  PolicyOptions policy;
  policy.vary_ignore = {"user-agent", "Cookie"};
  EXPECT_EQ(selecting({"User-Agent: x", "Accept: a", "Cookie: a=b", "USER-AGENT: y"}, policy),
            Strings{"Accept: a"});
  EXPECT_EQ(Answer({"Cache-Control: max-age=60", "Vary: Cookie"})
                .to({"Cookie: a=b"})
                .under(policy)
                .storable(),
            Storable::kStorable);
  policy.vary_ignore = {"user-agent"};
  EXPECT_EQ(Answer({"Cache-Control: max-age=60", "Vary: Cookie"})
                .to({"Cookie: a=b"})
                .under(policy)
                .storable(),
            Storable::kVaryCookie);
}

RULE(Selecting, NamedCookies, "RFC 9111 §4.1; http-rules 1.8",
     "Vary: Cookie makes a variant for every visitor",
     "a site may name the cookies that matter: their values select, others do not, and answers to "
     "requests with cookies are stored",
     "vary_cookies") {
  PolicyOptions policy;
  policy.vary_cookies = {"lang", "tier"};
  const Strings german = {"Cookie: lang=de;"};
  EXPECT_EQ(selecting({"Cookie: session=1; lang=de"}, policy), german);
  EXPECT_EQ(selecting({"Cookie: lang=de;session=2"}, policy), german);
  EXPECT_EQ(selecting({"Cookie: a=b", "Cookie:  lang=de ;c=d"}, policy), german);
  // As if there were no cookie at all.
  EXPECT_EQ(selecting({"Cookie: session=1; xlang=de; langs=fr; language=en"}, policy), Strings{});
  EXPECT_EQ(selecting({"Accept: a"}, policy), Strings{"Accept: a"});
  // What looks like one in another field is none.
  EXPECT_EQ(selecting({"Cookie: lang=de", "X: lang=fr"}, policy),
            (Strings{"X: lang=fr", "Cookie: lang=de;"}));
  const Answer answer =
      Answer({"Cache-Control: max-age=60", "Vary: Cookie"}).to({"Cookie: a=b"}).under(policy);
  EXPECT_EQ(answer.storable(), Storable::kStorable);
}

RULE(Selecting, EveryValueOfANamedCookie, "RFC 6265 §5.4; http-rules 1.8",
     "Of two cookies of one name an origin may take the first or the last",
     "all of them select, in order and over all lines, and so does what an origin could read as "
     "one of them: another case, another separator, a quoted value, an array",
     "vary_cookies") {
  PolicyOptions policy;
  policy.vary_cookies = {"lang", "tier"};
  EXPECT_EQ(selecting({"Cookie: tier=x=y; xlang=fr; lang=de; lang=en"}, policy),
            Strings{"Cookie: lang=de;lang=en;tier=x=y;"});
  EXPECT_EQ(selecting({"Cookie: lang=en; lang=de"}, policy), Strings{"Cookie: lang=en;lang=de;"});
  EXPECT_EQ(selecting({"Cookie: lang=de", "Cookie: a=b; lang=en"}, policy),
            Strings{"Cookie: lang=de;lang=en;"});
  EXPECT_EQ(selecting({"Cookie: LANG=de; lang; lang =fr"}, policy),
            Strings{"Cookie: LANG=de;lang;lang =fr;"});
  EXPECT_EQ(selecting({"Cookie: a=b,lang=de; lang[0]=en"}, policy),
            Strings{"Cookie: lang=de;lang[0]=en;"});
  EXPECT_EQ(selecting({"Cookie: lang=de,lang=en;c"}, policy), Strings{"Cookie: lang=de,lang=en;"});
  EXPECT_EQ(selecting({"Cookie: lang=\"a;b\"; c=d"}, policy), Strings{"Cookie: lang=\"a;b\";"});
  EXPECT_EQ(selecting({"Cookie: lang=\"a;b"}, policy), Strings{"Cookie: lang=\"a;b;"});
  EXPECT_EQ(selecting({"Cookie: lang; x=\"a;b\""}, policy), Strings{"Cookie: lang;"});
}

RULE(Selecting, NamedTypes, "RFC 9111 §4.1; RFC 9110 §12.4.2; http-rules 4.7",
     "Vary: Accept makes a variant for every browser's list",
     "a site may name the types that matter: whether a client wants, refuses or does not name each "
     "selects, nothing else; what is both wanted and refused is refused",
     "vary_accept") {
  PolicyOptions policy;
  policy.vary_accept = {"image/avif", "image/webp"};
  const Strings both = {"Accept: image/avif, image/webp, */*;q=0.8"};
  EXPECT_EQ(selecting({"Accept: image/avif,image/webp,image/apng,*/*;q=0.8"}, policy), both);
  EXPECT_EQ(selecting({"Accept: text/html", "Accept: IMAGE/WebP;q=0.5 , image/avif"}, policy),
            both);
  const Strings webp = {"Accept: image/webp, */*;q=0.8"};
  EXPECT_EQ(selecting({"Accept: image/webp,*/*"}, policy), webp);
  EXPECT_EQ(selecting({"Accept: image/webp;q=0.001"}, policy), webp);
  const Strings refused = {"Accept: image/webp;q=0, */*;q=0.8"};
  for (const std::string value :
       {"image/webp;q=0", "image/webp; Q=0.000, */*", "image/webp;q=0.0, image/webp",
        "image/webp, image/webp;q=0", "image/webp;a=q;q=0"}) {
    EXPECT_EQ(selecting({"Accept: " + value}, policy), refused) << value;
  }
  for (const std::string value : {"*/*", "image/*", "", "image/webpx", "x/image/webp"}) {
    EXPECT_EQ(selecting({"Accept: " + value}, policy), Strings{"Accept: */*"}) << value;
  }
  EXPECT_EQ(selecting({}, policy), Strings{"Accept: */*"});
  EXPECT_EQ(selecting({"X: image/webp"}, policy), (Strings{"X: image/webp", "Accept: */*"}));
  EXPECT_EQ(selecting({"Cookie: a=b"}, policy), (Strings{"Cookie: a=b", "Accept: */*"}));
  policy.forward_headers = {"User-Agent"};
  EXPECT_EQ(selecting({"Accept: image/webp"}, policy), Strings{}) << "Accept does not reach it";
}

TEST(SelectingFields, AreUsedAgain) {
  PolicyOptions policy;
  policy.vary_cookies = {"lang"};
  policy.vary_accept = {"image/webp"};
  http::SelectingFields fields;
  const Lines first({"Cookie: lang=de", "Accept: image/webp", "X: 1"});
  EXPECT_EQ(lines_of(fields.of(first.fields(), policy)),
            (Strings{"X: 1", "Cookie: lang=de;", "Accept: image/webp, */*;q=0.8"}));
  const Lines second({"Y: 2"});
  EXPECT_EQ(lines_of(fields.of(second.fields(), policy)), (Strings{"Y: 2", "Accept: */*"}));
}

}  // namespace
}  // namespace perigee::test
