// A worker that stops: what it cuts, and how that looks from outside.
#include "edge/worker.h"

#include <gtest/gtest.h>

#include "tests/support/edge/stand.h"

namespace perigee::test {
namespace {

TEST(Worker, AResponseThatItsStopCutsDoesNotLookWhole) {
  Stand stand;
  stand.origin.on("/a", Reply().cache("no-store").chunked("abcdef").stops_after(3));
  Client client(stand);
  client.write("GET /a HTTP/1.0\r\nHost: site.test\r\n\r\n");
  EXPECT_TRUE(client.arrived().ends_with("\r\n\r\nabc"));
  stand.worker->stop();
  client.arrived();
  EXPECT_TRUE(client.saw_reset()) << "only the end of the connection would delimit it";
}

}  // namespace
}  // namespace perigee::test
