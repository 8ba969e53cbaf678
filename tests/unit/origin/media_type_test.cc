// Content-Type by file name, with and without the desktop's table.
#include "origin/media_type.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "http/asset_shape.h"

namespace perigee::origin {
namespace {

using Rows = std::vector<std::pair<const char*, const char*>>;

std::shared_ptr<const DesktopTypes> desktop(std::string_view globs2) {
  return std::make_shared<const DesktopTypes>(parse_globs(globs2));
}

TEST(MediaTypes, KnowsTheWebAndAsksTheDesktopForTheRest) {
  const MediaTypes types(
      {}, desktop("# comment\n50:application/x-compressed-tar:*.tar.gz\n50:application/x-gz:*.gz\n"
                  "60:text/x-first:*.xyz\n50:text/x-second:*.xyz\n50:x/y:README*\n"
                  "50:application/x-js:*.js\n50:application/x-two:*.one.two\n"));
  const Rows rows = {{"a.html", "text/html; charset=utf-8"},
                     {"A.HTML", "text/html; charset=utf-8"},
                     {"a.min.js", "text/javascript; charset=utf-8"},
                     {"a.mjs", "text/javascript; charset=utf-8"},
                     {"dir.d/a.svg", "image/svg+xml"},
                     {"a.woff2", "font/woff2"},
                     {"a.wasm", "application/wasm"},
                     {"a.webmanifest", "application/manifest+json; charset=utf-8"},
                     {"a.tar.gz", "application/gzip"},
                     {"v1.2.gz", "application/gzip"},
                     {"a.xyz", "text/x-first; charset=utf-8"},
                     {"a.one.two", "application/x-two"},
                     {"README", "application/octet-stream"},
                     {"a.", "application/octet-stream"},
                     {".html", "application/octet-stream"},
                     {"html", "application/octet-stream"},
                     {"dir.html/file", "application/octet-stream"}};
  for (const auto& [name, type] : rows) EXPECT_EQ(types.type_of(name), type) << name;
}

/// What a browser, a player or a reader of feeds refuses under another type.
TEST(MediaTypes, KnowsTheWebOnEveryMachine) {
  const MediaTypes types({}, nullptr);
  const Rows rows = {{"a.woff", "font/woff"},
                     {"a.ttf", "font/ttf"},
                     {"a.otf", "font/otf"},
                     {"a.eot", "application/vnd.ms-fontobject"},
                     {"a.m3u8", "application/vnd.apple.mpegurl"},
                     {"a.mpd", "application/dash+xml"},
                     {"a.ts", "video/mp2t"},
                     {"a.m4s", "video/iso.segment"},
                     {"a.vtt", "text/vtt; charset=utf-8"},
                     {"a.mp4", "video/mp4"},
                     {"a.m4a", "audio/mp4"},
                     {"a.mp3", "audio/mpeg"},
                     {"a.ogg", "audio/ogg"},
                     {"a.flac", "audio/flac"},
                     {"a.js.map", "application/json; charset=utf-8"},
                     {"a.css.map", "application/json; charset=utf-8"},
                     {"a.csv", "text/csv; charset=utf-8"},
                     {"a.md", "text/markdown; charset=utf-8"},
                     {"a.ics", "text/calendar; charset=utf-8"},
                     {"a.jsonld", "application/ld+json"},
                     {"a.geojson", "application/geo+json"},
                     {"a.rss", "application/rss+xml"},
                     {"a.atom", "application/atom+xml"},
                     {"a.xml", "application/xml; charset=utf-8"},
                     {"a.xhtml", "application/xhtml+xml"},
                     {"a.avif", "image/avif"},
                     {"a.webp", "image/webp"},
                     {"a.jxl", "image/jxl"},
                     {"favicon.ico", "image/vnd.microsoft.icon"},
                     {"a.pdf", "application/pdf"},
                     {"a.epub", "application/epub+zip"},
                     {"a.zip", "application/zip"},
                     {"a.tar.gz", "application/gzip"},
                     {"a.tar.xz", "application/x-xz"},
                     {"a.zst", "application/zstd"},
                     {"a.7z", "application/x-7z-compressed"},
                     {"a.glb", "model/gltf-binary"},
                     {".well-known/apple-app-site-association", "application/json; charset=utf-8"},
                     {"a.unknown", "application/octet-stream"}};
  for (const auto& [name, type] : rows) EXPECT_EQ(types.type_of(name), type) << name;
}

TEST(MediaTypes, ASitesOwnTypesGoBeforeAllOthers) {
  const MediaTypes types({{"ts", "text/x-typescript"},
                          {"tar.gz", "application/x-tgz"},
                          {"license", "text/plain; charset=us-ascii"},
                          {"changes.md", "text/plain"},
                          {"xyz", "model/xyz"}},
                         desktop("50:text/x-first:*.xyz\n"));
  const Rows rows = {{"a.ts", "text/x-typescript"},
                     {"A.TS", "text/x-typescript"},
                     {"a.tar.gz", "application/x-tgz"},
                     {"a.gz", "application/gzip"},
                     {"docs/LICENSE", "text/plain; charset=us-ascii"},
                     {"changes.md", "text/plain"},
                     {"other.changes.md", "text/plain"},
                     {"other.md", "text/markdown; charset=utf-8"},
                     {"a.xyz", "model/xyz"}};
  for (const auto& [name, type] : rows) EXPECT_EQ(types.type_of(name), type) << name;
}

TEST(MediaTypes, ReadsTheDesktopsTable) {
  EXPECT_EQ(desktop_types(), desktop_types()) << "once";
  EXPECT_EQ(MediaTypes({}, desktop_types()).type_of("a.stw"),
            "application/vnd.sun.xml.writer.template");
}

TEST(MediaTypes, WhatIsKnownAsSomethingElseIsNoPage) {
  const MediaTypes types({{"data", "application/x-data"}, {"page", "text/html; charset=utf-8"}},
                         desktop("50:text/x-first:*.xyz\n"));
  for (const char* name : {"about", "", "john.doe", "v1.2", "a.html", "A.HTM", "a.xhtml", "a.page",
                           "a.php", "a.xyz"}) {
    EXPECT_TRUE(types.may_be_page(name)) << name << ": not known everywhere, or a page's";
  }
  for (const char* name : {"robots.txt", "feed.xml", "a.json", "a.pdf", "a.zip", "a.csv", "a.data",
                           "a.JSON", "apple-app-site-association"}) {
    EXPECT_FALSE(types.may_be_page(name)) << name;
  }
}

/// Every suffix of what pages load has a type of its own on every machine.
TEST(MediaTypes, KnowsWhatPagesLoad) {
  const MediaTypes types({}, nullptr);
  for (const char* name :
       {"a.js",   "a.mjs",  "a.cjs",  "a.css",  "a.map",  "a.wasm", "a.webmanifest", "a.woff2",
        "a.woff", "a.ttf",  "a.otf",  "a.ttc",  "a.eot",  "a.png",  "a.apng",        "a.jpg",
        "a.jpeg", "a.jfif", "a.jxl",  "a.gif",  "a.webp", "a.avif", "a.heic",        "a.heif",
        "a.ico",  "a.cur",  "a.bmp",  "a.tif",  "a.tiff", "a.svg",  "a.mp4",         "a.m4v",
        "a.mov",  "a.webm", "a.mkv",  "a.ogv",  "a.ogg",  "a.oga",  "a.opus",        "a.mp3",
        "a.m4a",  "a.aac",  "a.wav",  "a.flac", "a.weba", "a.m3u8", "a.mpd",         "a.ts",
        "a.m4s",  "a.cmfv", "a.cmfa", "a.vtt",  "a.srt",  "a.glb",  "a.gltf",        "a.usdz"}) {
    EXPECT_TRUE(http::is_asset_shaped(name)) << name;
    EXPECT_NE(types.type_of(name), "application/octet-stream") << name;
  }
}

}  // namespace
}  // namespace perigee::origin
