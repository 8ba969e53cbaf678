// What an origin has ready in a content coding, beside what it serves: the app.js.br of an app.js.
//
// It is a source of codings and no representation of its own: whoever takes it decodes it first,
// and compares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/content_coding.h"

namespace perigee::origin {

/// Any thread. Held by jobs of the pool, so it may outlive its site.
class Precoded {
 public:
  struct Query {
    std::string_view target;  ///< as the origin is asked for it
    http::Coding coding;
    std::span<const std::byte> body;  ///< of which a coding is wanted
    int64_t now_ms = 0;               ///< wall clock
  };
  struct Ready {
    std::string name;  ///< of what holds it, for the log
    /// Fewer than those of the body. Nobody has looked yet whether they decode to it.
    std::vector<std::byte> bytes;
    bool settled = false;  ///< nobody writes to it any more
  };

  virtual ~Precoded() = default;
  /// What lies ready, if the origin still has exactly this body for this target. Blocking, so
  /// called from pool jobs only.
  virtual std::optional<Ready> find(const Query& query) const = 0;
};

/// Null: the origin is one that has nothing ready.
using PrecodedPtr = std::shared_ptr<const Precoded>;

}  // namespace perigee::origin
