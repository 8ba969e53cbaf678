#include "cache_store/superblocks.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "base/check.h"
#include "cache_store/checksum.h"

namespace perigee::cache_store {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

bool is_known(const format::Superblock& block) {
  return block.major == format::kMajor && (block.incompat & ~format::kKnownIncompat) == 0 &&
         block.byte_order == format::kByteOrder && is_slab_size(block.slab_bytes) &&
         is_journal_size(block.journal_bytes) && block.journal_half <= 1 && block.slab_count > 0 &&
         block.slab_count <= format::kMostSlabs;
}

/// `begins_otherwise`: somebody else's bytes stand where A would.
SuperblockPlace judge(const format::Superblock& block, bool begins_otherwise) {
  const bool named = block.magic == format::kSuperblockMagic;
  if (named && block.checksum == checksum_of(block)) {
    return is_known(block) ? SuperblockPlace::kWhole : SuperblockPlace::kOtherVersion;
  }
  if (named && !begins_otherwise) return SuperblockPlace::kDamaged;
  return is_blank(block) ? SuperblockPlace::kBlank : SuperblockPlace::kForeign;
}

bool is_newer(const format::Superblock& block, const std::optional<format::Superblock>& than) {
  return !than || block.version > than->version;
}

format::Superblock first_block(const StoreOptions& options, const FileFacts& facts,
                               const Geometry& geometry) {
  format::Superblock block{};
  block.magic = format::kSuperblockMagic;
  block.major = format::kMajor;
  block.minor = format::kMinor;
  block.byte_order = format::kByteOrder;
  static_assert(sizeof block.uuid + sizeof block.secret == sizeof options.entropy);
  std::memcpy(block.uuid, options.entropy.data(), sizeof block.uuid);
  std::memcpy(block.secret, options.entropy.data() + sizeof block.uuid, sizeof block.secret);
  block.slab_bytes = geometry.slab_bytes;
  block.slab_count = geometry.slab_count;
  block.journal_bytes = geometry.journal_bytes;
  block.inode = facts.inode;
  block.birth_ns = facts.birth_ns;
  block.version = 2;  // that of the first place
  block.checksum = checksum_of(block);
  return block;
}

}  // namespace

std::string why_not_read(const format::Superblock& other) {
  const auto text = [](uint64_t number) { return std::to_string(number); };
  const std::string is = "it is a store of format " + text(other.major) + "." + text(other.minor);
  if (other.major != format::kMajor) {
    return is + ", and this perigee reads format " + text(format::kMajor);
  }
  return is + " with features that this perigee does not know";
}

FoundBlocks read_superblocks(StoreIo& io, uint64_t file_size) {
  FoundBlocks result;
  constexpr std::array kOffsets = {format::kSuperblockA, format::kSuperblockB};
  for (size_t i = 0; i < kOffsets.size(); ++i) {
    format::Superblock block{};
    SuperblockPlace& place = result.places[i];
    // What lies behind the end of a short file is blank; what lies before it may be somebody's.
    if (file_size <= kOffsets[i]) continue;
    const uint64_t there = std::min<uint64_t>(file_size - kOffsets[i], sizeof block);
    const Status read = io.pread(kOffsets[i], writable_bytes_of(block).first(there));
    if (!read.ok()) {
      place = SuperblockPlace::kUnreadable;
      result.unreadable = read;
      continue;
    }
    place = judge(block, result.places[0] == SuperblockPlace::kForeign);
    if (place == SuperblockPlace::kWhole && is_newer(block, result.newest)) result.newest = block;
    if (place == SuperblockPlace::kOtherVersion && is_newer(block, result.other)) {
      result.other = block;
    }
    result.ours = result.ours || place == SuperblockPlace::kWhole ||
                  place == SuperblockPlace::kOtherVersion || place == SuperblockPlace::kDamaged;
  }
  // An older one that is known says nothing of what a newer kind has written since.
  if (result.newest && result.other && result.other->version > result.newest->version) {
    result.newest.reset();
  }
  return result;
}

base::Result<OpenedSize> Superblocks::adopt_or_create(const StoreOptions& options,
                                                      const FileFacts& facts) {
  const base::MutexLock lock(mutex_);
  const base::Result<Geometry> wanted = choose_geometry(options);
  if (!wanted.ok()) return wanted.error();
  if (facts.size > 0) {
    const FoundBlocks found = read_superblocks(io_, facts.size);
    if (found.newest) {
      const base::Result<Geometry> geometry = adopt_geometry(*found.newest, options.size_bytes);
      if (geometry.ok()) return adopt_locked(options, facts, *found.newest, *geometry);
      observer_.on_store_event(geometry.error().message);
    } else if (!found.unreadable.ok()) {
      return found.unreadable.error();
    } else if (found.other) {
      return Error{ErrorCode::kInvalid, 0,
                   options.path + " stays as it is: " + why_not_read(*found.other) +
                       "; run the perigee that made it, name another file for the store, or "
                       "remove this one"};
    } else if (!found.ours) {
      return Error{ErrorCode::kInvalid, 0,
                   options.path +
                       " is not a store of perigee and stays as it is: name another file for the "
                       "store, or remove this one"};
    } else {
      observer_.on_store_event("the store file is damaged; it begins anew, empty");
    }
  }
  const Status created = create_locked(options, facts, *wanted);
  if (!created.ok()) return created.error();
  return OpenedSize{*wanted, wanted->slab_count};
}

/// The slab size stays what it was; only the number of slabs follows the configured size.
base::Result<OpenedSize> Superblocks::adopt_locked(const StoreOptions& options,
                                                   const FileFacts& facts,
                                                   const format::Superblock& found,
                                                   const Geometry& wanted) {
  const Geometry present = geometry_of(found);
  CHECK(present.area == wanted.area);
  current_ = found;
  uint64_t file_size = facts.size;
  if (file_size > present.file_bytes()) {
    // What lies there was cut off before: it must not be found when the file grows again.
    const Status cut_off = io_.allocate(present.file_bytes());
    if (!cut_off.ok()) return cut_off.error();
    file_size = present.file_bytes();
  }
  const bool shrinks = wanted.slab_count < present.slab_count;
  if (!shrinks || file_size < wanted.file_bytes()) {
    const Status allocated = allocate(wanted, options.path);
    if (!allocated.ok()) return allocated.error();
  }
  if (shrinks) return OpenedSize{wanted, present.slab_count};
  current_.slab_count = wanted.slab_count;
  return OpenedSize{wanted, wanted.slab_count};
}

Status Superblocks::cut(const Geometry& geometry) {
  const Status named =
      update([&](format::Superblock& next) { next.slab_count = geometry.slab_count; });
  // The file is made shorter last: a start finds either all slabs or the smaller number.
  return named.ok() ? io_.allocate(geometry.file_bytes()) : named;
}

Status Superblocks::create_locked(const StoreOptions& options, const FileFacts& facts,
                                  const Geometry& geometry) {
  // Old blocks go first, so that no record of an earlier life survives.
  if (facts.size > 0) {
    const Status emptied = io_.allocate(0);
    if (!emptied.ok()) return emptied;
  }
  current_ = first_block(options, facts, geometry);
  // First of all the file is marked as ours: a creation that is cut short after this goes on at the
  // next start, and one that is cut short before it leaves the file empty.
  const Status marked = io_.pwrite_durable(format::kSuperblockA, bytes_of(current_));
  if (!marked.ok()) return marked;
  const Status allocated = allocate(geometry, options.path);
  if (!allocated.ok()) {
    // Empty, as it was: the store may get another place. Should this fail, the file is still ours.
    [[maybe_unused]] const Status emptied = io_.allocate(0);
  }
  return allocated;
}

/// Always, also when the file is long enough: a copy may have holes, which a full disk could not
/// fill.
Status Superblocks::allocate(const Geometry& geometry, const std::string& path) {
  const Status allocated = io_.allocate(geometry.file_bytes());
  if (allocated.ok()) return allocated;
  Error error = allocated.error();
  const auto mib = [](uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  error.message += ": " + path + " needs " + mib(geometry.file_bytes());
  const std::optional<uint64_t> room = io_.room();
  if (room) error.message += ", and there is room for " + mib(*room);
  if (error.code == ErrorCode::kNoSpace) {
    error.message += "; give the store a smaller size, or a file on another disk";
  }
  return error;
}

format::Superblock Superblocks::current() const {
  const base::MutexLock lock(mutex_);
  return current_;
}

/// Of the uuid, which a copy keeps, and of the inode and its birth, which a copy has of its own.
uint64_t Superblocks::identity() const {
  const base::MutexLock lock(mutex_);
  struct {
    std::array<uint8_t, sizeof current_.uuid> uuid;
    uint64_t inode;
    int64_t birth_ns;
  } const named{std::to_array(current_.uuid), current_.inode, current_.birth_ns};
  return XXH3_64bits(&named, sizeof named);
}

uint64_t Superblocks::begin_epoch(uint64_t seen, const FileFacts& facts) {
  const base::MutexLock lock(mutex_);
  current_.epoch = std::max(current_.epoch, seen) + 1;
  current_.inode = facts.inode;
  current_.birth_ns = facts.birth_ns;
  current_.journal_bad = 0;
  return current_.epoch;
}

Status Superblocks::write_locked(format::Superblock next) {
  CHECK(next.epoch >= current_.epoch && next.stale_floor >= current_.stale_floor);
  CHECK(next.slab_bytes == current_.slab_bytes && next.journal_bytes == current_.journal_bytes);
  for (int copy = 0; copy < 2; ++copy) {
    next.version = current_.version + 1;
    next.checksum = checksum_of(next);
    const uint64_t offset = next.version % 2 == 0 ? format::kSuperblockA : format::kSuperblockB;
    const Status written = io_.pwrite_durable(offset, bytes_of(next));
    if (!written.ok() && copy == 0) return written;
    // The second is a spare: what is written stands.
    if (!written.ok()) {
      observer_.on_store_event(written.error().message);
    } else {
      current_ = next;
    }
  }
  return Done{};
}

}  // namespace perigee::cache_store
