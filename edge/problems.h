// What is wrong with a configuration, or right and surprising: all of it, each with its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace perigee::edge {

/// Where something was said: a line of a file, or an option of the command line.
struct Spot {
  std::string name;     ///< of the file, or the option with its dashes; empty: nowhere
  uint32_t line = 0;    ///< from 1; 0: not of a line
  uint32_t column = 0;  ///< from 1, in characters
  std::string source;   ///< that line

  bool is_option() const { return name.starts_with("--"); }
};

/// One of them.
struct Problem {
  enum class Kind : uint8_t { kError, kWarning };
  Kind kind = Kind::kError;
  Spot spot;
  std::string what;

  /// "FILE:LINE:COLUMN: what", or "--option: what"; a warning says that it is one.
  std::string sentence() const;
  /// The sentence; below it the line, if there is one, with a caret under the column.
  std::string text() const;
};

/// All of them, in the order of the file once sort() was called. Beyond limits::kProblemsTold
/// errors, and as many warnings, they are only counted.
class Problems {
 public:
  void error(Spot spot, std::string what);
  void warning(Spot spot, std::string what);
  void sort();

  bool failed() const { return errors_ > 0; }
  /// Further ones of a kind are only counted: their place need not be known.
  bool are_many(Problem::Kind kind) const;
  /// There is an error, and none in a file.
  bool is_usage() const;
  const std::vector<Problem>& all() const { return all_; }
  /// Each on lines of its own, "perigee: " before it.
  std::string text() const;

 private:
  std::vector<Problem> all_;
  size_t errors_ = 0;
  size_t warnings_ = 0;
};

}  // namespace perigee::edge
