// The checksums of the file's fixed structures: each is XXH3-64 of what stands before it.
//
// They find rot and torn writes, not malice; records have their own, keyed with the file's secret.
#pragma once

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "cache_store/format.h"

namespace perigee::cache_store {

/// The checksum that belongs into a Superblock, SlabHeader or SlabTrailer.
template <typename Structure>
uint64_t checksum_of(const Structure& structure) {
  return XXH3_64bits(&structure, offsetof(Structure, checksum));
}

/// Of a slab header read from `number`: is it the header of a slab of this file?
inline bool is_slab_header(const format::SlabHeader& header, uint32_t number,
                           const format::Uuid& uuid) {
  return header.magic == format::kSlabMagic && header.number == number &&
         header.checksum == checksum_of(header) &&
         std::memcmp(header.uuid, uuid.data(), sizeof header.uuid) == 0;
}

std::span<const std::byte> bytes_of(const auto& value) {
  return std::as_bytes(std::span(&value, 1));
}
std::span<std::byte> writable_bytes_of(auto& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}
/// Nothing was ever written there.
bool is_blank(const auto& value) {
  const auto bytes = bytes_of(value);
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

}  // namespace perigee::cache_store
