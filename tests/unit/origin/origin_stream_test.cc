// A fetch over one connection: what it sends, how it reads, when it gives up, and what it leaves
// behind.
#include "origin/origin_stream.h"

#include <string>

#include "tests/support/rule.h"
#include "tests/unit/origin/origin_fixture.h"

namespace perigee::origin {
namespace {

GUARDS("origin::OriginStream, origin::OriginPool");

namespace limits = base::limits;
using http::Method;

class OriginStreamTest : public OriginTest {};

TEST_F(OriginStreamTest, SendsOneRequestAndReadsItsResponse) {
  auto log = get();
  EXPECT_EQ(peer().read(), "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  answer(kOk);
  EXPECT_EQ(log->said, "200");
  EXPECT_EQ(log->body(), "ok");
  EXPECT_TRUE(log->whole());
}

TEST_F(OriginStreamTest, ReadsTheSameResponseAtEverySplit) {
  const std::string text =
      "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
  for (size_t at = 1; at < text.size(); ++at) {
    auto log = get();
    const size_t index = peers_.size() - 1;
    answer(text.substr(0, at), index);
    answer(text.substr(at), index);
    EXPECT_EQ(log->said, "103 200") << at;
    EXPECT_EQ(log->body(), "abcdefg") << at;
    EXPECT_TRUE(log->whole()) << at;
  }
  EXPECT_EQ(connections(), 1u) << "each leaves the connection fit for the next";
}

TEST_F(OriginStreamTest, AHeadThatHoldsALineBreakNeverReachesTheOrigin) {
  test::FedBody body(3);
  body.feed("abc");
  body.end();
  FetchRequest bad = request();
  bad.target = "/x HTTP/1.1\r\nEvil: 1\r\n";
  auto log = fetch(bad);
  EXPECT_EQ(log->said, "failed:refused");
  EXPECT_EQ(log->error.status(), 400);
  FetchRequest with_content = request(Method::kPost, "POST");
  with_content.host = "h\nEvil: 1";
  with_content.body = &body;
  EXPECT_EQ(fetch(with_content)->said, "failed:refused");
  for (const auto& peer : peers_) EXPECT_EQ(peer->read(), "");
  EXPECT_EQ(gate_.connections.used(), 0u);
}

TEST_F(OriginStreamTest, NothingIsCalledBackInsideFetch) {
  env_.on_connect = nullptr;
  FetchLog log(env_);
  log.fetch = origin_->fetch(request(), log);
  EXPECT_EQ(log.said, "");
  env_.run();
  EXPECT_EQ(log.said, "failed:connect");
}

// --- bodies ---

TEST_F(OriginStreamTest, ABodyWithoutLengthEndsWithFin) {
  auto log = get();
  answer("HTTP/1.0 200 OK\r\n\r\nabc");
  EXPECT_FALSE(log->whole());
  finish();
  EXPECT_TRUE(log->whole());
  EXPECT_EQ(log->body(), "abc");
  get();
  EXPECT_EQ(connections(), 2u);
}

struct CutCase {
  const char* name;
  const char* response;
  bool reset;
};
class CutBody : public OriginTest, public ::testing::WithParamInterface<CutCase> {};

TEST_P(CutBody, FailsAndIsNeverTakenForWhole) {
  auto log = get();
  answer(GetParam().response);
  GetParam().reset ? reset() : finish();
  EXPECT_TRUE(log->cut());
  EXPECT_FALSE(log->whole());
}
INSTANTIATE_TEST_SUITE_P(
    , CutBody,
    ::testing::Values(
        CutCase{"LengthNotReached", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", false},
        CutCase{"LengthReset", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", true},
        CutCase{"NoLastChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                false},
        CutCase{"InsideAChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
                false},
        CutCase{"BadChunkSize",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n", false},
        CutCase{"CloseDelimitedReset", "HTTP/1.0 200 OK\r\n\r\nabc", true}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(OriginStreamTest, AResponseWithoutContentIsWholeAtItsHead) {
  for (const std::string_view head :
       {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    auto log = get();
    answer(head);
    EXPECT_TRUE(log->whole()) << head;
  }
  EXPECT_EQ(connections(), 1u);
}

TEST_F(OriginStreamTest, TheConnectionIsKeptThoughTheFetchEndsInsideItsHead) {
  auto log = get();
  log->at_head = [&] { log->fetch.reset(); };
  answer("HTTP/1.1 304 Not Modified\r\n\r\n");
  get();
  EXPECT_EQ(connections(), 1u);
}

TEST_F(OriginStreamTest, HeadHasNoBody) {
  auto log = fetch(request(Method::kHead, "HEAD"));
  answer("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  EXPECT_TRUE(log->whole());
  EXPECT_EQ(log->body(), "");
  get();
  EXPECT_EQ(connections(), 1u);
}

TEST_F(OriginStreamTest, ContentIsReceivedOnlyAsItIsPulled) {
  auto log = get();
  log->pull = false;
  answer("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + std::string(200'000, 'a'));
  const size_t left = peer().unacked();
  EXPECT_GT(left, 100'000u);
  EXPECT_FALSE(peers_[0]->saw_reset());
  env_.advance(60 * kSecond);
  EXPECT_EQ(peer().unacked(), left) << "nothing is received, and a slow reader is no slow origin";
  log->reader = std::make_unique<test::BodyReader>(env_, *log->fetch);
  log->reader->pull();
  EXPECT_EQ(log->body().size(), 200'000u);
  EXPECT_FALSE(log->cut());
}

TEST_F(OriginStreamTest, ABodyThatWasWokenAndIsNotReadIsNotTimedOut) {
  auto log = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
  log->reader->budget = 0;
  answer("def");
  env_.advance(120 * kSecond);
  EXPECT_FALSE(log->cut());
  log->reader->budget = SIZE_MAX;
  log->reader->pull();
  EXPECT_TRUE(log->whole());
}

// --- keep-alive

RULE_F(OriginStreamTest, IdleForFourSecondsByDefault, "http-rules 4.3",
       "an origin that says nothing of its idle time may close soon",
       "an idle connection is kept for 4 s", "") {
  auto log = get();
  answer(kOk);
  env_.advance(3900);
  EXPECT_FALSE(peer().other_gone());
  env_.advance(200);
  EXPECT_TRUE(peer().other_gone());
  EXPECT_EQ(gate_.connections.used(), 0u);
}

RULE_F(OriginStreamTest, ObeysKeepAliveTimeoutLessASecond, "http-rules 4.3",
       "Keep-Alive: timeout=N says how long an idle connection stands",
       "an idle connection is kept for N - 1 s", "") {
  auto log = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: max=9, Timeout=20\r\n\r\nok");
  env_.advance(18'900);
  EXPECT_FALSE(peer().other_gone());
  env_.advance(200);
  EXPECT_TRUE(peer().other_gone());
  log = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok", 1);
  EXPECT_TRUE(peer(1).other_gone()) << "no time at all";
}

struct ReuseCase {
  const char* name;
  const char* response;
  bool reused;
};
class Reuse : public OriginTest, public ::testing::WithParamInterface<ReuseCase> {};

TEST_P(Reuse, FollowsTheResponse) {
  auto log = get();
  answer(GetParam().response);
  EXPECT_TRUE(log->whole());
  auto next = get();
  EXPECT_EQ(connections(), GetParam().reused ? 1u : 2u);
  EXPECT_EQ(peers_.front()->other_gone(), !GetParam().reused);
}
INSTANTIATE_TEST_SUITE_P(
    , Reuse,
    ::testing::Values(
        ReuseCase{"Length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
        ReuseCase{"Chunked",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                  true},
        ReuseCase{"AsksToClose",
                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", false},
        ReuseCase{"Http10", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
        ReuseCase{"Http10KeepAlive",
                  "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", true},
        ReuseCase{"SurplusBytes", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK",
                  false},
        ReuseCase{"SurplusBehindChunks",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx",
                  false},
        ReuseCase{"SurplusBehindNoContent", "HTTP/1.1 204 No Content\r\n\r\nx", false},
        ReuseCase{"NoContentWithLength", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
                  false}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(OriginStreamTest, AnythingOnAnIdleConnectionClosesIt) {
  auto log = get();
  answer(kOk);
  answer("HTTP/1.1 408 Request Timeout\r\n\r\n");
  EXPECT_TRUE(peer().other_gone());
  log = get();
  answer(kOk, 1);
  finish(1);
  EXPECT_EQ(gate_.connections.used(), 0u);
}

TEST_F(OriginStreamTest, WhatWasSaidUnaskedAnswersNoRequest) {
  leave_idle();
  // Too late for the turn in which the loop would have seen it.
  peer().write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
  auto log = get();
  EXPECT_EQ(log->said, "");
  ASSERT_EQ(connections(), 2u);
  answer(kOk, 1);
  EXPECT_TRUE(log->whole());
}

TEST_F(OriginStreamTest, TheConnectionUsedLastIsUsedFirst) {
  auto first = get();
  auto second = get();
  answer(kOk, 0);
  answer(kOk, 1);
  first = get();
  EXPECT_FALSE(peer(1).arrived().empty());
  peer(1).read();
}

TEST_F(OriginStreamTest, DrainClosesIdleConnectionsOnly) {
  auto done = get();
  auto running = get();
  answer(kOk, 0);
  origin_->drain();
  EXPECT_TRUE(peer(0).other_gone());
  answer(kOk, 1);
  EXPECT_TRUE(running->whole());
}

// --- the one retry ---

RULE_F(OriginStreamTest, OnceOnAReusedConnectionThatGaveNoByte, "http-rules 3.13; RFC 9110 §9.2.2",
       "an idempotent request may be repeated when a connection was closed before any response",
       "GET, HEAD and OPTIONS are repeated once, on a new connection", "") {
  leave_idle();
  auto log = get();
  finish();
  EXPECT_EQ(connections(), 2u);
  EXPECT_EQ(log->said, "");
  finish(1);
  EXPECT_EQ(log->said, "failed:closed") << "once";
}

TEST_F(OriginStreamTest, AReusedConnectionThatWasResetIsRetriedToo) {
  leave_idle();
  auto log = get();
  reset();
  answer(kOk, 1);
  EXPECT_EQ(log->body(), "ok");
}

TEST_F(OriginStreamTest, ARepeatedRequestHasItsOwnTimes) {
  leave_idle();
  auto log = get();
  env_.advance(limits::kFirstByteMs - kSecond);
  env_.on_connect = [](const base::Endpoint&) { return std::nullopt; };
  finish();
  EXPECT_EQ(connections(), 2u);
  env_.advance(limits::kConnectMs - kSecond);
  EXPECT_EQ(log->said, "") << "the first one's time is over, and not this one's";
}

TEST_F(OriginStreamTest, AResponseIsAsOldAsTheRequestThatBroughtIt) {
  leave_idle();
  auto log = get();
  env_.advance(5 * kSecond);
  const int64_t repeated_ms = env_.wall().ms;
  finish();
  env_.advance(2 * kSecond);
  answer(kOk, 1);
  EXPECT_EQ(log->received_at.request_ms, repeated_ms);
  EXPECT_EQ(log->received_at.response_ms, repeated_ms + 2 * kSecond);
}

TEST_F(OriginStreamTest, WhoAnswersContentWithAnErrorMayHaveLeftSomeOfItUnread) {
  for (const auto& [status, kept] : {std::pair(302, true), std::pair(400, false)}) {
    test::FedBody body(3);
    body.feed("abc");
    body.end();
    auto log = post(&body);
    peer().read();
    answer("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\n\r\n");
    const size_t before = connections();
    auto next = get();
    EXPECT_EQ(connections() == before, kept) << status;
    answer(kOk, peers_.size() - 1);
  }
}

TEST_F(OriginStreamTest, IsNotRetriedAfterAByte) {
  leave_idle();
  auto log = get();
  answer("H");
  finish();
  EXPECT_EQ(log->said, "failed:closed");
}

TEST_F(OriginStreamTest, IsNotRetriedOnANewConnection) {
  auto log = get();
  finish();
  EXPECT_EQ(log->said, "failed:closed");
  EXPECT_EQ(connections(), 1u);
}

RULE_F(OriginStreamTest, UnsafeMethodsTakeAFreshConnection, "http-rules 3.13; RFC 9110 §9.2.2",
       "a request that is not idempotent is not repeated",
       "it takes a connection idle for less than a second, or a new one", "") {
  leave_idle();
  env_.advance(900);
  auto log = post();
  EXPECT_EQ(connections(), 1u);
  answer(kOk);
  env_.advance(1100);
  log = post();
  EXPECT_EQ(connections(), 2u);
  finish(1);
  EXPECT_EQ(log->said, "failed:closed");
  EXPECT_EQ(connections(), 2u) << "never repeated";
}

RULE_F(OriginStreamTest, AnUnsafeRequestIsNotRepeated, "RFC 9110 §9.2.2; http-rules 3.13",
       "a proxy must not repeat a request that is not idempotent by itself",
       "it fails where a reused connection is closed, and where it is reset, before a response",
       "") {
  for (const bool by_reset : {false, true}) {
    leave_idle();
    const size_t last = connections() - 1;
    auto log = post();
    ASSERT_EQ(connections(), last + 1) << "a connection that was just used is fit";
    by_reset ? reset(last) : finish(last);
    EXPECT_EQ(log->said, "failed:closed");
    EXPECT_EQ(connections(), last + 1) << "nobody is asked again";
  }
}

TEST_F(OriginStreamTest, AnUnsafeMethodNeverTakesAConnectionThatHasEndedUnseen) {
  leave_idle();
  peer().finish();
  FetchLog log(env_);
  log.fetch = origin_->fetch(request(Method::kPost, "POST"), log);
  env_.run();
  EXPECT_EQ(connections(), 2u);
}

// --- interim responses ---

RULE_F(OriginStreamTest, ContinueIsSwallowedOthersArePassed, "RFC 9110 §15.2; http-rules 2.13",
       "a proxy forwards 1xx responses, except those to its own 100-continue",
       "100 is swallowed; 102, 103 and unknown ones are passed on", "") {
  auto log = get();
  answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 199 x\r\n\r\n");
  EXPECT_EQ(log->said, "103 199");
  answer(kOk);
  EXPECT_EQ(log->said, "103 199 200");
}

TEST_F(OriginStreamTest, TooManyInterimResponsesAreRefused) {
  auto log = get();
  for (size_t i = 0; i < limits::kInterimResponses; ++i) answer("HTTP/1.1 103 Early\r\n\r\n");
  EXPECT_EQ(log->said.find("failed"), std::string::npos);
  answer("HTTP/1.1 103 Early\r\n\r\n");
  EXPECT_TRUE(log->said.ends_with("failed:malformed"));
}

// --- time ---

TEST_F(OriginStreamTest, NoFirstByteInTimeIsATimeout) {
  auto log = get();
  env_.advance(limits::kFirstByteMs - 100);
  EXPECT_EQ(log->said, "");
  env_.advance(200);
  EXPECT_EQ(log->said, "failed:timeout");
  EXPECT_EQ(log->error.status(), 504);
  EXPECT_TRUE(log->error.unreachable());
  EXPECT_TRUE(peer().other_gone());
}

TEST_F(OriginStreamTest, AHeadThatCreepsEndsAtItsTotal) {
  auto log = get();
  const std::string head = "HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyyyy";
  int64_t passed = 0;
  for (size_t i = 0; i < head.size() && log->said.empty(); ++i, passed += 10 * kSecond) {
    answer(head.substr(i, 1));
    env_.advance(10 * kSecond);
  }
  EXPECT_EQ(log->said, "failed:timeout");
  EXPECT_EQ(passed, limits::kOriginHeadMs);
}

TEST_F(OriginStreamTest, InterimHeadsDoNotStretchTheTotal) {
  auto log = get();
  int64_t passed = 0;
  for (; passed < 200 * kSecond && log->said.find("failed") == std::string::npos;
       passed += 14 * kSecond) {
    answer("HTTP/1.1 102 Processing\r\n\r\n");
    env_.advance(14 * kSecond);
  }
  EXPECT_TRUE(log->said.ends_with("failed:timeout"));
  EXPECT_LE(passed, limits::kOriginHeadMs + 14 * kSecond);
}

TEST_F(OriginStreamTest, ContentThatStopsIsCut) {
  auto log = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc");
  env_.advance(limits::kBetweenBytesMs - 100);
  EXPECT_FALSE(log->cut());
  env_.advance(200);
  EXPECT_TRUE(log->cut());
  EXPECT_EQ(log->reader->wakes, 1);
}

TEST_F(OriginStreamTest, ContentThatTricklesIsCut) {
  auto log = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n");
  int64_t seconds = 0;
  for (; seconds < 300 && !log->cut(); ++seconds) {
    answer("x");
    env_.advance(kSecond);
  }
  EXPECT_TRUE(log->cut());
  EXPECT_GE(seconds, 60);
  EXPECT_LE(seconds, 62);
}

TEST_F(OriginStreamTest, ContentThatTricklesIsJudgedWhenItsWindowIsOver) {
  for (const int64_t short_by : {1, 0}) {
    auto log = get();
    answer("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n", peers_.size() - 1);
    for (int step = 5; step > 0; --step) {
      env_.advance(limits::kRateWindowMs / 5 - (step == 1 ? short_by : 0));
      answer("x", peers_.size() - 1);
    }
    EXPECT_EQ(log->cut(), short_by == 0);
  }
}

TEST_F(OriginStreamTest, ContentThatComesFastAtFirstIsCutWhenItTrickles) {
  auto log = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + std::string(100'000, 'x'));
  int64_t seconds = 0;
  for (; seconds < 300 && !log->cut(); ++seconds) {
    answer("x");
    env_.advance(kSecond);
  }
  EXPECT_GE(seconds, 119) << "over its first window it was fast enough";
  EXPECT_LE(seconds, 124);
}

TEST_F(OriginStreamTest, ContentAtTheLeastRateIsNotCut) {
  auto log = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n");
  for (int seconds = 0; seconds < 300; ++seconds) {
    answer(std::string(510, 'x'));
    env_.advance(kSecond);
  }
  EXPECT_FALSE(log->cut());
}

TEST_F(OriginStreamTest, ASlowReaderIsNotTakenForASlowOrigin) {
  auto log = get();
  answer("HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n");
  log->reader->piece = 1;
  for (int seconds = 0; seconds < 200; ++seconds) {
    log->reader->budget = 1;
    log->reader->pull();
    answer(std::string(600, 'x'));
    env_.advance(kSecond);
  }
  EXPECT_FALSE(log->cut());
}

TEST_F(OriginStreamTest, TimesAreThoseOfSendingAndOfTheHead) {
  auto log = get();
  const int64_t sent_ms = env_.wall().ms;
  env_.advance(2000);
  answer(kOk);
  EXPECT_EQ(log->received_at.request_ms, sent_ms);
  EXPECT_EQ(log->received_at.response_ms, sent_ms + 2000);
}

// --- heads that are refused ---

struct RefusedCase {
  const char* name;
  std::string response;
};
class RefusedHead : public OriginTest, public ::testing::WithParamInterface<RefusedCase> {};

TEST_P(RefusedHead, IsA502AndClosesTheConnection) {
  auto log = get();
  answer(GetParam().response);
  EXPECT_EQ(log->said, "failed:malformed");
  EXPECT_EQ(log->error.status(), 502);
  EXPECT_FALSE(log->error.unreachable());
  EXPECT_TRUE(peer().other_gone());
  EXPECT_EQ(gate_.connections.used(), 0u);
}
INSTANTIATE_TEST_SUITE_P(
    , RefusedHead,
    ::testing::Values(RefusedCase{"NotHttp", "<html>\r\n\r\n"},
                      RefusedCase{"Status000", "HTTP/1.1 000 x\r\n\r\n"},
                      RefusedCase{"Status1000", "HTTP/1.1 1000 x\r\n\r\n"},
                      RefusedCase{"TooLarge", "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x')},
                      RefusedCase{"SwitchesProtocols", "HTTP/1.1 101 x\r\n\r\n"},
                      RefusedCase{"TwoFramings",
                                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace perigee::origin
