// Finds the end of a message by its head, its length or its chunks.
#include "tests/support/edge/wire.h"

#include <cstdio>
#include <cstdlib>

#include "base/text.h"
#include "http/headers.h"

namespace perigee::test {
namespace {

std::string value(const WireMessage& message, std::string_view name) {
  for (const auto& [known, text] : message.lines) {
    if (base::iequals(known, name)) return text;
  }
  return "";
}

/// The head without its empty line, into `message`.
void split_head(std::string_view head, WireMessage& message) {
  size_t at = head.find("\r\n");
  message.first_line = head.substr(0, at);
  while (at != std::string_view::npos) {
    const size_t begin = at + 2;
    at = head.find("\r\n", begin);
    const std::string_view line = head.substr(begin, at - begin);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    message.lines.emplace_back(line.substr(0, colon), http::trim_ows(line.substr(colon + 1)));
  }
}

/// Where the message ends behind its chunks; nullopt: not yet.
std::optional<size_t> take_chunks(const std::string& bytes, size_t at, std::string& body) {
  while (true) {
    const size_t line = bytes.find("\r\n", at);
    if (line == std::string::npos) return std::nullopt;
    const size_t size = std::strtoul(bytes.c_str() + at, nullptr, 16);
    const size_t end = line + 2 + size + 2;
    if (bytes.size() < end) return std::nullopt;
    if (size == 0) return end;
    body += bytes.substr(line + 2, size);
    at = end;
  }
}

}  // namespace

std::optional<WireMessage> take_message(std::string& bytes, MessageKind kind, bool ended) {
  const size_t end_of_head = bytes.find("\r\n\r\n");
  if (end_of_head == std::string::npos) return std::nullopt;
  WireMessage message;
  split_head(std::string_view(bytes).substr(0, end_of_head), message);
  const size_t begin = end_of_head + 4;
  size_t end = begin;
  const std::string length = value(message, "Content-Length");
  const int status = kind == MessageKind::kRequest ? 0 : std::atoi(message.first_line.c_str() + 9);
  const bool bodiless = kind == MessageKind::kAnswerToHead || status == 304 || status == 204 ||
                        (status >= 100 && status < 200);
  if (bodiless) {
    end = begin;
  } else if (base::iequals(value(message, "Transfer-Encoding"), "chunked")) {
    const std::optional<size_t> last = take_chunks(bytes, begin, message.body);
    if (!last) return std::nullopt;
    end = *last;
  } else if (!length.empty()) {
    end = begin + std::strtoul(length.c_str(), nullptr, 10);
    if (bytes.size() < end) return std::nullopt;
    message.body = bytes.substr(begin, end - begin);
  } else if (kind == MessageKind::kAnswer) {
    if (!ended) return std::nullopt;
    end = bytes.size();
    message.body = bytes.substr(begin);
  }
  bytes.erase(0, end);
  return message;
}

std::string chunk(std::string_view bytes) {
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + std::string(bytes) + "\r\n";
}

}  // namespace perigee::test
