// What is keyed with the store file's secret: the digests of keys, and the checksums of heads.
//
// Strangers choose keys and bodies; without the secret they can neither aim at a digest nor forge a
// record. Immutable; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cache_store/format.h"
#include "cache_store/store.h"

namespace perigee::cache_store {

class FileSecret {
 public:
  explicit FileSecret(const format::Superblock& superblock);

  /// Of a key's full text.
  Digest digest(std::string_view key) const;
  /// Of a record's header and of its key, tags and head, which are `meta`. Seeded with the secret
  /// and the generation: bytes of an older life of the slab never pass.
  uint64_t head_checksum(const format::RecordHeader& header, std::span<const std::byte> meta) const;

 private:
  std::array<char, 192> key_secret_{};
  uint64_t checksum_seed_ = 0;
};

}  // namespace perigee::cache_store
