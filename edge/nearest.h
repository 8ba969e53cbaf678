// The known word that a mistyped one was meant to be.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace perigee::edge {

/// The known word that is nearest to `word`. Empty: none is near, so that a guess would mislead.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

/// ", did you mean 'WORD'?" with the word of nearest(); empty without one.
std::string hint(std::string_view word, std::span<const std::string_view> known);

}  // namespace perigee::edge
