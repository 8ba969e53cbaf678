// Configurations that a test writes into a folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/edge/config_files.h"
#include "tests/support/temp_folder.h"

namespace perigee::edge {

class ConfigTest : public testing::Test {
 protected:
  base::Result<Config> read(const std::string& toml) {
    return config_or_mistake(read_config_file(folder_.write("perigee.toml", toml)));
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
    const std::string prefix = folder_.file("perigee.toml:");
    EXPECT_TRUE(config.error().message.starts_with(prefix)) << config.error().message;
    return config.error().message.substr(std::min(prefix.size(), config.error().message.size()));
  }
  /// A file that is good but for these lines, which begin in line 4 of the site.
  std::string mistake_in_site(const std::string& lines) {
    return mistake("[[site]]\ndefault = true\norigin = \"dir:public\"\n" + lines);
  }

  test::TempFolder folder_;
};

inline const origin::HttpOriginOptions& http_of(const SiteConfig& site) {
  return std::get<origin::HttpOriginOptions>(site.origin);
}

}  // namespace perigee::edge
