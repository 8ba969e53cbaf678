// A folder as an origin on a loop in memory: a real one in the file system, or one that is played.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "origin/directory_origin.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/origin/origin_fixture.h"

namespace perigee::origin {

/// Keeps the fields of the head, which are views.
class HeadLog final : public FetchUser {
 public:
  explicit HeadLog(test::FakeEnv& env) : env_(env) {}
  void on_fetch_interim(const http::ReceivedResponse&) override {}
  void on_fetch_head(const http::ReceivedResponse& head, const http::ResponseTimes&) override {
    status = head.status;
    for (const http::Field& field : head.fields) {
      fields[std::string(field.name)] = std::string(field.value);
    }
    length = head.content_length;
    if (!head.has_body) return;
    reader = std::make_unique<test::BodyReader>(env_, *fetch);
    reader->budget = budget;
    reader->pull();
  }
  void on_fetch_failed(const FetchError& error) override {
    status = error.status();
    failure = error;
  }
  std::string body() const { return reader == nullptr ? "" : reader->text; }

  std::unique_ptr<Fetch> fetch;
  uint16_t status = 0;
  std::optional<FetchError> failure;  ///< instead of a head
  std::map<std::string, std::string> fields;
  std::optional<uint64_t> length;
  std::unique_ptr<test::BodyReader> reader;
  size_t budget = SIZE_MAX;

 private:
  test::FakeEnv& env_;
};

/// A folder in the file system, an hour after its files were written.
class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    env_.step_wall(std::chrono::duration_cast<std::chrono::milliseconds>(now).count() -
                   env_.wall().ms + 3'600'000);
    options_.path = root_.path();
    open();
  }
  ~DirectoryTest() override {
    origin_.reset();
    EXPECT_EQ(env_.timers(), 0u);
  }
  /// The origin anew, by the options.
  void open() {
    use(make_folder_place({.path = options_.path, .follow_links = options_.follow_links}));
  }
  void use(std::unique_ptr<FolderPlace> place) {
    folder_ = std::make_shared<SharedFolder>(options_, std::move(place));
    origin_ = make_directory_origin(folder_, env_);
  }
  void write(const std::string& name, std::string_view content) { root_.write(name, content); }
  void link(const std::string& target, const std::string& name) {
    std::filesystem::create_symlink(target, root_.file(name));
  }
  void set_modified(const std::string& name, int64_t wall_ms) {
    const timeval time{wall_ms / 1000, wall_ms % 1000 * 1000};
    const timeval times[2] = {time, time};
    ASSERT_EQ(::utimes(root_.file(name).c_str(), times), 0);
  }
  std::unique_ptr<HeadLog> begin(const std::string& target, const std::string& lines = "",
                                 http::Method method = http::Method::kGet) {
    auto log = std::make_unique<HeadLog>(env_);
    fields_.emplace_back(lines);
    FetchRequest request;
    request.method = method;
    request.target = target;
    request.fields = fields_.back().list();
    log->fetch = origin_->fetch(request, *log);
    return log;
  }
  std::unique_ptr<HeadLog> get(const std::string& target, const std::string& lines = "") {
    auto log = begin(target, lines);
    env_.run();
    return log;
  }
  uint16_t status(const std::string& target) { return get(target)->status; }
  /// "200 body", or "301 location".
  std::string answer(const std::string& target) {
    const auto log = get(target);
    const std::string text = log->status == 301 ? log->fields["Location"] : log->body();
    return std::to_string(log->status) + " " + text;
  }

  test::FakeEnv env_;
  test::TempFolder root_;
  test::TempFolder outside_;
  DirectoryOriginOptions options_;
  std::shared_ptr<SharedFolder> folder_;
  std::unique_ptr<Origin> origin_;
  std::list<test::FieldLines> fields_;
};

/// One file, whose content and time the test changes while it is read.
class PlayedFolder final : public FolderPlace {
 public:
  class File final : public FolderFile {
   public:
    explicit File(PlayedFolder& played) : played_(played) {
      info_.size = played.content.size();
      info_.modified_ms = played.modified_ms;
      info_.changed_ms = played.changed_ms;
      info_.inode = played.inode;
    }
    const FileInfo& info() const override { return info_; }
    base::Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
      ++played_.reads;
      if (played_.at_read) played_.at_read(offset);
      if (played_.breaks) return base::Error{base::ErrorCode::kIo, 5, "bad disk"};
      const std::string_view left =
          std::string_view(played_.content).substr(std::min(played_.content.size(), offset));
      return left.copy(reinterpret_cast<char*>(into.data()), into.size());
    }
    bool unchanged() override {
      return played_.content.size() > info_.size ||
             (played_.content.size() == info_.size && played_.modified_ms == info_.modified_ms);
    }

   private:
    PlayedFolder& played_;
    FileInfo info_;
  };
  class Folder final : public FolderIo {
   public:
    explicit Folder(PlayedFolder& played) : played_(played) {}
    base::Result<std::unique_ptr<FolderFile>> open(std::string_view) override {
      if (played_.error) return *played_.error;
      return std::unique_ptr<FolderFile>(std::make_unique<File>(played_));
    }
    bool replaced() override {
      ++played_.looks_again;
      return played_.is_replaced;
    }

   private:
    PlayedFolder& played_;
  };
  base::Result<std::unique_ptr<FolderIo>> open() const override {
    ++opens;
    return std::unique_ptr<FolderIo>(std::make_unique<Folder>(const_cast<PlayedFolder&>(*this)));
  }

  std::string content;
  int64_t modified_ms = 1'577'934'245'000;
  int64_t changed_ms = 1'577'934'245'000;
  uint64_t inode = 1;
  bool breaks = false;
  std::function<void(uint64_t offset)> at_read;
  std::optional<base::Error> error;
  bool is_replaced = false;
  size_t reads = 0;
  size_t looks_again = 0;
  mutable size_t opens = 0;
};

class PlayedFolderTest : public DirectoryTest {
 protected:
  PlayedFolderTest() {
    auto folder = std::make_unique<PlayedFolder>();
    played_ = folder.get();
    played_->content = std::string(300'000, 'a');
    use(std::move(folder));
  }
  /// The same folder, with other options.
  void use_options() {
    auto folder = std::make_unique<PlayedFolder>(*played_);
    played_ = folder.get();
    use(std::move(folder));
  }
  /// The first piece is there, the rest is not read yet.
  std::unique_ptr<HeadLog> half() {
    auto log = begin("/a.txt");
    log->budget = 1000;
    env_.run();
    return log;
  }
  void rest(HeadLog& log) {
    log.reader->budget = SIZE_MAX;
    log.reader->pull();
    env_.run();
  }
  PlayedFolder* played_;
};

}  // namespace perigee::origin
