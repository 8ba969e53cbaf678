// The bytes of the store file, little-endian. FORMAT.md says what each means and why.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace perigee::cache_store::format {

inline constexpr uint64_t kSuperblockMagic = 0x316572'6f747370ull;  // "pstore1"
inline constexpr uint32_t kSlabMagic = 0x62616c73;                  // "slab"
inline constexpr uint32_t kTrailerMagic = 0x6c696174;               // "tail"
inline constexpr uint32_t kRecordMagic = 0x64636572;                // "recd"
inline constexpr uint16_t kMajor = 2;
inline constexpr uint16_t kMinor = 0;

inline constexpr uint64_t kSuperblockA = 0;
inline constexpr uint64_t kSuperblockB = 64 * 1024;
inline constexpr uint64_t kJournalBegin = 128 * 1024;
inline constexpr uint64_t kAlignment = 64;
inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kAreaAlignment = 2 * 1024 * 1024;
inline constexpr uint64_t kLeastSlabs = 64;
inline constexpr uint64_t kMostSlabs = 1ull << 22;
inline constexpr uint64_t kLeastSlabBytes = 16 * 1024;
inline constexpr uint64_t kMostSlabBytes = 16 * 1024 * 1024;
inline constexpr uint64_t kLeastJournalBytes = 1024;
inline constexpr uint64_t kMostJournalBytes = 64 * 1024 * 1024;
inline constexpr uint32_t kByteOrder = 0x01020304;
/// Superblock::incompat: the journal's active half may hold units of other kinds than 1 and 2. A
/// version that does not know them would serve what they purged.
inline constexpr uint32_t kPredicateUnits = 1;
inline constexpr uint32_t kKnownIncompat = kPredicateUnits;
inline constexpr int kEpochShift = 40;  ///< generation, seq and purge seq: epoch << 40 | counter

/// The queue that a slab stands in. A reader takes a value that it does not know for kProbation.
enum class Ring : uint8_t {
  kProbation = 0,  ///< where new records begin
  kMain = 1,       ///< for what was used
};
inline constexpr size_t kRings = 2;
inline constexpr std::array<Ring, kRings> kAllRings{Ring::kProbation, Ring::kMain};
static_assert(static_cast<uint8_t>(Ring::kMain) == 1 && sizeof(Ring) == 1);

/// Of a store file, drawn when it is made.
using Uuid = std::array<uint8_t, 16>;

struct Superblock {
  uint64_t magic;
  uint16_t major;
  uint16_t minor;
  uint32_t compat;      ///< unknown bits may be ignored
  uint32_t incompat;    ///< unknown bits: the file cannot be read
  uint32_t byte_order;  ///< 0x01020304 as written
  uint8_t uuid[16];
  uint8_t secret[32];
  uint64_t slab_bytes;
  uint64_t slab_count;
  uint64_t journal_bytes;  ///< of one half
  uint64_t epoch;          ///< raised at each open
  uint64_t version;        ///< the newest valid of the two superblocks wins
  uint64_t inode;          ///< of the file this was written to; another one: the file is a copy
  int64_t birth_ns;
  uint64_t stale_floor;  ///< records whose fetch began before this purge wait for the origin
  uint64_t journal_seq;  ///< purges up to this one are in the active half or concern no record
  uint64_t journal_generation;  ///< of the active half
  uint32_t journal_half;        ///< 0 or 1: the active one
  uint32_t journal_bad;         ///< 1: purges are in force that could not be written
  uint64_t spare[11];
  uint64_t checksum;  ///< XXH3-64 of all before it
};
static_assert(sizeof(Superblock) == 256);
static_assert(offsetof(Superblock, uuid) == 24 && offsetof(Superblock, secret) == 40);
static_assert(offsetof(Superblock, slab_bytes) == 72 && offsetof(Superblock, epoch) == 96);
static_assert(offsetof(Superblock, inode) == 112 && offsetof(Superblock, stale_floor) == 128);
static_assert(offsetof(Superblock, journal_half) == 152 && offsetof(Superblock, spare) == 160);
static_assert(offsetof(Superblock, checksum) == 248);

/// The first bytes of a slab. FORMAT.md describes each field.
struct SlabHeader {
  uint32_t magic;
  uint32_t number;
  uint64_t generation;
  uint8_t uuid[16];
  uint64_t journal_seq;  ///< the newest purge that was durable when the slab was opened
  uint8_t ring;          ///< a Ring
  uint8_t spare[15];
  uint64_t checksum;  ///< XXH3-64 of all before it
};
static_assert(sizeof(SlabHeader) == 64);
static_assert(offsetof(SlabHeader, generation) == 8 && offsetof(SlabHeader, uuid) == 16);
static_assert(offsetof(SlabHeader, journal_seq) == 32 && offsetof(SlabHeader, ring) == 40);
static_assert(offsetof(SlabHeader, checksum) == 56);

/// One record in the table at the end of a sealed slab.
struct TableEntry {
  uint64_t digest_lo;
  uint64_t digest_hi;
  uint64_t seq;
  uint64_t purge_seq;
  uint32_t expiry_s;  ///< when it becomes stale, for tools
  uint32_t offset64;  ///< of the record in the slab, in units of 64 bytes
  uint32_t length64;
  uint8_t kind;
  uint8_t slot;
  uint16_t spare;
};
static_assert(sizeof(TableEntry) == 48);
/// Of the whole record.
constexpr uint64_t bytes_of(const TableEntry& entry) {
  return uint64_t{entry.length64} * kAlignment;
}
static_assert(offsetof(TableEntry, seq) == 16 && offsetof(TableEntry, purge_seq) == 24);
static_assert(offsetof(TableEntry, expiry_s) == 32 && offsetof(TableEntry, kind) == 44);

/// The last bytes of a sealed slab: where its table begins.
struct SlabTrailer {
  uint32_t magic;
  uint32_t count;
  uint64_t generation;
  uint64_t table_offset;  ///< in the slab
  uint64_t lowest_purge_seq;
  uint64_t highest_seq;
  uint64_t table_checksum;
  uint64_t spare;
  uint64_t checksum;  ///< XXH3-64 of all before it
};
static_assert(sizeof(SlabTrailer) == 64);
static_assert(offsetof(SlabTrailer, generation) == 8 && offsetof(SlabTrailer, table_offset) == 16);
static_assert(offsetof(SlabTrailer, table_checksum) == 40 && offsetof(SlabTrailer, checksum) == 56);

/// What the table of so many records takes at the end of a slab, its trailer included.
constexpr uint64_t table_bytes(size_t records) {
  return records * sizeof(TableEntry) + sizeof(SlabTrailer);
}

/// The first bytes of a record; its key, head and body follow.
struct RecordHeader {
  uint32_t magic;
  uint8_t kind;
  uint8_t slot;
  uint16_t header_length;
  uint64_t generation;  ///< of the slab
  uint64_t seq;
  uint64_t rid;
  uint64_t digest_lo;
  uint64_t digest_hi;
  uint64_t base_lo;  ///< digest of the URL's own key
  uint64_t base_hi;
  uint32_t key_length;
  uint32_t head_length;
  uint16_t tag_count;
  uint16_t status;
  uint32_t flags;
  uint64_t body_length;
  uint64_t whole_length;  ///< of what has no body: of what lies elsewhere; else body_length
  int64_t response_time_ms;
  int64_t initial_age_ms;
  int64_t lifetime_ms;  ///< -1: absent
  int64_t stale_while_revalidate_ms;
  int64_t stale_if_error_ms;
  uint64_t purge_seq;  ///< when its fetch began
  uint64_t body_checksum;
  uint64_t fetch_seq;      ///< drawn with purge_seq
  uint64_t head_checksum;  ///< of header, key, tags and head, seeded with secret and generation
};
static_assert(sizeof(RecordHeader) == 168);
static_assert(offsetof(RecordHeader, generation) == 8 && offsetof(RecordHeader, rid) == 24);
static_assert(offsetof(RecordHeader, digest_lo) == 32 && offsetof(RecordHeader, base_lo) == 48);
static_assert(offsetof(RecordHeader, key_length) == 64 && offsetof(RecordHeader, tag_count) == 72);
static_assert(offsetof(RecordHeader, body_length) == 80 &&
              offsetof(RecordHeader, whole_length) == 88);
static_assert(offsetof(RecordHeader, response_time_ms) == 96 &&
              offsetof(RecordHeader, stale_if_error_ms) == 128);
static_assert(offsetof(RecordHeader, purge_seq) == 136 &&
              offsetof(RecordHeader, body_checksum) == 144);
static_assert(offsetof(RecordHeader, fetch_seq) == 152 &&
              offsetof(RecordHeader, head_checksum) == 160);

/// One write of the purge journal.
struct JournalUnit {
  uint64_t seq;
  uint64_t digest_lo;
  uint64_t digest_hi;
  int64_t time_ms;
  /// 1: key purge, 2: erasure; with kPredicateUnits also 3: tag, 4: prefix, 5: everything. Another
  /// one comes with an incompat bit of its own.
  uint8_t kind;
  uint8_t soft;
  uint8_t prefix_parts;  ///< of a prefix: whole parts before its last one
  uint8_t spare;
  uint32_t prefix_bytes;  ///< of a prefix: of its last part
  uint64_t spare_too;
  uint64_t generation;  ///< of the half's present use
  uint64_t chain;       ///< XXH3-64 of all before it, seeded with the chain of the unit before
};
static_assert(sizeof(JournalUnit) == 64);
static_assert(offsetof(JournalUnit, digest_lo) == 8 && offsetof(JournalUnit, time_ms) == 24);
static_assert(offsetof(JournalUnit, kind) == 32 && offsetof(JournalUnit, generation) == 48);
static_assert(offsetof(JournalUnit, prefix_parts) == 34 &&
              offsetof(JournalUnit, prefix_bytes) == 36);

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

constexpr RecordLayout layout(const RecordHeader& header) {
  return layout(header.header_length, header.key_length, header.tag_count, header.head_length,
                header.body_length);
}

}  // namespace perigee::cache_store::format
