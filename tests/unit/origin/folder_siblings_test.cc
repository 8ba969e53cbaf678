// Which files of a folder are looked at for a coding of what it serves, and which never are.
#include "origin/folder_siblings.h"

#include <functional>

#include "base/text.h"
#include "tests/support/rule.h"
#include "tests/unit/origin/folder_fixture.h"

namespace perigee::origin {
namespace {

GUARDS("origin::FolderSiblings");

namespace fs = std::filesystem;
using http::Coding;

constexpr int64_t kWrittenMs = 1'700'000'000'000;

class FolderSiblingsTest : public DirectoryTest {
 protected:
  /// A file and its sibling, written at one time.
  void pair(const std::string& name, const std::string& content = "content",
            const std::string& sibling = "short", const std::string& suffix = ".br") {
    write_at(name, content);
    write_at(name + suffix, sibling);
  }
  void write_at(const std::string& name, const std::string& content, int64_t at_ms = kWrittenMs) {
    write(name, content);
    set_modified(name, at_ms);
  }
  std::unique_ptr<Precoded::Ready> find(const std::string& target,
                                        const std::string& body = "content",
                                        Coding coding = Coding::kBrotli) {
    return FolderSiblings(folder_).open({target, coding, body.size(), env_.wall().ms});
  }
  /// The bytes that were found; "": nothing was.
  std::string found(const std::string& target, const std::string& body = "content",
                    Coding coding = Coding::kBrotli) {
    const auto ready = find(target, body, coding);
    if (ready == nullptr || !ready->lies_beside(0, std::as_bytes(std::span(body)))) return "";
    std::vector<std::byte> bytes(ready->size());
    return ready->read(0, bytes) ? std::string(base::as_text(bytes)) : "";
  }
};

TEST_F(FolderSiblingsTest, LieBesideTheFileUnderTheSuffixOfTheirCoding) {
  pair("app.js", "content", "zz", ".zst");
  pair("app.js", "content", "bb", ".br");
  pair("app.js", "content", "gg", ".gz");
  EXPECT_EQ(found("/app.js", "content", Coding::kZstd), "zz");
  EXPECT_EQ(found("/app.js?v=1", "content", Coding::kBrotli), "bb");
  EXPECT_EQ(found("/app.js", "content", Coding::kGzip), "gg");
  EXPECT_EQ(found("/app.js", "content", Coding::kIdentity), "");
  const auto ready = find("/app.js");
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->name(), root_.file("app.js.br"));
  EXPECT_TRUE(ready->settled());
  std::vector<std::byte> piece(3);
  EXPECT_TRUE(ready->read(1, std::span(piece).first(1)));
  EXPECT_EQ(base::as_text({piece.data(), 1}), "b");
  EXPECT_FALSE(ready->read(0, piece)) << "behind its end";
  EXPECT_TRUE(ready->lies_beside(3, std::as_bytes(std::span("tent", 4))));
  EXPECT_FALSE(ready->lies_beside(4, std::as_bytes(std::span("tent", 4))));
}

RULE_F(FolderSiblingsTest, AreThoseOfTheFileThatTheTargetMeans, "http-rules 6.1, 6.2, 6.6",
       "a path may mean a file of another name",
       "the coded files beside that file are its codings: of an index, a page, the fallback", "") {
  options_.fallback = "/index.html";
  open();
  pair("index.html");
  pair("docs/index.html");
  pair("about.html");
  EXPECT_EQ(found("/"), "short");
  EXPECT_EQ(found("/docs/"), "short");
  EXPECT_EQ(found("/about"), "short");
  EXPECT_EQ(found("/a/route/of/the/application"), "short");
}

TEST_F(FolderSiblingsTest, OfWhatIsNoFileAreNotLookedFor) {
  pair("docs/index.html");
  pair("404.html");
  write_at("lone.js.br", "short");
  pair(".git/config");
  EXPECT_EQ(found("/docs"), "") << "a redirect";
  EXPECT_EQ(found("//docs/"), "") << "another one";
  EXPECT_EQ(found("/none"), "") << "the page for what is not there";
  EXPECT_EQ(found("/lone.js"), "");
  EXPECT_EQ(found("/.git/config"), "");
  fs::remove_all(root_.path());
  EXPECT_EQ(found("/docs/"), "") << "no folder";
}

TEST_F(FolderSiblingsTest, MustBeRegularFilesShorterThanTheirs) {
  pair("a.js");
  ASSERT_EQ(found("/a.js"), "short");
  for (const std::string bad : {"", "just as", "longer than it"}) {
    write_at("a.js.br", bad);
    EXPECT_EQ(found("/a.js"), "") << bad;
  }
  fs::remove(root_.file("a.js.br"));
  EXPECT_EQ(found("/a.js"), "");
  fs::create_directory(root_.file("a.js.br"));
  EXPECT_EQ(found("/a.js"), "");
  fs::remove(root_.file("a.js.br"));
  ASSERT_EQ(::mkfifo(root_.file("a.js.br").c_str(), 0600), 0);
  EXPECT_EQ(found("/a.js"), "");
}

RULE_F(FolderSiblingsTest, MustNotBeOlderThanTheirs, "http-rules 6.6",
       "a build leaves coded files beside its own",
       "one that is older than its file is of an earlier build, and is not looked at", "") {
  pair("a.js");
  set_modified("a.js.br", kWrittenMs - 1);
  EXPECT_EQ(found("/a.js"), "");
  set_modified("a.js.br", kWrittenMs);
  EXPECT_EQ(found("/a.js"), "short");
  set_modified("a.js.br", kWrittenMs + 1);
  EXPECT_EQ(found("/a.js"), "short");
}

RULE_F(FolderSiblingsTest, LinksLeadAsFarAsThoseOfAnyFile, "http-rules 6.3, 6.6",
       "a link may lead out of the folder",
       "a coded file behind such a link is not read, unless follow_links allows it",
       "folder.follow_links") {
  pair("a.js");
  fs::remove(root_.file("a.js.br"));
  outside_.write("secret", "short");
  link(outside_.file("secret"), "a.js.br");
  EXPECT_EQ(found("/a.js"), "");
  options_.follow_links = true;
  open();
  EXPECT_EQ(found("/a.js"), "short");
  options_.follow_links = false;
  open();
  fs::remove(root_.file("a.js.br"));
  write_at("codings/a.js.br", "within");
  link("codings/a.js.br", "a.js.br");
  EXPECT_EQ(found("/a.js"), "within");
}

TEST_F(FolderSiblingsTest, OfAFileThatHoldsAnotherBodyByNowAreOfNoUse) {
  pair("a.js");
  EXPECT_EQ(found("/a.js", "another"), "");
  EXPECT_EQ(found("/a.js", "content of another length"), "");
  const std::string body(300'000, 'b');
  pair("long.js", body);
  EXPECT_EQ(found("/long.js", body), "short");
  EXPECT_EQ(found("/long.js", body.substr(1) + "c"), "") << "to its last byte";
}

TEST_F(FolderSiblingsTest, AreNotSettledWhileTheyMayBeWritten) {
  pair("a.js");
  set_modified("a.js.br", env_.wall().ms - base::limits::kUnsettledMs + 1);
  EXPECT_FALSE(find("/a.js")->settled());
  set_modified("a.js.br", env_.wall().ms - base::limits::kUnsettledMs);
  EXPECT_TRUE(find("/a.js")->settled());
}

/// A real folder in which something happens before a file is read.
class MeddledPlace final : public FolderPlace {
 public:
  using Meddle = std::function<void(const std::string& path)>;
  MeddledPlace(std::unique_ptr<FolderPlace> real, Meddle meddle)
      : real_(std::move(real)), meddle_(std::move(meddle)) {}
  base::Result<std::unique_ptr<FolderIo>> open() const override {
    auto opened = real_->open();
    if (!opened.ok()) return opened;
    return std::unique_ptr<FolderIo>(std::make_unique<Folder>(std::move(*opened), meddle_));
  }

 private:
  class File final : public FolderFile {
   public:
    File(std::unique_ptr<FolderFile> real, std::string path, const Meddle& meddle)
        : real_(std::move(real)), path_(std::move(path)), meddle_(meddle) {}
    const FileInfo& info() const override { return real_->info(); }
    base::Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
      meddle_(path_);
      return real_->read(offset, into);
    }
    bool unchanged() override { return real_->unchanged(); }

   private:
    const std::unique_ptr<FolderFile> real_;
    const std::string path_;
    const Meddle& meddle_;
  };
  class Folder final : public FolderIo {
   public:
    Folder(std::unique_ptr<FolderIo> real, const Meddle& meddle)
        : real_(std::move(real)), meddle_(meddle) {}
    base::Result<std::unique_ptr<FolderFile>> open(std::string_view path) override {
      auto opened = real_->open(path);
      if (!opened.ok()) return opened;
      return std::unique_ptr<FolderFile>(
          std::make_unique<File>(std::move(*opened), std::string(path), meddle_));
    }
    bool replaced() override { return real_->replaced(); }

   private:
    const std::unique_ptr<FolderIo> real_;
    const Meddle& meddle_;
  };

  const std::unique_ptr<FolderPlace> real_;
  const Meddle meddle_;
};

class MeddledSiblings : public FolderSiblingsTest {
 protected:
  void before_reading(MeddledPlace::Meddle meddle) {
    use(std::make_unique<MeddledPlace>(make_folder_place({.path = options_.path}),
                                       std::move(meddle)));
  }
};

TEST_F(MeddledSiblings, ThatAreWrittenWhileTheyAreReadAreLeft) {
  pair("a.js");
  before_reading([&](const std::string& path) {
    if (path == "a.js.br") write_at(path, "other", kWrittenMs + 1'000);
  });
  EXPECT_EQ(found("/a.js"), "");
  pair("a.js");
  before_reading([&](const std::string& path) {
    if (path == "a.js.br") write_at(path, "cut", kWrittenMs);
  });
  EXPECT_EQ(found("/a.js"), "");
}

TEST_F(MeddledSiblings, AreOfTheReleaseThatTheirFileIsOf) {
  for (const std::string release : {"old", "new"}) pair(release + "/a.js", "content", release);
  link("old", "current");
  options_.path = root_.file("current");
  before_reading([&](const std::string& path) {
    if (path != "a.js") return;
    fs::remove(root_.file("current"));
    link("new", "current");
  });
  EXPECT_EQ(found("/a.js"), "old");
  EXPECT_EQ(found("/a.js"), "new");
}

}  // namespace
}  // namespace perigee::origin
