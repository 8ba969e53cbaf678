// Bounds on what is looked at in lists: within each the list is read, beyond it the careful reading
// holds.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "edge/client_address.h"
#include "http/cache_control.h"
#include "http/cache_key.h"
#include "http/connection_options.h"
#include "http/origin_lints.h"
#include "http/policy.h"
#include "http/preconditions.h"
#include "http/range.h"
#include "http/response.h"
#include "http/selecting.h"
#include "http/structured_field.h"
#include "http/vary.h"

namespace perigee::test {
namespace {

namespace limits = base::limits;
using http::FieldName;

/// One field line.
class Line {
 public:
  Line(std::string_view name, std::string value) : value_(std::move(value)) {
    list_ = http::HeaderList(storage_);
    list_.add(name, value_);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  const http::HeaderList& list() const { return list_; }

 private:
  std::string value_;
  std::array<http::Field, 1> storage_;
  http::HeaderList list_;
};

/// `count` times `piece` with a comma, then `last`.
std::string list_of(size_t count, std::string_view piece, std::string_view last) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text.append(piece) += ',';
  return text.append(last);
}

TEST(ListLimits, kDirectives) {
  const auto parsed = [](size_t before) {
    return http::parse_cache_control(
        Line("Cache-Control", list_of(before, "a", "max-age=60")).list());
  };
  const http::CacheControl within = parsed(limits::kDirectives - 1);
  EXPECT_EQ(within.max_age_s, 60);
  EXPECT_FALSE(within.no_store || within.no_cache);
  const http::CacheControl beyond = parsed(limits::kDirectives);
  EXPECT_EQ(beyond.max_age_s, std::nullopt);
  EXPECT_TRUE(beyond.no_store && beyond.no_cache && beyond.present);
  const auto asks = [](size_t before) {
    return http::asks_only_if_cached(
        Line("Cache-Control", list_of(before, "a", "only-if-cached")).list());
  };
  EXPECT_TRUE(asks(limits::kDirectives - 1));
  EXPECT_FALSE(asks(limits::kDirectives));
  const auto semicolon = [](size_t before) {
    return std::string(
        http::directive_with_semicolon(Line("Cache-Control", list_of(before, "a", "b;c")).list()));
  };
  EXPECT_EQ(semicolon(limits::kDirectives - 1), "b;c");
  EXPECT_EQ(semicolon(limits::kDirectives), "");
}

TEST(ListLimits, kNamedFields) {
  for (const std::string name : {"no-cache", "private"}) {
    const auto parsed = [&](size_t count) {
      return Line("Cache-Control", name + "=\"" + list_of(count - 1, "x", "y") + "\"");
    };
    const auto within_line = parsed(limits::kNamedFields);
    const http::CacheControl within = http::parse_cache_control(within_line.list());
    EXPECT_EQ(within.named_fields.size(), limits::kNamedFields);
    EXPECT_FALSE(within.no_cache || within.is_private);
    const auto beyond_line = parsed(limits::kNamedFields + 1);
    const http::CacheControl beyond = http::parse_cache_control(beyond_line.list());
    EXPECT_TRUE(beyond.named_fields.empty());
    EXPECT_TRUE(beyond.no_cache || beyond.is_private) << "as if it named none";
  }
}

TEST(ListLimits, kDictionaryMembers) {
  const auto parsed = [](size_t count, bool repeated) {
    std::string text;
    for (size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "" : ",") + std::string("k") + std::to_string(repeated ? 1 : i);
    }
    http::SfDictionary members;
    return http::parse_dictionary(text, members) ? members.size() : 0;
  };
  EXPECT_EQ(parsed(limits::kDictionaryMembers, false), limits::kDictionaryMembers);
  EXPECT_EQ(parsed(limits::kDictionaryMembers, true), 1u);
  EXPECT_EQ(parsed(limits::kDictionaryMembers + 1, false), 0u);
  EXPECT_EQ(parsed(limits::kDictionaryMembers + 1, true), 0u) << "repeated ones count too";
}

TEST(ListLimits, kVaryMembers) {
  const auto names = [](size_t count) {
    return http::vary_names(Line("Vary", list_of(count - 1, "Accept", "Accept")).list());
  };
  EXPECT_EQ(names(limits::kVaryMembers)->size(), 1u);
  EXPECT_EQ(names(limits::kVaryMembers + 1), std::nullopt);
  const auto judged = [](size_t count) {
    const Line line("Vary", list_of(count - 1, "Accept", "Accept"));
    http::ReceivedResponse received;
    received.status = 200;
    received.fields = line.list();
    return http::admit({}, received, {}, {}).storable;
  };
  EXPECT_NE(judged(limits::kVaryMembers), http::Storable::kVaryStar);
  EXPECT_EQ(judged(limits::kVaryMembers + 1), http::Storable::kVaryStar);
}

TEST(ListLimits, kTagsCompared) {
  http::StoredResponse stored;
  stored.policy.status = 200;
  stored.etag = "\"wanted\"";
  const auto judged = [&](std::string_view name, size_t before) {
    const Line line(name, list_of(before, "\"other\"", "\"wanted\""));
    http::RequestHead request;
    request.fields = line.list();
    return http::evaluate(stored, request);
  };
  using http::Precondition;
  EXPECT_EQ(judged("If-None-Match", limits::kTagsCompared - 1), Precondition::kNotModified);
  EXPECT_EQ(judged("If-None-Match", limits::kTagsCompared), Precondition::kNone);
  EXPECT_EQ(judged("If-Match", limits::kTagsCompared - 1), Precondition::kNone);
  EXPECT_EQ(judged("If-Match", limits::kTagsCompared), Precondition::kFailed);
}

TEST(ListLimits, kRangeSpecs) {
  const auto kind = [](size_t count) {
    return http::parse_range("bytes=" + list_of(count - 1, "0-1", "1-2"), 1000).kind;
  };
  EXPECT_EQ(kind(limits::kRangeSpecs), http::RangeRequest::kSatisfiable);
  EXPECT_EQ(kind(limits::kRangeSpecs + 1), http::RangeRequest::kNone);
}

TEST(ListLimits, kQueryParameters) {
  const auto normalized = [](size_t count) {
    std::string target = "/a?b";
    for (size_t i = 1; i < count; ++i) target += "&a";
    http::QueryScratch scratch;
    return http::normalize_query(target, {.sort = true}, scratch).starts_with("/a?a");
  };
  EXPECT_TRUE(normalized(limits::kQueryParameters));
  EXPECT_FALSE(normalized(limits::kQueryParameters + 1)) << "keyed and sent as it came";
}

TEST(ListLimits, kForwardedHops) {
  const std::vector<base::Network> trusted = {*base::parse_network("10.0.0.0/8")};
  const auto client = [&](size_t hops) {
    const Line line("X-Forwarded-For", "192.0.2.7," + list_of(hops - 2, "10.0.0.2", "10.0.0.3"));
    http::RequestHead request;
    request.fields = line.list();
    return edge::client_address(request, *base::Address::parse("10.0.0.1:1"), trusted);
  };
  EXPECT_EQ(client(limits::kForwardedHops).host_text(), "192.0.2.7");
  EXPECT_EQ(client(limits::kForwardedHops + 1).family, base::Address::Family::kNone);
}

/// What selects under a policy: the value of that field.
std::string selecting(const http::PolicyOptions& policy, std::string_view name,
                      const std::string& value) {
  const Line line(name, value);
  http::SelectingFields fields;
  const http::HeaderList list = fields.of(line.list(), policy);
  return std::string(list.size() == 0 ? "" : list[0].value);
}

TEST(ListLimits, kCookiePairs) {
  http::PolicyOptions policy;
  policy.vary_cookies = {"wanted"};
  const auto cookies = [](size_t count) {
    std::string text;
    for (size_t i = 1; i < count; ++i) text += "a=b; ";
    return text + "wanted=1";
  };
  EXPECT_EQ(selecting(policy, "Cookie", cookies(limits::kCookiePairs)), "wanted=1;");
  const std::string beyond = cookies(limits::kCookiePairs + 1);
  EXPECT_EQ(selecting(policy, "Cookie", beyond), beyond) << "all of it counts";
  // A comma may stand between two as well.
  const auto commas = [](size_t count) { return list_of(count - 1, "a=b", "wanted=1"); };
  EXPECT_EQ(selecting(policy, "Cookie", commas(limits::kCookiePairs)), "wanted=1;");
  EXPECT_EQ(selecting(policy, "Cookie", commas(limits::kCookiePairs + 1)),
            commas(limits::kCookiePairs + 1));
}

TEST(ListLimits, kAcceptMembers) {
  http::PolicyOptions policy;
  policy.vary_accept = {"image/avif"};
  const auto accept = [](size_t count) { return list_of(count - 1, "a/b", "image/avif"); };
  EXPECT_EQ(selecting(policy, "Accept", accept(limits::kAcceptMembers)), "image/avif, */*;q=0.8");
  EXPECT_EQ(selecting(policy, "Accept", accept(limits::kAcceptMembers + 1)), "*/*");
}

TEST(ListLimits, kConnectionWords) {
  const auto too_many = [](size_t count) {
    const Line line("Connection", list_of(count - 1, "close", "close"));
    return http::ConnectionOptions(line.list()).too_many();
  };
  EXPECT_FALSE(too_many(limits::kConnectionWords));
  EXPECT_TRUE(too_many(limits::kConnectionWords + 1));
}

TEST(ListLimits, kInterimBytes) {
  const auto fits = [](size_t bytes) {
    const Line line("Link", std::string(bytes - std::string_view("Link: \r\n").size(), 'a'));
    http::ReceivedResponse interim;
    interim.status = 103;
    interim.fields = line.list();
    http::Arena arena;
    return http::make_interim(interim, true, arena).has_value();
  };
  EXPECT_TRUE(fits(limits::kInterimBytes));
  EXPECT_FALSE(fits(limits::kInterimBytes + 1));
}

}  // namespace
}  // namespace perigee::test
