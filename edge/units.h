// Sizes and durations as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace perigee::edge {

/// "512MiB", "64KiB", "1GiB", "4096B", also KB, MB, GB as thousands. A bare number is refused.
std::optional<uint64_t> parse_size(std::string_view text);

/// "250ms", "30s", "5m", "1h", "7d" in milliseconds. A bare number is refused.
std::optional<int64_t> parse_duration_ms(std::string_view text);

}  // namespace perigee::edge
