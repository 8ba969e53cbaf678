#include "edge/coding_watch.h"

#include <string>

#include "edge/escape.h"

namespace perigee::edge {

namespace {
constexpr size_t kPathMost = 500;  ///< of a file's, in a line of the log
}  // namespace

void CodingWatch::on_coded(const origin::CodingOutcome& outcome) {
  metrics_.on_coded(outcome);
  if (outcome.not_coding.empty() || !told_.is_new(outcome.not_coding)) return;
  std::string sentence;
  append_escaped(sentence, outcome.not_coding, kPathMost);
  warn_(sentence +
        " does not decode, with a window of at most 8 MiB, to the file beside it; it is not used");
}

}  // namespace perigee::edge
