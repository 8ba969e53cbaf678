// The bytes of the store file, little-endian. FORMAT.md says what each means and why.
#pragma once

#include <cstdint>

namespace perigee::cache_store::format {

inline constexpr uint64_t kSuperblockMagic = 0x316572'6f747370ull;  // "pstore1"
inline constexpr uint32_t kSlabMagic = 0x62616c73;                  // "slab"
inline constexpr uint32_t kTrailerMagic = 0x6c696174;               // "tail"
inline constexpr uint32_t kRecordMagic = 0x64636572;                // "recd"
inline constexpr uint16_t kMajor = 1;
inline constexpr uint16_t kMinor = 0;

inline constexpr uint64_t kSuperblockA = 0;
inline constexpr uint64_t kSuperblockB = 64 * 1024;
inline constexpr uint64_t kJournalBegin = 128 * 1024;
inline constexpr uint64_t kAlignment = 64;
inline constexpr uint64_t kAreaAlignment = 2 * 1024 * 1024;
inline constexpr uint64_t kLeastSlabs = 64;
inline constexpr uint64_t kMostSlabs = 1ull << 22;

struct Superblock {
  uint64_t magic;
  uint16_t major;
  uint16_t minor;
  uint32_t compat;         ///< unknown bits may be ignored
  uint32_t incompat;       ///< unknown bits: the file cannot be read
  uint32_t byte_order;     ///< 0x01020304 as written
  uint8_t uuid[16];
  uint8_t secret[32];
  uint64_t slab_bytes;
  uint64_t slab_count;
  uint64_t journal_bytes;  ///< of one half
  uint64_t epoch;          ///< raised at each open
  uint64_t version;        ///< the newest valid of the two superblocks wins
  uint64_t inode;
  int64_t birth_ns;
  uint64_t stale_floor;    ///< records whose fetch began before this purge are stale
  int64_t stale_floor_ms;
  uint64_t purge_floor;    ///< no purge sequence below this is given again
  uint32_t journal_half;   ///< 0 or 1
  uint32_t journal_bad;
  uint64_t journal_epoch;  ///< the epoch in which the active half was begun
  uint64_t spare[10];
  uint64_t checksum;       ///< XXH3-64 of all before it
};
static_assert(sizeof(Superblock) == 256);

struct SlabHeader {
  uint32_t magic;
  uint32_t number;
  uint64_t generation;
  uint8_t uuid[16];
  uint64_t purge_seq;      ///< at the time the slab was opened
  uint8_t ring;            ///< 0; main and probation come with the second ring
  uint8_t spare[15];
  uint64_t checksum;
};
static_assert(sizeof(SlabHeader) == 64);

struct TableEntry {
  uint64_t digest_lo;
  uint64_t digest_hi;
  uint64_t seq;
  uint64_t purge_seq;
  uint32_t expiry_s;       ///< when it becomes stale, for tools
  uint32_t offset64;       ///< of the record in the slab, in units of 64 bytes
  uint32_t length64;
  uint8_t kind;
  uint8_t slot;
  uint16_t spare;
};
static_assert(sizeof(TableEntry) == 48);

struct SlabTrailer {
  uint32_t magic;
  uint32_t count;
  uint64_t generation;
  uint64_t table_offset;   ///< in the slab
  uint64_t lowest_purge_seq;
  uint64_t highest_seq;
  uint64_t table_checksum;
  uint64_t spare;
  uint64_t checksum;
};
static_assert(sizeof(SlabTrailer) == 64);

struct RecordHeader {
  uint32_t magic;
  uint8_t kind;
  uint8_t slot;
  uint16_t header_length;
  uint64_t generation;     ///< of the slab
  uint64_t seq;
  uint64_t rid;
  uint64_t digest_lo;
  uint64_t digest_hi;
  uint64_t base_lo;        ///< digest of the URL's own key
  uint64_t base_hi;
  uint32_t key_length;
  uint32_t head_length;
  uint16_t tag_count;
  uint16_t status;
  uint32_t flags;
  uint64_t body_length;
  uint64_t whole_length;   ///< of the object, when this is a part of it
  int64_t response_time_ms;
  int64_t initial_age_ms;
  int64_t lifetime_ms;     ///< -1: absent
  int64_t stale_while_revalidate_ms;
  int64_t stale_if_error_ms;
  uint64_t purge_seq;      ///< when its fetch began
  uint64_t body_checksum;
  uint64_t spare[4];
  uint64_t head_checksum;  ///< of header, key, tags and head, seeded with secret and generation
};
static_assert(sizeof(RecordHeader) == 192);

struct JournalUnit {
  uint64_t seq;
  uint64_t digest_lo;
  uint64_t digest_hi;
  int64_t time_ms;
  uint8_t kind;            ///< 1: key purge, 2: erasure
  uint8_t soft;
  uint8_t spare[14];
  uint64_t epoch;
  uint64_t chain;          ///< XXH3-64 of this unit before it, seeded with the chain of the one before
};
static_assert(sizeof(JournalUnit) == 64);

/// Where the parts of a record lie behind its header: key, tags, head, body, each at its alignment.
struct RecordLayout {
  uint64_t key;
  uint64_t tags;
  uint64_t head;
  uint64_t body;
  uint64_t end;  ///< a multiple of 64
};
constexpr uint64_t align(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }
constexpr RecordLayout layout(uint64_t header_length, uint64_t key_length, uint64_t tag_count,
                              uint64_t head_length, uint64_t body_length) {
  RecordLayout result{};
  result.key = header_length;
  result.tags = align(result.key + key_length, 8);
  result.head = result.tags + tag_count * 8;
  result.body = result.head + head_length;
  result.end = align(result.body + body_length, kAlignment);
  return result;
}

}  // namespace perigee::cache_store::format
