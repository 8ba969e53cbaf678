// Which paths name what a page loads, and which media types cannot be what such a path names.
#include "http/asset_shape.h"

#include <gtest/gtest.h>

namespace perigee::http {
namespace {

constexpr std::string_view kHtml = "text/html";
constexpr std::string_view kXhtml = "application/xhtml+xml";

TEST(AssetShape, IsWhatPagesLoad) {
  for (const std::string_view path : {"/app.js",      "/a/b/main.3f2a.mjs",
                                      "/x.cjs",       "/site.css",
                                      "/app.js.map",  "/m.wasm",
                                      "/f.woff2",     "/f.woff",
                                      "/f.ttf",       "/f.otf",
                                      "/f.eot",       "/p.png",
                                      "/p.jpg",       "/p.jpeg",
                                      "/p.gif",       "/p.webp",
                                      "/p.avif",      "/p.jxl",
                                      "/favicon.ico", "/logo.svg",
                                      "/v.mp4",       "/v.webm",
                                      "/v.m3u8",      "/v.mpd",
                                      "/v0.ts",       "/v0.m4s",
                                      "/v.vtt",       "/a.mp3",
                                      "/a.flac",      "/site.webmanifest",
                                      "app.js"}) {
    EXPECT_TRUE(is_asset_shaped(path)) << path;
  }
}

TEST(AssetShape, IsNoPageAndNoDataAndNoDocument) {
  for (const std::string_view path :
       {"",          "/",           "*",           "/about",      "/about.html",
        "/a.htm",    "/index.php",  "/a.aspx",     "/a.jsp",      "/data.json",
        "/feed.xml", "/robots.txt", "/t.csv",      "/manual.pdf", "/user/john.doe",
        "/v1.2",     "/a.",         "/js",         "/jsx",        "/a.jsx2",
        "/app.js/",  "/a.js/b",     "/a.css/edit", "/appjs"}) {
    EXPECT_FALSE(is_asset_shaped(path)) << path;
  }
}

TEST(AssetShape, LettersHaveAnyCase) {
  EXPECT_TRUE(is_asset_shaped("/A.JS"));
  EXPECT_TRUE(is_asset_shaped("/a.WoFF2"));
  EXPECT_TRUE(contradicts_shape("/A.Js", "TEXT/Html"));
  EXPECT_TRUE(contradicts_shape("/a.SVG", "text/HTML"));
}

TEST(AssetShape, TheQueryIsNotLookedAt) {
  EXPECT_TRUE(is_asset_shaped("/app.js?v=1"));
  EXPECT_TRUE(is_asset_shaped("/app.js?from=/page.html"));
  EXPECT_FALSE(is_asset_shaped("/page?file=app.js"));
  EXPECT_FALSE(is_asset_shaped("/page?/app.js"));
  EXPECT_TRUE(contradicts_shape("/app.js?/a.html", kHtml));
  EXPECT_FALSE(contradicts_shape("/page?app.js", kHtml));
}

/// A page that is led to with such a name is stored for everybody, where suffixes decide.
TEST(AssetShape, ANameThatIsAllSuffixCounts) {
  EXPECT_TRUE(is_asset_shaped("/account/.css"));
  EXPECT_TRUE(contradicts_shape("/account/.css", kHtml));
  EXPECT_TRUE(contradicts_shape("/account;x.css", kHtml));
}

TEST(AssetShape, APageIsNoScriptStylesheetFontImageOrSourceMap) {
  for (const std::string_view path :
       {"/a.js", "/a.mjs", "/a.css", "/a.js.map", "/a.wasm", "/a.woff", "/a.woff2", "/a.ttf",
        "/a.otf", "/a.png", "/a.jpg", "/a.gif", "/a.webp", "/a.avif", "/a.ico"}) {
    EXPECT_TRUE(contradicts_shape(path, kHtml)) << path;
    EXPECT_TRUE(contradicts_shape(path, kXhtml)) << path;
    EXPECT_TRUE(contradicts_shape(path, "text/html; charset=utf-8")) << path;
    EXPECT_TRUE(contradicts_shape(path, " text/html\t;charset=utf-8")) << path;
  }
}

TEST(AssetShape, AnSvgIsXml) {
  EXPECT_TRUE(contradicts_shape("/a.svg", kHtml));
  EXPECT_FALSE(contradicts_shape("/a.svg", kXhtml));
  EXPECT_FALSE(contradicts_shape("/a.svg", "image/svg+xml"));
}

TEST(AssetShape, APageMayHaveTheNameOfDataOrAFilm) {
  for (const std::string_view path :
       {"/a.json", "/a.xml", "/a.txt", "/a.php", "/a.aspx", "/a.html", "/a.pdf", "/a", "/", "",
        "/a.mp4", "/a.m3u8", "/a.mp3", "/a.webmanifest"}) {
    EXPECT_FALSE(contradicts_shape(path, kHtml)) << path;
    EXPECT_FALSE(contradicts_shape(path, kXhtml)) << path;
  }
}

TEST(AssetShape, OtherTypesContradictNothing) {
  for (const std::string_view type :
       {"", ";", "text/plain", "application/octet-stream", "text/htmlx", "text/html5", "image/png",
        "text", "application/json; profile=text/html"}) {
    EXPECT_FALSE(contradicts_shape("/a.js", type)) << type;
  }
}

}  // namespace
}  // namespace perigee::http
