// What an origin has ready in a content coding, beside what it serves: the app.js.br of an app.js.
//
// It is a source of codings and no representation of its own: whoever takes it decodes it first,
// and compares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "http/content_coding.h"

namespace perigee::origin {

/// Any thread. Held by jobs of the pool, so it may outlive its site.
class Precoded {
 public:
  struct Query {
    std::string_view target;  ///< as the origin is asked for it
    http::Coding coding;
    uint64_t body_bytes = 0;  ///< of which a coding is wanted
    int64_t now_ms = 0;       ///< wall clock
  };
  /// What lies ready, opened: bytes of which nobody has looked yet whether they decode to the body.
  /// One thread at a time; blocking.
  class Ready {
   public:
    virtual ~Ready() = default;
    /// Of what holds it, for the log.
    virtual const std::string& name() const = 0;
    /// Fewer bytes than the body has.
    virtual uint64_t size() const = 0;
    /// Nobody writes to it any more.
    virtual bool settled() const = 0;
    /// Fills `out` from `at` on. False: it cannot be read, or is being written to.
    virtual bool read(uint64_t at, std::span<std::byte> out) = 0;
    /// What it lies beside has these bytes at `at`.
    virtual bool lies_beside(uint64_t at, std::span<const std::byte> bytes) = 0;
  };

  virtual ~Precoded() = default;
  /// What lies ready beside a body of this length for this target; null: nothing does. Blocking, so
  /// called from pool jobs only.
  virtual std::unique_ptr<Ready> open(const Query& query) const = 0;
};

/// Null: the origin is one that has nothing ready.
using PrecodedPtr = std::shared_ptr<const Precoded>;

}  // namespace perigee::origin
