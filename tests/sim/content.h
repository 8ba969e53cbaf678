// Bodies that say of every byte whose it is: lines of 16 bytes with the content's number and their
// own. Those of some contents are scrambled, so that a coding is not much shorter than they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace perigee::sim {

inline constexpr uint64_t kContentLine = 16;

inline bool is_scrambled(uint64_t content) { return content % 2 == 1; }

/// Letters that stand for a line, and tell nothing of the next one's.
inline void scramble(char* letters, uint64_t content, uint64_t line) {
  uint64_t mixed = content << 32 | line;
  for (uint64_t i = 0; i < kContentLine - 1; ++i) {
    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9ull + 0x9e3779b97f4a7c15ull;
    letters[i] = static_cast<char>('0' + (mixed >> 40 & 63));
  }
}

/// Bytes [begin, end) of a content of any length.
inline std::string content_bytes(uint64_t content, uint64_t begin, uint64_t end) {
  std::string out;
  char text[kContentLine + 1] = "c000000 o000000\n";
  const auto write_digits = [](char* last, uint64_t number) {
    for (int i = 0; i < 6; ++i, number /= 10) *last-- = static_cast<char>('0' + number % 10);
  };
  write_digits(text + 6, content);
  for (uint64_t line = begin / kContentLine; line * kContentLine < end; ++line) {
    if (is_scrambled(content)) {
      scramble(text, content, line);
    } else {
      write_digits(text + 14, line);
    }
    out.append(text, kContentLine);
  }
  return out.substr(begin % kContentLine, end - begin);
}

/// Whether `bytes` are those of the content at `begin`.
inline bool is_content(uint64_t content, uint64_t begin, std::string_view bytes) {
  return content_bytes(content, begin, begin + bytes.size()) == bytes;
}

}  // namespace perigee::sim
