#include "edge/problems.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/limits.h"

namespace perigee::edge {

namespace {

constexpr size_t kShownBefore = 60;  ///< characters of a line before the column, at most
constexpr size_t kShownBehind = 60;

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

/// Without what could end the line or colour the terminal: each such byte becomes a space.
std::string plain(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return out;
}

/// The byte at which the character of that number begins; the end: there are fewer.
size_t byte_of(std::string_view text, size_t character) {
  size_t at = 0;
  while (at < text.size()) {
    if (begins_character(text[at]) && character-- == 0) break;
    ++at;
  }
  return at;
}

/// A line with a caret under a column; of a long one what stands around it.
std::string excerpt(const Spot& spot) {
  const std::string line = plain(spot.source);
  const size_t column = spot.column - 1;
  const size_t first = column > kShownBefore ? column - kShownBefore : 0;
  const size_t begin = byte_of(line, first);
  const size_t end = byte_of(line, column + kShownBehind);
  return "    " + line.substr(begin, end - begin) + "\n    " + std::string(column - first, ' ') +
         "^\n";
}

}  // namespace

std::string Problem::sentence() const {
  std::string out = spot.name;
  if (spot.line > 0) {
    out += ":" + std::to_string(spot.line) + ":" + std::to_string(spot.column);
  }
  if (!out.empty()) out += ": ";
  if (kind == Kind::kWarning) out += "warning: ";
  return out + plain(what);
}

std::string Problem::text() const {
  return sentence() + "\n" + (spot.line > 0 ? excerpt(spot) : "");
}

void Problems::error(Spot spot, std::string what) {
  if (++errors_ > base::limits::kProblemsTold) return;
  all_.push_back({Problem::Kind::kError, std::move(spot), std::move(what)});
}

void Problems::warning(Spot spot, std::string what) {
  if (++warnings_ > base::limits::kProblemsTold) return;
  all_.push_back({Problem::Kind::kWarning, std::move(spot), std::move(what)});
}

void Problems::sort() {
  std::stable_sort(all_.begin(), all_.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.spot.line, a.spot.column) < std::tie(b.spot.line, b.spot.column);
  });
}

bool Problems::are_many(Problem::Kind kind) const {
  const size_t count = kind == Problem::Kind::kError ? errors_ : warnings_;
  return count >= base::limits::kProblemsTold;
}

bool Problems::is_usage() const {
  return failed() && std::none_of(all_.begin(), all_.end(), [](const Problem& problem) {
           return problem.kind == Problem::Kind::kError && !problem.spot.is_option();
         });
}

std::string Problems::text() const {
  std::string out;
  for (const Problem& problem : all_) out += "perigee: " + problem.text();
  const size_t untold = errors_ + warnings_ - all_.size();
  if (untold > 0) out += "perigee: and " + std::to_string(untold) + " more\n";
  return out;
}

}  // namespace perigee::edge
