// What a folder serves as a static host does: indexes, clean URLs, merged slashes, the page for
// what is not there, the fallback of an application.
#include "origin/folder_search.h"

#include "tests/support/rule.h"
#include "tests/unit/origin/folder_fixture.h"

namespace perigee::origin {
namespace {

GUARDS("origin::find_in_folder");

RULE_F(DirectoryTest, ServesAPageWithoutItsSuffix, "http-rules 6.1",
       "a page may be named without its suffix",
       "/about is about.html; /about.html is served as well", "folder.clean_urls") {
  write("about.html", "about");
  write("docs/setup.html", "setup");
  write("v1.2.html", "version");
  write("plain", "no suffix");
  write("plain.html", "suffix");
  EXPECT_EQ(answer("/about"), "200 about");
  EXPECT_EQ(answer("/about.html"), "200 about");
  EXPECT_EQ(answer("/docs/setup?x"), "200 setup");
  EXPECT_EQ(answer("/v1.2"), "200 version");
  EXPECT_EQ(answer("/plain"), "200 no suffix") << "the file of that very name first";
  EXPECT_EQ(answer("/abou").substr(0, 3), "404");
  EXPECT_EQ(get("/about")->fields["Content-Type"], "text/html; charset=utf-8");
  options_.clean_urls = false;
  open();
  EXPECT_EQ(answer("/about.html"), "200 about");
  EXPECT_EQ(status("/about"), 404);
  EXPECT_EQ(status("/about/"), 404);
}

RULE_F(DirectoryTest, APageAndAFolderMayHaveOneName, "http-rules 6.1",
       "generators write blog.html beside blog/",
       "/blog is the page, /blog/ the folder's index, or a redirect to the page without one",
       "folder.clean_urls") {
  write("blog.html", "page");
  write("blog/first.html", "first");
  EXPECT_EQ(answer("/blog"), "200 page");
  EXPECT_EQ(answer("/blog/?p=2"), "301 /blog?p=2");
  EXPECT_EQ(answer("/blog/first"), "200 first");
  EXPECT_EQ(answer("/blog/first/"), "301 /blog/first");
  write("blog/index.html", "index");
  EXPECT_EQ(answer("/blog"), "200 page");
  EXPECT_EQ(answer("/blog/"), "200 index");
}

RULE_F(DirectoryTest, AFolderNeedsItsSlash, "http-rules 6.1",
       "relative links of an index need the slash",
       "/docs redirects to /docs/ with its query, if the folder has an index; else 404", "") {
  write("docs/index.html", "docs");
  write("empty/x.txt", "x");
  write("deep/index.html/x.txt", "an index that is a folder");
  EXPECT_EQ(answer("/docs"), "301 /docs/");
  EXPECT_EQ(answer("/docs?a=1&b=//c"), "301 /docs/?a=1&b=//c");
  EXPECT_EQ(answer("/docs/"), "200 docs");
  EXPECT_EQ(status("/empty"), 404);
  EXPECT_EQ(status("/empty/"), 404);
  EXPECT_EQ(status("/deep"), 404);
  EXPECT_EQ(status("/deep/"), 404);
  EXPECT_EQ(get("/docs")->fields["Cache-Control"], "max-age=10");
}

TEST_F(DirectoryTest, AnIndexHasTheFirstNameThatIsThere) {
  options_.index = {"index.html", "default.htm", "feed.xml"};
  open();
  write("a/default.htm", "default");
  write("a/feed.xml", "feed");
  write("b/feed.xml", "feed");
  write("c/other.html", "other");
  EXPECT_EQ(answer("/a/"), "200 default");
  EXPECT_EQ(answer("/b/"), "200 feed");
  EXPECT_EQ(answer("/b"), "301 /b/");
  EXPECT_EQ(status("/c/"), 404);
  options_.index = {};
  open();
  EXPECT_EQ(status("/a/"), 404);
}

RULE_F(DirectoryTest, EmptySegmentsLeadToThePathWithoutThem, "http-rules 6.1",
       "//docs/ and /docs/ name one page",
       "a redirect to the path without empty segments, if that leads somewhere; never to a host",
       "") {
  write("docs/index.html", "docs");
  write("docs/a.txt", "a");
  write("about.html", "about");
  write("index.html", "root");
  EXPECT_EQ(answer("//docs/"), "301 /docs/");
  EXPECT_EQ(answer("//docs"), "301 /docs/") << "one redirect, not two";
  EXPECT_EQ(answer("/docs//a.txt?x=//y"), "301 /docs/a.txt?x=//y");
  EXPECT_EQ(answer("/docs///"), "301 /docs/");
  EXPECT_EQ(answer("//about"), "301 /about");
  EXPECT_EQ(answer("//about/"), "301 /about");
  EXPECT_EQ(answer("//"), "301 /");
  EXPECT_EQ(answer("///?q"), "301 /?q");
  EXPECT_EQ(status("//none"), 404);
  EXPECT_EQ(status("//docs//none"), 404);
  EXPECT_EQ(status("//evil.test/"), 404);
  write("evil.test/index.html", "x");
  EXPECT_EQ(answer("//evil.test"), "301 /evil.test/");
  write("\\evil.test/index.html", "x");
  EXPECT_EQ(answer("/%5Cevil.test"), "301 /%5Cevil.test/");
}

RULE_F(DirectoryTest, WhatIsNotThereHasThePageOfTheSite, "http-rules 6.2",
       "a static host answers with the site's 404.html",
       "with status 404, without validators and lifetime", "folder.not_found") {
  EXPECT_EQ(answer("/none"), "404 404 Not Found\n");
  write("404.html", "<p>gone</p>");
  write("errors/none.txt", "none");
  write("empty/x", "x");
  write(".git/config", "secret");
  for (const std::string target :
       {"/none", "/none/", "/none.js", "/empty/", "/.git/config", "/%zz", "//none", "/a%2fb"}) {
    EXPECT_EQ(answer(target), "404 <p>gone</p>") << target;
  }
  const auto log =
      get("/none", "If-None-Match: *\nIf-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(log->status, 404);
  EXPECT_EQ(log->length, 11u);
  EXPECT_EQ(log->fields["Content-Type"], "text/html; charset=utf-8");
  for (const char* field : {"ETag", "Last-Modified", "Cache-Control"}) {
    EXPECT_EQ(log->fields.count(field), 0u) << field;
  }
  const auto head = begin("/none", "", http::Method::kHead);
  env_.run();
  EXPECT_EQ(head->status, 404);
  EXPECT_EQ(head->length, 11u);
  EXPECT_EQ(head->reader, nullptr);
  EXPECT_EQ(answer("/404.html"), "200 <p>gone</p>") << "asked for by its name";
  options_.not_found = "/errors/none.txt";
  open();
  EXPECT_EQ(answer("/none"), "404 none");
  options_.not_found = "/errors/nowhere.html";
  open();
  EXPECT_EQ(answer("/none"), "404 404 Not Found\n");
  options_.not_found = "/errors";
  open();
  EXPECT_EQ(answer("/none"), "404 404 Not Found\n") << "a folder is no page";
  options_.not_found = "";
  open();
  EXPECT_EQ(answer("/none"), "404 404 Not Found\n");
}

TEST_F(DirectoryTest, ALongPageForWhatIsNotThereIsReadAsAFileIs) {
  const std::string page(300'000, 'x');
  write("404.html", page);
  const auto log = get("/none");
  EXPECT_EQ(log->status, 404);
  EXPECT_TRUE(log->reader->ended());
  EXPECT_EQ(log->body(), page);
}

TEST_F(DirectoryTest, WhatIsForbiddenIsNotMissing) {
  write("404.html", "gone");
  options_.fallback = "/404.html";
  open();
  outside_.write("secret.txt", "secret");
  link(outside_.path(), "out");
  link(outside_.file("secret.txt"), "page.html");
  EXPECT_EQ(answer("/out/secret.txt"), "403 403 Forbidden\n");
  EXPECT_EQ(answer("/out/none"), "403 403 Forbidden\n");
  EXPECT_EQ(answer("/page"), "403 403 Forbidden\n");
}

RULE_F(DirectoryTest, AnApplicationAnswersForItsOwnPages, "http-rules 6.2",
       "an application of one page answers for paths that no file has",
       "the fallback with status 200; never for assets and data, nor below /.well-known/",
       "folder.fallback") {
  write("index.html", "app");
  write("404.html", "gone");
  write("app.js", "js");
  write(".git/config", "secret");
  EXPECT_EQ(answer("/user/5"), "404 gone") << "by default there is none";
  options_.fallback = "/index.html";
  open();
  for (const std::string target :
       {"/user/5", "/user/5/", "/user/john.doe?tab=1", "/v1.2", "/a.php"}) {
    EXPECT_EQ(answer(target), "200 app") << target;
  }
  for (const std::string target :
       {"/app.123.js", "/a.css", "/a.woff2", "/a.png", "/a.svg", "/a.js.map", "/a.wasm", "/a.mp4",
        "/a%2ejs", "/a.json", "/robots.txt", "/sitemap.xml", "/a.pdf", "/.well-known/x",
        "/.well-known/acme-challenge/abc", "/.git/config", "/.git", "/%zz"}) {
    EXPECT_EQ(answer(target), "404 gone") << target;
  }
  EXPECT_EQ(answer("//user/5"), "301 /user/5");
  EXPECT_EQ(answer("/app.js"), "200 js");
  const auto page = get("/user/5");
  EXPECT_EQ(page->fields["Content-Type"], "text/html; charset=utf-8");
  EXPECT_EQ(page->fields["ETag"], get("/")->fields["ETag"]);
  EXPECT_EQ(page->fields["Cache-Control"], "max-age=10");
  EXPECT_EQ(get("/user/6", "If-None-Match: " + page->fields["ETag"])->status, 304);
  options_.fallback = "/nowhere.html";
  open();
  EXPECT_EQ(answer("/user/5"), "404 gone");
}

TEST_F(DirectoryTest, TheSitesTypesSayWhatMayBeAPage) {
  write("index.html", "app");
  options_.fallback = "/index.html";
  options_.types = {{"item", "application/x-item"}, {"pdf", "text/html"}};
  open();
  EXPECT_EQ(status("/a.item"), 404);
  EXPECT_EQ(status("/a.pdf"), 200);
}

TEST_F(DirectoryTest, TheSitesTypesAreSent) {
  options_.types = {{"ts", "text/x-typescript"}, {"license", "text/plain"}};
  open();
  write("a.ts", "x");
  write("LICENSE", "x");
  EXPECT_EQ(get("/a.ts")->fields["Content-Type"], "text/x-typescript");
  EXPECT_EQ(get("/LICENSE")->fields["Content-Type"], "text/plain");
}

RULE_F(DirectoryTest, LinksStayInTheFolderUnlessTheyMayLeave, "http-rules 6.3",
       "a link may lead out of the folder",
       "403, unless follow_links; a link to a place in the folder is followed, absolute or not",
       "folder.follow_links") {
  write("a.txt", "a");
  outside_.write("shared.txt", "shared");
  link(root_.file("a.txt"), "absolute.txt");
  link(outside_.path(), "out");
  EXPECT_EQ(answer("/absolute.txt"), "200 a");
  EXPECT_EQ(status("/out/shared.txt"), 403);
  options_.follow_links = true;
  open();
  EXPECT_EQ(answer("/absolute.txt"), "200 a");
  EXPECT_EQ(answer("/out/shared.txt"), "200 shared");
  EXPECT_EQ(status("/out/none.txt"), 404);
  for (const std::string target : {"/../a.txt", "/out/../a.txt", "//etc/passwd", "/%2e%2e/etc"}) {
    EXPECT_EQ(status(target), 404) << target;
  }
}

}  // namespace
}  // namespace perigee::origin
