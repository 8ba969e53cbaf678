// Relays have a share of an origin's connections, one client a part of it, and a slow client keeps
// a connection only while nobody waits for it.
#include "origin/origin_gate.h"

#include "base/limits.h"
#include "tests/support/bodies.h"
#include "tests/unit/origin/origin_fixture.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;

constexpr base::Holder kMallory = 7;
constexpr base::Holder kAlice = 8;

/// Eight connections: four for relays, of which two for one client.
class EightConnections : public OriginTest {
 protected:
  EightConnections() : OriginTest(8) {}

  std::unique_ptr<FetchLog> relay(base::Holder client, http::BodySource* body = nullptr) {
    FetchRequest asked = body != nullptr ? request(http::Method::kPost, "POST") : request();
    asked.relayed = true;
    asked.client = client;
    asked.body = body;
    return fetch(asked);
  }
  /// A relay whose response has begun and is not read any further.
  std::unique_ptr<FetchLog> blocked(base::Holder client) {
    auto log = relay(client);
    log->pull = false;
    answer("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(70'000, 'x'),
           peers_.size() - 1);
    return log;
  }
  /// Goes on reading what was blocked.
  void read(FetchLog& log, size_t budget = SIZE_MAX) {
    log.reader = std::make_unique<test::BodyReader>(env_, *log.fetch);
    log.reader->budget = budget;
    log.reader->pull();
  }
};

TEST_F(EightConnections, RelaysNeverTakeWhatFillsNeed) {
  std::vector<std::unique_ptr<FetchLog>> relays;
  for (base::Holder client = 1; client <= 8; ++client) relays.push_back(relay(client));
  EXPECT_EQ(connections(), 8u / limits::kRelayShare) << "the other relays wait";
  std::vector<std::unique_ptr<FetchLog>> fills;
  for (int i = 0; i < 4; ++i) fills.push_back(get());
  EXPECT_EQ(connections(), 8u) << "each fill has a connection at once";
}

TEST_F(EightConnections, FillsMayTakeThemAll) {
  std::vector<std::unique_ptr<FetchLog>> fills;
  for (int i = 0; i < 8; ++i) fills.push_back(get());
  EXPECT_EQ(connections(), 8u);
}

TEST_F(EightConnections, OneClientHasAPartOfTheRelaysAndOthersPassIt) {
  auto first = relay(kMallory);
  auto second = relay(kMallory);
  auto third = relay(kMallory);
  EXPECT_EQ(connections(), 4u / limits::kClientShare);
  auto other = relay(kAlice);
  EXPECT_EQ(connections(), 3u) << "another client does not wait behind the first one's";
  answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 0);
  EXPECT_TRUE(first->whole());
  EXPECT_EQ(connections(), 4u) << "what ended makes room for the third";
}

TEST_F(EightConnections, AConnectionIsReusedAndThePlaceGivenBack) {
  for (int i = 0; i < 6; ++i) {
    auto log = relay(kMallory);
    answer(kOk);
    EXPECT_TRUE(log->whole()) << i;
    EXPECT_EQ(gate_.relays.used(), 0u);
  }
  EXPECT_EQ(connections(), 1u);
}

TEST_F(EightConnections, WaitingForAPlaceEndsIn503AfterItsTime) {
  auto first = relay(kMallory);
  auto second = relay(kMallory);
  auto third = relay(kMallory);
  env_.advance(limits::kPermitMs - 100);
  EXPECT_EQ(third->said, "");
  env_.advance(200);
  EXPECT_EQ(third->said, "failed:busy");
  EXPECT_EQ(gate_.relays.waiting(), 0u);
}

TEST_F(EightConnections, WhoWaitedInVainForAPlaceIsNotGivenOneLater) {
  times_.first_byte_ms = 100 * kSecond;
  make_origin();
  auto first = relay(kMallory);
  auto second = relay(kMallory);
  auto third = relay(kMallory);
  env_.advance(limits::kPermitMs + 100);
  EXPECT_EQ(third->said, "failed:busy");
  EXPECT_EQ(gate_.relays.waiting(), 0u);
  answer(kOk, 0);
  EXPECT_EQ(connections(), 2u);
  EXPECT_EQ(peer(0).read().find("GET", 1), std::string::npos) << "one request";
  EXPECT_EQ(gate_.relays.used(), 1u);
}

TEST_F(EightConnections, OnlySoManyRelaysWaitForAPlace) {
  auto first = relay(kMallory);
  auto second = relay(kMallory);
  std::vector<std::unique_ptr<FetchLog>> waiting;
  for (size_t i = 0; i < limits::kOriginWaiters; ++i) waiting.push_back(relay(kMallory));
  EXPECT_EQ(waiting.back()->said, "");
  EXPECT_EQ(relay(kMallory)->said, "failed:busy");
}

TEST_F(EightConnections, WaitingForAPlaceAndThenForAConnectionIsOneWait) {
  times_.first_byte_ms = 100 * kSecond;
  make_origin();
  auto first = relay(kMallory);
  auto second = relay(kMallory);
  std::vector<std::unique_ptr<FetchLog>> fills;
  for (int i = 0; i < 7; ++i) fills.push_back(get());
  EXPECT_EQ(connections(), 8u) << "the seventh fill waits";
  auto third = relay(kMallory);
  env_.advance(limits::kPermitMs - 5 * kSecond);
  answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 0);
  EXPECT_EQ(gate_.relays.waiting(), 0u) << "it has its place, and the fill the connection";
  env_.advance(4 * kSecond);
  EXPECT_EQ(third->said, "");
  env_.advance(2 * kSecond);
  EXPECT_EQ(third->said, "failed:busy");
}

TEST_F(EightConnections, ASlowReaderIsLeftAloneWhileNobodyWaits) {
  auto slow = blocked(kMallory);
  env_.advance(10 * limits::kLaggardMs);
  EXPECT_EQ(connections(), 1u);
  read(*slow);
  answer(std::string(930'000, 'x'));
  EXPECT_TRUE(slow->whole());
}

TEST_F(EightConnections, ASlowReaderIsCutWhenAnotherWaits) {
  auto slow = blocked(kMallory);
  auto second = blocked(kMallory);
  auto waiting = relay(kMallory);
  EXPECT_EQ(connections(), 2u);
  env_.advance(limits::kLaggardMs + 100);
  EXPECT_EQ(connections(), 3u) << "one of the two made room, and only one";
  answer(kOk, 2);
  EXPECT_TRUE(waiting->whole());
  EXPECT_EQ(gate_.relays.used(), 1u);
  read(*slow);
  read(*second);
  EXPECT_TRUE(slow->reader->failed() != second->reader->failed());
}

TEST_F(EightConnections, AReaderAtTheLeastPaceIsNotCut) {
  auto steady = blocked(kMallory);
  auto second = relay(kMallory);
  auto waiting = relay(kMallory);
  const auto least =
      static_cast<size_t>(limits::kLaggardBytesPerSecond * limits::kLaggardMs / 1000);
  read(*steady, 0);
  // What it takes makes room for as much from the origin.
  for (int i = 0; i < 5; ++i) {
    steady->reader->budget += 2 * limits::kFillChunkBytes;
    steady->reader->pull();
    answer(std::string(2 * limits::kFillChunkBytes, 'x'));
    env_.advance(limits::kLaggardMs);
  }
  EXPECT_GT(2 * limits::kFillChunkBytes, least);
  EXPECT_FALSE(steady->reader->failed());
}

TEST_F(EightConnections, ASlowUploadIsRefusedWhenAnotherWaits) {
  test::FedBody first_body;
  test::FedBody second_body;
  auto first = relay(kMallory, &first_body);
  auto second = relay(kMallory, &second_body);
  env_.advance(3 * limits::kLaggardMs);
  EXPECT_EQ(first->said + second->said, "") << "nobody waits";
  auto waiting = relay(kMallory);
  env_.advance(limits::kLaggardMs + 100);
  EXPECT_EQ(first->said + second->said, "failed:busy") << "one of them";
  EXPECT_EQ(connections(), 3u);
}

TEST_F(EightConnections, AFillThatNobodyCanShareCountsAsARelay) {
  auto first = get();
  auto second = get();
  auto third = get();
  for (FetchLog* log : {first.get(), second.get(), third.get()}) log->pull = false;
  for (size_t i = 0; i < 3; ++i) {
    answer("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(200'000, 'x'), i);
  }
  for (FetchLog* log : {first.get(), second.get(), third.get()}) {
    log->fetch->become_relay(kMallory);
  }
  EXPECT_EQ(gate_.relays.used(), 2u);
  // The third has no place: it is cut as soon as it is slow, so that the fills' part stays theirs.
  env_.advance(limits::kLaggardMs + 100);
  EXPECT_EQ(gate_.connections.used(), 2u);
}

}  // namespace
}  // namespace perigee::origin
