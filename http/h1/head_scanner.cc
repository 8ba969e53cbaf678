#include "http/h1/head_scanner.h"

#include <algorithm>

namespace perigee::http {

size_t HeadScanner::take(std::string_view input) {
  size_t used = 0;
  while (state_ == State::kMore && used < input.size()) {
    const size_t newline = input.find('\n', used);
    const size_t end = std::min(newline, input.size());
    state_ = judge_length(line_bytes_ + (end - used));
    if (state_ != State::kMore) break;
    if (end > used) last_ = input[end - 1];
    line_bytes_ += end - used;
    bytes_ += end - used;
    used = end;
    if (newline == std::string_view::npos) break;
    ++used;
    ++bytes_;
    state_ = end_line();
  }
  return used;
}

HeadScanner::State HeadScanner::judge_length(size_t line_bytes) const {
  const bool first = lines_ == 0;
  // The lengths that a line may have, its CRLF included: by its own bound, and by the whole head's.
  const size_t by_line = (first ? bounds_.first_line_bytes : bounds_.line_bytes) + 2;
  const size_t by_head = bounds_.head_bytes - (bytes_ - line_bytes_);
  if (line_bytes < std::min(by_line, by_head)) return State::kMore;
  return first && by_line <= by_head ? State::kFirstLineTooLong : State::kTooLarge;
}

HeadScanner::State HeadScanner::end_line() {
  const size_t line_bytes = line_bytes_;
  line_bytes_ = 0;
  if (line_bytes == 0 || last_ != '\r') return State::kBareLf;
  if (line_bytes > 1) {
    ++lines_;
    return State::kMore;
  }
  if (lines_ > 0) return State::kWhole;
  if (!bounds_.empty_line_first || skipped_ > 0) return State::kEmpty;
  skipped_ = bytes_;
  return State::kMore;
}

}  // namespace perigee::http
