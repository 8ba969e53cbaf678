// Bodies that say of every byte whose it is: lines of 16 bytes with the content's number and their
// own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace perigee::sim {

inline constexpr uint64_t kContentLine = 16;

/// Bytes [begin, end) of a content of any length.
inline std::string content_bytes(uint64_t content, uint64_t begin, uint64_t end) {
  std::string out;
  char text[kContentLine + 1] = "c000000 o000000\n";
  const auto write_digits = [](char* last, uint64_t number) {
    for (int i = 0; i < 6; ++i, number /= 10) *last-- = static_cast<char>('0' + number % 10);
  };
  write_digits(text + 6, content);
  for (uint64_t line = begin / kContentLine; line * kContentLine < end; ++line) {
    write_digits(text + 14, line);
    out.append(text, kContentLine);
  }
  return out.substr(begin % kContentLine, end - begin);
}

/// Whether `bytes` are those of the content at `begin`.
inline bool is_content(uint64_t content, uint64_t begin, std::string_view bytes) {
  return content_bytes(content, begin, begin + bytes.size()) == bytes;
}

}  // namespace perigee::sim
