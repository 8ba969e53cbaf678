#include "tools/json_text.h"

namespace perigee::tools {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out.append("\\u00").append({kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return out;
}

std::string hex(uint64_t number) {
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[number >> shift & 15];
  return out;
}

void JsonLine::begin(std::string_view name) {
  if (!members_.empty()) members_ += ',';
  members_.append("\"").append(name).append("\":");
}

void JsonLine::add(std::string_view name, std::string_view text) {
  begin(name);
  members_.append("\"").append(escaped(text)).append("\"");
}

void JsonLine::add(std::string_view name, int64_t number) {
  begin(name);
  members_ += std::to_string(number);
}

void JsonLine::add_unless_absent(std::string_view name, int64_t number) {
  begin(name);
  members_ += number == -1 ? "null" : std::to_string(number);
}

void JsonLine::add_wide(std::string_view name, uint64_t number) {
  add(name, std::string_view(std::to_string(number)));
}

void JsonLine::add(std::string_view name, const std::vector<uint64_t>& numbers) {
  begin(name);
  std::string list;
  for (const uint64_t number : numbers) list += (list.empty() ? "\"" : ",\"") + hex(number) + "\"";
  members_ += "[" + list + "]";
}

}  // namespace perigee::tools
