#include "tests/sim/judge.h"

#include <cstdio>

#include "tests/sim/content.h"

namespace perigee::sim {

void Judge::fail(const ClientExchange& exchange, const std::string& why) {
  violations_->push_back("@" + std::to_string(exchange.id) + " " + exchange.method + " " +
                         exchange.target + ": " + why);
}

void Judge::run(std::vector<std::string>& violations) {
  violations_ = &violations;
  for (const ClientExchange& exchange : ledger_.clients) {
    if (!exchange.protocol_error.empty()) fail(exchange, exchange.protocol_error);
    if (exchange.status != 0) judge_body(exchange);
  }
}

/// One part of a version's content, as its Content-Range says. Empty: it is right.
std::string Judge::wrong_part(const OriginExchange& version, const std::string& range,
                              std::string_view bytes, bool whole) {
  unsigned long long first = 0;
  unsigned long long last = 0;
  unsigned long long size = 0;
  if (std::sscanf(range.c_str(), "bytes %llu-%llu/%llu", &first, &last, &size) != 3 ||
      size != version.size || last < first || last >= size) {
    return "wrong Content-Range: " + range;
  }
  if (!is_content(version.content, first, bytes)) return "wrong bytes for " + range;
  return whole && bytes.size() != last + 1 - first ? "wrong length for " + range : "";
}

/// RFC 9110 §14.6. Empty: it is right.
std::string Judge::wrong_multipart(const OriginExchange& version, const std::string& type,
                                   std::string_view body) {
  const size_t equals = type.find("boundary=");
  if (equals == std::string::npos) return "no boundary in " + type;
  std::string boundary = type.substr(equals + 9);
  std::erase(boundary, '"');
  const std::string line = "--" + boundary;
  size_t at = body.find(line);
  while (at != std::string_view::npos) {
    at += line.size();
    if (body.substr(at, 2) == "--") return "";
    const size_t head_end = body.find("\r\n\r\n", at);
    const size_t next = body.find("\r\n" + line, at);
    if (head_end == std::string_view::npos || next == std::string_view::npos) break;
    const std::string head = lower(body.substr(at, head_end - at));
    const size_t range = head.find("content-range: ");
    if (range == std::string::npos) return "a part without Content-Range";
    const std::string value = head.substr(range + 15, head.find("\r\n", range) - range - 15);
    const std::string_view part = body.substr(head_end + 4, next - head_end - 4);
    if (std::string why = wrong_part(version, value, part, true); !why.empty()) return why;
    at = next + 2;
  }
  return "a multipart body without its end";
}

/// Every byte is of the one content that the head names, and whole is whole.
void Judge::judge_body(const ClientExchange& exchange) {
  const auto id = first_of(exchange.response, "X-Sim");
  if (!id || exchange.body.empty()) return;
  const OriginExchange& version = ledger_.origin[std::stoul(*id)];
  if (exchange.status == 206 && version.status != 206) {
    const auto range = first_of(exchange.response, "Content-Range");
    const std::string type = first_of(exchange.response, "Content-Type").value_or("");
    std::string why;
    if (range) {
      why = wrong_part(version, *range, exchange.body, exchange.whole);
    } else if (exchange.whole) {
      why = wrong_multipart(version, type, exchange.body);
    }
    if (!why.empty()) fail(exchange, why);
    return;
  }
  if (!is_content(version.content, 0, exchange.body)) {
    return fail(exchange, "bytes that are not of its version #" + *id);
  }
  if (exchange.whole && exchange.body.size() != version.size) {
    fail(exchange, "looks whole with " + std::to_string(exchange.body.size()) + " of " +
                       std::to_string(version.size) + " bytes");
  }
}

}  // namespace perigee::sim
