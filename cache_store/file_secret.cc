#include "cache_store/file_secret.h"

#define XXH_STATIC_LINKING_ONLY  // XXH3_generateSecret, and the state on the stack
#include <xxhash.h>

namespace perigee::cache_store {

FileSecret::FileSecret(const format::Superblock& superblock)
    : checksum_seed_(XXH3_64bits(superblock.secret, sizeof superblock.secret)) {
  XXH3_generateSecret(key_secret_.data(), key_secret_.size(), superblock.secret,
                      sizeof superblock.secret);
}

Digest FileSecret::digest(std::string_view key) const {
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(key.data(), key.size(), key_secret_.data(), key_secret_.size());
  // The low three bits are the slot's, and a tag of 0 means empty.
  const uint64_t lo = (hash.low64 & ~7ull) == 0 ? 8 : hash.low64;
  return {lo, hash.high64};
}

uint64_t FileSecret::head_checksum(const format::RecordHeader& header,
                                   std::span<const std::byte> meta) const {
  XXH3_state_t state;
  // Else the reset may take what an earlier call left on the stack for the secret of this seed.
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, checksum_seed_ ^ header.generation);
  XXH3_64bits_update(&state, &header, offsetof(format::RecordHeader, head_checksum));
  XXH3_64bits_update(&state, meta.data(), meta.size());
  return XXH3_64bits_digest(&state);
}

}  // namespace perigee::cache_store
