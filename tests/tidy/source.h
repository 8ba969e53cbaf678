// The sources of this project as text, for checks of their shape.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace perigee::test {

struct Source {
  std::string path;    ///< from the top of the tree
  std::string folder;  ///< its folder, "edge/doors" apart from "edge"
  std::vector<std::string> lines;
  std::vector<std::string> code;  ///< the lines without comments and the insides of literals

  enum Part { kCodeAlone, kWithLiterals };
  /// "path:line: ".
  std::string at(size_t line) const { return path + ":" + std::to_string(line + 1) + ": "; }
  bool has_line(std::string_view text) const;
};

/// Every .h and .cc of the libraries and the binary.
const std::vector<Source>& product_sources();
/// Those, the tools' and the tests'.
const std::vector<Source>& all_sources();
const Source& source_at(std::string_view path);
/// What is written by hand and is no C++: builds, scripts, configuration and prose. No `code`.
const std::vector<Source>& other_texts();
/// The identifiers in it.
std::set<std::string> words_of(const Source& source, Source::Part part = Source::kCodeAlone);

struct Function {
  size_t first_line;
  size_t lines;
};
/// The bodies that stand in no other body, found by their braces; lambdas count to what holds them.
std::vector<Function> functions_of(const Source& source);

/// Characters, not bytes, of a UTF-8 line.
size_t characters(std::string_view line);

}  // namespace perigee::test
