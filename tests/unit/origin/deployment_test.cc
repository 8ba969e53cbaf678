// A folder whose releases come and go while it is served.
#include <filesystem>

#include "tests/support/rule.h"
#include "tests/unit/origin/folder_fixture.h"

namespace perigee::origin {
namespace {

namespace fs = std::filesystem;

GUARDS("origin::make_directory_origin, origin::make_folder_place");

/// Releases beside each other, and the path that is served.
class DeploymentTest : public DirectoryTest {
 protected:
  DeploymentTest() {
    options_.path = root_.file("public");
    open();
  }
  void release(const std::string& name, const std::string& content) {
    write(name + "/index.html", content);
    write(name + "/404.html", content + " has it not");
  }
  /// Points the path at a release, as `ln -sfn` and rename do.
  void point_at(const std::string& name) {
    link(name, "new");
    fs::rename(root_.file("new"), root_.file("public"));
  }
};

RULE_F(DeploymentTest, ALinkThatIsPointedAtTheNextReleaseIsFollowed, "http-rules 6.5",
       "a deployment swaps the link that is served",
       "each request to the folder finds what the path names now", "") {
  release("1", "one");
  release("2", "two");
  point_at("1");
  EXPECT_EQ(answer("/"), "200 one");
  point_at("2");
  EXPECT_EQ(answer("/"), "200 two");
  EXPECT_EQ(answer("/none"), "404 two has it not");
  fs::remove_all(root_.file("1"));
  EXPECT_EQ(answer("/"), "200 two");
}

TEST_F(DeploymentTest, AFolderThatIsRenamedIntoPlaceIsServed) {
  release("public", "one");
  release("2", "two");
  EXPECT_EQ(answer("/"), "200 one");
  fs::rename(root_.file("public"), root_.file("old"));
  EXPECT_EQ(status("/"), 503);
  fs::rename(root_.file("2"), root_.file("public"));
  EXPECT_EQ(answer("/"), "200 two");
}

RULE_F(DeploymentTest, WithoutAFolderTheOriginCannotBeReached, "http-rules 6.5; http-rules 2.8",
       "a build removes the folder first",
       "503 until the folder is there, also at start; what is stored covers it", "") {
  for (const std::string target : {"/", "/index.html", "/none", "//x", "/.git"}) {
    const auto log = get(target);
    EXPECT_EQ(log->status, 503) << target;
    ASSERT_TRUE(log->failure) << target;
    EXPECT_EQ(log->failure->kind, FetchError::kAbsent);
    EXPECT_TRUE(log->failure->unreachable());
    EXPECT_NE(log->failure->message.find(root_.file("public")), std::string::npos);
    EXPECT_EQ(log->failure->sentence().find(root_.path()), std::string::npos);
  }
  release("public", "one");
  EXPECT_EQ(answer("/"), "200 one");
  fs::remove_all(root_.file("public"));
  EXPECT_EQ(status("/"), 503);
  release("public", "two");
  EXPECT_EQ(answer("/"), "200 two");
}

TEST_F(DeploymentTest, AFileInItsPlaceIsNoFolder) {
  write("public", "a file");
  EXPECT_EQ(status("/"), 503);
}

/// What was opened of the old release is read to its end, and its bytes are never joined by others.
TEST_F(DeploymentTest, ADownloadGoesOnWithTheReleaseThatItBeganWith) {
  const std::string old_film(300'000, '1');
  write("1/film", old_film);
  write("2/film", std::string(300'000, '2'));
  point_at("1");
  auto log = begin("/film");
  log->budget = 1000;
  env_.run();
  point_at("2");
  fs::remove_all(root_.file("1"));
  log->reader->budget = SIZE_MAX;
  log->reader->pull();
  env_.run();
  EXPECT_TRUE(log->reader->ended());
  EXPECT_EQ(log->body(), old_film);
}

/// The folder that a request opened is replaced and emptied before the request looks for its file.
class ReplacedInTime : public DeploymentTest {
 protected:
  /// A place whose folders are replaced after they were opened.
  class Swapping final : public FolderPlace {
   public:
    Swapping(std::unique_ptr<FolderPlace> real, std::function<void(size_t)> then)
        : real_(std::move(real)), then_(std::move(then)) {}
    base::Result<std::unique_ptr<FolderIo>> open() const override {
      auto opened = real_->open();
      then_(++opens);
      return opened;
    }
    mutable size_t opens = 0;

   private:
    const std::unique_ptr<FolderPlace> real_;
    const std::function<void(size_t)> then_;
  };
  Swapping* swap(std::function<void(size_t)> then) {
    auto place = std::make_unique<Swapping>(make_folder_place({.path = options_.path}), then);
    Swapping* swapping = place.get();
    use(std::move(place));
    return swapping;
  }
};

TEST_F(ReplacedInTime, AFileThatTheNextReleaseHasIsFound) {
  release("1", "one");
  release("2", "two");
  point_at("1");
  const Swapping* swapping = swap([&](size_t opens) {
    if (opens > 1) return;
    point_at("2");
    fs::remove_all(root_.file("1"));
  });
  EXPECT_EQ(answer("/"), "200 two");
  EXPECT_EQ(swapping->opens, 2u);
}

TEST_F(ReplacedInTime, APageForWhatIsMissingIsOfTheNextReleaseToo) {
  release("1", "one");
  release("2", "two");
  point_at("1");
  swap([&](size_t opens) {
    if (opens == 1) point_at("2");
  });
  EXPECT_EQ(answer("/none"), "404 two has it not");
  EXPECT_EQ(answer("/"), "200 two");
}

TEST_F(ReplacedInTime, WhatIsFoundIsServedThoughItWasReplaced) {
  release("1", "one");
  release("2", "two");
  point_at("1");
  const Swapping* swapping = swap([&](size_t opens) {
    if (opens == 1) point_at("2");
  });
  EXPECT_EQ(answer("/"), "200 one");
  EXPECT_EQ(swapping->opens, 1u);
}

TEST_F(ReplacedInTime, AFolderThatGoesAwayMeanwhileIsA503) {
  release("public", "one");
  swap([&](size_t) { fs::remove_all(root_.file("public")); });
  EXPECT_EQ(status("/"), 503);
}

TEST_F(ReplacedInTime, FoldersThatAreReplacedAllTheTimeAreLookedAtSoManyTimes) {
  release("1", "one");
  release("2", "two");
  point_at("1");
  const Swapping* swapping = swap([&](size_t opens) { point_at(opens % 2 == 1 ? "2" : "1"); });
  EXPECT_EQ(status("/none"), 404);
  EXPECT_EQ(swapping->opens, base::limits::kFolderLooks);
}

TEST_F(PlayedFolderTest, OnlyWhatIsNotFoundIsLookedForAgain) {
  EXPECT_EQ(get("/a.txt")->status, 200);
  EXPECT_EQ(played_->looks_again, 0u);
  EXPECT_EQ(played_->opens, 1u);
  played_->error = base::Error{base::ErrorCode::kNotFound, 0, "no"};
  EXPECT_EQ(get("/a.txt")->status, 404);
  EXPECT_EQ(played_->looks_again, 1u);
  EXPECT_EQ(played_->opens, 2u);
}

TEST_F(DirectoryTest, AFetchThatNeedsNoFolderAsksForNone) {
  options_.path = root_.file("none");
  open();
  const auto log = begin("/", "", http::Method::kOptions);
  env_.advance(10);
  EXPECT_EQ(log->status, 204);
}

}  // namespace
}  // namespace perigee::origin
