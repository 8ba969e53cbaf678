// One response through the parser, in pieces, as a connection to an origin gives them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h1/response_reader.h"

namespace perigee::test {

/// How the connection ends behind the bytes.
enum class Ending : uint8_t { kOpen, kFin, kReset };

/// What the parser told.
struct ParsedAnswer {
  std::vector<uint16_t> interims;
  std::optional<uint16_t> status;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<uint64_t> content_length;
  bool has_body = false;
  bool keep_alive = false;
  std::string body;
  bool ended = false;
  std::string error;
  size_t surplus = 0;

  bool operator==(const ParsedAnswer&) const = default;
};

/// Gives the pieces one after another to a parser of their own.
ParsedAnswer parse_answer(const std::vector<std::string_view>& pieces, http::Method method,
                          Ending ending);

}  // namespace perigee::test
