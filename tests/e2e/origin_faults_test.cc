// Whatever an origin does: a status or a visible cut for everybody who waits, nothing stored that
// is not sound, and no further request on a connection whose framing is in doubt.
//
// One row a fault of tools/fake_origin. Faults that only the clock ends (no answer, content that
// stops or trickles) are shown in tests/unit/origin, which has a clock of its own; here their
// connections end instead.
#include <set>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using tools::FakeRequest;
using tools::Wire;

constexpr char kOld[] = "Age: 100";
constexpr size_t kSize = 1000;  ///< of the content of most faults

/// What is left of a response that was answered.
enum class Kept : uint8_t { kNothing, kStored };
enum class Line : uint8_t { kClosed, kReused };
/// Whether those who wait get the answer of the one request, or each makes its own.
enum class Waiters : uint8_t { kShare, kGoAlone };

struct Fault {
  const char* name;
  const char* target;  ///< behind /fault/
  int status;
  size_t size = 0;   ///< of the content that comes, when it comes whole
  bool cut = false;  ///< it does not
  Kept kept = Kept::kNothing;
  Line line = Line::kClosed;
  size_t pause_at = 0;       ///< content that everybody has before the origin goes on
  bool unreachable = false;  ///< a stale copy covers it
  Waiters waiters = Waiters::kShare;
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.target; }

// Content that is cut at byte 600 of the response has begun at byte 94.
const Fault kFaults[] = {
    // The connection ends.
    {.name = "ResetAtOnce", .target = "reset?after=0", .status = 502, .unreachable = true},
    {.name = "ResetInTheHead", .target = "reset?after=40", .status = 502, .unreachable = true},
    {.name = "ResetInTheContent",
     .target = "reset?after=600",
     .status = 200,
     .cut = true,
     .pause_at = 506},
    {.name = "FinAtOnce", .target = "fin?after=0", .status = 502, .unreachable = true},
    {.name = "FinAfterAByte", .target = "fin?after=1", .status = 502, .unreachable = true},
    {.name = "FinBehindTheHead", .target = "fin?after=94", .status = 200, .cut = true},
    {.name = "FinInTheContent", .target = "fin?after=600", .status = 200, .cut = true},
    {.name = "FinInTheHead", .target = "fin-in-head", .status = 502, .unreachable = true},
    // The length is not what was said.
    {.name = "TooLongALength", .target = "long-length", .status = 200, .cut = true},
    {.name = "TooShortALength",
     .target = "short-length",
     .status = 200,
     .size = kSize,
     .kept = Kept::kStored},
    {.name = "NoLastChunk", .target = "no-last-chunk", .status = 200, .cut = true},
    {.name = "ABadChunk", .target = "bad-chunk", .status = 200, .cut = true},
    {.name = "TwoResponses",
     .target = "two-responses",
     .status = 200,
     .size = 5,
     .kept = Kept::kStored},
    // Too much.
    {.name = "AnEndlessHead", .target = "endless-head", .status = 502},
    {.name = "ALargeHead", .target = "large-head", .status = 502},
    {.name = "ManyFields", .target = "many-fields", .status = 502},
    {.name = "EndlessInterimHeads", .target = "endless-1xx", .status = 502},
    // Slow, and sound.
    {.name = "ATrickle",
     .target = "trickle?size=20&pause_ms=1",
     .status = 200,
     .size = 20,
     .kept = Kept::kStored,
     .line = Line::kReused},
    {.name = "AHeadThatTrickles",
     .target = "trickle-head?pause_ms=1",
     .status = 200,
     .size = 1,
     .kept = Kept::kStored,
     .line = Line::kReused},
    // Codings are the client's business: passed on as they came.
    {.name = "AWrongCoding",
     .target = "wrong-coding",
     .status = 200,
     .size = kSize,
     .kept = Kept::kStored,
     .line = Line::kReused},
    // Statuses.
    {.name = "Status000", .target = "status?status=000", .status = 502},
    {.name = "Status99", .target = "status?status=99", .status = 502},
    {.name = "Status099", .target = "status?status=099", .status = 502},
    {.name = "Status1000", .target = "status?status=1000", .status = 502},
    {.name = "StatusOfLetters", .target = "status?status=2oo", .status = 502},
    {.name = "Status999",
     .target = "status?status=999",
     .status = 999,
     .size = 2,
     .kept = Kept::kStored,
     .line = Line::kReused},
    {.name = "SwitchingProtocols", .target = "switching", .status = 502},
    {.name = "NotModifiedUnasked", .target = "not-modified", .status = 502, .line = Line::kReused},
    {.name = "PartialUnasked",
     .target = "partial",
     .status = 206,
     .size = 5,
     .line = Line::kReused,
     .waiters = Waiters::kGoAlone},
    {.name = "NoContentWithContent",
     .target = "no-content-with-body",
     .status = 204,
     .kept = Kept::kStored},
    // What can be read in two ways.
    {.name = "ANulInTheHead", .target = "nul-in-head", .status = 502},
    {.name = "LinesThatEndInLf", .target = "bare-lf", .status = 502},
    {.name = "AFoldedLine", .target = "folded", .status = 502},
    {.name = "ASpaceBeforeTheColon", .target = "space-before-colon", .status = 502},
    {.name = "TwoLengths", .target = "two-lengths", .status = 502},
    {.name = "ALengthAndChunked", .target = "length-and-chunked", .status = 502},
    {.name = "GzipAndChunked", .target = "chunked-gzip", .status = 502},
    {.name = "ChunkedInHttp10", .target = "http10-chunked", .status = 502},
    {.name = "NotHttp", .target = "not-http", .status = 502},
    // Between two responses.
    {.name = "AnEarlyAnswer",
     .target = "early",
     .status = 200,
     .size = kSize,
     .kept = Kept::kStored,
     .line = Line::kReused},
    {.name = "AnEarlyAnswerThenFin",
     .target = "early-close",
     .status = 200,
     .size = kSize,
     .kept = Kept::kStored},
    {.name = "FinOnTheIdleConnection",
     .target = "closes-idle",
     .status = 200,
     .size = kSize,
     .kept = Kept::kStored},
    {.name = "BytesOnTheIdleConnection",
     .target = "talks-idle",
     .status = 200,
     .size = kSize,
     .kept = Kept::kStored,
     .pause_at = kSize},
};

/// A connection whose pauses end when the test says so.
class PausedWire final : public Wire {
 public:
  explicit PausedWire(Wire& wire) : wire_(wire) {}
  bool send(std::string_view bytes) override { return wire_.send(bytes); }
  bool read_body(FakeRequest& request) override { return wire_.read_body(request); }
  void forget_body() override { wire_.forget_body(); }
  void finish() override { wire_.finish(); }
  void reset() override { wire_.reset(); }
  bool sleep(int64_t ms) override { return wire_.wait_while_held("pause") && wire_.sleep(ms); }
  bool wait_while_held(const std::string& path) override { return wire_.wait_while_held(path); }

 private:
  Wire& wire_;
};

/// One worker, so that what it was sent earlier it has read earlier.
class FaultTest : public testing::Test {
 protected:
  FaultTest() {
    // Without a length: no connection to the origin is left behind.
    origin.reply("/ready", {.fields = {max_age(600)}, .body = "ready", .close = true});
    origin.reply("/next", {.fields = {"Cache-Control: no-store"}, .body = "next"});
    EXPECT_TRUE(eventually([&] { return Client(node.port()).get("/ready").is_hit(); }));
  }
  void break_origin(const std::string& path) {
    origin.set(path, [](FakeRequest& request, Wire& wire) {
      PausedWire paused(wire);
      tools::default_script()(request, paused);
    });
  }
  /// Clients that have all asked for the target and wait for it; the path is held at the origin.
  std::vector<Client> wait_for(const std::string& target, const std::string& path, size_t count) {
    std::vector<Client> clients;
    for (size_t i = 0; i < count; ++i) {
      clients.emplace_back(node.port()).get("/ready").expect(200);
    }
    const size_t before = origin.count(path);
    origin.hold(path);
    for (Client& client : clients) {
      client.send(client.bytes("GET", target));
      EXPECT_TRUE(origin.wait_for(path, before + 1));
    }
    // Its answer comes after the node has read all of theirs.
    Client(node.port()).get("/ready").expect(200);
    return clients;
  }
  Response get(const std::string& target, const Lines& lines = {}) {
    return Client(node.port()).get(target, lines);
  }
  Response get_cached(const std::string& target) {
    return get(target, {"Cache-Control: only-if-cached"});
  }
  /// Whatever was to be put before this is put.
  void wait_for_puts() {
    origin.reply("/later", {.fields = {max_age(600)}, .body = "later"});
    get("/later").expect(200);
    EXPECT_TRUE(eventually([&] { return get_cached("/later").is_hit(); }));
  }

  tools::FakeOrigin origin;
  Node node{{.origin = origin.url(), .workers = 1}};
};

class OriginFault : public FaultTest, public testing::WithParamInterface<Fault> {
 protected:
  OriginFault() { break_origin(path); }

  /// What a client gets, and that it is whole, or visibly not.
  void expect_answer(const Response& got) const {
    EXPECT_EQ(got.status, fault.status);
    EXPECT_EQ(got.state, fault.cut ? State::kReset : State::kWhole);
    if (fault.cut) {
      EXPECT_TRUE(tools::pattern_body(kSize).starts_with(got.body)) << got.body;
      EXPECT_GE(got.body.size(), fault.pause_at);
    } else if (fault.status == 502) {
      EXPECT_EQ(got.field("Cache-Control"), "no-store");
      EXPECT_NE(got.body, "");
    } else {
      EXPECT_EQ(got.body.size(), fault.size);
    }
  }

  const Fault& fault = GetParam();
  const std::string target = std::string("/fault/") + fault.target;
  const std::string path = target.substr(0, target.find('?'));
};

TEST_P(OriginFault, IsTheSameForAllWhoWaitAndLeavesNothingUnsound) {
  constexpr size_t kWaiters = 3;
  std::vector<Client> clients = wait_for(target, path, kWaiters);
  if (fault.pause_at > 0) origin.hold("pause");
  origin.release(path);
  std::vector<Response> answers;
  for (Client& client : clients) {
    answers.push_back(client.read_head());
    client.read_body(answers.back(), fault.pause_at);
  }
  origin.release("pause");
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i].read_body(answers[i]);
    expect_answer(answers[i]);
  }
  const size_t asked = fault.waiters == Waiters::kShare ? 1 : kWaiters;
  EXPECT_EQ(origin.count(path), asked);

  if (fault.pause_at == kSize) {
    EXPECT_TRUE(eventually([&] { return origin.open_connections() == 0; })) << "it said too much";
  }
  const size_t connections = origin.connections();
  get("/next").expect(200).expect_body("next");
  EXPECT_EQ(origin.connections() == connections, fault.line == Line::kReused);

  if (fault.kept == Kept::kStored) {
    EXPECT_TRUE(eventually([&] { return get_cached(target).is_hit(); })) << "never stored";
    expect_answer(get(target));
    EXPECT_EQ(origin.count(path), asked);
  } else {
    wait_for_puts();
    EXPECT_EQ(get_cached(target).status, 504) << "nothing is stored";
    EXPECT_FALSE(get(target).is_hit());
    EXPECT_GT(origin.count(path), asked);
  }
}

TEST_P(OriginFault, IsCoveredByAStaleCopyWhenTheOriginCannotBeReached) {
  origin.reply(path, {.fields = {max_age(50), kOld}, .body = "stale", .close = true});
  get(target).expect(200).expect_cache("stored");
  EXPECT_TRUE(eventually([&] { return get_cached(target).cache().contains("fwd=stale"); }));
  break_origin(path);
  const size_t asked = origin.count(path);
  // Without a pause a reset may be seen before the head is.
  if (fault.pause_at > 0) origin.hold("pause");
  Client client(node.port());
  client.send(client.bytes("GET", target));
  Response answer = client.read_head();
  client.read_body(answer, fault.pause_at);
  origin.release("pause");
  client.read_body(answer);
  EXPECT_GT(origin.count(path), asked);
  if (fault.unreachable) {
    answer.expect(200).expect_body("stale").expect_cache("fwd=stale; detail=stale-if-error");
  } else {
    expect_answer(answer);
  }
  if (fault.kept == Kept::kStored) return;
  // The copy is still there for the next time.
  wait_for_puts();
  get_cached(target).expect_cache("fwd=stale");
  origin.refuse();
  origin.drop_connections(false);
  get(target).expect(200).expect_body("stale");
}

INSTANTIATE_TEST_SUITE_P(, OriginFault, testing::ValuesIn(kFaults),
                         [](const auto& row) { return row.param.name; });

TEST(OriginFaults, EveryOneThatTheFakeOriginKnowsIsShownHere) {
  // These have tests of their own below.
  std::set<std::string_view> shown = {"hang", "endless-body", "gzip-bomb"};
  for (const Fault& fault : kFaults) {
    const std::string_view target = fault.target;
    shown.insert(target.substr(0, target.find('?')));
  }
  std::set<std::string_view> known;
  for (const tools::FaultMode& mode : tools::fault_modes()) known.insert(mode.name);
  EXPECT_EQ(shown, known);
}

using Faults = FaultTest;

TEST_F(Faults, AnOriginThatHangsAndThenGoesIsA502ForAllWhoWait) {
  for (const bool reset : {false, true}) {
    std::vector<Client> clients = wait_for("/fault/hang", "/fault/hang", 3);
    const size_t asked = origin.count("/fault/hang");
    origin.release("/fault/hang");
    origin.drop_connections(reset);
    for (Client& client : clients) client.read().expect(502);
    EXPECT_EQ(origin.count("/fault/hang"), asked);
  }
}

TEST_F(Faults, AnOriginThatHangsAndThenGoesIsCoveredByAStaleCopy) {
  origin.reply("/fault/hang", {.fields = {max_age(50), kOld}, .body = "stale", .close = true});
  get("/fault/hang").expect(200).expect_cache("stored");
  EXPECT_TRUE(eventually([&] { return get_cached("/fault/hang").cache().contains("fwd=stale"); }));
  break_origin("/fault/hang");
  std::vector<Client> clients = wait_for("/fault/hang", "/fault/hang", 3);
  origin.release("/fault/hang");
  origin.drop_connections(true);
  for (Client& client : clients) {
    client.read().expect(200).expect_body("stale").expect_cache("fwd=stale; detail=stale-if-error");
  }
}

TEST_F(Faults, AnOriginThatRefusesIsA502UntilItListensAgain) {
  origin.refuse();
  for (int round = 0; round < 3; ++round) get("/next").expect(502);
  origin.listen_again();
  get("/next").expect(200).expect_body("next");
}

TEST_F(Faults, AnAcceptedConnectionThatEndsUnansweredIsA502) {
  origin.set_mute(true);
  const size_t connections = origin.connections();
  Client client(node.port());
  client.send(client.bytes("GET", "/next"));
  ASSERT_TRUE(origin.wait_for_connections(connections + 1));
  origin.set_mute(false);
  origin.drop_connections(false);
  client.read().expect(502);
  get("/next").expect(200);
}

TEST_F(Faults, AServerErrorIsNotCoveredWithoutStaleIfError) {
  for (const unsigned status : {500u, 502u, 503u, 504u}) {
    const std::string path = "/" + std::to_string(status);
    origin.replies(path, {{.fields = {max_age(50), kOld}, .body = "stale"},
                          {.status = status, .body = "broken"}});
    get(path).expect(200).expect_cache("stored");
    EXPECT_TRUE(eventually([&] { return get_cached(path).cache().contains("fwd=stale"); }));
    get(path).expect(static_cast<int>(status)).expect_body("broken");
    wait_for_puts();
    get_cached(path).expect_cache("fwd=stale");
  }
}

/// A thread sanitizer keeps memory of its own for what the node reads, of the store's map too.
#if defined(__SANITIZE_THREAD__)
constexpr size_t kRoomBytes = 64 << 20;
#else
constexpr size_t kRoomBytes = 16 << 20;
#endif

TEST_F(Faults, AnEndlessBodyStreamsToWhoReadsAndEndsWithTheLastOfThem) {
  const size_t before = node.memory_bytes();
  std::vector<Client> clients = wait_for("/fault/endless-body", "/fault/endless-body", 2);
  origin.release("/fault/endless-body");
  std::vector<Response> answers;
  for (Client& client : clients) answers.push_back(client.read_head());
  for (size_t size = 1 << 20; size <= 8 << 20; size += 1 << 20) {
    for (size_t i = 0; i < clients.size(); ++i) {
      clients[i].read_body(answers[i], size);
      EXPECT_EQ(answers[i].state, State::kReading);
    }
  }
  EXPECT_LT(node.memory_bytes(), before + kRoomBytes);
  EXPECT_EQ(origin.count("/fault/endless-body"), 1u);
  for (Client& client : clients) client.close();
  EXPECT_TRUE(eventually([&] { return origin.open_connections() == 0; }));
  wait_for_puts();
  get_cached("/fault/endless-body").expect(504);
}

TEST_F(Faults, AGzipBombIsPassedOnAsItCame) {
  const size_t before = node.memory_bytes();
  for (const bool stored : {false, true}) {
    EXPECT_TRUE(eventually([&] { return !stored || get_cached("/fault/gzip-bomb").is_hit(); }));
    const Response answer =
        get("/fault/gzip-bomb").expect(200).expect_field("Content-Encoding", "gzip");
    EXPECT_EQ(std::to_string(answer.body.size()), answer.field("Content-Length"));
    EXPECT_TRUE(answer.body.starts_with("\x1f\x8b"));
  }
  EXPECT_EQ(origin.count("/fault/gzip-bomb"), 1u);
  EXPECT_LT(node.memory_bytes(), before + (16 << 20)) << "nobody has inflated it";
}

TEST_F(Faults, AnAnswerBeforeTheContentIsPassedOnAndBothConnectionsEnd) {
  for (const std::string fault : {"early", "early-close"}) {
    Client client(node.port());
    client.send("POST /fault/" + fault + " HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    client.read().expect(200).expect_body(tools::pattern_body(kSize));
    EXPECT_EQ(client.end(), State::kNone) << "the rest of its content could be taken for a request";
    EXPECT_TRUE(eventually([&] { return origin.open_connections() == 0; }));
    get_cached("/fault/" + fault).expect(504);
  }
}

}  // namespace
}  // namespace perigee::e2e
