// The beginning of a key, as a purge by prefix names it.
//
// The text of a key is made of parts, each with its length (4 bytes, little-endian) before it; that
// of a variant has the whole text of its URL's key as its first part. A prefix is such a text too,
// of one to four parts. It matches the URLs whose parts before the prefix's last one equal its own,
// and whose part in the last one's place begins with it. So no length stands in the way of a
// beginning, and a part is never mistaken for another: of keys made of scheme, site and target, the
// prefix of scheme, site and an empty target matches all of a site under that scheme, and a host is
// two prefixes, one a scheme.
//
// A prefix is kept as a digest and its shape, never as text: a key matches when the same bytes of
// it have the same digest, so the cost is that of the shapes that there are, not of the prefixes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "cache_store/store.h"

namespace perigee::cache_store {

/// Which bytes of a key are compared.
struct PrefixShape {
  static constexpr uint8_t kPartsMost = 3;  ///< before the last

  uint8_t parts = 0;   ///< whole ones
  uint32_t bytes = 0;  ///< of the part behind them
  auto operator<=>(const PrefixShape&) const = default;
};

struct KeyPrefix {
  PrefixShape shape;
  Digest digest;

  /// CHECK: `text` is made of parts, as said above. Of a last part that is longer than
  /// limits::kPrefixBytes the beginning counts, so that it matches more.
  static KeyPrefix of(std::string_view text);
};

/// The text of a URL's key, ready for comparison. Views the text.
class KeyParts {
 public:
  /// Any bytes: what is not made of parts, or what follows, matches no prefix.
  explicit KeyParts(std::string_view key);
  /// Of the bytes that a prefix of this shape is compared with. Nothing: there are not as many.
  std::optional<Digest> digest(const PrefixShape& shape) const;

 private:
  std::string_view key_;
  struct Part {
    size_t begin = 0;
    size_t size = 0;
    uint64_t before = 0;  ///< hash of the parts before it
  };
  std::array<Part, PrefixShape::kPartsMost + 1> parts_;
  size_t count_ = 0;
};

/// The text of the URL's key: that of a variant is its first part. Empty: there is none.
std::string_view url_key_of(std::string_view key, bool variant);

}  // namespace perigee::cache_store
