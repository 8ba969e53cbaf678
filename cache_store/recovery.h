// What a store file holds, read without knowing anything of a store that runs: the tables say what
// is there, and slabs without one are walked by lengths, never searched, since bodies are chosen by
// strangers.
//
// One path after a clean stop, a kill and a power cut. It reads only; any thread.
#pragma once

#include <optional>
#include <vector>

#include "cache_store/file_secret.h"
#include "cache_store/format.h"
#include "cache_store/geometry.h"
#include "cache_store/slab.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

/// All slabs of a file and the records in them.
struct ScannedFile {
  struct Slab {
    uint32_t number = 0;
    Ring ring = Ring::kProbation;
    SlabContents contents;
  };
  struct Record {
    format::TableEntry entry{};
    uint32_t slab = 0;
    Ring ring = Ring::kProbation;  ///< of the slab
  };
  std::vector<Slab> slabs;      ///< that hold records, oldest first
  std::vector<uint32_t> empty;  ///< slabs without any
  /// That this version can serve, the highest seq last. A copy has the seq of its original and
  /// comes behind it.
  std::vector<Record> records;
  uint64_t newest_epoch = 0;
  uint64_t journal_seq = 0;  ///< purges up to this one were durable once
};

/// Whether this version looks up records of such a kind and slot. Others lie in the file.
bool is_known_kind(const format::TableEntry& entry);

class Recovery {
 public:
  /// What tells a slab of this file from other bytes.
  struct Identity {
    format::Uuid uuid{};
    const FileSecret& secret;
  };
  Recovery(StoreIo& io, const Geometry& geometry, const Identity& identity)
      : io_(io), geometry_(geometry), identity_(identity) {}

  /// Reads every slab. What cannot be read counts as empty.
  ScannedFile scan() const;
  /// What a slab ends with.
  enum class Ending : uint8_t {
    kTable,    ///< sealed
    kOpen,     ///< no table was written in this life
    kDamaged,  ///< a table that is not whole, or cannot be read
  };
  /// What the header of a slab and its table, or a walk, say of it.
  struct ScannedSlab {
    format::SlabHeader header{};
    std::vector<format::TableEntry> table;
    Ending ending = Ending::kTable;
    /// Of a walk: behind what was found stands a record of this life that is not whole.
    bool torn = false;
  };
  /// Nothing when the slab's header is not one of this file.
  std::optional<ScannedSlab> read_slab(uint32_t number) const;

 private:
  Ending read_table(uint32_t number, ScannedSlab& slab) const;
  void walk_slab(uint32_t number, ScannedSlab& slab) const;
  bool is_plausible(const format::TableEntry& entry) const;

  StoreIo& io_;
  const Geometry geometry_;
  const Identity identity_;
};

}  // namespace perigee::cache_store
