#include "http/target.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "http/utf8.h"

namespace perigee::http {
namespace {

/// What a byte of a target is.
enum class TargetByte : uint8_t { kRefused, kOther, kDot, kSlash, kBackslash, kPercent, kRaw };

constexpr std::array<TargetByte, 256> make_target_bytes() {
  std::array<TargetByte, 256> table{};
  for (size_t c = 0x21; c <= 0x7e; ++c) table[c] = TargetByte::kOther;
  for (size_t c = 0x80; c <= 0xff; ++c) table[c] = TargetByte::kRaw;
  table['#'] = TargetByte::kRefused;
  table['.'] = TargetByte::kDot;
  table['/'] = TargetByte::kSlash;
  table['\\'] = TargetByte::kBackslash;
  table['%'] = TargetByte::kPercent;
  return table;
}
constexpr std::array<TargetByte, 256> kTargetBytes = make_target_bytes();

TargetByte target_byte(char c) { return kTargetBytes[static_cast<unsigned char>(c)]; }

bool is_encoded_byte(std::string_view text, size_t at) {
  return at + 2 < text.size() && base::hex_value(text[at + 1]) >= 0 &&
         base::hex_value(text[at + 2]) >= 0;
}

bool is_upper(char digit) { return digit < 'a'; }

/// Goes once over a target and finds what is wrong with it, and what has another spelling.
class Examination {
 public:
  explicit Examination(std::string_view target) {
    const size_t query = std::min(target.find('?'), target.size());
    read_path(target.substr(0, query));
    read_query(target.substr(query));
  }
  bool refused() const { return refused_; }
  bool has_dot_segments() const { return dot_segments_; }
  bool is_spelt_otherwise() const { return spelt_otherwise_; }

 private:
  void read_path(std::string_view path) {
    for (size_t i = 0; i < path.size() && !refused_; ++i) {
      TargetByte byte = target_byte(path[i]);
      if (byte == TargetByte::kBackslash) refused_ = true;
      const bool encoded = byte == TargetByte::kPercent && is_encoded_byte(path, i);
      if (encoded) {
        byte = decoded_byte(path.substr(i));
        note_case(path.substr(i));
        i += 2;
      }
      add(byte, encoded);
    }
    end_segment(/*encoded=*/false);
  }

  void read_query(std::string_view query) {
    for (size_t i = 0; i < query.size(); ++i) {
      const TargetByte byte = target_byte(query[i]);
      if (byte == TargetByte::kRefused) refused_ = true;
      if (byte == TargetByte::kRaw) spelt_otherwise_ = true;
      if (byte == TargetByte::kPercent && is_encoded_byte(query, i)) note_case(query.substr(i));
    }
  }

  /// What an encoded byte stands for, when it could hide a dot segment or is NUL (kRefused).
  static TargetByte decoded_byte(std::string_view encoded) {
    switch (base::hex_value(encoded[1]) * 16 + base::hex_value(encoded[2])) {
      case '.':
        return TargetByte::kDot;
      case '/':
        return TargetByte::kSlash;
      case '\\':
        return TargetByte::kBackslash;
      case 0:
        return TargetByte::kRefused;
      default:
        return TargetByte::kOther;
    }
  }

  void add(TargetByte byte, bool encoded) {
    switch (byte) {
      case TargetByte::kRefused:
        refused_ = true;
        return;
      case TargetByte::kSlash:
      case TargetByte::kBackslash:
        end_segment(encoded);
        hidden_ = encoded;
        return;
      case TargetByte::kDot:
        ++dots_;
        hidden_ = hidden_ || encoded;
        return;
      case TargetByte::kRaw:
        spelt_otherwise_ = true;
        [[fallthrough]];
      default:
        ++others_;
    }
  }

  /// A dot segment that is written as one is removed. One that only becomes one when something is
  /// decoded is refused: origins differ in what they make of it.
  void end_segment(bool encoded) {
    if (others_ == 0 && (dots_ == 1 || dots_ == 2)) {
      if (hidden_ || encoded) {
        refused_ = true;
      } else {
        dot_segments_ = true;
      }
    }
    dots_ = others_ = 0;
  }

  void note_case(std::string_view encoded) {
    if (!is_upper(encoded[1]) || !is_upper(encoded[2])) spelt_otherwise_ = true;
  }

  size_t dots_ = 0;      ///< in the segment, decoded
  size_t others_ = 0;    ///< other bytes in it
  bool hidden_ = false;  ///< one of its dots, or the slash before it, is encoded
  bool refused_ = false;
  bool dot_segments_ = false;
  bool spelt_otherwise_ = false;
};

constexpr std::string_view kUpperDigits = "0123456789ABCDEF";

char upper_digit(char c) { return kUpperDigits[static_cast<size_t>(base::hex_value(c))]; }

/// Percent-encodings in `text` get digits in upper case.
void make_upper(std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || !is_encoded_byte(text, i)) continue;
    text[i + 1] = upper_digit(text[i + 1]);
    text[i + 2] = upper_digit(text[i + 2]);
    i += 2;
  }
}

/// RFC 3986 §5.2.4 on an absolute path without its query; `out` is empty before.
void remove_dot_segments(std::string_view path, std::string& out) {
  for (size_t at = 0; at < path.size();) {
    const size_t next = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at + 1, next - at - 1);
    const bool is_dots = segment == "." || segment == "..";
    if (segment == "..") out.resize(std::min(out.rfind('/'), out.size()));
    if (!is_dots) out.append("/").append(segment);
    if (is_dots && next == path.size()) out += '/';
    at = next;
  }
}

}  // namespace

bool has_raw_bytes(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  uint64_t seen = 0;
  while (text.size() >= sizeof seen) {
    uint64_t word;
    std::memcpy(&word, text.data(), sizeof word);
    seen |= word;
    text.remove_prefix(sizeof word);
  }
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return (seen & kHighBits) != 0;
}

bool append_encoded(std::string_view text, std::string& out) {
  Utf8Check utf8;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!utf8.add(byte)) return false;
    if (byte < 0x80) {
      out += c;
    } else {
      const char encoded[] = {'%', kUpperDigits[byte / 16], kUpperDigits[byte % 16]};
      out.append(encoded, sizeof encoded);
    }
  }
  return utf8.whole();
}

std::optional<std::string_view> normal_target(std::string_view target, std::string& memory) {
  if (target.empty() || target.front() != '/') return std::nullopt;
  const Examination found(target);
  if (found.refused()) return std::nullopt;
  if (!found.has_dot_segments() && !found.is_spelt_otherwise()) return target;
  memory.clear();
  if (!append_encoded(target, memory)) return std::nullopt;
  make_upper(memory);
  if (found.has_dot_segments()) {
    const std::string spelt = std::exchange(memory, {});
    const size_t query = std::min(spelt.find('?'), spelt.size());
    remove_dot_segments(std::string_view(spelt).substr(0, query), memory);
    memory.append(spelt, query);
  }
  return memory;
}

}  // namespace perigee::http
