#include "edge/coding_watch.h"

#include <optional>
#include <string>

#include "edge/escape.h"
#include "http/cache_key.h"

namespace perigee::edge {

namespace {
constexpr size_t kNameMost = 500;  ///< of a file or a URL, in a line of the log

/// Why a content is not what it says.
std::string_view told_of(origin::Verified wrong) {
  if (wrong == origin::Verified::kCut) return "ends too early";
  if (wrong == origin::Verified::kTooLong) return "becomes too long when it is decoded";
  return "does not decode";
}
}  // namespace

void CodingWatch::on_coded(const origin::CodingOutcome& outcome) {
  metrics_.on_coded(outcome);
  if (!outcome.not_coding.empty()) tell_of_file(outcome.not_coding);
  if (outcome.kind == origin::CodingOutcome::kUndecodable) tell_of_content(outcome);
}

void CodingWatch::tell_of_file(std::string_view name) {
  if (!files_told_.is_new(name)) return;
  std::string sentence;
  append_escaped(sentence, name, kNameMost);
  warn_(sentence +
        " does not decode, with a window of at most 8 MiB, to the file beside it; it is not used");
}

void CodingWatch::tell_of_content(const origin::CodingOutcome& outcome) {
  const std::optional<http::KeyText> key = http::read_key(outcome.key);
  if (!key) return;
  const std::string_view url = std::string_view(key->url).substr(0, key->url.find('?'));
  if (!urls_told_.is_new(url)) return;
  std::string sentence = "the origin says that the content of ";
  append_escaped(sentence, url, kNameMost);
  sentence.append(" is ").append(coding_name(outcome.sent)).append(", but it ");
  sentence.append(told_of(outcome.wrong)).append("; it is sent to all clients as it came");
  warn_(sentence);
}

}  // namespace perigee::edge
