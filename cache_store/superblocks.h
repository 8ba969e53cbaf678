// The two superblocks: which file this is, how it is laid out, and in which epoch it was last
// opened.
//
// They are written alternately, and the newest that is whole counts. Thread-safe once the file is
// adopted; the file is written under this part's own lock.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "cache_store/format.h"
#include "cache_store/geometry.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"

namespace perigee::cache_store {

/// What stands at one of the two places.
enum class SuperblockPlace : uint8_t {
  kBlank,         ///< nothing, or the file ends before it
  kWhole,         ///< a superblock that this version can read
  kOtherVersion,  ///< a whole one that it cannot
  kDamaged,       ///< one whose checksum does not hold
  kForeign,       ///< something else
  kUnreadable,    ///< the file cannot be read there
};

/// Both places of a file that may be a store.
struct FoundBlocks {
  std::optional<format::Superblock> newest;  ///< unless one that cannot be read is newer
  std::optional<format::Superblock> other;   ///< the newest whole one that cannot be read
  bool ours = false;                         ///< a store began here, whatever has become of it
  std::array<SuperblockPlace, 2> places{};
  base::Status unreadable = base::Done{};
};
/// Of the file that was opened. Reads only.
FoundBlocks read_superblocks(StoreIo& io, uint64_t file_size);
/// Of FoundBlocks::other, as an end of a sentence that begins with the file: which version it is
/// of.
std::string why_not_read(const format::Superblock& other);

/// How a store that is opened lies in its file.
struct OpenedSize {
  Geometry geometry;  ///< from now on
  /// The slabs that the file holds, if it is to shrink: those from geometry.slab_count on are there
  /// until cut() takes them. Else geometry.slab_count.
  uint64_t slabs_found = 0;
};

class Superblocks {
 public:
  Superblocks(StoreIo& io, StoreObserver& observer) : io_(io), observer_(observer) {}

  /// At start. Takes over the file that was opened, or makes it a new store, and allocates all of
  /// it. Errors: kInvalid (too small, somebody else's file, or a store of another version: it stays
  /// as it is), kNoSpace, kIo.
  base::Result<OpenedSize> adopt_or_create(const StoreOptions& options, const FileFacts& facts);
  /// At start. The slabs from `geometry.slab_count` on are gone, durably; before it, nothing that
  /// was newer in them may come back in an older version.
  base::Status cut(const Geometry& geometry);
  /// As it was last written, apart from what begin_epoch() changed since.
  format::Superblock current() const;
  /// See Store::identity(). After begin_epoch().
  uint64_t identity() const;
  /// At start. In memory only: the next update() writes it. `seen`: the highest epoch that anything
  /// in the file is of. Returns the new epoch.
  uint64_t begin_epoch(uint64_t seen, const FileFacts& facts);
  /// Writes both places, one after the other, as `change` makes them: a crash leaves one whole, and
  /// later one bad block takes nothing. An error: the change is not in force.
  template <typename Change>
  base::Status update(Change change) {
    const base::MutexLock lock(mutex_);
    format::Superblock next = current_;
    change(next);
    return write_locked(next);
  }

 private:
  base::Result<OpenedSize> adopt_locked(const StoreOptions& options, const FileFacts& facts,
                                        const format::Superblock& found, const Geometry& wanted)
      REQUIRES(mutex_);
  base::Status create_locked(const StoreOptions& options, const FileFacts& facts,
                             const Geometry& geometry) REQUIRES(mutex_);
  base::Status write_locked(format::Superblock next) REQUIRES(mutex_);
  base::Status allocate(const Geometry& geometry, const std::string& path);

  StoreIo& io_;
  StoreObserver& observer_;
  mutable base::Mutex mutex_{base::LockRank::kSuperblocks};
  format::Superblock current_ GUARDED_BY(mutex_){};
};

}  // namespace perigee::cache_store
