// Nodes that are told nothing but their origin: what they call themselves and their origin, and how
// one stands behind another.
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

std::string address_of(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }
std::string url_of(uint16_t port) { return "http://" + address_of(port); }

TEST(Tiers, TheOriginIsAskedByItsOwnName) {
  tools::FakeOrigin origin;
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  Node node({.origin = origin.url()});
  Client client(node.port());
  client.get("/a", {"Host: www.example.org"}).expect(200);
  EXPECT_EQ(origin.last("/a")->field("Host"), address_of(origin.port()));
  EXPECT_EQ(origin.last("/a")->field("X-Forwarded-Host"), "www.example.org");
  // Each name that clients use is still keyed for itself.
  client.get("/a", {"Host: other.example.org"}).expect(200).expect_cache("fwd=uri-miss");
}

TEST(Tiers, ANodeBehindAnotherOneAnswers) {
  tools::FakeOrigin origin;
  origin.reply("/a", {.fields = {max_age(60)}, .body = "one"});
  Node inner({.origin = origin.url()});
  Node outer({.origin = url_of(inner.port())});
  Client(outer.port()).get("/a").expect(200).expect_body("one");
  const std::string loop = origin.last("/a")->field("CDN-Loop").value_or("");
  const size_t comma = loop.find(", ");
  ASSERT_NE(comma, std::string::npos) << loop;
  EXPECT_NE(loop.substr(0, comma), loop.substr(comma + 2));
}

TEST(Tiers, ALoopOverOneNodeOrTwoIs508) {
  const uint16_t port = free_port();
  Node itself({.origin = url_of(port), .listen = address_of(port)});
  Client(port).get("/a").expect(508);

  const uint16_t far = free_port();
  Node near({.origin = url_of(far)});
  Node back({.origin = url_of(near.port()), .listen = address_of(far)});
  Client(near.port()).get("/a").expect(508);
  Client(far).get("/b").expect(508);
}

TEST(Tiers, ANodeKeepsItsNameWithItsStore) {
  tools::FakeOrigin origin;
  origin.reply("/a", {.fields = {"Cache-Control: no-store"}, .body = "one"});
  Node node({.origin = origin.url()});
  const auto name = [&] {
    Client(node.port()).get("/a").expect(200);
    const std::string own = origin.last("/a")->field("CDN-Loop").value_or("");
    EXPECT_EQ(origin.last("/a")->field("Via"), "1.1 " + own);
    return own;
  };
  const std::string first = name();
  EXPECT_TRUE(first.starts_with("perigee-")) << first;
  EXPECT_EQ(first.size(), std::string("perigee-0123456789abcdef").size()) << first;
  node.kill();
  node.start();
  EXPECT_EQ(name(), first);
}

TEST(Tiers, OneNameOfATierIsItsOwn) {
  tools::FakeOrigin origin;
  const auto config = [&](const std::string& url) {
    return "[[site]]\ndefault = true\ncdn_id = \"edge\"\norigin = \"" + url + "\"\n";
  };
  Node one({.config = config(origin.url())});
  Client(one.port()).get("/a").expect(200);
  EXPECT_EQ(origin.last("/a")->field("CDN-Loop"), "edge");
  Node other({.config = config(url_of(one.port()))});
  Client(other.port()).get("/b").expect(508);
}

}  // namespace
}  // namespace perigee::e2e
