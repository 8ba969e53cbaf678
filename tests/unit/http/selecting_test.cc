// What of a request chooses among variants: only what the origin saw, and looks at (RFC 9111 §4.1).
#include "http/selecting.h"

#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

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
  EXPECT_EQ(selecting({"Cookie: tier=x=y; xlang=fr; lang=de; lang=en"}, policy),
            Strings{"Cookie: lang=de;tier=x=y;"});
  // As if there were no cookie at all.
  EXPECT_EQ(selecting({"Cookie: session=1; LANG=de; lang"}, policy), Strings{});
  EXPECT_EQ(selecting({"Accept: a"}, policy), Strings{"Accept: a"});
  const Answer answer =
      Answer({"Cache-Control: max-age=60", "Vary: Cookie"}).to({"Cookie: a=b"}).under(policy);
  EXPECT_EQ(answer.storable(), Storable::kStorable);
}

RULE(Selecting, NamedTypes, "RFC 9111 §4.1; http-rules 4.7",
     "Vary: Accept makes a variant for every browser's list",
     "a site may name the types that matter: whether a client names them selects, nothing else",
     "vary_accept") {
  PolicyOptions policy;
  policy.vary_accept = {"image/avif", "image/webp"};
  const Strings both = {"Accept: image/avif,image/webp,"};
  EXPECT_EQ(selecting({"Accept: image/avif,image/webp,image/apng,*/*;q=0.8"}, policy), both);
  EXPECT_EQ(selecting({"Accept: text/html", "Accept: IMAGE/WebP;q=0.5 , image/avif"}, policy),
            both);
  EXPECT_EQ(selecting({"Accept: image/webp,*/*"}, policy), Strings{"Accept: image/webp,"});
  EXPECT_EQ(selecting({"Accept: image/webp;q=0, image/avif;a=q; Q=0.000"}, policy), Strings{});
  EXPECT_EQ(selecting({"Accept: image/webp;q=0.001"}, policy), Strings{"Accept: image/webp,"});
  for (const std::string value : {"*/*", "image/*", "", "image/webpx", "x/image/webp"}) {
    EXPECT_EQ(selecting({"Accept: " + value}, policy), Strings{}) << value;
  }
}

TEST(SelectingFields, AreUsedAgain) {
  PolicyOptions policy;
  policy.vary_cookies = {"lang"};
  policy.vary_accept = {"image/webp"};
  http::SelectingFields fields;
  const Lines first({"Cookie: lang=de", "Accept: image/webp", "X: 1"});
  EXPECT_EQ(lines_of(fields.of(first.fields(), policy)),
            (Strings{"X: 1", "Cookie: lang=de;", "Accept: image/webp,"}));
  const Lines second({"Y: 2"});
  EXPECT_EQ(lines_of(fields.of(second.fields(), policy)), Strings{"Y: 2"});
}

}  // namespace
}  // namespace perigee::test
