// Configurations that a test writes into a folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "edge/config_reader.h"

namespace perigee::edge {

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "perigee-config-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  base::Result<Config> read(const std::string& toml) {
    const std::string path = folder_ + "/perigee.toml";
    std::ofstream(path) << toml;
    return read_config_file(path);
  }
  Config good(const std::string& toml) {
    base::Result<Config> config = read(toml);
    EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.error().message);
    return config.ok() ? std::move(*config) : Config();
  }
  /// What is wrong, behind the file's name.
  std::string mistake(const std::string& toml) {
    const base::Result<Config> config = read(toml);
    if (config.ok()) return "nothing";
    EXPECT_EQ(config.error().code, base::ErrorCode::kInvalid);
    const std::string prefix = folder_ + "/perigee.toml:";
    EXPECT_TRUE(config.error().message.starts_with(prefix)) << config.error().message;
    return config.error().message.substr(std::min(prefix.size(), config.error().message.size()));
  }
  /// A file that is good but for these lines, which begin in line 4 of the site.
  std::string mistake_in_site(const std::string& lines) {
    return mistake("[[site]]\ndefault = true\norigin = \"dir:public\"\n" + lines);
  }

  std::string folder_;
};

inline const origin::HttpOriginOptions& http_of(const SiteConfig& site) {
  return std::get<origin::HttpOriginOptions>(site.origin);
}

}  // namespace perigee::edge
