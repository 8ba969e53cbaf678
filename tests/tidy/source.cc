#include "tests/tidy/source.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "tests/support/main/paths.h"

namespace perigee::test {
namespace {

namespace fs = std::filesystem;

const fs::path kTop = source_dir();
constexpr std::string_view kProduct[] = {"base", "http", "cache_store", "origin", "edge"};
constexpr std::string_view kOthers[] = {"tools", "tests"};

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  if (lines.empty()) lines.emplace_back();
  return lines;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Takes comments and what stands between quotes out of a text, keeping its lines.
class Stripper {
 public:
  explicit Stripper(const std::string& text) : text_(text) {}
  std::string run() {
    while (at_ < text_.size()) {
      if (starts("//")) {
        skip_to("\n");
      } else if (starts("/*")) {
        skip_to("*/");
        at_ += 2;
      } else if (starts("R\"") && !is_word(at_ == 0 ? ' ' : text_[at_ - 1])) {
        raw_literal();
      } else if (text_[at_] == '"' || is_character()) {
        literal(text_[at_]);
      } else {
        out_ += text_[at_++];
      }
    }
    return out_;
  }

 private:
  bool starts(std::string_view what) const { return text_.compare(at_, what.size(), what) == 0; }
  /// An apostrophe behind a digit separates digits.
  bool is_character() const { return text_[at_] == '\'' && (at_ == 0 || !is_word(text_[at_ - 1])); }
  void skip_to(std::string_view end) {
    for (; at_ < text_.size() && !starts(end); ++at_) keep_line_end();
  }
  void keep_line_end() {
    if (text_[at_] == '\n') out_ += '\n';
  }
  void raw_literal() {
    const size_t open = text_.find('(', at_);
    const std::string end = ")" + text_.substr(at_ + 2, open - at_ - 2) + "\"";
    out_ += "\"\"";
    skip_to(end);
    at_ += end.size();
  }
  void literal(char quote) {
    out_ += quote;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    out_ += quote;
    ++at_;
  }

  const std::string& text_;
  std::string out_;
  size_t at_ = 0;
};

Source load(const fs::path& path) {
  Source source;
  source.path = fs::relative(path, kTop).string();
  source.folder = fs::path(source.path).parent_path().string();
  const std::string text = read(path);
  source.lines = split(text);
  source.code = split(Stripper(text).run());
  source.code.resize(source.lines.size());
  return source;
}

void add_folder(std::string_view folder, std::vector<Source>& out) {
  for (const auto& entry : fs::recursive_directory_iterator(kTop / folder)) {
    const std::string extension = entry.path().extension();
    if (extension == ".h" || extension == ".cc") out.push_back(load(entry.path()));
  }
}

/// By its name, or by the first line of a script.
bool is_other_text(const fs::path& path) {
  static const std::set<std::string> kNames = {"Makefile", "CMakeLists.txt", ".clang-format",
                                               ".clang-tidy"};
  static const std::set<std::string> kExtensions = {".cmake", ".css", ".js", ".md", ".py", ".toml"};
  if (kNames.contains(path.filename().string()) || kExtensions.contains(path.extension().string()))
    return true;
  std::ifstream file(path);
  std::string first;
  return !path.has_extension() && std::getline(file, first) && first.starts_with("#!");
}

void add_other(const fs::path& path, std::vector<Source>& out) {
  if (!fs::is_regular_file(path) || !is_other_text(path)) return;
  Source source;
  source.path = fs::relative(path, kTop).string();
  source.folder = fs::path(source.path).parent_path().string();
  source.lines = split(read(path));
  out.push_back(std::move(source));
}

void add_others_below(std::string_view folder, std::vector<Source>& out) {
  for (const auto& entry : fs::recursive_directory_iterator(kTop / folder)) {
    add_other(entry.path(), out);
  }
}

/// The text before a brace opens a function's body: a parameter list, and no type or namespace.
bool opens_function(const std::string& before) {
  static const std::regex kNoFunction(
      R"(^\s*(namespace|class|struct|enum|union|extern|using)\b|=\s*$|^\s*$)");
  return before.find(')') != std::string::npos && !std::regex_search(before, kNoFunction);
}

}  // namespace

bool Source::has_line(std::string_view text) const {
  return std::find(lines.begin(), lines.end(), text) != lines.end();
}

const std::vector<Source>& product_sources() {
  static const std::vector<Source> sources = [] {
    std::vector<Source> all;
    for (const std::string_view folder : kProduct) add_folder(folder, all);
    return all;
  }();
  return sources;
}

const std::vector<Source>& all_sources() {
  static const std::vector<Source> sources = [] {
    std::vector<Source> all = product_sources();
    for (const std::string_view folder : kOthers) add_folder(folder, all);
    return all;
  }();
  return sources;
}

const std::vector<Source>& other_texts() {
  static const std::vector<Source> sources = [] {
    std::vector<Source> all;
    for (const auto& entry : fs::directory_iterator(kTop)) add_other(entry.path(), all);
    for (const std::string_view folder : kProduct) add_others_below(folder, all);
    for (const std::string_view folder : kOthers) add_others_below(folder, all);
    for (const std::string_view folder : {".ci", "cmake", "conf", "docs"}) {
      add_others_below(folder, all);
    }
    return all;
  }();
  return sources;
}

const Source& source_at(std::string_view path) {
  for (const Source& source : all_sources()) {
    if (source.path == path) return source;
  }
  throw std::runtime_error("no source " + std::string(path));
}

std::set<std::string> words_of(const Source& source, Source::Part part) {
  std::set<std::string> words;
  for (const std::string& line : part == Source::kCodeAlone ? source.code : source.lines) {
    std::string word;
    for (const char c : line + " ") {
      if (is_word(c)) {
        word += c;
      } else if (!word.empty()) {
        words.insert(std::exchange(word, {}));
      }
    }
  }
  return words;
}

std::vector<Function> functions_of(const Source& source) {
  std::vector<Function> found;
  std::vector<bool> open;  ///< for each brace that is open: it is a function's
  std::string before;
  size_t first_line = 0;
  bool inside = false;
  for (size_t line = 0; line < source.code.size(); ++line) {
    if (source.code[line].starts_with("#")) continue;
    for (const char c : source.code[line] + " ") {
      if (c == '{') {
        const bool function = !inside && opens_function(before);
        if (function) {
          inside = true;
          first_line = line;
        }
        open.push_back(function);
        before.clear();
      } else if (c == '}' && !open.empty()) {
        if (open.back()) {
          inside = false;
          found.push_back({first_line, line - first_line + 1});
        }
        open.pop_back();
        before.clear();
      } else if (c == ';') {
        before.clear();
      } else {
        before += c;
      }
    }
  }
  return found;
}

size_t characters(std::string_view line) {
  return static_cast<size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace perigee::test
