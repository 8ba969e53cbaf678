#include "http/multipart.h"

#include <charconv>
#include <cstdio>

namespace perigee::http {
namespace {

constexpr std::string_view kBoundaryPrefix = "perigee-byteranges-";

void append_boundary(uint64_t boundary, std::string& out) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(boundary));
  out.append(kBoundaryPrefix).append(digits);
}

void append_number(uint64_t number, std::string& out) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

}  // namespace

std::string_view MultipartPlan::message_type(Arena& arena) const {
  std::string text = "multipart/byteranges; boundary=";
  append_boundary(boundary, text);
  return arena.copy(text);
}

void MultipartPlan::write_text(size_t i, std::string& out) const {
  out.clear();
  if (i > 0) out.append("\r\n");
  out.append("--");
  append_boundary(boundary, out);
  if (i == parts.size()) {
    out.append("--\r\n");
    return;
  }
  if (!content_type.empty()) out.append("\r\nContent-Type: ").append(content_type);
  out.append("\r\nContent-Range: bytes ");
  append_number(parts[i].begin, out);
  out.append("-");
  append_number(parts[i].end - 1, out);
  out.append("/");
  append_number(whole_bytes, out);
  out.append("\r\n\r\n");
}

uint64_t MultipartPlan::bytes() const {
  uint64_t total = 0;
  std::string text;
  for (size_t i = 0; i <= parts.size(); ++i) {
    write_text(i, text);
    total += text.size();
    if (i < parts.size()) total += parts[i].size();
  }
  return total;
}

}  // namespace perigee::http
