// One fetch however many ask: waiters stream from the growing body, and are let go when they must
// not.
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using tools::FakeRequest;
using tools::Wire;

class Fills : public SiteTest {
 protected:
  static constexpr size_t kSize = 200'000;
  static constexpr size_t kHalf = kSize / 2;

  /// Answers "/a" with a head and half of the body; the rest comes when "rest" is released.
  void answer_in_halves(const std::string& field) {
    origin.hold("rest");
    origin.set("/a", [this, field](FakeRequest&, Wire& wire) {
      wire.send("HTTP/1.1 200 OK\r\n" + field + "\r\nContent-Length: " + std::to_string(kSize) +
                "\r\n\r\n" + body.substr(0, kHalf));
      if (wire.wait_while_held("rest")) wire.send(body.substr(kHalf));
    });
  }
  /// Connections that have asked for "/a", spread over both workers by the kernel.
  std::vector<Client> ask(size_t count) {
    std::vector<Client> clients;
    for (size_t i = 0; i < count; ++i) {
      Client& client = clients.emplace_back(node.port());
      client.send(client.bytes("GET", "/a"));
    }
    return clients;
  }

  const std::string body = tools::pattern_body(kSize);
};

TEST_F(Fills, WaitersStreamBeforeTheFillEnds) {
  answer_in_halves(max_age(60));
  std::vector<Client> clients = ask(4);
  std::vector<Response> answers;
  for (Client& client : clients) {
    Response answer = client.read_head();
    client.read_body(answer, kHalf);
    EXPECT_EQ(answer.state, State::kReading);
    EXPECT_EQ(answer.body, body.substr(0, kHalf));
    answers.push_back(answer);
  }
  origin.release("rest");
  size_t collapsed = 0;
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i].read_body(answers[i]);
    answers[i].expect(200).expect_body(body);
    collapsed += answers[i].cache().count("collapsed");
  }

  EXPECT_EQ(collapsed, 3u);
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Fills, ALateJoinerGetsTheBodyFromItsBeginning) {
  answer_in_halves(max_age(60));
  std::vector<Client> first = ask(1);
  Response early = first[0].read_head();
  first[0].read_body(early, kHalf);
  std::vector<Client> second = ask(1);
  Response late = second[0].read_head();
  second[0].read_body(late, kHalf);
  EXPECT_TRUE(late.cache().contains("collapsed"));
  origin.release("rest");
  second[0].read_body(late);
  late.expect(200).expect_body(body);
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Fills, EverybodyMayJoinWhileTheBodyGrows) {
  answer_in_halves(max_age(60));
  std::vector<Client> clients;
  std::vector<Response> answers;
  for (size_t i = 0; i < 8; ++i) {
    for (Client& client : ask(1)) clients.push_back(std::move(client));
    answers.push_back(clients.back().read_head());
    clients.back().read_body(answers.back(), kHalf);
  }
  origin.release("rest");
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i].read_body(answers[i]);
    answers[i].expect(200).expect_body(body);
  }
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Fills, TheFillOutlivesItsFirstClient) {
  answer_in_halves(max_age(60));
  std::vector<Client> clients = ask(1);
  Response answer = clients[0].read_head();
  clients[0].read_body(answer, 1);
  clients[0].reset();
  origin.release("rest");
  hit("/a").expect(200).expect_body(body);
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Fills, WaitersStayWhenTheFirstClientGoesBeforeTheHead) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  origin.hold("/a");
  std::vector<Client> clients = ask(1);
  ASSERT_TRUE(origin.wait_for("/a", 1));
  std::vector<Client> others = ask(3);
  clients[0].reset();
  origin.release("/a");
  for (Client& client : others) client.read().expect(200).expect_body("one");
  EXPECT_EQ(origin.count("/a"), 1u);
}

TEST_F(Fills, AnUncacheableAnswerReleasesAllWaitersAtOnce) {
  origin.hold("first");
  origin.hold("others");
  origin.set("/a", [this](FakeRequest& asked, Wire& wire) {
    wire.wait_while_held(origin.count("/a") == 1 ? "first" : "others");
    send_reply({.fields = {"Cache-Control: private"}, .body = "one"}, asked, wire);
  });
  std::vector<Client> clients = ask(1);
  ASSERT_TRUE(origin.wait_for("/a", 1));
  std::vector<Client> others = ask(3);
  origin.release("first");
  clients[0].read().expect(200).expect_body("one");
  // All three are at the origin before any of them is answered.
  ASSERT_TRUE(origin.wait_for("/a", 4));
  origin.release("others");
  for (Client& client : others) client.read().expect(200).expect_body("one");
  EXPECT_EQ(origin.count("/a"), 4u);
}

TEST_F(Fills, AnUncacheableUrlNeverQueuesItsClients) {
  // Each answer waits for four requests at the origin: queued clients would never get one.
  origin.reply("/a", {.fields = {"Cache-Control: no-store"}, .body = "one"});
  get("/a").expect(200);
  origin.hold("/a");
  std::vector<Client> clients = ask(4);
  ASSERT_TRUE(origin.wait_for("/a", 5));
  origin.release("/a");
  for (Client& client : clients) client.read().expect(200);
}

TEST_F(Fills, AVariantIsNotGivenToWaitersOfAnother) {
  origin.set("/a", [](FakeRequest& asked, Wire& wire) {
    const std::string language = asked.field("Accept-Language").value_or("none");
    send_reply({.fields = {max_age(60), "Vary: Accept-Language"}, .body = language}, asked, wire);
  });
  origin.hold("/a");
  std::vector<Client> clients;
  for (const std::string language : {"fr", "de", "fr"}) {
    Client& client = clients.emplace_back(node.port());
    client.send(client.bytes("GET", "/a", {"Accept-Language: " + language}));
    ASSERT_TRUE(origin.wait_for("/a", 1));
  }
  origin.release("/a");
  clients[0].read().expect(200).expect_body("fr");
  clients[1].read().expect(200).expect_body("de");
  clients[2].read().expect(200).expect_body("fr");
}

TEST_F(Fills, ACutBodyIsCutForAllAndNeverStored) {
  origin.hold("rest");
  origin.set("/a", [this](FakeRequest&, Wire& wire) {
    wire.send("HTTP/1.1 200 OK\r\n" + max_age(60) + "\r\nContent-Length: 200000\r\n\r\n" +
              body.substr(0, kHalf));
    wire.wait_while_held("rest");
    wire.finish();
  });
  std::vector<Client> clients = ask(3);
  std::vector<Response> answers;
  for (Client& client : clients) {
    answers.push_back(client.read_head());
    client.read_body(answers.back(), kHalf);
  }
  origin.release("rest");
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i].read_body(answers[i]);
    EXPECT_EQ(answers[i].state, State::kReset);
  }
  EXPECT_EQ(origin.count("/a"), 1u);
  origin.reply("/a", {.fields = {max_age(60)}, .body = "whole"});
  get("/a").expect(200).expect_body("whole").expect_cache("fwd=uri-miss");
}

TEST_F(Fills, AChunkedBodyIsStoredWithItsLength) {
  origin.hold("rest");
  origin.set("/a", [this](FakeRequest&, Wire& wire) {
    wire.send("HTTP/1.1 200 OK\r\n" + max_age(60) +
              "\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + body.substr(0, kHalf) + "\r\n");
    if (wire.wait_while_held("rest")) wire.send("186A0\r\n" + body.substr(kHalf) + "\r\n0\r\n\r\n");
  });
  std::vector<Client> clients = ask(1);
  Response answer = clients[0].read_head();
  answer.expect_field("Transfer-Encoding", "chunked");
  origin.release("rest");
  clients[0].read_body(answer);
  answer.expect(200).expect_body(body);
  hit("/a").expect(200).expect_body(body).expect_field("Content-Length", "200000");
}

TEST_F(Fills, AnOriginThatSpeaksHttp10IsStoredWhenItEndedInOrder) {
  origin.reply("/a", {.fields = {max_age(60)}, .body = body, .close = true, .http10 = true});
  get("/a").expect(200).expect_body(body);
  hit("/a").expect(200).expect_body(body);
}

TEST_F(Fills, ABodyLargerThanItsShareOfTheStoreStreamsUnstored) {
  const std::string large = tools::pattern_body(20 << 20);
  origin.reply("/large", {.fields = {max_age(60)}, .body = large});
  Response answer = get("/large").expect(200).expect_body(large);
  EXPECT_FALSE(answer.cache().contains("stored"));
  get("/large").expect(200).expect_body(large);
  EXPECT_EQ(origin.count("/large"), 2u);
}

}  // namespace
}  // namespace perigee::e2e
