// Content codings as a client and the judge see them: which are taken, and what a body says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/fields.h"

namespace perigee::sim {

/// A client that sent these fields takes this coding, and does not like the identity better.
bool takes_coding(const Fields& request, const std::string& coding);
/// It takes one at least.
bool takes_any_coding(const Fields& request);

/// What a body in this coding says, as far as it came. nullopt: it is not of that coding. `ended`:
/// it is whole, and nothing follows it.
struct DecodedBody {
  std::string text;
  bool ended = false;
};
std::optional<DecodedBody> decode_body(const std::string& coding, std::string_view body);

}  // namespace perigee::sim
