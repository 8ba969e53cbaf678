// Digests of what is stored (RFC 9530): those of the origin are compared, ours are told.
#include <gtest/gtest.h>

#include <string>

#include "http/digest_fields.h"
#include "origin/body_digest.h"
#include "tests/support/edge/coded_flow.h"
#include "tests/support/edge/large_body.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("origin::FillSink, origin::FragmentFetch, origin::set_made, http::make_response");

std::string digest_of(const std::string& body) {
  return http::sha256_value(origin::sha256_of(std::as_bytes(std::span(body))));
}

/// What its origin says of it, right or wrong.
Reply said(const std::string& body, std::string_view field, const std::string& digest) {
  return Reply(200).cache("max-age=60").etag("\"v1\"").line(field, digest).body(body);
}

class FlowDigest : public FlowCoding {};

RULE_F(FlowDigest, WhatIsNotWhatItSaysIsNotStored, "RFC 9530 §6.1, §3; http-rules 4.6",
       "A digest may be used to see that the content is not what was sent",
       "it is passed on, not stored, counted and told", "") {
  const std::string body = text_of(20'000);
  for (const std::string_view field : {"Repr-Digest", "Content-Digest"}) {
    const std::string target = "/" + std::string(field);
    const uint64_t before = stand.metrics.wrong_digests();
    stand.origin.on(target, said(body, field, digest_of(body + "x")));
    for (int i = 1; i <= 2; ++i) {
      const Answer answer = stand.get(target);
      EXPECT_TRUE(answer.body == body);
      EXPECT_EQ(answer[field], digest_of(body + "x"));
      stand.settle();
      EXPECT_EQ(stand.origin.asked_for(target), static_cast<size_t>(i));
    }
    EXPECT_EQ(stand.metrics.wrong_digests(), before + 2);
    stand.origin.on(target, said(body, field, digest_of(body)));
    stand.get(target);
    stand.settle();
    EXPECT_EQ(stand.get(target).cache(), "perigee; hit; ttl=60") << "now it is right";
    EXPECT_EQ(stand.metrics.wrong_digests(), before + 2);
  }
}

TEST_F(FlowDigest, AnEmptyBodyIsComparedToo) {
  stand.origin.on("/wrong", said("", "Repr-Digest", digest_of("x")));
  stand.origin.on("/right", said("", "Repr-Digest", digest_of("")));
  for (const char* target : {"/wrong", "/right"}) {
    stand.get(target);
    stand.settle();
    stand.get(target);
  }
  EXPECT_EQ(stand.origin.asked_for("/wrong"), 2u);
  EXPECT_EQ(stand.origin.asked_for("/right"), 1u);
}

TEST_F(FlowDigest, OfABodyOfUnknownLength) {
  const std::string body = text_of(20'000);
  const auto reply = [&](const std::string& digest) {
    return Reply(200).cache("max-age=60").line("Repr-Digest", digest).chunked(body);
  };
  stand.origin.on("/wrong", reply(digest_of("x")));
  stand.origin.on("/right", reply(digest_of(body)));
  for (const char* target : {"/wrong", "/right"}) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(stand.get(target).body == body);
      stand.settle();
    }
  }
  EXPECT_EQ(stand.origin.asked_for("/wrong"), 2u);
  EXPECT_EQ(stand.origin.asked_for("/right"), 1u);
}

TEST_F(FlowDigest, OfALongBodyInFragments) {
  stand.origin.on("/wrong", said(kText, "Repr-Digest", digest_of(kText + "x")));
  stand.origin.on("/right", said(kText, "Repr-Digest", digest_of(kText)));
  for (const char* target : {"/wrong", "/right"}) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(get(stand, target).body == kText);
      stand.settle();
    }
  }
  EXPECT_EQ(stand.origin.asked_for("/wrong"), 2u);
  EXPECT_EQ(stand.origin.asked_for("/right"), 1u);
}

RULE_F(FlowDigest, AFragmentThatIsNotWhatItSaysIsNotStored, "RFC 9530 §2; http-rules 4.6",
       "Content-Digest of a 206 is of the part that it brings",
       "the part is passed on, and not stored", "") {
  const size_t each = stand.store().fragment_bytes();
  bool right = false;
  stand.origin.on("/a", [&](const Asked& asked) {
    Reply reply = RangedFile{kText}(asked);
    const std::string part = kText.substr(each, each);
    return reply.line("Content-Digest", digest_of(right ? part : part + "x"));
  });
  const std::string range =
      "Range: bytes=" + std::to_string(each) + "-" + std::to_string(2 * each - 1) + "\r\n";
  for (int i = 0; i < 2; ++i) {
    const size_t before = stand.origin.asked.size();
    EXPECT_TRUE(get(stand, "/a", range).body == kText.substr(each, each));
    stand.settle();
    EXPECT_GT(stand.origin.asked.size(), before);
  }
  const size_t asked = stand.origin.asked.size();
  EXPECT_EQ(stand.metrics.wrong_digests(), asked);
  right = true;
  get(stand, "/a", range);
  stand.settle();
  EXPECT_EQ(get(stand, "/a", range).cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(stand.origin.asked.size(), asked + 1);
}

/// Sites that tell digests.
class FlowToldDigest : public FlowCoding {
 protected:
  FlowToldDigest() { stand.reload("repr_digest = true"); }
  /// It is stored in the best coding that this client takes.
  Answer coded(std::string_view target, std::string_view codings) {
    for (int i = 0; i < 4; ++i) warm(target, accept(codings));
    return stand.get(target, accept(codings));
  }
};

RULE_F(FlowToldDigest, EachCodingHasItsOwn, "RFC 9530 §3; http-rules 4.6, 3.23",
       "Repr-Digest is of the representation, its content coding included",
       "each coding is told with its own digest, computed once", "repr_digest") {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  EXPECT_EQ(stand.get("/a")["Repr-Digest"], "") << "it is known at the end of the body";
  stand.settle();
  EXPECT_EQ(stand.get("/a")["Repr-Digest"], digest_of(body));
  for (const std::string_view coding : {"gzip", "br", "zstd"}) {
    const Answer hit = coded("/a", coding);
    EXPECT_EQ(hit["Content-Encoding"], coding);
    EXPECT_EQ(hit["Repr-Digest"], digest_of(hit.body));
    const Answer head = stand.ask("HEAD", "/a", accept(coding));
    EXPECT_EQ(head["Repr-Digest"], hit["Repr-Digest"]);
    const Answer same = stand.get("/a", accept(coding) + "If-None-Match: \"v1\"\r\n");
    EXPECT_EQ(same.status, 304);
    EXPECT_EQ(same["Repr-Digest"], "") << "the client may have another coding under this tag";
  }
}

RULE_F(FlowToldDigest, OfARangeItIsTheWholes, "RFC 9530 §3; http-rules 4.6",
       "Repr-Digest of a 206 is of the whole representation", "a 206 carries that of the identity",
       "repr_digest") {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  warm("/a");
  const Answer part = stand.get("/a", std::string(kBrowser) + "Range: bytes=5-9\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part["Repr-Digest"], digest_of(body));
  EXPECT_EQ(stand.get("/a", "Range: bytes=30000-\r\n")["Repr-Digest"], "");
  const Answer parts = stand.get("/a", "Range: bytes=0-1,5-9\r\n");
  EXPECT_EQ(parts.status, 206);
  EXPECT_EQ(parts["Repr-Digest"], digest_of(body));
}

TEST_F(FlowToldDigest, OfALongBodyAndAfterA304) {
  stand.origin.on("/a", RangedFile{kText});
  get(stand, "/a");
  stand.settle();
  EXPECT_EQ(get(stand, "/a")["Repr-Digest"], digest_of(kText));
  stand.pass_ms(70'000);
  stand.origin.on("/a", Reply(304).cache("max-age=60").etag("\"v1\"").line("Repr-Digest", "x=1"));
  EXPECT_EQ(get(stand, "/a")["Repr-Digest"], digest_of(kText));
  stand.settle();
  EXPECT_EQ(get(stand, "/a").cache(), "perigee; hit; ttl=60");
  EXPECT_EQ(get(stand, "/a")["Repr-Digest"], digest_of(kText));
}

TEST_F(FlowToldDigest, OfWhatTheOriginCoded) {
  const std::string body = text_of(20'000);
  const std::string gzip = encoded(http::Coding::kGzip, body);
  stand.origin.on("/a", page(gzip).line("Content-Encoding", "gzip"));
  const Answer sent = warm("/a", accept("gzip"));
  EXPECT_EQ(sent["Content-Encoding"], "gzip");
  EXPECT_EQ(sent["Repr-Digest"], digest_of(sent.body));
  warm("/a", "");
  const Answer plain = stand.get("/a");
  ASSERT_TRUE(plain.body == body);
  EXPECT_EQ(plain["Repr-Digest"], digest_of(body));
}

RULE_F(FlowToldDigest, AWeightOfZeroIsHonoured, "RFC 9530 §4; http-rules 4.6",
       "0 means not acceptable", "neither ours nor the origin's is sent then", "repr_digest") {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", page(body));
  stand.origin.on("/b", said(body, "Repr-Digest", digest_of(body)));
  coded("/a", "gzip");
  stand.get("/b");
  stand.settle();
  const std::string refuses = "Want-Repr-Digest: sha-256=0\r\n";
  EXPECT_EQ(stand.get("/a", refuses)["Repr-Digest"], "");
  EXPECT_EQ(stand.get("/a", accept("gzip") + refuses)["Repr-Digest"], "");
  EXPECT_EQ(stand.get("/b", refuses)["Repr-Digest"], "");
  EXPECT_EQ(stand.get("/a", "Want-Repr-Digest: sha-512=5\r\n")["Repr-Digest"], digest_of(body));
  stand.reload("");
  EXPECT_EQ(stand.get("/b", refuses)["Repr-Digest"], digest_of(body))
      << "a site that tells none passes on what its origin says";
}

TEST_F(FlowToldDigest, TheOriginsOwnStaysAndIsNotDoubled) {
  const std::string body = text_of(20'000);
  stand.origin.on("/a", said(body, "Repr-Digest", digest_of(body)));
  stand.get("/a");
  stand.settle();
  const Answer hit = stand.get("/a");
  EXPECT_EQ(hit.count("Repr-Digest"), 1u);
  EXPECT_EQ(hit["Repr-Digest"], digest_of(body));
}

TEST_F(FlowToldDigest, ASiteThatDoesNotAskTellsNone) {
  stand.reload("");
  stand.origin.on("/a", page());
  warm("/a", "");
  EXPECT_EQ(stand.get("/a")["Repr-Digest"], "");
  EXPECT_EQ(coded("/a", "gzip")["Repr-Digest"], "");
}

}  // namespace
}  // namespace perigee::test
