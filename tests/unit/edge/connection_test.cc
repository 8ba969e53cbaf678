// One connection: its timers, what it keeps of what it cannot use yet, its share of a turn, and how
// it ends.
#include "edge/connection.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/edge/stand.h"
#include "tests/support/rule.h"

namespace perigee::test {
namespace {

GUARDS("edge::Connection");

namespace limits = base::limits;

Reply fresh(std::string body) { return Reply(200).cache("max-age=3600").body(body); }

/// A stand with /small (1 KiB) and /large (60 KB) in its store.
struct StoredStand : Stand {
  StoredStand() {
    origin.on("/small", fresh(std::string(1024, 's')));
    origin.on("/large", fresh(std::string(60'000, 'l')));
    get("/small");
    get("/large");
  }
};

// --- timers ---

RULE(ConnectionTimers, AnIdleConnectionIsClosedSilently, "RFC 9112 §9.5; http-rules 4.9",
     "a server may close an idle connection", "without a word, so that no browser shows a 408",
     "idle_timeout") {
  StoredStand stand;
  Client silent(stand);
  Client used(stand);
  used.ask("GET", "/small").answer();
  stand.pass_ms(limits::kIdleMs - 1000);
  EXPECT_FALSE(silent.saw_end());
  EXPECT_FALSE(used.saw_end());
  stand.pass_ms(2000);
  for (Client* client : {&silent, &used}) {
    EXPECT_TRUE(client->saw_end());
    EXPECT_FALSE(client->saw_reset());
    EXPECT_EQ(client->arrived(), "");
  }
}

TEST(ConnectionTimers, TheIdleTimeBeginsWhenASlowOriginsAnswerIsSent) {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/a");
  stand.pass_ms(14'000);
  stand.origin.release();
  EXPECT_EQ(client.answer().status, 200);
  stand.pass_ms(limits::kIdleMs - 1000);
  EXPECT_FALSE(client.saw_end()) << "the wait for the origin is no idle time";
  stand.pass_ms(2000);
  EXPECT_TRUE(client.saw_end());
}

TEST(ConnectionTimers, AnExpectingClientHasItsGraceFromThe100OnHoweverLongTheOriginWasBusy) {
  Stand stand("origin_connections = 2");
  stand.origin.on("/a", [](const Asked& asked) { return Reply(200).body(asked.body); });
  stand.origin.hold();
  Client before(stand);
  before.ask("POST", "/b", "", "x");
  stand.run();
  Client client(stand);
  client.write(
      "POST /a HTTP/1.1\r\nHost: site.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  stand.pass_ms(limits::kBodyGraceMs - 1000);
  EXPECT_EQ(client.arrived(), "") << "no connection is free";
  stand.origin.release();
  EXPECT_EQ(client.arrived(), "HTTP/1.1 100 Continue\r\n\r\n");
  stand.pass_ms(limits::kBodyGraceMs - 1000);
  client.write("hello");
  EXPECT_TRUE(client.arrived().ends_with("\r\n\r\nhello"));
}

RULE(ConnectionTimers, AHeadThatComesTooSlowlyIs408, "RFC 9110 §15.5.9",
     "408 says that a request was not complete in time",
     "10 s from its first byte, however it drips", "head_timeout") {
  Stand stand;
  Client client(stand);
  const std::string head = "GET /small HTTP/1.1\r\nHost: site.test\r\nX: aaaaaaaaaa";
  for (size_t i = 0; i < head.size() && !client.saw_end(); ++i) {
    client.write(head.substr(i, 1));
    stand.pass_ms(300);
  }
  EXPECT_EQ(client.answer().status, 408);
  stand.pass_ms(limits::kLingerMs + 100);
  EXPECT_TRUE(client.saw_end());
}

TEST(ConnectionTimers, ContentThatComesTooSlowlyIs408) {
  Stand stand;
  Client client(stand);
  client.write("POST /a HTTP/1.1\r\nHost: site.test\r\nContent-Length: 100000\r\n\r\n");
  for (int second = 0; second < 20 && !client.saw_end(); ++second) {
    client.write("0123456789");
    stand.pass_ms(1000);
  }
  EXPECT_EQ(client.answer().status, 408);
}

TEST(ConnectionTimers, ContentAtTheMinimumRateIsNotCut) {
  Stand stand;
  stand.origin.on("/a", [](const Asked& asked) { return Reply(200).body(asked.body); });
  Client client(stand);
  client.write("POST /a HTTP/1.1\r\nHost: site.test\r\nContent-Length: 12000\r\n\r\n");
  for (int second = 0; second < 20; ++second) {
    client.write(std::string(600, 'x'));
    stand.pass_ms(1000);
  }
  EXPECT_EQ(client.answer().body.size(), 12'000u);
}

TEST(ConnectionTimers, AClientThatTakesNothingIsCutAfterTheStallTime) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/large");
  stand.pass_ms(limits::kStallMs - 1000);
  EXPECT_FALSE(client.saw_end());
  stand.pass_ms(limits::kStallCheckMs + 1000);
  EXPECT_TRUE(client.saw_reset()) << "what it got was not whole";
  EXPECT_EQ(stand.pins("/large"), 0u);
}

TEST(ConnectionTimers, AClientThatTakesWhatWasSentIsProgressThoughTheNodeWritesNothing) {
  // What is acknowledged counts: readiness for writing comes only when much of the buffer is free.
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 40'000;
  client.ask("GET", "/large");
  stand.run();
  for (int step = 0; step < 4; ++step) {
    stand.pass_ms(10'000);
    EXPECT_FALSE(client.saw_end()) << step;
    // Taken from the buffer, so acknowledged, but not enough that the node would be woken.
    client.pipe().read_some(9000);
    client.reading().capacity -= 9000;
  }
}

TEST(ConnectionTimers, AClientBelowTheMinimumRateIsCut) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/large");
  stand.run();
  int64_t passed = 0;
  for (; passed < 200'000 && !client.saw_end(); passed += 5000) {
    client.pipe().read_some(1000);
    stand.pass_ms(5000);
  }
  EXPECT_TRUE(client.saw_reset());
  EXPECT_GE(passed, limits::kRateWindowMs) << "200 B/s, judged over the window";
}

TEST(ConnectionTimers, TheMinimumRateIsJudgedAsSoonAsItsWindowIsOver) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/large");
  stand.run();
  constexpr int64_t kStep = limits::kRateWindowMs / 20;
  for (int step = 1; step < 20; ++step) {
    client.pipe().read_some(1000);
    stand.pass_ms(kStep);
  }
  client.pipe().read_some(1000);
  stand.pass_ms(kStep - 1);
  EXPECT_FALSE(client.saw_end());
  stand.pass_ms(1);
  EXPECT_TRUE(client.saw_reset());
}

TEST(ConnectionTimers, ProgressOfLongAgoIsNoneNow) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/large");
  stand.run();
  stand.pass_ms(10'000);
  client.pipe().read_some(1000);
  client.reading().capacity = 0;
  stand.pass_ms(limits::kStallMs + limits::kStallCheckMs - 5000);
  EXPECT_TRUE(client.saw_reset()) << "nothing was taken for the stall time";
}

TEST(ConnectionTimers, EachWindowOfTheRateIsJudgedByItself) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 40'000;
  client.ask("GET", "/large");
  stand.run();
  client.reading().capacity = 1000;
  client.pipe().read_some(40'000);
  for (int64_t passed = 0; passed < 2 * limits::kRateWindowMs; passed += 10'000) {
    client.pipe().read_some(1000);
    stand.pass_ms(10'000);
  }
  stand.pass_ms(limits::kStallCheckMs);
  EXPECT_TRUE(client.saw_reset()) << "fast at first, and then below the minimum";
}

TEST(ConnectionTimers, AResponseIsNotJudgedByTheOneBefore) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/small");
  EXPECT_EQ(client.answer().body.size(), 1024u);
  client.reading().capacity = SIZE_MAX;
  for (int64_t passed = 0; passed <= limits::kRateWindowMs; passed += limits::kIdleMs / 2) {
    stand.pass_ms(limits::kIdleMs / 2);
    EXPECT_EQ(client.ask("GET", "/small").answer().status, 200);
  }
  client.reading().capacity = 1000;
  client.ask("GET", "/large");
  stand.pass_ms(limits::kStallMs / 2);
  EXPECT_FALSE(client.saw_end()) << "its own time has only begun";
}

TEST(ConnectionTimers, AClientAtTheMinimumRateGetsAll) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 3000;
  client.ask("GET", "/large");
  stand.run();
  size_t got = 0;
  for (int64_t passed = 0; passed < 200'000 && got < 60'000; passed += 5000) {
    got += client.pipe().read_some(3000).size();
    stand.pass_ms(5000);
  }
  EXPECT_FALSE(client.saw_end());
  EXPECT_GE(got, 60'000u);
}

TEST(ConnectionTimers, WaitingForTheNodeIsNoStall) {
  Stand stand;
  stand.env.hold_jobs = true;
  Client client(stand, "127.0.0.1:1");
  client.ask("PURGE", "/a");
  stand.pass_ms(3 * limits::kStallMs);
  EXPECT_FALSE(client.saw_end());
  stand.env.hold_jobs = false;
  EXPECT_EQ(client.answer().status, 200);
}

// --- closing ---

RULE(ConnectionClosing, AnErrorLingersSoThatItIsRead, "RFC 9112 §9.6; http-rules 1.14",
     "closing at once may reset the connection before the error was read",
     "half-closed, then drained for at most 2 s or 64 KiB", "") {
  Stand stand;
  Client client(stand);
  client.write("BAD REQUEST\r\n\r\n" + std::string(30'000, 'x'));
  EXPECT_EQ(client.answer().status, 400);
  EXPECT_TRUE(client.pipe().saw_fin());
  client.write(std::string(20'000, 'y'));
  stand.pass_ms(1000);
  EXPECT_FALSE(client.saw_reset()) << "drained";
  EXPECT_EQ(stand.connections(), 1u);
  stand.pass_ms(1100);
  EXPECT_EQ(stand.connections(), 0u) << "after 2 s";
}

TEST(ConnectionClosing, LingeringDrainsAtMostItsBound) {
  Stand stand;
  Client client(stand);
  client.write("BAD REQUEST\r\n\r\n");
  EXPECT_EQ(client.answer().status, 400);
  const std::string piece(limits::kMiB, 'x');
  size_t written = 0;
  while (stand.connections() > 0 && written < 2 * limits::kLingerBytes) {
    client.write(piece);
    stand.run();
    written += piece.size();
  }
  EXPECT_EQ(written, limits::kLingerBytes);
}

TEST(ConnectionClosing, LingeringGoesOnWhileTheClientSendsForAWhile) {
  Stand stand;
  Client client(stand);
  client.write("BAD REQUEST\r\n\r\n");
  EXPECT_EQ(client.answer().status, 400);
  int64_t lasted_ms = 0;
  while (stand.connections() > 0 && lasted_ms < 2 * limits::kLingerMostMs) {
    client.write("x");
    stand.pass_ms(1000);
    lasted_ms += 1000;
  }
  EXPECT_EQ(lasted_ms, limits::kLingerMostMs);
}

TEST(ConnectionClosing, LingeringEndsWhenThePeerCloses) {
  Stand stand;
  Client client(stand);
  client.write("BAD REQUEST\r\n\r\n");
  EXPECT_EQ(client.answer().status, 400);
  client.half_close();
  stand.run();
  EXPECT_EQ(stand.connections(), 0u);
}

TEST(ConnectionClosing, AnErrorThatCannotBeSentIsSaidOnce) {
  // A refusal that waited in the queue was followed by a second one when the head's deadline
  // passed.
  Stand stand;
  Client client(stand);
  client.reading().capacity = 10;
  client.write("G");
  stand.run();
  client.write("ET / HTTP/1.1\r\nHost: a b\r\n\r\n");
  stand.pass_ms(limits::kRequestHeadMs + 1000);
  client.reading().capacity = 100'000;
  std::string got = client.arrived() + client.arrived();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 400")) << got;
  EXPECT_EQ(got.find("408"), std::string::npos) << got;
}

TEST(ConnectionClosing, WhatStandsBeforeACutIsStillSaid) {
  // Head, content and cut come in one turn; nothing of the next answer is sent behind them.
  StoredStand stand;
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/cut");
  stand.run();
  client.ask("GET", "/small");
  stand.origin.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun");
  stand.origin.finish();
  const std::string got = client.arrived();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n")) << got;
  EXPECT_TRUE(got.ends_with("\r\n\r\nbegun")) << got;
  EXPECT_TRUE(client.saw_reset());
}

TEST(ConnectionClosing, RequestsThatCameBeforeAHalfCloseAreAllAnswered) {
  StoredStand stand;
  stand.origin.on("/miss", fresh("missed"));
  Client client(stand);
  client.ask("GET", "/miss").ask("GET", "/large").ask("GET", "/small");
  client.half_close();
  EXPECT_EQ(client.answer().body, "missed");
  EXPECT_EQ(client.answer().body.size(), 60'000u);
  const Answer last = client.answer();
  EXPECT_EQ(last.body.size(), 1024u);
  EXPECT_EQ(stand.connections(), 1u) << "of the stand's own client";
}

TEST(ConnectionClosing, AHalfCloseInsideAHeadEndsTheConnection) {
  Stand stand;
  Client client(stand);
  client.write("GET / HTTP/1.1\r\nHost: si");
  stand.run();
  client.half_close();
  stand.run();
  EXPECT_EQ(stand.connections(), 0u);
}

TEST(ConnectionClosing, AHalfCloseInsideContentCancelsTheRequest) {
  Stand stand;
  Client client(stand);
  client.write("POST /a HTTP/1.1\r\nHost: site.test\r\nContent-Length: 100\r\n\r\nabc");
  stand.run();
  ASSERT_EQ(stand.origin.open_connections(), 1u);
  client.half_close();
  stand.run();
  EXPECT_EQ(stand.connections(), 0u);
  EXPECT_EQ(stand.origin.open_connections(), 0u) << "the origin sees the cut too";
}

// --- what is kept, and shares of a turn ---

TEST(ConnectionBounds, PipelinedBytesBehindABlockedRequestAreBounded) {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.origin.hold();
  Client client(stand);
  const std::string request = "GET /a HTTP/1.1\r\nHost: site.test\r\n\r\n";
  constexpr size_t kRequests = 20'000;
  for (size_t i = 0; i < kRequests; ++i) client.write(request);
  stand.run();
  const size_t taken = kRequests * request.size() - client.pipe().unacked();
  EXPECT_LE(taken, limits::kSpillBytes + limits::kReadBufferBytes);
  stand.origin.release();
  size_t answers = 0;
  std::string got;
  for (std::string more = client.arrived(); !more.empty(); more = client.arrived()) got += more;
  for (size_t at = 0; (at = got.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++answers;
  EXPECT_EQ(answers, kRequests);
  EXPECT_EQ(stand.origin.asked.size(), 1u);
}

TEST(ConnectionBounds, AClientThatDoesNotReadStopsBeingRead) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 0;
  constexpr size_t kRequests = 10'000;
  for (size_t i = 0; i < kRequests; ++i) client.ask("GET", "/small");
  const size_t sent = client.pipe().unacked();
  stand.run();
  EXPECT_GT(client.pipe().unacked(), sent / 2) << "answers wait, so requests do";
}

TEST(ConnectionBounds, OneConnectionDoesNotTakeTheWholeTurn) {
  StoredStand stand;
  Client greedy(stand);
  greedy.reading().capacity = SIZE_MAX;
  for (int i = 0; i < 200; ++i) greedy.ask("GET", "/large");
  Client modest(stand);
  modest.ask("GET", "/small");
  stand.worker->turn();
  EXPECT_LE(greedy.pipe().arrived().size(), limits::kSendBytes + 61'000);
  EXPECT_GT(modest.pipe().arrived().size(), 1024u) << "in the same turn";
  stand.run();
  EXPECT_GT(greedy.pipe().arrived().size(), 200u * 60'000) << "the rest in further turns";
}

TEST(ConnectionBounds, ATurnEntersAtMostItsShareOfConnections) {
  StoredStand stand;
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < limits::kRunListTurn + 20; ++i) {
    clients.push_back(std::make_unique<Client>(stand));
    clients.back()->ask("GET", "/small");
  }
  const auto answered = [&] {
    size_t count = 0;
    for (const auto& client : clients) count += client->pipe().arrived().empty() ? 0 : 1;
    return count;
  };
  EXPECT_TRUE(stand.worker->turn()) << "there is more to do";
  EXPECT_EQ(answered(), limits::kRunListTurn);
  stand.worker->turn();
  EXPECT_EQ(answered(), clients.size());
}

// --- draining ---

TEST(ConnectionDrain, IdleConnectionsCloseAtOnceAndNewOnesAreRefused) {
  StoredStand stand;
  Client idle(stand);
  idle.ask("GET", "/small").answer();
  bool drained = false;
  stand.worker->on_idle([&] { drained = true; });
  stand.worker->drain(stand.env.now() + 10'000);
  stand.run();
  EXPECT_TRUE(idle.saw_end());
  EXPECT_TRUE(drained);
  Client late(stand);
  stand.run();
  EXPECT_TRUE(late.saw_reset());
}

TEST(ConnectionDrain, IdleConnectionsToOriginsCloseToo) {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.get("/a");
  ASSERT_EQ(stand.origin.open_connections(), 1u);
  stand.worker->drain(stand.env.now() + 10'000);
  stand.run();
  EXPECT_EQ(stand.origin.open_connections(), 0u);
}

TEST(ConnectionDrain, ARequestThatHasArrivedIsAnswered) {
  StoredStand stand;
  Client kept(stand);
  kept.ask("GET", "/small").answer();
  // Neither was read yet when the drain begins.
  kept.ask("GET", "/small");
  Client fresh(stand);
  fresh.ask("GET", "/small");
  stand.worker->drain(stand.env.now() + 10'000);
  for (Client* client : {&kept, &fresh}) {
    const Answer answer = client->answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer["Connection"], "close");
    EXPECT_TRUE(client->saw_end());
    EXPECT_FALSE(client->saw_reset());
  }
}

TEST(ConnectionDrain, AnAnswerThatBeginsWhileDrainingSaysClose) {
  Stand stand;
  stand.origin.on("/a", fresh("x"));
  stand.origin.hold();
  Client client(stand);
  client.ask("GET", "/a").ask("GET", "/a");
  stand.run();
  stand.worker->drain(stand.env.now() + 10'000);
  stand.origin.release();
  const Answer answer = client.answer();
  EXPECT_EQ(answer.body, "x");
  EXPECT_EQ(answer["Connection"], "close");
  EXPECT_TRUE(client.saw_end());
  stand.pass_ms(limits::kLingerMs);
  EXPECT_TRUE(stand.connections() == 0);
}

TEST(ConnectionDrain, AnAnswerInTheMiddleIsFinishedAndThenTheConnectionCloses) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 10'000;
  client.ask("GET", "/large");
  stand.run();
  stand.worker->drain(stand.env.now() + 10'000);
  client.reading().capacity = 1'000'000;
  EXPECT_EQ(client.answer().body.size(), 60'000u);
  EXPECT_FALSE(client.saw_reset());
  EXPECT_TRUE(client.saw_end());
  stand.pass_ms(limits::kLingerMs);
  EXPECT_TRUE(stand.connections() == 0);
}

TEST(ConnectionDrain, WhatIsLeftAtTheDeadlineIsCut) {
  StoredStand stand;
  Client client(stand);
  client.reading().capacity = 1000;
  client.ask("GET", "/large");
  stand.run();
  bool drained = false;
  stand.worker->on_idle([&] { drained = true; });
  stand.worker->drain(stand.env.now() + 5000);
  stand.pass_ms(4000);
  EXPECT_FALSE(drained);
  stand.pass_ms(1100);
  EXPECT_TRUE(drained);
  EXPECT_TRUE(client.saw_end());
}

}  // namespace
}  // namespace perigee::test
