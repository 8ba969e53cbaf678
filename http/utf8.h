// Whether bytes that come one by one are UTF-8 (RFC 3629): no surrogates, nothing overlong.
#pragma once

#include <cstdint>

namespace perigee::http {

class Utf8Check {
 public:
  /// False: it cannot be UTF-8 any more.
  bool add(uint8_t byte) {
    if (left_ > 0) {
      const bool fits = byte >= least_ && byte <= most_;
      --left_;
      least_ = 0x80;
      most_ = 0xbf;
      return fits;
    }
    if (byte < 0x80) return true;
    left_ = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    if (byte == 0xe0) least_ = 0xa0;
    if (byte == 0xed) most_ = 0x9f;
    if (byte == 0xf0) least_ = 0x90;
    if (byte == 0xf4) most_ = 0x8f;
    return byte >= 0xc2 && byte <= 0xf4;
  }
  /// No character is left half.
  bool whole() const { return left_ == 0; }

 private:
  int left_ = 0;
  uint8_t least_ = 0x80;
  uint8_t most_ = 0xbf;
};

}  // namespace perigee::http
