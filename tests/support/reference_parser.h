// Heads of HTTP/1, read by hand: a second opinion on what the product's parser makes of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perigee::test {

/// A head as the RFC's grammar reads it, without any judgement of what its fields mean.
struct ReferenceHead {
  std::string method;   ///< of a request
  std::string target;   ///< of a request
  uint16_t status = 0;  ///< of a response
  std::string reason;   ///< of a response
  uint8_t version_minor = 1;
  std::vector<std::pair<std::string, std::string>> fields;
  bool operator==(const ReferenceHead&) const = default;
};

/// `text` is lines that end in CRLF, the last one empty. nullopt: not a head of HTTP/1.0 or 1.1.
std::optional<ReferenceHead> read_request_head(std::string_view text);
std::optional<ReferenceHead> read_response_head(std::string_view text);

}  // namespace perigee::test
