// A folder of a test's own, which goes with the test.
#pragma once

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace perigee::test {

/// A folder that goes with all it holds.
class TempFolder {
 public:
  /// In that folder; empty: where temporary files go. Aborts when it cannot be made.
  explicit TempFolder(const std::string& where = "")
      : path_((where.empty() ? std::filesystem::temp_directory_path()
                             : std::filesystem::path(where)) /
              "perigee-test-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) {
      std::perror("mkdtemp");
      std::abort();
    }
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Writes a file, its folders included, and returns its path.
  std::string write(std::string_view name, std::string_view content) const {
    const std::filesystem::path path = file(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }

 private:
  std::string path_;
};

}  // namespace perigee::test
