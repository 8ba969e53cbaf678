#include "http/path_readings.h"

#include <algorithm>

#include "base/text.h"

namespace perigee::http {

/// How an origin differs from the canonical reading.
struct Reading {
  bool to_the_end = false;        ///< decodes what decoding leaves
  bool keeps_slashes = false;     ///< %2f and %5c stay data
  bool parameters_first = false;  ///< removes `;parameters` before decoding …
  bool parameters = false;        ///< … or after it
  bool trims = false;             ///< takes dots and spaces from the ends of segments
};

namespace {

constexpr Reading kCanonical{};
constexpr Reading kOthers[] = {
    {.trims = true},
    {.parameters_first = true, .parameters = true, .trims = true},
    {.keeps_slashes = true, .parameters_first = true, .trims = true},
    {.to_the_end = true},
    {.to_the_end = true, .parameters = true, .trims = true},
    {.to_the_end = true, .parameters_first = true, .parameters = true, .trims = true},
};
constexpr Reading kLoosest = kOthers[std::size(kOthers) - 1];
static_assert(std::size(kOthers) + 3 == PathReadings::kMost, "canonical, raw, and behind a host");

/// The byte that the last three of `text` encode, or -1.
int encoded_at_end(const std::string& text) {
  if (text.size() < 3 || text[text.size() - 3] != '%') return -1;
  const int high = base::hex_value(text[text.size() - 2]);
  const int low = base::hex_value(text.back());
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/// Percent-decoded. To the end: what a decoded byte completes is decoded in turn, which is what
/// decoding again and again comes to.
void decode(std::string_view path, const Reading& reading, std::string& out) {
  out.clear();
  size_t fixed = 0;  // decoded bytes before it begin no triplet again
  for (const char c : path) {
    out += c;
    for (int byte = encoded_at_end(out); byte >= 0 && out.size() - 3 >= fixed;
         byte = encoded_at_end(out)) {
      if (reading.keeps_slashes && (byte == '/' || byte == '\\')) break;
      out.resize(out.size() - 3);
      out += static_cast<char>(byte);
      if (!reading.to_the_end) fixed = out.size();
    }
  }
}

std::string_view without_parameters(std::string_view segment) {
  return segment.substr(0, segment.find(';'));
}

void remove_parameters(std::string_view path, std::string& out) {
  out.clear();
  bool skips = false;
  for (const char c : path) {
    if (c == '/') skips = false;
    if (c == ';') skips = true;
    if (!skips) out += c;
  }
}

std::string_view trimmed(std::string_view segment, std::string_view bytes) {
  return segment.substr(0, segment.find_last_not_of(bytes) + 1);
}

/// Writes the segments of a decoded path: merged slashes, no dot segments.
void write_segments(std::string_view path, const Reading& reading, std::string& out) {
  out.clear();
  out += '/';
  while (!path.empty()) {
    const size_t end = std::min(path.find_first_of("/\\"), path.size());
    std::string_view segment = path.substr(0, end);
    const bool last = end == path.size();
    path.remove_prefix(std::min(end + 1, path.size()));
    if (reading.parameters) segment = without_parameters(segment);
    if (reading.trims) segment = trimmed(segment, " ");
    if (segment == "..") {
      // `out` ends in a slash here: up to the one before it.
      out.resize(out.size() > 1 ? out.rfind('/', out.size() - 2) + 1 : 1);
      continue;
    }
    if (segment == ".") continue;
    if (reading.trims) segment = trimmed(segment, ". ");
    if (segment.empty()) continue;
    out.append(segment);
    if (!last) out += '/';
  }
}

/// What stands behind `//host`, as where a target is taken for a URL without a scheme; empty: the
/// path does not begin so.
std::string_view behind_host(std::string_view path) {
  if (!path.starts_with("//")) return {};
  return path.substr(std::min(path.find('/', 2), path.size()));
}

}  // namespace

void PathReadings::add(std::string_view path, const Reading& reading) {
  std::string& text = texts_[count_];
  if (reading.parameters_first) {
    remove_parameters(path, text);
    path = text;
  }
  decode(path, reading, decoded_);
  write_segments(decoded_, reading, text);
  views_[count_++] = text;
}

std::span<const std::string_view> PathReadings::of(std::string_view path) {
  count_ = 0;
  add(path, kCanonical);
  views_[count_++] = path;
  // Before the others, so that the loosest of the whole path is the last.
  if (const std::string_view rest = behind_host(path); !rest.empty()) add(rest, kLoosest);
  for (const Reading& reading : kOthers) add(path, reading);
  return std::span<const std::string_view>(views_).first(count_);
}

bool is_plain_path(std::string_view path) {
  char before = '\0';
  for (const char c : path) {
    if (c == '%' || c == ';' || c == '\\' || c == ' ') return false;
    if (c == '/' && (before == '/' || before == '.')) return false;
    before = c;
  }
  return path.starts_with('/') && before != '.';
}

}  // namespace perigee::http
