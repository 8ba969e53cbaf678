// Ten thousand clients and one cold URL: one request reaches the origin, and everybody streams it.
#include "tests/e2e/harness/crowd.h"

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using tools::FakeRequest;
using tools::Wire;

TEST(Crowd, TenThousandClientsOfAColdUrlAreOneOriginRequest) {
  constexpr size_t kProcesses = 4;
  constexpr size_t kEach = 2'500;
  constexpr size_t kSize = 64 * 1024;
  constexpr size_t kHalf = kSize / 2;
  const std::string body = tools::pattern_body(kSize);
  Crowd crowd(kProcesses, kEach, body, kHalf);

  tools::FakeOrigin origin;
  origin.hold("rest");
  origin.set("/cold", [&](FakeRequest&, Wire& wire) {
    wire.send("HTTP/1.1 200 OK\r\n" + max_age(60) + "\r\nContent-Length: " + std::to_string(kSize) +
              "\r\n\r\n" + body.substr(0, kHalf));
    if (wire.wait_while_held("rest")) wire.send(body.substr(kHalf));
  });
  // Far more waiters a worker than it tells in one turn (kWaitersTurn). On a busy machine it takes
  // them a while to come, and the origin is silent meanwhile.
  Node node({.config = "[[site]]\ndefault = true\norigin = \"" + origin.url() +
                       "\"\nbetween_bytes_timeout = \"10m\"\n",
             .workers = 2});
  crowd.ask(node.port(), "/cold");
  // Everybody has half of it while the origin holds the rest: all of them stream from one growing
  // body.
  EXPECT_EQ(crowd.together_at_half(), kProcesses * kEach);
  origin.release("rest");
  EXPECT_EQ(crowd.finish(), kProcesses * kEach);
  EXPECT_EQ(origin.count("/cold"), 1u);
  Client(node.port()).get("/cold", {"Host: crowd"}).expect(200).expect_body(body);
  EXPECT_EQ(origin.count("/cold"), 1u);
}

}  // namespace
}  // namespace perigee::e2e
