// Bytes of strangers in a line of a log: nothing in them ends the line, the quotes or the colour of
// a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace perigee::edge {

/// Appends the first `most` bytes of `text`; quotes, backslashes, control bytes and bytes above
/// 0x7e as \xHH, as nginx writes them.
void append_escaped(std::string& out, std::string_view text, size_t most);

}  // namespace perigee::edge
