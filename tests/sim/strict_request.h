// What a parser that forgives nothing makes of the bytes that reached an origin: exactly one
// request in HTTP/1.1, or the reason why not.
//
// Stricter than RFC 9112: no whitespace that is not needed, no empty line before, no chunk
// extension, no trailer. The node writes its requests itself and needs none of it, and whatever two
// readers might take for different things is how requests are smuggled.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/fields.h"

namespace perigee::sim {

struct StrictRequest {
  std::string method;
  std::string target;
  Fields fields;  ///< lines as they came
  std::string content;
  bool head_whole = false;
  bool whole = false;
  std::string error;  ///< not well formed; empty: all that came is right so far
};

/// `raw`: from the first byte of a request to the last that came on its behalf.
StrictRequest read_strictly(std::string_view raw);

}  // namespace perigee::sim
