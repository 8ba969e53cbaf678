// Where the letter of HTTP leaves a choice: what those who run a static site expect, over sockets.
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

using tools::FakeOrigin;
using tools::FakeRequest;
using tools::Wire;

/// A site in front of `origin`, with these lines and sections.
std::string site(const FakeOrigin& origin, const std::string& lines) {
  return "[[site]]\ndefault = true\norigin = \"" + origin.url() + "\"\n" + lines;
}

std::string answer(const std::string& first, const std::string& fields, const std::string& body) {
  return "HTTP/1.1 " + first + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class GoodSense : public SiteTest {};

TEST_F(GoodSense, AShorterVaryOfA304DoesNotMixVariants) {
  origin.set("/a", [](FakeRequest& request, Wire& wire) {
    const std::string type = request.field("Accept").value_or("");
    if (request.field("If-None-Match") == "\"" + type + "\"") {
      wire.send("HTTP/1.1 304 Not Modified\r\nETag: \"" + type +
                "\"\r\nVary: Accept-Encoding\r\nCache-Control: max-age=60\r\n\r\n");
    } else {
      wire.send(answer(
          "200 OK",
          "ETag: \"" + type + "\"\r\nVary: Accept, Accept-Encoding\r\nCache-Control: max-age=0\r\n",
          "as " + type));
    }
  });
  const Lines json = {"Accept: json"};
  get("/a", json).expect(200).expect_body("as json");
  EXPECT_TRUE(eventually([&] { return get("/a", json).cache().contains("fwd-status=304"); }));
  EXPECT_TRUE(eventually([&] { return get("/a", json).is_hit(); }));
  get("/a", {"Accept: html"}).expect(200).expect_body("as html");
}

TEST_F(GoodSense, AnErrorThatSaysAYearIsKeptForSeconds) {
  origin.set("/e", [](FakeRequest&, Wire& wire) {
    wire.send(answer("500 Internal Server Error", "Cache-Control: max-age=31536000, immutable\r\n",
                     "broken"));
  });
  get("/e").expect(500);
  const Response again = get("/e").expect(500);
  for (const std::string& word : again.cache()) {
    if (!word.starts_with("ttl=")) continue;
    EXPECT_LE(std::stoi(word.substr(4)), 10) << word;
  }
}

TEST_F(GoodSense, AGuessedLifetimeYieldsToWhoAsksForFreshContent) {
  const std::string old = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  origin.set("/guessed", [&](FakeRequest&, Wire& wire) { wire.send(answer("200 OK", old, "x")); });
  origin.set("/stated", [&](FakeRequest&, Wire& wire) {
    wire.send(answer("200 OK", old + max_age(600) + "\r\n", "x"));
  });
  hit("/guessed");
  hit("/stated");
  const size_t before = origin.count("/guessed");
  get("/guessed", {"Cache-Control: no-cache"}).expect(200);
  EXPECT_EQ(origin.count("/guessed"), before + 1);
  get("/stated", {"Cache-Control: no-cache"}).expect(200).expect_cache("hit");
}

TEST_F(GoodSense, AWeakTagIsValidatedByItsStrongForm) {
  origin.set("/w", [](FakeRequest& request, Wire& wire) {
    if (request.field("If-None-Match") == "W/\"x\"") {
      wire.send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nCache-Control: max-age=60\r\n\r\n");
    } else {
      wire.send(answer("200 OK", "ETag: W/\"x\"\r\nCache-Control: max-age=0\r\n", "body"));
    }
  });
  get("/w").expect(200);
  wait_until_stale("/w");
  get("/w").expect(200).expect_body("body").expect_cache("fwd-status=304");
  EXPECT_TRUE(eventually([&] { return get("/w").is_hit(); }));
}

TEST_F(GoodSense, TargetsHaveOneSpelling) {
  origin.reply("/x", {.fields = {max_age(600)}, .body = "x"});
  origin.reply("/%C3%A4", {.fields = {max_age(600)}, .body = "a"});
  hit("/x");
  get("/./x").expect(200).expect_cache("hit");
  get("/a/../x").expect(200).expect_cache("hit");
  hit("/%c3%a4").expect_body("a");
  get("/\xc3\xa4").expect(200).expect_cache("hit");
  request("PURGE", "/%C3%A4").expect(200);
  get("/%c3%a4").expect(200).expect_cache("fwd=uri-miss");
}

TEST_F(GoodSense, AConnectionThatIsAuthenticatedIsItsClientsAlone) {
  std::vector<unsigned> connections;
  for (const char* path : {"/mine", "/theirs"}) {
    origin.set(path, [&](FakeRequest& request, Wire& wire) {
      connections.push_back(request.connection);
      wire.send(answer("200 OK", "Cache-Control: no-store\r\n", "x"));
    });
  }
  Client mine(node.port());
  mine.get("/mine", {"Authorization: NTLM abc"}).expect(200);
  get("/theirs").expect(200);
  mine.get("/mine", {"Authorization: NTLM def"}).expect(200);
  ASSERT_EQ(connections.size(), 3u);
  EXPECT_NE(connections[0], connections[1]);
  EXPECT_EQ(connections[0], connections[2]);
}

TEST(GoodSenseRules, AFieldOfTheKeyTellsAnswersApart) {
  FakeOrigin origin;
  origin.set("/font", [](FakeRequest& request, Wire& wire) {
    const std::string from = request.field("Origin").value_or("");
    const std::string allowed = from.empty() ? "" : "Access-Control-Allow-Origin: " + from + "\r\n";
    wire.send(answer("200 OK", max_age(600) + "\r\n" + allowed, "font"));
  });
  Node node({.config = site(origin, "key_fields = [\"Origin\"]\n")});
  for (int round = 0; round < 2; ++round) {
    Client(node.port()).get("/font").expect(200).expect_no_field("Access-Control-Allow-Origin");
    Client(node.port())
        .get("/font", {"Origin: https://app.test"})
        .expect_field("Access-Control-Allow-Origin", "https://app.test");
  }
}

TEST(GoodSenseRules, SurrogateControlCountsAndEndsHere) {
  FakeOrigin origin;
  origin.set("/s", [](FakeRequest&, Wire& wire) {
    wire.send(
        answer("200 OK", "Surrogate-Control: max-age=600\r\nCache-Control: no-cache\r\n", "x"));
  });
  Node node({.config = site(origin, "surrogate_control = true\n")});
  Client(node.port()).get("/s").expect(200);
  EXPECT_TRUE(eventually([&] { return Client(node.port()).get("/s").is_hit(); }));
  Client(node.port()).get("/s").expect_no_field("Surrogate-Control");
}

TEST_F(GoodSense, ContentThatIsNotWhatItSaysIsPassedOnAndToldOnce) {
  const std::string body(3'000, 'x');
  for (const char* path : {"/a.css", "/b.css"}) {
    origin.set(path, [&](FakeRequest&, Wire& wire) {
      wire.send(answer("200 OK",
                       "Content-Type: text/css\r\nContent-Encoding: gzip\r\n"
                       "Cache-Control: max-age=600\r\n",
                       body));
    });
  }
  const auto lines_about = [&](const std::string& path) {
    const std::string line = path + " is gzip, but it does not decode";
    const std::string output = node.output();
    size_t count = 0;
    for (size_t at = 0; (at = output.find(line, at)) != std::string::npos; ++at) ++count;
    return count;
  };
  for (const std::string path : {"/a.css", "/b.css"}) {
    for (const char* taken : {"identity", "br", "gzip", "zstd, gzip"}) {
      hit(path, {std::string("Accept-Encoding: ") + taken})
          .expect_field("Content-Encoding", "gzip")
          .expect_body(body);
    }
    EXPECT_TRUE(eventually([&] { return lines_about(path) > 0; })) << node.output();
    EXPECT_EQ(origin.count(path), 1u);
  }
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(lines_about("/a.css"), 1u);
  EXPECT_EQ(lines_about("/b.css"), 1u);
  EXPECT_EQ(node.output().find(", 0 of origins not decodable"), std::string::npos);
}

TEST(GoodSenseRules, EachRuleHasItsOwnPatience) {
  FakeOrigin origin;
  origin.hold("never");
  for (const char* path : {"/api/slow", "/page"}) {
    origin.set(path, [](FakeRequest& request, Wire& wire) {
      if (request.path == "/api/slow") wire.wait_while_held("never");
      wire.send(answer("200 OK", "", "x"));
    });
  }
  Node node({.config = site(origin,
                            "first_byte_timeout = \"5m\"\n[[site.rule]]\nprefix = "
                            "\"/api/\"\nfirst_byte_timeout = \"1s\"\n")});
  Client(node.port()).get("/api/slow").expect(504);
  Client(node.port()).get("/page").expect(200);
}

TEST(GoodSenseRules, AWildcardStandsForAllNamesBelow) {
  FakeOrigin origin;
  origin.reply("/a", {.fields = {max_age(600)}, .body = "x"});
  Node node(
      {.config = "[[site]]\nhosts = [\"*.example.org\"]\norigin = \"" + origin.url() + "\"\n"});
  Client(node.port()).get("/a", {"Host: www.example.org"}).expect(200);
  Client(node.port()).get("/a", {"Host: a.b.example.org"}).expect(200);
  Client(node.port()).get("/a", {"Host: example.org"}).expect(421);
}

TEST(GoodSenseRules, AGetWithContentPassesWhereTheCacheIsBypassed) {
  FakeOrigin origin;
  origin.set("/search/_all", [](FakeRequest& request, Wire& wire) {
    if (wire.read_body(request)) wire.send(answer("200 OK", "", "got " + request.body));
  });
  Node node({.config = site(origin, "[[site.rule]]\nprefix = \"/search/\"\nbypass = true\n")});
  Client(node.port()).request("GET", "/search/_all", {}, "{}").expect(200).expect_body("got {}");
  Client(node.port()).request("GET", "/other", {}, "{}").expect(400);
}

}  // namespace
}  // namespace perigee::e2e
