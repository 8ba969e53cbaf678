#include "cache_store/shrinking.h"

#include <algorithm>
#include <unordered_map>

#include "cache_store/record.h"

namespace perigee::cache_store {

namespace {

struct DigestHash {
  size_t operator()(const Digest& digest) const { return digest.lo ^ digest.hi; }
};

/// Of a key of which something goes.
struct Newest {
  bool goes = false;   ///< its newest record
  bool stays = false;  ///< an older one
};

}  // namespace

Shrunk take_slabs_beyond(uint64_t slab_count, ScannedFile& file) {
  Shrunk shrunk;
  const auto goes = [&](const auto& record) { return record.slab >= slab_count; };
  const auto digest_of = [](const ScannedFile::Record& record) {
    return Digest{record.entry.digest_lo, record.entry.digest_hi};
  };
  std::unordered_map<Digest, Newest, DigestHash> keys;
  for (const ScannedFile::Record& record : file.records) {
    // No version of what depends on a head is wrong beside a head of its rid.
    const bool dependent = is_dependent(static_cast<RecordKind>(record.entry.kind));
    if (goes(record) && !dependent) keys.try_emplace(digest_of(record));
  }
  // The highest seq comes last.
  for (const ScannedFile::Record& record : file.records) {
    const auto key = keys.find(digest_of(record));
    if (key == keys.end() || is_dependent(static_cast<RecordKind>(record.entry.kind))) continue;
    key->second.goes = goes(record);
    if (!goes(record)) key->second.stays = true;
  }
  for (const auto& [digest, newest] : keys) {
    if (newest.goes && newest.stays) shrunk.outdated.push_back(digest);
  }
  for (const ScannedFile::Slab& slab : file.slabs) {
    if (slab.number < slab_count) continue;
    shrunk.lowest_purge_seq = std::min(shrunk.lowest_purge_seq, slab.contents.lowest_purge_seq);
  }
  std::erase_if(file.records, goes);
  std::erase_if(file.slabs, [&](const auto& slab) { return slab.number >= slab_count; });
  std::erase_if(file.empty, [&](uint32_t slab) { return slab >= slab_count; });
  return shrunk;
}

}  // namespace perigee::cache_store
