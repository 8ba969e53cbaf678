// The door to a folder in the file system: links, what lies outside, and folders that are replaced.
#include "origin/folder_io.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/support/temp_folder.h"

namespace perigee::origin {
namespace {

namespace fs = std::filesystem;

class FolderIoTest : public testing::Test {
 protected:
  FolderIoTest() {
    fs::create_directories(root());
    all_.write("outside/secret.txt", "secret");
    all_.write("site/a.txt", "a");
    all_.write("site/sub/b.txt", "b");
  }
  std::string root() const { return all_.file("site"); }
  void link(const std::string& target, const std::string& name) {
    fs::create_symlink(target, root() + "/" + name);
  }
  std::unique_ptr<FolderPlace> place(bool follow_links = false, const std::string& at = "site") {
    return make_folder_place({.path = all_.file(at), .follow_links = follow_links});
  }
  /// The content of a file, "folder", or the error.
  static std::string content(FolderIo& folder, std::string_view path) {
    const auto opened = folder.open(path);
    if (!opened.ok()) {
      const base::ErrorCode code = opened.error().code;
      return code == base::ErrorCode::kNotFound    ? "not found"
             : code == base::ErrorCode::kForbidden ? "forbidden"
                                                   : "broken";
    }
    if ((*opened)->info().directory) return "folder";
    std::string text((*opened)->info().size, '\0');
    EXPECT_EQ((*opened)->read(0, std::as_writable_bytes(std::span(text))).value(), text.size());
    return text;
  }
  std::string content(std::string_view path, bool follow_links = false) {
    const auto place = this->place(follow_links);
    return content(**place->open(), path);
  }

  test::TempFolder all_;
};

TEST_F(FolderIoTest, OpensFilesAndFolders) {
  EXPECT_EQ(content("a.txt"), "a");
  EXPECT_EQ(content("sub/b.txt"), "b");
  EXPECT_EQ(content("sub"), "folder");
  EXPECT_EQ(content(""), "folder");
  EXPECT_EQ(content("c.txt"), "not found");
  EXPECT_EQ(content("a.txt/b"), "not found");
}

TEST_F(FolderIoTest, AFolderThatIsNotThereIsNamed) {
  const auto opened = make_folder_place({.path = "/no/such/folder"})->open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, base::ErrorCode::kNotFound);
  EXPECT_NE(opened.error().message.find("/no/such/folder"), std::string::npos);
  EXPECT_FALSE(make_folder_place({.path = root() + "/a.txt"})->open().ok()) << "a file";
}

TEST_F(FolderIoTest, NoPathLeadsOutByItsText) {
  for (const bool follow_links : {false, true}) {
    for (const std::string path :
         {"../outside/secret.txt", "sub/../../outside/secret.txt", "..", "sub/..", "/etc/passwd"}) {
      EXPECT_EQ(content(path, follow_links), "forbidden") << path;
    }
    EXPECT_EQ(content(all_.file("outside/secret.txt"), follow_links), "forbidden");
  }
}

TEST_F(FolderIoTest, LinksLeadToAnyPlaceInTheFolder) {
  link("a.txt", "relative");
  link("../a.txt", "sub/up");
  link(root() + "/sub/b.txt", "absolute");
  link(root() + "/sub", "absolute_folder");
  link(root(), "itself");
  link("../site/sub", "out_and_in");
  link("absolute_folder/b.txt", "twice");
  EXPECT_EQ(content("relative"), "a");
  EXPECT_EQ(content("sub/up"), "a");
  EXPECT_EQ(content("absolute"), "b");
  EXPECT_EQ(content("absolute_folder"), "folder");
  EXPECT_EQ(content("absolute_folder/b.txt"), "b");
  EXPECT_EQ(content("absolute_folder/up"), "a");
  EXPECT_EQ(content("itself"), "folder");
  EXPECT_EQ(content("itself/a.txt"), "a");
  EXPECT_EQ(content("itself/itself/sub/b.txt"), "b");
  EXPECT_EQ(content("out_and_in/b.txt"), "b");
  EXPECT_EQ(content("twice"), "b");
}

TEST_F(FolderIoTest, WhatIsMissingBehindALinkIsNotFoundWhereTheLinkStaysInside) {
  link(root() + "/sub", "inside");
  link(all_.file("outside"), "outside");
  link("../outside", "outside_too");
  EXPECT_EQ(content("inside/none"), "not found");
  EXPECT_EQ(content("inside/none/none"), "not found");
  EXPECT_EQ(content("inside/b.txt/none"), "not found");
  EXPECT_EQ(content("none/inside"), "not found");
  // Nobody learns what there is outside.
  for (const std::string out : {"outside", "outside_too"}) {
    EXPECT_EQ(content(out), "forbidden");
    EXPECT_EQ(content(out + "/secret.txt"), "forbidden");
    EXPECT_EQ(content(out + "/none"), "forbidden");
    EXPECT_EQ(content(out + "/none/none"), "forbidden");
  }
  link(all_.file("outside/none"), "nothing_outside");
  link(root() + "/none", "nothing_inside");
  EXPECT_EQ(content("nothing_outside"), "forbidden");
  EXPECT_EQ(content("nothing_outside/x"), "forbidden");
  EXPECT_EQ(content("nothing_inside"), "forbidden") << "where it would lead cannot be told apart";
}

TEST_F(FolderIoTest, AFolderOfALongerNameBesideIsOutside) {
  all_.write("site2/secret.txt", "secret");
  link(all_.file("site2/secret.txt"), "beside");
  EXPECT_EQ(content("beside"), "forbidden");
}

TEST_F(FolderIoTest, LinksLeadOutWhereTheyMay) {
  link(all_.file("outside"), "absolute");
  link("../outside/secret.txt", "relative");
  link("loop", "loop");
  link("/proc/self/root", "magic");
  EXPECT_EQ(content("absolute/secret.txt", true), "secret");
  EXPECT_EQ(content("absolute/none", true), "not found");
  EXPECT_EQ(content("relative", true), "secret");
  EXPECT_EQ(content("a.txt", true), "a");
  EXPECT_EQ(content("loop", true), "forbidden");
  EXPECT_EQ(content("magic/etc/passwd", true), "forbidden") << "a door of the kernel's own";
}

TEST_F(FolderIoTest, TheFolderItselfMayBeALink) {
  fs::create_directory_symlink("site", all_.file("current"));
  link(all_.file("current/sub/b.txt"), "by_its_link");
  link(root() + "/a.txt", "by_its_name");
  const auto current = place(false, "current");
  const auto folder = current->open();
  EXPECT_EQ(content(**folder, "by_its_link"), "b");
  EXPECT_EQ(content(**folder, "by_its_name"), "a");
}

/// One opened folder is one release, wherever its path leads by now.
TEST_F(FolderIoTest, StaysTheFolderThatItWasAndSaysWhenItIsReplaced) {
  all_.write("next/a.txt", "next");
  const auto site = place();
  const auto first = site->open();
  EXPECT_FALSE((*first)->replaced());
  fs::rename(root(), all_.file("last"));
  EXPECT_TRUE((*first)->replaced()) << "it is away";
  fs::rename(all_.file("next"), root());
  EXPECT_TRUE((*first)->replaced());
  EXPECT_EQ(content(**first, "a.txt"), "a");
  const auto second = site->open();
  EXPECT_FALSE((*second)->replaced());
  EXPECT_EQ(content(**second, "a.txt"), "next");
}

TEST_F(FolderIoTest, ALinkThatIsPointedElsewhereReplacesTheFolder) {
  all_.write("next/a.txt", "next");
  fs::create_directory_symlink("site", all_.file("current"));
  const auto current = place(false, "current");
  const auto first = current->open();
  fs::create_directory_symlink("next", all_.file("new"));
  fs::rename(all_.file("new"), all_.file("current"));
  EXPECT_TRUE((*first)->replaced());
  EXPECT_EQ(content(**first, "a.txt"), "a");
  EXPECT_EQ(content(**current->open(), "a.txt"), "next");
}

/// A link of the old release into the path of all releases leads into the new one by now: it is
/// refused, not mixed in.
TEST_F(FolderIoTest, AnAbsoluteLinkNeverLeadsIntoAnotherRelease) {
  fs::create_directory_symlink("site", all_.file("current"));
  link(all_.file("current/sub/b.txt"), "link");
  const auto current = place(false, "current");
  const auto folder = current->open();
  EXPECT_EQ(content(**folder, "link"), "b");
  all_.write("next/sub/b.txt", "next");
  fs::create_directory_symlink("next", all_.file("new"));
  fs::rename(all_.file("new"), all_.file("current"));
  EXPECT_EQ(content(**folder, "link"), "forbidden");
}

/// The kernel gives up on a link with `..` whenever anything is renamed meanwhile.
TEST_F(FolderIoTest, RenamesElsewhereDoNotDisturb) {
  link("../a.txt", "sub/up");
  std::atomic<bool> stop{false};
  std::thread renamer([&] {
    all_.write("outside/x", "");
    while (!stop) {
      fs::rename(all_.file("outside/x"), all_.file("outside/y"));
      fs::rename(all_.file("outside/y"), all_.file("outside/x"));
    }
  });
  size_t wrong = 0;
  const auto site = place();
  for (int i = 0; i < 20'000; ++i) wrong += content(**site->open(), "sub/up") != "a" ? 1 : 0;
  stop = true;
  renamer.join();
  EXPECT_EQ(wrong, 0u);
}

/// A link that is swapped between inside and outside, as fast as can be: nothing outside is read.
TEST_F(FolderIoTest, ALinkThatIsSwappedNeverLeadsOut) {
  link(root() + "/sub/b.txt", "good");
  link(all_.file("outside/secret.txt"), "bad");
  link(root() + "/sub/b.txt", "link");
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    while (!stop) {
      for (const std::string name : {"/bad", "/good"}) {
        fs::copy_symlink(root() + name, root() + "/new");
        fs::rename(root() + "/new", root() + "/link");
      }
    }
  });
  const auto site = place();
  size_t inside = 0;
  size_t outside = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string got = content(**site->open(), "link");
    inside += got == "b" ? 1 : 0;
    outside += got == "secret" ? 1 : 0;
  }
  stop = true;
  swapper.join();
  EXPECT_EQ(outside, 0u);
  EXPECT_GT(inside, 0u);
}

TEST_F(FolderIoTest, SaysWhatTellsAChangeOfAFile) {
  const auto site = place();
  const auto folder = site->open();
  struct stat status {};
  ASSERT_EQ(::stat((root() + "/a.txt").c_str(), &status), 0);
  const auto file = (*folder)->open("a.txt");
  const FileInfo info = (*file)->info();
  EXPECT_EQ(info.size, 1u);
  EXPECT_EQ(info.inode, status.st_ino);
  EXPECT_EQ(info.device, status.st_dev);
  EXPECT_EQ(info.modified_ms / 1000, status.st_mtim.tv_sec);
  EXPECT_EQ(info.modified_ms % 1000 * 1'000'000 + info.modified_ns, status.st_mtim.tv_nsec);
  EXPECT_EQ(info.changed_ms / 1000, status.st_ctim.tv_sec);
  EXPECT_EQ(info.changed_ms % 1000 * 1'000'000 + info.changed_ns, status.st_ctim.tv_nsec);
  EXPECT_TRUE((*file)->unchanged());
  // Replaced by rename, as careful programs do: who reads the old file reads on.
  all_.write("site/new", "x");
  fs::rename(root() + "/new", root() + "/a.txt");
  EXPECT_TRUE((*file)->unchanged());
}

}  // namespace
}  // namespace perigee::origin
