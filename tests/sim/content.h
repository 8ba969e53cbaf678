// Bodies that say of every byte whose it is: lines of 16 bytes with the content's number and their
// own.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace perigee::sim {

inline constexpr uint64_t kContentLine = 16;

/// Bytes [begin, end) of a content of any length.
inline std::string content_bytes(uint64_t content, uint64_t begin, uint64_t end) {
  std::string out;
  for (uint64_t line = begin / kContentLine; line * kContentLine < end; ++line) {
    char text[kContentLine + 1];
    std::snprintf(text, sizeof text, "c%06u o%06u\n", static_cast<unsigned>(content % 1'000'000),
                  static_cast<unsigned>(line % 1'000'000));
    out += text;
  }
  return out.substr(begin % kContentLine, end - begin);
}

/// Whether `bytes` are those of the content at `begin`.
inline bool is_content(uint64_t content, uint64_t begin, std::string_view bytes) {
  return content_bytes(content, begin, begin + bytes.size()) == bytes;
}

}  // namespace perigee::sim
