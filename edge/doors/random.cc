#include "edge/doors/random.h"

#include <openssl/rand.h>

#include "base/check.h"

namespace perigee::edge {

void fill_random(std::span<std::byte> bytes) {
  CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                   static_cast<int>(bytes.size())) == 1);
}

RandomSource::RandomSource() : state_(0) {
  fill_random(std::as_writable_bytes(std::span(&state_, 1)));
}

uint64_t RandomSource::next() {
  uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return mixed ^ mixed >> 31;
}

}  // namespace perigee::edge
