// ETags of files: equal on all nodes, changed with the file, and strong only where that is honest.
#include "origin/file_tag.h"

#include "tests/support/rule.h"
#include "tests/unit/origin/folder_fixture.h"

namespace perigee::origin {
namespace {

GUARDS(
    "origin::entity_tag, origin::is_settled, origin::modified_tag, origin::ContentHash, "
    "origin::ContentTags");

using Tag = DirectoryOriginOptions::Tag;

RULE_F(DirectoryTest, TheTagIsEqualOnAllNodes, "RFC 9110 §8.8.3; http-rules 6.4",
       "an entity tag tells whether a representation has changed",
       "size and time of the last change, to the nanosecond: equal where the files are", "") {
  const test::TempFolder other;
  for (const test::TempFolder* folder : {&std::as_const(root_), &other}) {
    folder->write("a.txt", "hello");
    const timeval times[2] = {{1'577'934'245, 5}, {1'577'934'245, 5}};
    ASSERT_EQ(::utimes(folder->file("a.txt").c_str(), times), 0);
  }
  const std::string tag = get("/a.txt")->fields["ETag"];
  options_.path = other.path();
  open();
  EXPECT_EQ(get("/a.txt")->fields["ETag"], tag) << "another inode";
  other.write("a.txt", "hallo");
  EXPECT_NE(get("/a.txt")->fields["ETag"], tag) << "another time";
}

TEST_F(DirectoryTest, TheTagChangesWithSizeAndTime) {
  std::vector<std::string> tags;
  for (const auto& [content, ms] : std::vector<std::pair<std::string, int64_t>>{
           {"a", 1'577'934'245'000}, {"ab", 1'577'934'245'000}, {"a", 1'577'934'245'001}}) {
    write("a.txt", content);
    set_modified("a.txt", ms);
    tags.push_back(get("/a.txt")->fields["ETag"]);
  }
  EXPECT_NE(tags[0], tags[1]);
  EXPECT_NE(tags[0], tags[2]);
  FileInfo info;
  info.modified_ns = 1;
  EXPECT_NE(modified_tag(info), modified_tag(FileInfo()));
}

RULE_F(PlayedFolderTest, ATagIsWeakWhileTheFileMayBeWrittenUnseen,
       "RFC 9110 §8.8.1; http-rules 6.4",
       "a validator that does not change with every change is weak",
       "a file that was written less than 2 s ago has a weak ETag, which no condition matches",
       "") {
  const auto tag = [&](int64_t age_ms) {
    played_->modified_ms = env_.wall().ms - age_ms;
    return get("/a.txt")->fields["ETag"];
  };
  EXPECT_TRUE(tag(base::limits::kUnsettledMs).starts_with('"'));
  EXPECT_TRUE(tag(base::limits::kUnsettledMs - 1).starts_with("W/\""));
  EXPECT_TRUE(tag(0).starts_with("W/\""));
  EXPECT_TRUE(tag(-1000).starts_with("W/\"")) << "the clocks differ";
  // The next writing may have the same time, so nobody's copy is said to be good.
  const std::string weak = tag(0);
  const std::string since = get("/a.txt")->fields["Last-Modified"];
  EXPECT_EQ(get("/a.txt", "If-None-Match: " + weak)->status, 200);
  EXPECT_EQ(get("/a.txt", "If-Modified-Since: " + since)->status, 200);
  EXPECT_EQ(get("/a.txt", "If-Match: " + weak)->status, 412);
  env_.step_wall(base::limits::kUnsettledMs);
  const std::string strong = get("/a.txt")->fields["ETag"];
  EXPECT_TRUE(strong.starts_with('"')) << strong;
  EXPECT_EQ(get("/a.txt", "If-None-Match: " + weak)->status, 200);
  EXPECT_EQ(get("/a.txt", "If-None-Match: " + strong)->status, 304);
  EXPECT_EQ(get("/a.txt", "If-Modified-Since: " + since)->status, 304);
  options_.tag = Tag::kContent;
  use_options();
  EXPECT_TRUE(tag(0).starts_with("W/\""));
  EXPECT_TRUE(tag(base::limits::kUnsettledMs).starts_with('"'));
}

RULE_F(DirectoryTest, TheTagOfTheContentAsksNoClock, "RFC 9110 §8.8.3; http-rules 6.4",
       "an entity tag may be a hash of the content",
       "equal for equal bytes, whatever their time; another for other bytes", "folder.etag") {
  options_.tag = Tag::kContent;
  open();
  const auto tag = [&](std::string_view content, int64_t ms) {
    write("a.txt", content);
    set_modified("a.txt", ms);
    return get("/a.txt")->fields["ETag"];
  };
  const std::string first = tag("hello", 1'577'934'245'000);
  EXPECT_TRUE(first.starts_with('"') && first.ends_with('"')) << first;
  EXPECT_EQ(tag("hello", 1'577'000'000'000), first);
  EXPECT_NE(tag("hallo", 1'577'934'245'000), first) << "size and time alone are the same";
  EXPECT_EQ(get("/a.txt", "If-None-Match: " + first)->status, 200);
  EXPECT_EQ(tag("hello", 1'577'934'245'000), first);
  EXPECT_EQ(get("/a.txt", "If-None-Match: " + first)->status, 304);
  write("empty.txt", "");
  EXPECT_EQ(get("/empty.txt")->status, 200);
  EXPECT_NE(get("/empty.txt")->fields["ETag"], first);
}

/// Nix, OSTree and reproducible archives set one time for all files.
TEST_F(DirectoryTest, AFileWhoseTimeSaysNothingIsTaggedByItsContent) {
  std::vector<std::string> tags;
  for (const std::string content : {"one", "two"}) {
    for (const int64_t ms : {0, 1000}) {
      write("a.txt", content);
      set_modified("a.txt", ms);
      const auto log = get("/a.txt");
      tags.push_back(log->fields["ETag"]);
      EXPECT_EQ(log->fields.count("Last-Modified"), 0u);
    }
  }
  EXPECT_EQ(tags[0], tags[1]);
  EXPECT_NE(tags[0], tags[2]);
  EXPECT_EQ(get("/a.txt", "If-Modified-Since: Thu, 02 Jan 2020 03:04:05 GMT")->status, 200);
  set_modified("a.txt", 2000);
  EXPECT_EQ(get("/a.txt")->fields["Last-Modified"], "Thu, 01 Jan 1970 00:00:02 GMT");
}

class ContentTagTest : public PlayedFolderTest {
 protected:
  ContentTagTest() {
    options_.tag = Tag::kContent;
    use_options();
  }
  std::string tag() { return get("/a.txt")->fields["ETag"]; }
  /// How often the file is read for one HEAD.
  size_t reads() {
    const size_t before = played_->reads;
    const auto log = begin("/a.txt", "", http::Method::kHead);
    env_.run();
    EXPECT_EQ(log->status, 200);
    return played_->reads - before;
  }
};

TEST_F(ContentTagTest, IsMadeOnceForAFileThatDoesNotChange) {
  const std::string first = tag();
  EXPECT_EQ(reads(), 0u);
  EXPECT_EQ(tag(), first);
  const std::vector<std::function<void()>> changes = {
      [&] { ++played_->inode; }, [&] { ++played_->modified_ms; }, [&] { ++played_->changed_ms; },
      [&] { played_->content += "x"; }};
  for (const auto& change : changes) {
    change();
    EXPECT_GT(reads(), 0u);
    EXPECT_EQ(reads(), 0u);
  }
  EXPECT_NE(tag(), first);
}

TEST_F(ContentTagTest, OfAFileThatMayBeWrittenUnseenIsMadeEachTime) {
  // Its time was set back, as archives do; when it was written, the inode knows.
  played_->changed_ms = env_.wall().ms - base::limits::kUnsettledMs + 1;
  const std::string first = tag();
  EXPECT_GT(reads(), 0u);
  played_->content = std::string(300'000, 'b');
  EXPECT_NE(tag(), first);
  env_.step_wall(1);
  EXPECT_GT(reads(), 0u);
  EXPECT_EQ(reads(), 0u) << "now it is remembered";
}

TEST_F(ContentTagTest, OfAFileThatIsRewrittenWhileItIsHashedIsOfTheNewBytes) {
  bool once = false;
  played_->at_read = [&](uint64_t offset) {
    if (offset == 0 || std::exchange(once, true)) return;
    played_->content = std::string(300'000, 'b');
    played_->modified_ms += 1000;
    played_->changed_ms += 1000;
  };
  const auto log = get("/a.txt");
  EXPECT_EQ(log->status, 200);
  EXPECT_EQ(log->body(), std::string(300'000, 'b'));
  const std::string rewritten = log->fields["ETag"];
  played_->at_read = nullptr;
  ++played_->inode;
  EXPECT_EQ(tag(), rewritten);
}

TEST_F(ContentTagTest, OfAFileThatNeverRestsIsA503) {
  played_->at_read = [&](uint64_t) { ++played_->modified_ms; };
  EXPECT_EQ(get("/a.txt")->status, 503);
  EXPECT_EQ(played_->opens, base::limits::kFolderLooks);
  played_->at_read = nullptr;
  EXPECT_EQ(get("/a.txt")->status, 200);
}

TEST_F(ContentTagTest, OfALongFileIsMadeInStepsBetweenOtherJobs) {
  played_->content = std::string(3 * base::limits::kHashStepBytes + 1, 'a');
  env_.hold_jobs = true;
  const auto log = begin("/a.txt", "", http::Method::kHead);
  size_t steps = 0;
  for (; log->status == 0; ++steps) {
    env_.run();
    ASSERT_EQ(env_.jobs(base::Lane::kLatency), 1u);
    const size_t before = played_->reads;
    env_.run_jobs();
    EXPECT_LE(played_->reads - before, base::limits::kHashStepBytes / (128 * base::limits::kKiB));
    env_.run();
  }
  EXPECT_EQ(steps, 4u);
  EXPECT_EQ(log->status, 200);
}

TEST_F(ContentTagTest, WaitsWhileThePoolIsFullAndEndsWithItsFetch) {
  played_->content = std::string(3 * base::limits::kHashStepBytes, 'a');
  auto log = begin("/a.txt", "", http::Method::kHead);
  env_.turn();
  env_.lane_capacity[0] = 0;
  env_.run();
  EXPECT_EQ(log->status, 0);
  env_.lane_capacity[0] = 10;
  env_.advance(50);
  EXPECT_EQ(log->status, 200);
  ++played_->inode;
  log = begin("/a.txt", "", http::Method::kHead);
  env_.turn();
  const size_t before = played_->reads;
  log.reset();
  env_.run();
  EXPECT_EQ(played_->reads, before) << "nothing is hashed for nobody";
}

TEST(ContentTags, KeepOnlySoManyTheLastMade) {
  ContentTags tags(2);
  FileInfo info;
  for (info.inode = 1; info.inode <= 3; ++info.inode) {
    tags.add(info, std::to_string(info.inode), 1'000'000);
  }
  EXPECT_EQ(tags.size(), 2u);
  info.inode = 1;
  EXPECT_EQ(tags.find(info), std::nullopt);
  info.inode = 3;
  EXPECT_EQ(tags.find(info), "3");
  tags.add(info, "3", 1'000'000);
  EXPECT_EQ(tags.size(), 2u);
}

TEST(ContentTags, HaveABound) {
  ContentTags tags;
  FileInfo info;
  for (info.inode = 0; info.inode < base::limits::kContentTags + 10; ++info.inode) {
    tags.add(info, "x", 1'000'000);
  }
  EXPECT_EQ(tags.size(), base::limits::kContentTags);
}

}  // namespace
}  // namespace perigee::origin
