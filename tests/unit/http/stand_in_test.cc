// Names that hold a hash of the content, and why a stored response stands in.
#include "http/stand_in.h"

#include <gtest/gtest.h>

#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::has_content_hash");

TEST(ContentHash, IsFoundInWhatBundlersWrite) {
  for (const char* path : {
           "/static/js/main.8f4e1c2d.js",
           "/assets/index-BDk3x9aZ.js",
           "/assets/index-DkXzaYbc.css",
           "/_next/static/chunks/938-1b2c3d4e5f6a7b8c.js",
           "/3f9c2b1a0d.woff2",
           "/logo_a1b2c3d4e5.svg",
           "/fonts/inter-v13-latin.5f1ab2c3.woff2",
           // esbuild
           "/assets/guide-2KFYBJNO.js",
           "/assets/chunk-PMHIWMCU.js",
           "/assets/chunk-PMHIWMCU.js.map",
           // rollup
           "/assets/index-B_k3x9aZ.js",
           "/assets/index-DkX-aYbc.css",
           "/assets/user-menu--aB3x_yQ.js",
           "/assets/index-Bcdf-1gh.js.map",
       }) {
    EXPECT_TRUE(has_content_hash(path)) << path;
  }
}

TEST(ContentHash, IsNoWordNoDateAndNoFolder) {
  for (const char* path : {
           "/app.js",
           "/bootstrap.bundle.min.js",
           "/JavaScript.js",
           "/a1b2c3d4/app.js",
           "/report-20240101.pdf",
           "/a1b2c3.js",
           "/",
           "",
           "/DOCUMENTATION.html",
           "/CALENDAR.js",
           "/LAST-CHANGES.html",
           "/user-nav-list.js",
           "/page-User-Nav.js",
           "/page-es5-core.js",
           "/page-NAV-LIST.js",
           "/page-a~B-2cde.js",
           "/report-2024-1-1.pdf",
           "/PMHIWMCU",
           "/chunk-PMHIWMCU",
       }) {
    EXPECT_FALSE(has_content_hash(path)) << path;
  }
}

}  // namespace
}  // namespace perigee::http
