#include "http/multipart.h"

#include <cstdio>

#include "base/text.h"

namespace perigee::http {
namespace {

constexpr std::string_view kBoundaryPrefix = "perigee-byteranges-";

void append_boundary(uint64_t boundary, std::string& out) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(boundary));
  out.append(kBoundaryPrefix).append(digits);
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
  out.append("\r\nContent-Range: bytes ").append(base::Decimal(parts[i].begin).text());
  out.append("-").append(base::Decimal(parts[i].end - 1).text());
  out.append("/").append(base::Decimal(whole_bytes).text()).append("\r\n\r\n");
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
