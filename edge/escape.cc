#include "edge/escape.h"

namespace perigee::edge {

void append_escaped(std::string& out, std::string_view text, size_t most) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out.push_back(c);
      continue;
    }
    out.append("\\x");
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
}

}  // namespace perigee::edge
