// WebSocket through the node, with a server and clients that nobody wrote for a test: Python's
// websockets.
#include <cstdlib>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

/// Sends every message back; prints its port first. Debian's Python has the library.
constexpr const char* kServer = R"(
import asyncio, websockets
async def echo(socket):
    async for message in socket:
        await socket.send(message)
async def main():
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
)";

/// Twenty clients at once; each prints what is wrong.
constexpr const char* kClients = R"(
import asyncio, os, sys, websockets
url = f"ws://127.0.0.1:{sys.argv[1]}/socket/{{}}"
async def one(number):
    async with websockets.connect(url.format(number), max_size=None) as socket:
        for size in (0, 5, 125, 126, 65_536, 1_000_000):
            for message in ("x" * size, os.urandom(size)):
                await socket.send(message)
                if await socket.recv() != message: print("another message of", size)
        pong = await socket.ping()
        await asyncio.wait_for(pong, 20)
    if socket.close_code != 1000: print("closed with", socket.close_code)
async def main():
    await asyncio.gather(*(one(number) for number in range(20)))
    try:
        await websockets.connect(f"ws://127.0.0.1:{sys.argv[1]}/elsewhere")
        print("a switch where none is allowed")
    except websockets.InvalidStatusCode:
        pass
asyncio.run(main())
)";

constexpr const char* kPython = "/usr/bin/python3";

TEST(WebSocket, MessagesGoBothWaysAndTheCloseIsClean) {
  Process server({.arguments = {kPython, "-c", kServer}});
  ASSERT_TRUE(eventually([&] { return server.out().find('\n') != std::string::npos; }))
      << server.err();
  const std::string origin = "http://127.0.0.1:" + std::to_string(std::atoi(server.out().c_str()));
  Node node({.config = "[[site]]\ndefault = true\norigin = \"" + origin +
                       "\"\norigin_connections = 2\n[[site.rule]]\nprefix = \"/socket/\"\n"
                       "upgrade = [\"websocket\"]\n"});
  const Finished clients =
      run({.arguments = {kPython, "-c", kClients, std::to_string(node.port())}});
  EXPECT_EQ(clients.exit, 0) << clients.err;
  EXPECT_EQ(clients.out, "");
}

TEST(WebSocket, AStopEndsWhatWouldGoOnForEver) {
  Process server({.arguments = {kPython, "-c", kServer}});
  ASSERT_TRUE(eventually([&] { return server.out().find('\n') != std::string::npos; }))
      << server.err();
  const std::string origin = "http://127.0.0.1:" + std::to_string(std::atoi(server.out().c_str()));
  Node node({.config = "[server]\ndrain_timeout = \"1s\"\n[[site]]\ndefault = true\norigin = \"" +
                       origin + "\"\nupgrade = [\"websocket\"]\n"});
  Client client(node.port());
  client.send(
      client.bytes("GET", "/",
                   {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="}));
  EXPECT_EQ(client.read_interim(), 101);
  EXPECT_EQ(node.stop(), 0);
}

}  // namespace
}  // namespace perigee::e2e
