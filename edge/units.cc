#include "edge/units.h"

#include <charconv>
#include <span>

namespace perigee::edge {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr Unit kSizes[] = {
    {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},   {"TiB", 1ull << 40},
    {"KB", 1000},        {"MB", 1'000'000},   {"GB", 1'000'000'000}, {"B", 1}};
constexpr Unit kDurations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

std::optional<uint64_t> parse(std::string_view text, std::span<const Unit> units) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  for (const Unit& known : units) {
    if (known.name != unit) continue;
    if (number > INT64_MAX / known.factor) return std::nullopt;
    return number * known.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) { return parse(text, kSizes); }

std::optional<int64_t> parse_duration_ms(std::string_view text) {
  const std::optional<uint64_t> ms = parse(text, kDurations);
  return ms ? std::optional(static_cast<int64_t>(*ms)) : std::nullopt;
}

}  // namespace perigee::edge
