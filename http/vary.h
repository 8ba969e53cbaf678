// Vary: which request fields select a response, and the values that a request selects with (RFC
// 9111 §4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace perigee::http {

/// The names of a response's Vary lines, lower case, sorted, each once. nullopt: `*` or what is no
/// name stands among them, more than 32 names or 256 members, so that it answers no other request.
/// Accept-Encoding is left out: a site sends a constant one on fills, so that it selects nothing.
std::optional<std::vector<std::string>> vary_names(const HeaderList& fields);

/// Vary names this field, in any case. Beyond kVaryMembers it may name anything.
bool varies_by(const HeaderList& fields, std::string_view name);

/// A Vary spec as it is kept in slot 7. Equal names are equal bytes; what tells one spec from a
/// later one of the same names is the rid of its record.
struct VarySpec {
  std::vector<std::string_view> names;  ///< views into the encoded bytes
};
std::string encode_vary_spec(const std::vector<std::string>& names);
/// False: not a spec. At most 32 names; `out` is reused to save allocations.
bool decode_vary_spec(std::string_view bytes, VarySpec& out);

/// The values that a request selects with, normalised (http-rules 2.7), absent apart from empty,
/// each with its length before it: equal texts are equal selections. Appends to `out`, allocates
/// nothing else.
void append_selected(const VarySpec& spec, const HeaderList& request_fields, std::string& out);

/// The response with the fields that its site keys by in its Vary, for caches behind us too.
/// `storage` holds its lines where any is added.
ReceivedResponse keyed_response(const ReceivedResponse& received,
                                const std::vector<std::string>& key_fields,
                                std::vector<Field>& storage);

}  // namespace perigee::http
