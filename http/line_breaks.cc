#include "http/line_breaks.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace perigee::http {
namespace {

/// Sixteen bytes in one register, where the machine has such.
using Lanes = uint8_t __attribute__((vector_size(16)));
constexpr size_t kLanes = sizeof(Lanes);
constexpr size_t kLaneMost = 255;  ///< what a lane of a byte can count

size_t sum(const Lanes& lanes) {
  size_t all = 0;
  for (size_t i = 0; i < kLanes; ++i) all += lanes[i];
  return all;
}

bool is_line_break(char c) { return c == '\r' || c == '\n' || c == '\0'; }

}  // namespace

size_t line_break_bytes(std::string_view text) {
  size_t count = 0;
  while (text.size() >= kLanes) {
    const size_t rounds = std::min(text.size() / kLanes, kLaneMost);
    Lanes counts{};
    for (size_t i = 0; i < rounds; ++i) {
      Lanes bytes;
      std::memcpy(&bytes, text.data() + i * kLanes, kLanes);
      // A comparison that holds is 0xff, which is -1.
      counts -= reinterpret_cast<Lanes>((bytes == '\r') | (bytes == '\n') | (bytes == 0));
    }
    count += sum(counts);
    text.remove_prefix(rounds * kLanes);
  }
  return count + static_cast<size_t>(std::count_if(text.begin(), text.end(), is_line_break));
}

}  // namespace perigee::http
