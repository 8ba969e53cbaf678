// Coded answers at those who decode them: curl and Chromium get the very bytes of the origin.
#include "tests/e2e/harness/browser.h"
#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

/// A page, and a script that is stored in all codings.
class CodedSite : public SiteTest {
 protected:
  CodedSite() {
    for (int i = 0; script.size() < 50'000; ++i) {
      script += "var name" + std::to_string(i * 7919 % 10'007) + " = " + std::to_string(i) + ";\n";
    }
    origin.reply("/script.js", {.fields = {max_age(600), "Content-Type: text/javascript"},
                                .body = script,
                                .etag = "\"s\""});
    origin.reply("/", {.fields = {max_age(600), "Content-Type: text/html"},
                       .body = "<!doctype html><link rel=icon href='data:,'><title>page</title>"});
    hit("/script.js");
    for (const std::string coding : {"gzip", "br", "zstd"}) {
      EXPECT_TRUE(eventually([&] {
        return get("/script.js", {"Accept-Encoding: " + coding}).field("Content-Encoding") ==
               coding;
      })) << coding;
    }
  }

  std::string script;
};

TEST_F(CodedSite, CurlDecodesEachCodingToTheSameBytes) {
  for (const std::string coding : {"gzip", "br", "zstd", "identity"}) {
    const Finished done =
        curl({"--compressed", "-H", "Accept-Encoding: " + coding, node.url("/script.js")});
    EXPECT_TRUE(done.out == script) << coding << ": " << done.out.size() << " bytes";
  }
  const Finished any = curl({"--compressed", node.url("/script.js")});
  EXPECT_TRUE(any.out == script) << any.out.size() << " bytes";
  EXPECT_EQ(origin.count("/script.js"), 1u);
}

TEST_F(CodedSite, ChromiumTakesOneAndDecodesItToTheSameBytes) {
  // A number that depends on each byte and its place.
  const std::string expression = R"(
    (async () => {
      const response = await fetch("/script.js");
      const bytes = new Uint8Array(await response.arrayBuffer());
      let sum = 0;
      for (const byte of bytes) sum = (sum * 31 + byte) % 4294967291;
      return [response.headers.get("Content-Encoding") !== null, bytes.length, sum].join(" ");
    })())";
  uint64_t sum = 0;
  for (const char c : script) sum = (sum * 31 + static_cast<uint8_t>(c)) % 4294967291u;
  const std::vector<Visit> visits = browse(node.url(""), expression, {"/"});
  ASSERT_EQ(visits.size(), 1u);
  EXPECT_EQ(visits[0].trouble, std::vector<std::string>());
  EXPECT_EQ(visits[0].value, "true " + std::to_string(script.size()) + " " + std::to_string(sum));
}

}  // namespace
}  // namespace perigee::e2e
