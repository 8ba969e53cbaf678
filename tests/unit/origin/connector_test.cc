// From a name to a connection: addresses in turn, and the error that each way of failing becomes.
#include "origin/connector.h"

#include "tests/unit/origin/origin_fixture.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;

base::Addresses addresses(std::initializer_list<const char*> texts) {
  base::Addresses all;
  for (const char* text : texts) all.push_back(*base::Address::parse_host(text, 0));
  return all;
}

class ConnectorTest : public OriginTest {
 protected:
  ConnectorTest() {
    options_.host = "origin.example";
    options_.port = 8080;
    env_.on_resolve = [](const std::string&) {
      return std::optional<base::Result<base::Addresses>>(
          addresses({"192.0.2.1", "192.0.2.2", "192.0.2.3"}));
    };
  }
  /// Connects where the last octet is among `good`; refuses else.
  void answer_only(std::initializer_list<int> good) {
    env_.on_connect =
        [this, good = std::vector<int>(good)](
            const base::Endpoint& endpoint) -> std::optional<test::FakeEnv::ConnectResult> {
      for (const int octet : good) {
        if (endpoint.address.bytes[3] == octet) return accept();
      }
      return base::Error{base::ErrorCode::kConnect, 111, "refused"};
    };
  }
};

TEST_F(ConnectorTest, TriesAddressesInTurn) {
  answer_only({3});
  auto log = get();
  ASSERT_EQ(env_.connects.size(), 3u);
  EXPECT_EQ(env_.connects[2].address.text(), "192.0.2.3:8080");
  answer(kOk);
  EXPECT_TRUE(log->whole());
}

TEST_F(ConnectorTest, EachAddressHasItsOwnTime) {
  env_.on_connect =
      [this](const base::Endpoint& endpoint) -> std::optional<test::FakeEnv::ConnectResult> {
    if (endpoint.address.bytes[3] < 3) return std::nullopt;
    return accept();
  };
  auto log = get();
  env_.advance(limits::kConnectMs - 10);
  EXPECT_EQ(env_.connects.size(), 1u);
  env_.advance(20);
  EXPECT_EQ(env_.connects.size(), 2u);
  env_.advance(limits::kConnectMs);
  answer(kOk);
  EXPECT_TRUE(log->whole());
}

TEST_F(ConnectorTest, TriesOnlySoManyAddresses) {
  env_.on_connect = nullptr;
  for (const size_t more : {0, 1, 20}) {
    env_.on_resolve = [more](const std::string&) {
      base::Addresses many;
      many.assign(limits::kAddressesTried + more, *base::Address::parse_host("192.0.2.9", 0));
      return std::optional<base::Result<base::Addresses>>(many);
    };
    make_origin();
    env_.connects.clear();
    auto log = get();
    EXPECT_EQ(env_.connects.size(), limits::kAddressesTried) << more;
    EXPECT_EQ(log->said, "failed:connect");
  }
}

TEST_F(ConnectorTest, ALiteralIsNeverResolved) {
  options_.host = "2001:db8::1";
  auto log = get();
  EXPECT_EQ(env_.resolves, 0u);
  EXPECT_EQ(env_.connects.at(0).address.text(), "[2001:db8::1]:8080");
}

struct FailureCase {
  const char* name;
  std::optional<base::ErrorCode> resolve;
  base::ErrorCode connect;
  const char* said;
  uint16_t status;
};
class ConnectFailure : public ConnectorTest, public ::testing::WithParamInterface<FailureCase> {};

TEST_P(ConnectFailure, BecomesItsStatusAndIsUnreachable) {
  const FailureCase& row = GetParam();
  if (row.resolve) {
    env_.on_resolve = [&](const std::string&) {
      return std::optional<base::Result<base::Addresses>>(base::Error{*row.resolve, 0, "no"});
    };
  }
  env_.on_connect = [&](const base::Endpoint&) {
    return std::optional<test::FakeEnv::ConnectResult>(base::Error{row.connect, 0, "no"});
  };
  auto log = get();
  EXPECT_EQ(log->said, row.said);
  EXPECT_EQ(log->error.status(), row.status);
  EXPECT_TRUE(log->error.unreachable());
  EXPECT_EQ(gate_.connections.used(), 0u);
}
using base::ErrorCode;
INSTANTIATE_TEST_SUITE_P(
    , ConnectFailure,
    ::testing::Values(
        FailureCase{"NoName", ErrorCode::kResolve, ErrorCode::kConnect, "failed:resolve", 502},
        FailureCase{"NameTimeout", ErrorCode::kTimeout, ErrorCode::kConnect, "failed:timeout", 504},
        FailureCase{"Refused", std::nullopt, ErrorCode::kConnect, "failed:connect", 502},
        FailureCase{"Tls", std::nullopt, ErrorCode::kTls, "failed:tls", 502},
        FailureCase{"Timeout", std::nullopt, ErrorCode::kTimeout, "failed:timeout", 504}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(ConnectorTest, ANameWithoutAddressesIsAFailure) {
  env_.on_resolve = [](const std::string&) {
    return std::optional<base::Result<base::Addresses>>(base::Addresses());
  };
  EXPECT_EQ(get()->said, "failed:resolve");
}

TEST_F(ConnectorTest, ASecureOriginIsConnectedWithItsTlsOptions) {
  options_.secure = true;
  options_.tls.server_name = "origin.example";
  auto log = get();
  ASSERT_NE(env_.connects.at(0).tls, nullptr);
  EXPECT_EQ(env_.connects[0].tls->server_name, "origin.example");
}

TEST_F(ConnectorTest, ErrorsOfAllAddressesAreTold) {
  env_.on_connect =
      [](const base::Endpoint& endpoint) -> std::optional<test::FakeEnv::ConnectResult> {
    if (endpoint.address.bytes[3] == 1) {
      return base::Error{base::ErrorCode::kTls, 0, "192.0.2.1: self-signed certificate"};
    }
    return base::Error{base::ErrorCode::kConnect, 111, endpoint.address.text() + ": refused"};
  };
  auto log = get();
  EXPECT_EQ(log->said, "failed:tls") << "the most telling one decides";
  EXPECT_EQ(log->error.message,
            "192.0.2.1: self-signed certificate; 192.0.2.2:8080: refused; 192.0.2.3:8080: refused");
}

TEST_F(ConnectorTest, ANameThatNoLongerWorksIsAskedForAgainAtOnce) {
  leave_idle();
  finish();
  env_.advance(limits::kNameAgainMs);
  ASSERT_EQ(env_.resolves, 1u);
  // The origin has moved, long before its name's time is over.
  answer_only({9});
  env_.on_resolve = [](const std::string&) {
    return std::optional<base::Result<base::Addresses>>(addresses({"192.0.2.9"}));
  };
  auto log = get();
  EXPECT_EQ(env_.resolves, 2u);
  answer(kOk, peers_.size() - 1);
  EXPECT_TRUE(log->whole());
}

TEST_F(ConnectorTest, ANameThatWasJustLearntIsNotAskedForAgain) {
  answer_only({});
  EXPECT_EQ(get()->said, "failed:connect");
  EXPECT_EQ(env_.resolves, 1u);
  env_.advance(limits::kNameAgainMs - 1);
  EXPECT_EQ(get()->said, "failed:connect");
  EXPECT_EQ(env_.resolves, 1u);
  env_.advance(1);
  const size_t tried = env_.connects.size();
  EXPECT_EQ(get()->said, "failed:connect");
  EXPECT_EQ(env_.resolves, 2u);
  EXPECT_EQ(env_.connects.size(), tried + 3) << "the same addresses are not tried twice";
}

TEST_F(ConnectorTest, TheRequestSaysHowLongAnAddressMayTake) {
  env_.on_connect = [](const base::Endpoint&) {
    return std::optional<test::FakeEnv::ConnectResult>();
  };
  FetchRequest asked = request();
  asked.times.connect_ms = 100;
  auto log = fetch(asked);
  env_.advance(310);
  EXPECT_EQ(log->said, "failed:timeout");
}

}  // namespace
}  // namespace perigee::origin
