// How a record becomes one that loops may serve: it is read and checked, and its pages are in
// memory.
#pragma once

#include "cache_store/bad_records.h"
#include "cache_store/index.h"
#include "cache_store/record_reader.h"
#include "cache_store/residency.h"

namespace perigee::cache_store {

/// Thread-safe.
class Verifier {
 public:
  Verifier(const RecordReader& reader, Index& index, BadRecords& bad, Residency& residency)
      : reader_(reader), index_(index), bad_(bad), residency_(residency) {}

  /// Pool. What an entry names, under its Pin, if it is not verified yet. What is not good is taken
  /// out.
  void verify(const Digest& digest, const IndexEntry& entry) {
    if (entry.verified || entry.pin.is_poisoned()) return;
    const EntryKey key{digest, entry.slot};
    if (reader_.verify(entry.location, key) != RecordReader::Condition::kGood) {
      return bad_.drop(key, entry.location);
    }
    index_.set_verified(key, entry.location);
    // Afterwards: whoever looks for pages that went has to see the entry.
    residency_.note_verified(entry.location.slab);
  }

 private:
  const RecordReader& reader_;
  Index& index_;
  BadRecords& bad_;
  Residency& residency_;
};

}  // namespace perigee::cache_store
