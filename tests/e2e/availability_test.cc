// Slow clients, however many, do not take the origin from everybody else.
#include <memory>
#include <vector>

#include "base/limits.h"
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

namespace limits = base::limits;

using tools::FakeRequest;
using tools::Wire;

class Availability : public SiteTest {
 protected:
  /// More than there are connections to an origin.
  static constexpr size_t kMany = limits::kOriginConnections + 8;

  Availability() {
    origin.reply("/page", {.fields = {max_age(60)}, .body = "page"});
    // Far more than sockets hold.
    origin.set("/private", [](FakeRequest&, Wire& wire) {
      const std::string block = tools::pattern_body(1 << 20);
      bool on = wire.send("HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: " +
                          std::to_string(64 * block.size()) + "\r\n\r\n");
      for (size_t i = 0; on && i < 64; ++i) on = wire.send(block);
    });
    origin.set("/upload", [](FakeRequest& asked, Wire& wire) {
      if (wire.read_body(asked)) wire.send("HTTP/1.1 204 No Content\r\n\r\n");
    });
  }
  /// Connections whose requests are written, and nothing more.
  std::vector<std::unique_ptr<Client>> many(const std::string& method, const std::string& target,
                                            const Lines& lines) {
    std::vector<std::unique_ptr<Client>> clients;
    for (size_t i = 0; i < kMany; ++i) {
      clients.push_back(std::make_unique<Client>(node.port()));
      clients.back()->send(clients.back()->bytes(method, target, lines));
    }
    return clients;
  }
};

TEST_F(Availability, SlowUploadsLeaveTheOriginToMisses) {
  const auto uploads = many("POST", "/upload", {"Content-Length: 1000000"});
  const size_t most = limits::kOriginConnections / limits::kRelayShare / limits::kClientShare;
  ASSERT_TRUE(origin.wait_for("/upload", most));
  for (int i = 0; i < 20; ++i) get("/page?" + std::to_string(i)).expect(200);
  EXPECT_LE(origin.count("/upload"), most);
  // A client that is not slow gets its turn too: one that is makes room.
  request("POST", "/upload", {}, "small").expect(204);
}

TEST_F(Availability, SlowReadersOfWhatIsNotStoredLeaveTheOriginToMisses) {
  const auto readers = many("GET", "/private", {});
  ASSERT_TRUE(origin.wait_for("/private", limits::kOriginConnections));
  for (int i = 0; i < 20; ++i) get("/page?" + std::to_string(i)).expect(200);
  request("POST", "/upload", {}, "small").expect(204);
}

TEST_F(Availability, ClientsThatNeverReadAnErrorLeaveTheOriginAlone) {
  origin.reply("/gone", {.status = 404, .body = std::string(200'000, 'g')});
  const auto readers = many("GET", "/gone", {});
  for (int i = 0; i < 20; ++i) get("/page?" + std::to_string(i)).expect(200);
}

}  // namespace
}  // namespace perigee::e2e
