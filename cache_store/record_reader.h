// Reads records from the slabs: as views of the map on a hit, from the file when they are not
// verified yet.
//
// Knows nothing of the index. The caller holds a Pin of the record's slab.
#pragma once

#include <string_view>
#include <vector>

#include "cache_store/file_secret.h"
#include "cache_store/index.h"
#include "cache_store/location.h"
#include "cache_store/predicate_subject.h"
#include "cache_store/slabs.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

class RecordReader {
 public:
  RecordReader(StoreIo& io, const Slabs& slabs, const FileSecret& secret)
      : io_(io), slabs_(slabs), secret_(secret) {}

  /// Loop. Views a record that was verified before, but for `pin` and what the index knows of it.
  /// False: another key has the same digest, a page is bad, or it is not of the shape of its kind.
  bool view(const Location& location, std::string_view key, RecordView& out) const;

  /// Loop. Where the body of a verified record lies, if it is this one; null: it is another.
  const std::byte* body_of(const Location& location, const ParkedRecord& record) const;

  enum class Condition : uint8_t {
    kGood,
    kDamaged,     ///< the bytes are not those that were written
    kUnreadable,  ///< the file or a page of the map cannot be read now
  };
  /// Pool. Reads the record from the file into `buffer`, so that a bad block is an error and not a
  /// signal, and checks all of it.
  Condition check(const Location& location, const EntryKey& key,
                  std::vector<std::byte>& buffer) const;
  /// What a record says of itself, as far as purges concern it.
  struct Filed {
    Digest digest;
    FiledSubject subject;
  };
  /// Loop. The same record as in `record`, which views it. No allocation.
  FiledSubject filed(const Location& location, const RecordView& record) const;
  /// The same of a record up to its body, or more of it, that was checked: it is viewed.
  static Filed read_filed(std::span<const std::byte> record);
  /// Pool. Reads a record from the file up to its body into `buffer`, which `out` views, and checks
  /// as much.
  Condition read_filed(const Location& location, std::vector<std::byte>& buffer, Filed& out) const;
  /// Pool. As check(), and brings its pages into the map.
  Condition verify(const Location& location, const EntryKey& key) const;
  /// Pool. Of a head, as the map has it; 0 of other records.
  uint64_t rid_of(const Location& head) const;
  /// Pool. Touches each page of a record in the map: only this process's page table is filled in,
  /// off the loops.
  void touch(const Location& location) const;

 private:
  StoreIo& io_;
  const Slabs& slabs_;
  const FileSecret& secret_;
};

}  // namespace perigee::cache_store
