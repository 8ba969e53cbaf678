// A folder whose files lie in it coded as well, as builds leave them: by the real gzip, brotli and
// zstd.
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zstd.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

namespace fs = std::filesystem;

std::string text_of(const std::string& word) {
  std::string text;
  for (int i = 0; text.size() < 30'000; ++i) text += word + std::to_string(i * 7919 % 1009) + " ";
  return text;
}

/// With less effort than a node takes, so that its own bytes differ.
std::string brotli(const std::string& text) {
  std::string coded(BrotliEncoderMaxCompressedSize(text.size()), '\0');
  size_t size = coded.size();
  EXPECT_TRUE(BrotliEncoderCompress(7, 16, BROTLI_MODE_TEXT, text.size(),
                                    reinterpret_cast<const uint8_t*>(text.data()), &size,
                                    reinterpret_cast<uint8_t*>(coded.data())));
  coded.resize(size);
  return coded;
}

std::string from_brotli(const std::string& coded) {
  std::string text(1 << 20, '\0');
  size_t size = text.size();
  const auto result =
      BrotliDecoderDecompress(coded.size(), reinterpret_cast<const uint8_t*>(coded.data()), &size,
                              reinterpret_cast<uint8_t*>(text.data()));
  if (result != BROTLI_DECODER_RESULT_SUCCESS) return "no brotli";
  text.resize(size);
  return text;
}

/// Without a checksum, which a node's own has.
std::string zstd(const std::string& text) {
  std::string coded(ZSTD_compressBound(text.size()), '\0');
  coded.resize(ZSTD_compress(coded.data(), coded.size(), text.data(), text.size(), 12));
  return coded;
}

class Siblings : public testing::Test {
 protected:
  std::string served() const { return all.file("public"); }
  /// A site whose responses stay fresh.
  std::string site(const std::string& server = "") const {
    return "[server]\n" + server + "[[site]]\ndefault = true\norigin = \"dir:" + served() +
           "\"\nttl = \"1h\"\n";
  }
  /// Writes a file so many hours ago.
  void write(const std::string& name, const std::string& content, int hours_ago = 1) const {
    const std::string path = all.write("public/" + name, content);
    fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(hours_ago));
  }
  /// What a client that takes this coding gets, once it is there in that coding.
  static Response coded(const Node& node, const std::string& target, const std::string& coding) {
    Response response;
    EXPECT_TRUE(eventually([&] {
      response = Client(node.port()).get(target, {"Accept-Encoding: " + coding});
      return response.field("Content-Encoding") == coding;
    })) << target;
    return response;
  }
  static size_t lines_with(const std::string& output, const std::string& text) {
    size_t count = 0;
    for (size_t at = output.find(text); at != std::string::npos; at = output.find(text, at + 1)) {
      ++count;
    }
    return count;
  }
  TempFolder all;
};

TEST_F(Siblings, AreSentAsTheyLieThere) {
  const std::string text = text_of("script");
  write("app.js", text);
  write("app.js.br", brotli(text));
  write("app.js.zst", zstd(text));
  ASSERT_EQ(run({.arguments = {"gzip", "-9", "-k", all.file("public/app.js")}}).exit, 0);
  const std::map<std::string, std::string> files = {
      {"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}};
  Node node({.config = site(), .workers = 1});
  for (const auto& [coding, suffix] : files) {
    const Response response = coded(node, "/app.js", coding);
    EXPECT_TRUE(response.body == read_file(all.file("public/app.js" + suffix))) << coding;
    EXPECT_TRUE(response.field("ETag").starts_with("W/\""));
    EXPECT_EQ(response.field("Vary"), "Accept-Encoding");
    EXPECT_EQ(response.field("Content-Type"), "text/javascript; charset=utf-8");
  }
  const Finished curled = curl({"--compressed", node.url("/app.js")});
  EXPECT_TRUE(curled.out == text);
  const Response plain = Client(node.port()).get("/app.js").expect(200);
  EXPECT_TRUE(plain.body == text);
  EXPECT_TRUE(plain.field("ETag").starts_with("\"")) << plain.field("ETag");
  const Response itself =
      Client(node.port()).get("/app.js.br", {"Accept-Encoding: br"}).expect(200);
  EXPECT_TRUE(itself.body == brotli(text));
  EXPECT_EQ(itself.count("Content-Encoding"), 0u) << "a file of its own";
  EXPECT_EQ(node.stop(), 0);
  EXPECT_NE(node.output().find("3 coded, 3 of them found ready, 0 found that are none"),
            std::string::npos)
      << node.output();
}

TEST_F(Siblings, BelongToTheFileThatAPathMeans) {
  const std::string home = text_of("home");
  const std::string about = text_of("about");
  write("index.html", home);
  write("index.html.br", brotli(home));
  write("about.html", about);
  write("about.html.br", brotli(about));
  Node node({.config = site()});
  EXPECT_TRUE(coded(node, "/", "br").body == brotli(home));
  EXPECT_TRUE(coded(node, "/about", "br").body == brotli(about));
}

TEST_F(Siblings, AreUsedWhereNothingIsEncoded) {
  const std::string text = text_of("script");
  for (const char* name : {"first.js", "app.js"}) write(name, text);
  write("app.js.br", brotli(text));
  Node node({.config = site("coding_cpu = 0\n"), .workers = 1});
  Client client(node.port());
  client.get("/first.js", {"Accept-Encoding: br"}).expect(200);
  EXPECT_TRUE(coded(node, "/app.js", "br").body == brotli(text));
  client.get("/first.js", {"Accept-Encoding: br"}).expect(200).expect_no_field("Content-Encoding");
  client.get("/app.js", {"Accept-Encoding: gzip"}).expect(200).expect_no_field("Content-Encoding");
  EXPECT_EQ(node.stop(), 0);
  EXPECT_NE(node.output().find("1 coded, 1 of them found ready"), std::string::npos)
      << node.output();
}

TEST_F(Siblings, ThatAreNotWhatTheyShouldBeAreNotSent) {
  const std::string text = text_of("script");
  const std::string good = brotli(text);
  for (const char* name : {"stale.js", "lying.js", "cut.js", "link.js", "long.js"}) {
    write(name, text);
  }
  write("stale.js.br", good, 2);
  write("lying.js.br", brotli(text_of("another script")));
  write("cut.js.br", good.substr(0, good.size() - 1));
  write("long.js.br", good + std::string(text.size(), '.'));
  fs::create_symlink(all.write("outside.br", good), all.file("public/link.js.br"));
  Node node({.config = site(), .workers = 1});
  for (const std::string name : {"/stale.js", "/lying.js", "/cut.js", "/link.js", "/long.js"}) {
    const Response first = coded(node, name, "br");
    EXPECT_TRUE(from_brotli(first.body) == text) << name;
    EXPECT_FALSE(first.body == read_file(served() + name + ".br")) << name;
    // Until it is made again, with the most effort.
    EXPECT_TRUE(eventually([&] { return coded(node, name, "br").body != first.body; })) << name;
    EXPECT_TRUE(from_brotli(coded(node, name, "br").body) == text) << name;
  }
  EXPECT_EQ(node.stop(), 0);
  const std::string output = node.output();
  for (const std::string name : {"lying.js.br", "cut.js.br"}) {
    EXPECT_EQ(lines_with(output, served() + "/" + name + " does not decode, "), 1u) << output;
  }
  EXPECT_EQ(lines_with(output, " does not decode, "), 2u) << output;
  EXPECT_NE(output.find(", 0 of them found ready, 4 found that are none"), std::string::npos)
      << output;
}

TEST_F(Siblings, OfTheNextReleaseAreNotThoseOfTheLast) {
  const std::string before = text_of("one");
  const std::string after = text_of("two");
  write("app.js", before);
  Node node({.config = site(), .workers = 1});
  Client client(node.port());
  // So that it is stored, and every coding was looked for.
  EXPECT_TRUE(coded(node, "/app.js", "zstd").is_hit());
  fs::rename(served(), all.file("old"));
  write("app.js", after);
  write("app.js.br", brotli(after));
  write("app.js.gz", "nothing of the kind");
  EXPECT_TRUE(from_brotli(coded(node, "/app.js", "br").body) == before);
  client.request("PURGE", "/app.js").expect(200);
  EXPECT_TRUE(coded(node, "/app.js", "br").body == brotli(after));
  EXPECT_TRUE(eventually(
      [&] { return node.output().find("/app.js.gz does not decode") != std::string::npos; }));
  EXPECT_EQ(lines_with(node.output(), "/app.js.br does not decode"), 0u) << node.output();
}

}  // namespace
}  // namespace perigee::e2e
