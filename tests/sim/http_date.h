// Dates as the simulator's actors write and read them (RFC 9110 §5.6.7), without the product's
// code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perigee::sim {

enum class DateForm : uint8_t { kImf, kRfc850, kAsctime };
std::string write_date(int64_t ms, DateForm form = DateForm::kImf);
/// Milliseconds. `now_ms` places two-digit years. nullopt: none of the three forms.
std::optional<int64_t> read_date(std::string_view text, int64_t now_ms);

}  // namespace perigee::sim
