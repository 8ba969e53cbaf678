// The configuration file as a file: what is no file, cannot be read, or is far too large is said at
// once, by name.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/limits.h"
#include "edge/regular_file.h"
#include "tests/support/edge/config_files.h"
#include "tests/support/temp_folder.h"

namespace perigee::edge {
namespace {

constexpr std::string_view kSite = "[[site]]\ndefault = true\norigin = \"http://127.0.0.1:9\"\n";

class ConfigFile : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return folder_.file(name); }
  std::string write(std::string_view content) const {
    return folder_.write("perigee.toml", content);
  }
  /// The error begins with the name of the file.
  static void expect_error(const std::string& path, const std::string& what) {
    const base::Result<Config> config = config_or_mistake(read_config_file(path));
    ASSERT_FALSE(config.ok()) << path;
    EXPECT_EQ(config.error().code, base::ErrorCode::kInvalid);
    EXPECT_TRUE(config.error().message.starts_with(path + ":")) << config.error().message;
    EXPECT_NE(config.error().message.find(what), std::string::npos) << config.error().message;
  }

  test::TempFolder folder_;
};

TEST_F(ConfigFile, WhatIsNoFileIsSaidAtOnce) {
  expect_error("/dev/zero", "is a device");
  expect_error("/dev/null", "is a device");
  expect_error(folder_.path(), "is a folder");
  ASSERT_EQ(::mkfifo(file("fifo").c_str(), 0600), 0);
  expect_error(file("fifo"), "is a FIFO");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  file("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  expect_error(file("socket"), "is a socket");
  ::close(fd);
  std::filesystem::create_symlink("/dev/zero", file("link"));
  expect_error(file("link"), "is a device");
}

TEST_F(ConfigFile, WhyItCannotBeReadIsSaid) {
  expect_error(file("missing.toml"), "No such file or directory");
  std::filesystem::create_symlink("loop", file("loop"));
  expect_error(file("loop"), "Too many levels of symbolic links");
  const std::string closed = write(kSite);
  ASSERT_EQ(::chmod(closed.c_str(), 0), 0);
  // Root may read everything: then another user asks.
  const bool root = ::geteuid() == 0;
  constexpr uid_t kNobody = 65'534;
  ASSERT_TRUE(!root || ::seteuid(kNobody) == 0);
  expect_error(closed, "Permission denied");
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
}

TEST_F(ConfigFile, AnEmptyOneServesNothing) { expect_error(write(""), "nothing to serve"); }

TEST_F(ConfigFile, HasABoundedSize) {
  std::string text(kSite);
  text += "#" + std::string(base::limits::kConfigBytes - text.size() - 1, 'x');
  ASSERT_EQ(text.size(), base::limits::kConfigBytes);
  EXPECT_TRUE(config_or_mistake(read_config_file(write(text))).ok());
  expect_error(write(text + "x"), "is larger than");
  // A file that only says that it is large holds no memory either.
  std::filesystem::resize_file(file("perigee.toml"), uint64_t{1} << 40);
  expect_error(file("perigee.toml"), "is larger than");
}

TEST_F(ConfigFile, AnAuthorityFileThatIsNoFileIsAnErrorWithItsPlace) {
  ASSERT_EQ(::mkfifo(file("ca.pem").c_str(), 0600), 0);
  const std::string path =
      write(std::string(kSite) + "origin_ca_file = \"" + file("ca.pem") + "\"\n");
  expect_error(path, ":4:");
  expect_error(path, "ca.pem: is a FIFO");
}

TEST_F(ConfigFile, ARegularFileIsReadWhole) {
  const base::Result<std::string> read = read_regular_file(write("some text"), 9);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, "some text");
  EXPECT_FALSE(read_regular_file(file("perigee.toml"), 8).ok());
}

}  // namespace
}  // namespace perigee::edge
