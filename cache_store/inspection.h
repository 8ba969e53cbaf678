// A store file as somebody finds it who only looks: what is whole, what is damaged, and what a
// start would find in it. For tools.
//
// A node may be writing the file meanwhile. What does not look whole is read again once: if other
// bytes stand there then, it is "changing" and nothing is said against it. It reads only; one
// thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cache_store/file_secret.h"
#include "cache_store/format.h"
#include "cache_store/geometry.h"
#include "cache_store/predicate_table.h"
#include "cache_store/purge_journal.h"
#include "cache_store/recovery.h"
#include "cache_store/store_io.h"
#include "cache_store/superblocks.h"

namespace perigee::cache_store {

/// How many records, and their bytes in the file.
struct RecordCount {
  uint64_t records = 0;
  uint64_t bytes = 0;

  void add(uint64_t record_bytes) {
    ++records;
    bytes += record_bytes;
  }
};

/// What the check of a part of the file found.
struct PartReport {
  /// Something is not as it was written.
  struct Problem {
    std::string text;          ///< one line without its end; it holds no bytes of the file
    uint64_t fingerprint = 0;  ///< of the bytes that are wrong
    std::optional<uint64_t> record_bytes;  ///< it is a record, of so many bytes
  };
  RecordCount good;
  RecordCount damaged;
  RecordCount unknown;  ///< of kinds that this version does not know: not checked
  std::vector<Problem> problems;
  bool changing = false;  ///< it was written to while it was read
};

/// One record that lies in the file.
struct FiledRecord {
  enum class Standing : uint8_t {
    kLive,        ///< a start finds it
    kSuperseded,  ///< a newer one of its key is there
    kPurged,      ///< by a purge of any kind or an erasure
    kOrphan,      ///< a fragment or a coding whose head is not live
  };
  format::TableEntry entry{};
  uint32_t slab = 0;
  Standing standing = Standing::kLive;
  uint32_t stale_since_s = 0;  ///< by a soft purge or a doubt; 0: not
};

/// A record's own words about itself.
struct RecordText {
  format::RecordHeader header{};
  std::string key;
  std::vector<uint64_t> tags;
};

class Inspection {
 public:
  /// Of the file that `io` opened, which has `file_size` bytes. kInvalid: it is no store, or one of
  /// another version; kCorrupt: one without a whole superblock; kIo.
  static base::Result<std::unique_ptr<Inspection>> begin(StoreIo& io, uint64_t file_size);

  const format::Superblock& superblock() const { return superblock_; }
  const Geometry& geometry() const { return geometry_; }
  /// Of the journal's active half: its units.
  size_t journal_units() const { return purges_.size(); }

  /// Superblocks, journal, and the length of the file.
  PartReport check_frame();
  /// All of a slab: header, table and every record.
  PartReport check_slab(uint32_t number) const;
  /// All records of known kinds, the oldest first, as a start would judge them. `empty_slabs`
  /// counts slabs without records.
  std::vector<FiledRecord> records(size_t& empty_slabs) const;
  /// Nothing: the record is not whole up to its body, or cannot be read now.
  std::optional<RecordText> read(const FiledRecord& record) const;
  /// What a start finds of a slab: see Recovery.
  std::optional<Recovery::ScannedSlab> read_slab(uint32_t number) const {
    return recovery_.read_slab(number);
  }

 private:
  Inspection(StoreIo& io, const format::Superblock& superblock);
  bool load_journal();
  PartReport look_at_frame();
  PartReport look_at_slab(uint32_t number) const;
  void look_at_record(uint64_t generation, const FiledRecord& record, PartReport& report) const;
  void find_taken(const PredicateTable& predicates, std::vector<FiledRecord>& all) const;
  void find_orphans(std::vector<FiledRecord>& all) const;
  template <typename Bytes>
  uint64_t fingerprint(uint64_t offset) const;
  uint64_t begin_of(const FiledRecord& record) const;

  StoreIo& io_;
  format::Superblock superblock_;
  const Geometry geometry_;
  const FileSecret secret_;
  const Recovery recovery_;
  std::vector<PurgeJournal::Entry> purges_;
};

}  // namespace perigee::cache_store
