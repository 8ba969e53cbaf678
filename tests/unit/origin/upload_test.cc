// A fetch that takes a request's content to its origin: framing, pace, early answers, cuts.
#include <string>

#include "tests/support/rule.h"
#include "tests/unit/origin/origin_fixture.h"

namespace perigee::origin {
namespace {

GUARDS("origin::Upload, origin::make_http_origin");

namespace limits = base::limits;
using http::Method;

class UploadTest : public OriginTest {};

TEST_F(UploadTest, StreamsContentOfKnownLengthUp) {
  test::FedBody body(6);
  auto log = post(&body);
  EXPECT_EQ(peer().read(), "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n");
  body.feed("abc");
  env_.run();
  EXPECT_EQ(peer().read(), "abc");
  body.feed("def");
  body.end();
  env_.run();
  EXPECT_EQ(peer().read(), "def");
  answer(kOk);
  EXPECT_TRUE(log->whole());
  get();
  EXPECT_EQ(connections(), 1u);
}

TEST_F(UploadTest, StreamsContentOfUnknownLengthUpInChunks) {
  test::FedBody body;
  auto log = post(&body);
  body.feed("abc");
  env_.run();
  body.end();
  env_.run();
  EXPECT_EQ(
      peer().read(),
      "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
}

RULE_F(UploadTest, NoContentIsToldWhereTheMethodMeansSome, "RFC 9110 §8.6",
       "A request whose method gives content a meaning carries Content-Length when it has none",
       "POST, PUT and PATCH without content are sent with Content-Length: 0", "") {
  auto log = post(nullptr);
  EXPECT_EQ(peer().read(), "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  answer(kOk);
  EXPECT_TRUE(log->whole());
}

TEST_F(UploadTest, AnOriginThatDoesNotReadPausesTheUpload) {
  rules_.capacity = 4096;
  test::FedBody body(1'000'000);
  body.feed(std::string(1'000'000, 'x'));
  body.end();
  auto log = post(&body);
  EXPECT_LE(body.taken(), 2 * limits::kOutLowBytes);
  size_t received = 0;
  for (int round = 0; round < 10'000 && received < 1'000'000; ++round) {
    const std::string text = peer().read();
    received += text.size() - (round == 0 ? text.find("\r\n\r\n") + 4 : 0);
    EXPECT_LE(body.taken(), received + 4096 + 2 * limits::kOutLowBytes);
    env_.run();
  }
  EXPECT_EQ(received, 1'000'000u);
}

TEST_F(UploadTest, AnUploadDoesNotTakeTheWholeTurn) {
  rules_.capacity = SIZE_MAX;
  rules_.per_send = 50'000;
  constexpr size_t kAll = 3 * limits::kSendBytes;
  test::FedBody body(kAll);
  FetchLog log(env_);
  FetchRequest asked = request(Method::kPost, "POST");
  asked.body = &body;
  log.fetch = origin_->fetch(asked, log);
  env_.run();
  size_t before = peer().arrived().size();
  const size_t whole = before + kAll;
  body.feed(std::string(kAll, 'x'));
  body.end();
  int turns = 0;
  for (; peer().arrived().size() < whole && turns < 100; ++turns) {
    env_.turn();
    EXPECT_LE(peer().arrived().size() - before, limits::kSendBytes);
    before = peer().arrived().size();
  }
  EXPECT_EQ(before, whole) << "and what is left goes in the turns that follow";
}

TEST_F(UploadTest, AnUploadLongerThanTheHeadTimeIsNotTimedOutWhileItMoves) {
  test::FedBody body(100);
  auto log = post(&body);
  for (int i = 0; i < 10; ++i) {
    env_.advance(10 * kSecond);
    body.feed("0123456789");
    env_.run();
  }
  body.end();
  env_.run();
  EXPECT_EQ(log->said, "");
  answer(kOk);
  EXPECT_EQ(log->said, "200");
}

TEST_F(UploadTest, AClientThatIsSlowToSendIsNoSlowOrigin) {
  test::FedBody body(100);
  auto log = post(&body);
  env_.advance(300 * kSecond);
  EXPECT_EQ(log->said, "");
  body.fail();
  env_.run();
  EXPECT_EQ(log->said, "failed:closed");
  EXPECT_TRUE(peer().other_gone());
}

TEST_F(UploadTest, AnOriginThatTakesNothingTimesOut) {
  rules_.capacity = 100;
  test::FedBody body(1'000'000);
  body.feed(std::string(1'000'000, 'x'));
  auto log = post(&body);
  env_.advance(limits::kBetweenBytesMs + 10);
  EXPECT_EQ(log->said, "failed:timeout");
}

TEST_F(UploadTest, AnEarlyAnswerStopsTheUploadAndIsRelayed) {
  rules_.capacity = 1000;
  test::FedBody body(1'000'000);
  body.feed(std::string(1'000'000, 'x'));
  auto log = post(&body);
  answer("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(log->said, "413");
  EXPECT_EQ(log->body(), "no");
  EXPECT_TRUE(log->whole());
  const size_t taken = body.taken();
  peer().read();
  env_.run();
  EXPECT_EQ(body.taken(), taken);
  EXPECT_TRUE(peer().other_gone()) << "never used again";
  EXPECT_EQ(gate_.connections.used(), 0u);
}

/// What the next request does after an exchange with content.
class AfterContent : public UploadTest {
 protected:
  void expect_kept(bool kept, const char* what) {
    EXPECT_EQ(peer().other_gone(), !kept) << what;
    get();
    EXPECT_EQ(connections(), kept ? 1u : 2u) << what;
  }
  static constexpr std::string_view kContent = "GET /planted HTTP/1.1\r\nHost: h\r\n\r\n";
};

RULE_F(AfterContent, AConnectionIsUsedAgainWhenTheOriginCanHaveReadIt,
       "RFC 9112 §9.3, §11.2; http-rules 3.13",
       "content that a server leaves unread is not the next request",
       "the response is below 400, and began after all content was sent and acknowledged", "") {
  test::FedBody body(kContent.size());
  body.feed(std::string(kContent));
  body.end();
  auto log = post(&body);
  peer().read();
  answer(kOk);
  EXPECT_TRUE(log->whole());
  expect_kept(true, "an answer after the content");
}

TEST_F(AfterContent, AConnectionWhoseContentIsNotAcknowledgedIsClosed) {
  test::FedBody body(kContent.size());
  body.feed(std::string(kContent));
  body.end();
  auto log = post(&body);
  const size_t head = peer().arrived().find("\r\n\r\n") + 4;
  peer().read_some(head);
  answer(kOk);
  EXPECT_EQ(log->body(), "ok");
  EXPECT_TRUE(log->whole());
  expect_kept(false, "the content was still on its way");
}

TEST_F(AfterContent, AnErrorClosesTheConnection) {
  test::FedBody body(kContent.size());
  body.feed(std::string(kContent));
  body.end();
  auto log = post(&body);
  peer().read();
  answer("HTTP/1.1 405 No\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(log->body(), "no");
  expect_kept(false, "an error after content");
}

TEST_F(AfterContent, AnErrorWithoutContentKeepsTheConnection) {
  auto log = post(nullptr);
  peer().read();
  answer("HTTP/1.1 405 No\r\nContent-Length: 2\r\n\r\nno");
  expect_kept(true, "no content, so none was left unread");
}

TEST_F(AfterContent, AnAnswerThatBeganBeforeTheLastByteClosesTheConnection) {
  const std::string text(kOk);
  // At once, and in two pieces: how much of it is there before the content goes.
  for (const size_t early : {text.size(), size_t{1}, size_t{20}}) {
    SCOPED_TRACE(early);
    const size_t before = connections();
    test::FedBody body(kContent.size());
    auto log = post(&body);
    const size_t index = peers_.size() - 1;
    EXPECT_EQ(connections(), before + 1);
    peer(index).read();
    // Both are there when the loop looks, and nobody says which was first.
    peer(index).write(text.substr(0, early));
    body.feed(std::string(kContent));
    body.end();
    env_.run();
    EXPECT_EQ(peer(index).read(), kContent);
    answer(text.substr(early), index);
    EXPECT_EQ(log->body(), "ok");
    EXPECT_TRUE(peer(index).other_gone());
  }
}

TEST_F(AfterContent, AnInterimResponseBeforeTheLastByteClosesTheConnection) {
  test::FedBody body(kContent.size());
  auto log = post(&body);
  answer("HTTP/1.1 103 Early\r\n\r\n");
  body.feed(std::string(kContent));
  body.end();
  env_.run();
  peer().read();
  answer(kOk);
  EXPECT_EQ(log->said, "103 200");
  expect_kept(false, "its first byte was there too early");
}

TEST_F(UploadTest, AnAnswerThatStandsBeforeAResetIsRelayed) {
  test::FedBody body(1'000'000);
  auto log = post(&body);
  peer().write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  peer().abort();
  body.feed(std::string(500'000, 'x'));
  env_.run();
  EXPECT_EQ(log->said, "413");
  EXPECT_EQ(log->body(), "no");
}

TEST_F(UploadTest, AnUploadThatIsCutAfterTheAnswerHarmsNothing) {
  test::FedBody body(100);
  auto log = post(&body);
  answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
  body.fail();
  env_.run();
  answer("cd");
  EXPECT_EQ(log->body(), "abcd");
  EXPECT_TRUE(log->whole());
}

}  // namespace
}  // namespace perigee::origin
