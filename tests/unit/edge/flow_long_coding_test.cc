// Coded answers of what is longer than a record: sent from the fragments of the coding, which may
// be there or not, apart from those of the body.
#include <gtest/gtest.h>

#include <string>

#include "origin/body_digest.h"
#include "origin/coded_record.h"
#include "tests/support/edge/coded_flow.h"
#include "tests/support/edge/large_body.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::look_up, edge::Waiting::read, origin::LongCoding, origin::is_there");

namespace limits = base::limits;

/// A text that becomes three quarters as long, so that a coding of it is longer than a record too.
std::string letters(size_t size, uint64_t seed = 1) {
  std::string text;
  while (text.size() < size) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    text += static_cast<char>('0' + (seed >> 58));
  }
  return text;
}

class FlowLongCoding : public FlowCoding {
 protected:
  FlowLongCoding() { stand.origin.on("/a", page(body)); }
  Answer warm(std::string_view target, std::string_view lines = kBrowser) {
    get(stand, target, lines);
    stand.settle();
    return get(stand, target, lines);
  }
  cache_store::Found find(std::string_view target, http::Coding coding) {
    const cache_store::Found head = stand.stored(target);
    return stand.store().peek(head.digest, head.head->key,
                              static_cast<cache_store::SlotMask>(1u << origin::slot_of(coding)));
  }

  /// What a client of zstd gets that stops reading for a while. Meanwhile no slab is held.
  std::string read_slowly() {
    Client client(stand);
    client.reading().capacity = 10'000;
    client.ask("GET", "/a", accept("zstd"));
    stand.run();
    stand.pass_ms(2 * limits::kParkMs);
    EXPECT_EQ(stand.store().stats().pins, 0u);
    client.reading().capacity = 16 * limits::kMiB;
    return client.answer().body;
  }
  /// Of the body of /a.
  void lose_a_fragment() {
    stand.damage(body.substr(200'000, 64));
    stand.restart();
    get(stand, "/a", "Range: bytes=0-0\r\n");
    const uint64_t rid = stand.stored("/a").head->rid;
    for (uint64_t i = 0; i < 8; ++i) stand.store().warm_fragment({rid, i});
  }

  const std::string body = letters(400'000);
};

TEST_F(FlowLongCoding, ALongTextIsSentInEachCoding) {
  for (const std::string_view coding : {"zstd", "br", "gzip"}) {
    const Answer answer = warm("/a", accept(coding));
    EXPECT_EQ(answer.cache(), "perigee; hit; ttl=60");
    EXPECT_EQ(answer["Content-Encoding"], coding);
    EXPECT_EQ(answer["ETag"], "W/\"v1\"");
    EXPECT_EQ(answer["Vary"], "Accept-Encoding");
    EXPECT_EQ(answer["Content-Length"], std::to_string(answer.body.size()));
    EXPECT_LT(answer.body.size(), body.size() * 8 / 10);
    EXPECT_GT(answer.body.size(), stand.store().max_object_bytes());
    EXPECT_TRUE(decoded(answer) == body);
  }
  const Answer plain = get(stand, "/a");
  EXPECT_TRUE(plain.body == body);
  EXPECT_EQ(plain["ETag"], "\"v1\"");
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

RULE_F(FlowLongCoding, HeadAndConditionsAgreeWithGet, "RFC 9110 §9.3.2, §13.1.2",
       "HEAD has the fields that GET would have",
       "HEAD and 304 tell of a long coding what GET tells", "") {
  const Answer answer = warm("/a", accept("zstd"));
  const Answer head = stand.ask("HEAD", "/a", accept("zstd"));
  for (const std::string_view name : {"Content-Length", "Content-Encoding", "ETag", "Vary"}) {
    EXPECT_EQ(head[name], answer[name]) << name;
  }
  const Answer unchanged =
      get(stand, "/a", accept("zstd") + "If-None-Match: " + answer["ETag"] + "\r\n");
  EXPECT_EQ(unchanged.status, 304);
  EXPECT_EQ(unchanged["ETag"], answer["ETag"]);
}

RULE_F(FlowLongCoding, ARangeIsOneOfTheIdentity, "RFC 9110 §14.2; http-rules 3.4",
       "A range is one of the selected representation",
       "of a long text too it is one of the identity, whatever codings are there", "") {
  warm("/a");
  const Answer part = get(stand, "/a", std::string(kBrowser) + "Range: bytes=100000-299999\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part["Content-Encoding"], "");
  EXPECT_EQ(part["ETag"], "\"v1\"");
  EXPECT_TRUE(part.body == body.substr(100'000, 200'000));
}

TEST_F(FlowLongCoding, A304FreshensItAndANewResponseReplacesIt) {
  std::string tag = "\"v1\"";
  std::string now = body;
  stand.origin.on("/a", [&](const Asked& asked) {
    return asked["If-None-Match"] == tag ? Reply(304).cache("max-age=60").etag(tag)
                                         : page(now, "max-age=60", tag);
  });
  warm("/a", accept("zstd"));
  stand.pass_ms(61'000);
  const Answer confirmed = get(stand, "/a", accept("zstd"));
  EXPECT_EQ(confirmed["Content-Encoding"], "zstd");
  EXPECT_NE(confirmed.cache().find("revalidated"), std::string::npos) << confirmed.cache();
  EXPECT_TRUE(decoded(confirmed) == body);
  stand.settle();
  EXPECT_EQ(get(stand, "/a", accept("zstd")).cache(), "perigee; hit; ttl=60");
  stand.pass_ms(61'000);
  tag = "\"v2\"";
  now = letters(300'000, 2);
  EXPECT_TRUE(get(stand, "/a", accept("zstd")).body == now) << "it is not coded yet";
  stand.settle();
  EXPECT_TRUE(decoded(get(stand, "/a", accept("zstd"))) == now);
}

TEST_F(FlowLongCoding, OfTwoCodingsTheShorterOneIsSentWhereverItLies) {
  const uint64_t record = stand.store().max_object_bytes();
  std::string text;
  size_t size = 100'000;
  do {
    text = text_of(size += 10'000);
    ASSERT_LT(size, 3'000'000u);
  } while (encoded(http::Coding::kGzip, text).size() <= record + 1'000);
  ASSERT_LT(encoded(http::Coding::kZstd, text).size(), record);
  stand.origin.on("/b", page(text));
  warm("/b", accept("gzip"));
  warm("/b", accept("zstd"));
  ASSERT_TRUE(origin::lies_in_fragments(*find("/b", http::Coding::kGzip).coded));
  ASSERT_FALSE(origin::lies_in_fragments(*find("/b", http::Coding::kZstd).coded));
  EXPECT_EQ(get(stand, "/b", accept("gzip, zstd"))["Content-Encoding"], "zstd");
}

TEST_F(FlowLongCoding, WithoutOneOfItsFragmentsItIsNotSent) {
  const std::string coded = warm("/a", accept("zstd")).body;
  stand.damage(coded.substr(200'000, 64));
  stand.restart();
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/a", accept("zstd"));
  const std::string got = client.arrived();
  EXPECT_TRUE(client.saw_reset()) << "a cut must be seen";
  EXPECT_TRUE(coded.starts_with(got.substr(got.find("\r\n\r\n") + 4)));
  const Answer plain = get(stand, "/a", accept("zstd"));
  EXPECT_EQ(plain["Content-Encoding"], "");
  EXPECT_TRUE(plain.body == body);
  stand.settle();
  EXPECT_TRUE(decoded(get(stand, "/a", accept("zstd"))) == body);
  EXPECT_EQ(get(stand, "/a", accept("zstd"))["Content-Encoding"], "zstd") << "it was made again";
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

TEST_F(FlowLongCoding, ItIsSentThoughTheBodyLacksAFragment) {
  warm("/a", accept("zstd"));
  lose_a_fragment();
  const Answer answer = get(stand, "/a", accept("zstd"));
  EXPECT_EQ(answer["Content-Encoding"], "zstd");
  EXPECT_TRUE(decoded(answer) == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
  EXPECT_TRUE(get(stand, "/a").body == body) << "for others it is fetched";
  EXPECT_GT(stand.origin.asked_for("/a"), 1u);
}

TEST_F(FlowLongCoding, ItIsThereAfterARestart) {
  warm("/a", accept("br"));
  stand.restart();
  const Answer answer = get(stand, "/a", accept("br"));
  EXPECT_EQ(answer["Content-Encoding"], "br");
  EXPECT_TRUE(decoded(answer) == body);
  EXPECT_EQ(stand.origin.asked_for("/a"), 1u);
}

TEST_F(FlowLongCoding, APurgeTakesIt) {
  Stand own("purge_from = [\"203.0.113.0/24\"]");
  own.origin.on("/a", page(body));
  get(own, "/a", kBrowser);
  own.settle();
  ASSERT_EQ(get(own, "/a", kBrowser)["Content-Encoding"], "zstd");
  ASSERT_EQ(own.ask("PURGE", "/a").status, 200);
  const std::string newer = letters(300'000, 3);
  own.origin.on("/a", page(newer, "max-age=60", "\"v2\""));
  EXPECT_TRUE(get(own, "/a", kBrowser).body == newer);
  own.settle();
  EXPECT_TRUE(decoded(get(own, "/a", kBrowser)) == newer);
}

TEST_F(FlowLongCoding, ASlowReaderHoldsNoSlabAndGoesOn) {
  const std::string coded = warm("/a", accept("zstd")).body;
  EXPECT_TRUE(read_slowly() == coded);
}

TEST_F(FlowLongCoding, SoItDoesBehindA304) {
  stand.origin.on("/a", [&](const Asked& asked) {
    return asked["If-None-Match"].empty() ? page(body) : Reply(304).etag("\"v1\"");
  });
  const std::string coded = warm("/a", accept("zstd")).body;
  stand.pass_ms(61'000);
  EXPECT_TRUE(read_slowly() == coded);
}

TEST_F(FlowLongCoding, ADecodedBodyThatLostAFragmentIsNotSent) {
  const std::string sent = encoded(http::Coding::kGzip, body);
  stand.origin.on("/g", page(sent).line("Content-Encoding", "gzip"));
  warm("/g", "");
  ASSERT_TRUE(warm("/g", "").body == body);
  stand.damage(body.substr(200'000, 64));
  stand.restart();
  Client client(stand);
  client.reading().capacity = 16 * limits::kMiB;
  client.ask("GET", "/g");
  (void)client.arrived();
  EXPECT_TRUE(client.saw_reset()) << "a cut must be seen";
  EXPECT_TRUE(get(stand, "/g").body == sent) << "until it is decoded again";
  stand.settle();
  EXPECT_TRUE(get(stand, "/g").body == body);
  EXPECT_EQ(stand.origin.asked_for("/g"), 1u);
}

TEST_F(FlowLongCoding, AStaleCopyIsSentCoded) {
  bool down = false;
  stand.origin.on("/a", [&](const Asked&) {
    return down ? Reply(503) : page(body, "max-age=60, stale-if-error=600");
  });
  const std::string coded = warm("/a", accept("zstd")).body;
  lose_a_fragment();
  down = true;
  stand.pass_ms(61'000);
  const Answer answer = get(stand, "/a", accept("zstd"));
  EXPECT_NE(answer.cache().find("stale-if-error"), std::string::npos) << answer.cache();
  EXPECT_TRUE(answer.body == coded);
}

TEST_F(FlowLongCoding, AVariantIsCodedToo) {
  stand.origin.on("/v", [&](const Asked& asked) {
    return page(letters(300'000, asked["Accept-Language"] == "de" ? 5 : 6))
        .line("Vary", "Accept-Language");
  });
  for (const std::string_view language : {"de", "en"}) {
    const std::string lines = accept("zstd") + "Accept-Language: " + std::string(language) + "\r\n";
    const Answer answer = warm("/v", lines);
    EXPECT_EQ(answer["Content-Encoding"], "zstd");
    EXPECT_TRUE(decoded(answer) == letters(300'000, language == "de" ? 5 : 6));
  }
  EXPECT_EQ(stand.origin.asked_for("/v"), 2u);
}

TEST_F(FlowLongCoding, WhatTheOriginSentCodedIsMadeIntoWhatOthersTake) {
  const std::string sent = encoded(http::Coding::kGzip, body);
  ASSERT_GT(sent.size(), stand.store().max_object_bytes());
  stand.origin.on("/g", page(sent).line("Content-Encoding", "gzip"));
  EXPECT_TRUE(get(stand, "/g", accept("gzip")).body == sent);
  stand.settle();
  const Answer shorter = warm("/g", accept("gzip, zstd"));
  EXPECT_EQ(shorter["Content-Encoding"], "zstd");
  EXPECT_LT(shorter.body.size(), sent.size());
  warm("/g", "");
  const Answer plain = warm("/g", "");
  EXPECT_EQ(plain["Content-Encoding"], "");
  EXPECT_EQ(plain["ETag"], "W/\"v1\"");
  EXPECT_TRUE(plain.body == body);
  warm("/g", accept("br"));
  const Answer answer = warm("/g", accept("br"));
  EXPECT_EQ(answer["Content-Encoding"], "br");
  EXPECT_TRUE(decoded(answer) == body);
  EXPECT_TRUE(get(stand, "/g", accept("gzip")).body == sent);
  EXPECT_EQ(stand.origin.asked_for("/g"), 1u);
}

RULE_F(FlowLongCoding, ItsDigestIsTold, "RFC 9530 §3; http-rules 4.6",
       "Repr-Digest is that of the selected representation", "a long coding tells its own too",
       "repr_digest") {
  Stand own("repr_digest = true");
  own.origin.on("/a", page(body));
  get(own, "/a", accept("zstd"));
  own.settle();
  const Answer answer = get(own, "/a", accept("zstd"));
  ASSERT_EQ(answer["Content-Encoding"], "zstd");
  EXPECT_EQ(answer["Repr-Digest"],
            "sha-256=:" + origin::sha256_of(std::as_bytes(std::span(answer.body))) + ":");
}

}  // namespace
}  // namespace perigee::test
