// Bodies longer than a record, and clients that take them at once.
#pragma once

#include <string>
#include <string_view>

#include "base/limits.h"
#include "tests/support/edge/stand.h"

namespace perigee::test {

/// A text in which no two places look alike.
inline std::string content(size_t size, char version = 'a') {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += version + std::to_string(i) + ";";
  text.resize(size);
  return text;
}

/// Of more than eight fragments, the last one short.
inline constexpr size_t kLarge = 500'001;
inline const std::string kText = content(kLarge);

/// A request of a client that takes all of the answer at once.
inline Answer get(Stand& stand, std::string_view target, std::string_view lines = "") {
  Client client(stand);
  client.reading().capacity = 16 * base::limits::kMiB;
  return client.ask("GET", target, lines).answer();
}

}  // namespace perigee::test
