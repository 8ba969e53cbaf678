#include "http/multipart.h"

#include <cstdio>

#include "base/text.h"

namespace perigee::http {
namespace {

constexpr std::string_view kBoundaryPrefix = "perigee-byteranges-";
constexpr size_t kBoundaryBytes = kBoundaryPrefix.size() + 16;
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kDashes = "--";
constexpr std::string_view kTypeLine = "\r\nContent-Type: ";
constexpr std::string_view kRangeLine = "\r\nContent-Range: bytes ";

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
  // Before the first one too, as nginx and Apache write it: zsync reads nothing else.
  out.append(kLineEnd).append(kDashes);
  append_boundary(boundary, out);
  if (i == parts.size()) {
    out.append(kDashes).append(kLineEnd);
    return;
  }
  if (!content_type.empty()) out.append(kTypeLine).append(content_type);
  out.append(kRangeLine).append(base::Decimal(parts[i].begin).text());
  out.append("-").append(base::Decimal(parts[i].end - 1).text());
  out.append("/").append(base::Decimal(whole_bytes).text()).append(kLineEnd).append(kLineEnd);
}

size_t MultipartPlan::text_bytes(size_t i) const {
  const size_t delimiter = kLineEnd.size() + kDashes.size() + kBoundaryBytes;
  if (i == parts.size()) return delimiter + kDashes.size() + kLineEnd.size();
  const auto digits = [](uint64_t number) { return base::Decimal(number).text().size(); };
  const size_t type = content_type.empty() ? 0 : kTypeLine.size() + content_type.size();
  return delimiter + type + kRangeLine.size() + digits(parts[i].begin) + 1 +
         digits(parts[i].end - 1) + 1 + digits(whole_bytes) + 2 * kLineEnd.size();
}

uint64_t MultipartPlan::bytes() const {
  uint64_t total = 0;
  for (size_t i = 0; i <= parts.size(); ++i) {
    total += text_bytes(i);
    if (i < parts.size()) total += parts[i].size();
  }
  return total;
}

}  // namespace perigee::http
