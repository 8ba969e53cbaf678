// Field lines written as text in a test: FieldLines("Accept: a\nAccept: b").list().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace perigee::test {

/// Owns the text that its list views. One line per field; the value is what follows ": ".
class FieldLines {
 public:
  explicit FieldLines(std::string_view text) : text_(text) {
    for (std::string_view rest = text_; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      const size_t colon = line.find(':');
      const std::string_view name = line.substr(0, colon);
      const std::string_view value =
          colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
      lines_.push_back({http::field_name(name), name, http::trim_ows(value)});
    }
    list_ = http::HeaderList(lines_);
    for (const http::Field& line : std::vector<http::Field>(lines_)) list_.add(line);
  }
  FieldLines(const FieldLines&) = delete;
  FieldLines& operator=(const FieldLines&) = delete;

  const http::HeaderList& list() const { return list_; }

 private:
  std::string text_;
  std::vector<http::Field> lines_;
  http::HeaderList list_;
};

}  // namespace perigee::test
