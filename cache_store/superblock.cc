// The two superblocks: which file this is, how it is laid out, and in which epoch it was last
// opened.
#include <algorithm>
#include <cstring>

#include "cache_store/checksum.h"
#include "cache_store/store_core.h"

namespace perigee::cache_store {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kLeastChosenSlabs = 4;  ///< when the slab size was chosen before the file size

/// Behind the journal comes a scratch area: one block of pages that no folio shares with anything
/// else where slabs may be lent, else what the alignment leaves.
void place_area(Geometry& geometry) {
  const uint64_t alignment = std::max(geometry.slab_bytes, format::kAreaAlignment);
  geometry.scratch =
      format::align(format::kJournalBegin + 2 * geometry.journal_bytes, format::kPage);
  geometry.area = format::align(geometry.scratch, alignment);
  if (geometry.slab_bytes < format::kAreaAlignment) return;
  geometry.scratch = geometry.area;
  geometry.area += alignment;
}

/// Both places of a file that may be a store.
struct Superblocks {
  std::optional<format::Superblock> newest;
  bool ours = false;        ///< a store began here, whatever has become of it
  bool other_kind = false;  ///< and one of them is whole, of a version that is not known here
  Status unreadable = Done{};
};

bool is_known(const format::Superblock& block) {
  return block.major == format::kMajor && block.incompat == 0 &&
         block.byte_order == format::kByteOrder && is_slab_size(block.slab_bytes) &&
         is_journal_size(block.journal_bytes) && block.journal_half <= 1;
}

bool is_blank(const format::Superblock& block) {
  const auto bytes = bytes_of(block);
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

Superblocks read_superblocks(StoreIo& io, uint64_t file_size) {
  Superblocks result;
  bool begins_otherwise = false;  ///< somebody else's bytes stand where A would
  uint64_t other_version = 0;     ///< of the newest one of another kind
  for (const uint64_t offset : {format::kSuperblockA, format::kSuperblockB}) {
    format::Superblock block{};
    // What lies behind the end of a short file is blank; what lies before it may be somebody's.
    if (file_size <= offset) continue;
    const uint64_t there = file_size - offset;
    const Status read =
        io.pread(offset, writable_bytes_of(block).first(std::min<uint64_t>(there, sizeof block)));
    if (!read.ok()) {
      result.unreadable = read;
      continue;
    }
    const bool named = block.magic == format::kSuperblockMagic;
    const bool whole = named && block.checksum == checksum_of(block);
    result.ours = result.ours || whole || (named && !begins_otherwise);
    begins_otherwise = !named && !is_blank(block);
    if (!whole) continue;
    if (!is_known(block)) {
      result.other_kind = true;
      other_version = std::max(other_version, block.version);
    } else if (!result.newest || block.version > result.newest->version) {
      result.newest = block;
    }
  }
  // An older one that is known says nothing of what a newer kind has written since.
  if (result.newest && other_version > result.newest->version) result.newest.reset();
  return result;
}

}  // namespace

bool is_slab_size(uint64_t bytes) {
  return bytes >= format::kLeastSlabBytes && bytes <= format::kMostSlabBytes && bytes % 4096 == 0;
}

bool is_journal_size(uint64_t bytes) {
  return bytes >= format::kLeastJournalBytes && bytes <= format::kMostJournalBytes &&
         bytes % sizeof(format::JournalUnit) == 0;
}

base::Result<Geometry> choose_geometry(const StoreOptions& options) {
  const bool chosen = options.slab_bytes != 0;
  if ((chosen && !is_slab_size(options.slab_bytes)) ||
      (options.journal_bytes != 0 && !is_journal_size(options.journal_bytes))) {
    return Error{ErrorCode::kInvalid, 0, "the store's slab or journal size cannot be"};
  }
  Geometry geometry;
  geometry.journal_bytes =
      options.journal_bytes != 0
          ? options.journal_bytes
          : std::clamp(options.size_bytes / 64, 256 * kKiB, 4 * kMiB) / (64 * kKiB) * (64 * kKiB);
  const std::array<uint64_t, 3> sizes = {4 * kMiB, 2 * kMiB, 256 * kKiB};
  for (size_t i = 0; i < (chosen ? 1 : sizes.size()); ++i) {
    geometry.slab_bytes = chosen ? options.slab_bytes : sizes[i];
    place_area(geometry);
    const uint64_t left =
        options.size_bytes > geometry.area ? options.size_bytes - geometry.area : 0;
    geometry.slab_count = std::min(left / geometry.slab_bytes, format::kMostSlabs);
    if (geometry.slab_count >= (chosen ? kLeastChosenSlabs : format::kLeastSlabs)) return geometry;
  }
  return Error{ErrorCode::kInvalid, 0,
               "a store of " + std::to_string(options.size_bytes) +
                   " bytes is too small: the least size is 18 MiB"};
}

Status StoreCore::adopt_or_create(const FileFacts& facts) {
  const base::Result<Geometry> wanted = choose_geometry(options_);
  if (!wanted.ok()) return wanted.error();
  if (facts.size == 0) return create(facts, *wanted);
  const Superblocks found = read_superblocks(io_, facts.size);
  if (found.newest) {
    const Status adopted = adopt(*found.newest);
    const bool too_small = !adopted.ok() && adopted.error().code == ErrorCode::kInvalid;
    if (!too_small) return adopted;
    observer_.on_store_event(adopted.error().message);
    return create(facts, *wanted);
  }
  if (!found.unreadable.ok()) return found.unreadable;
  if (!found.ours) {
    return Error{ErrorCode::kInvalid, 0,
                 options_.path +
                     " is not a store of perigee and stays as it is: name another file for the "
                     "store, or remove this one"};
  }
  observer_.on_store_event(found.other_kind
                               ? "the store file is of another version; it begins anew, empty"
                               : "the store file is damaged; it begins anew, empty");
  return create(facts, *wanted);
}

/// The slab size stays what it was; only the number of slabs follows the configured size.
Status StoreCore::adopt(const format::Superblock& found) {
  geometry_.slab_bytes = found.slab_bytes;
  geometry_.journal_bytes = found.journal_bytes;
  place_area(geometry_);
  const uint64_t left =
      options_.size_bytes > geometry_.area ? options_.size_bytes - geometry_.area : 0;
  geometry_.slab_count = std::min(left / geometry_.slab_bytes, format::kMostSlabs);
  if (geometry_.slab_count < kLeastChosenSlabs) {
    return Error{ErrorCode::kInvalid, 0,
                 "the store file's slabs are too large for its new size; it begins anew, empty"};
  }
  superblock_ = found;
  superblock_.slab_count = geometry_.slab_count;
  return allocate();
}

Status StoreCore::create(const FileFacts& facts, const Geometry& geometry) {
  geometry_ = geometry;
  // Old blocks go first, so that no record of an earlier life survives.
  if (facts.size > 0) {
    const Status emptied = io_.allocate(0);
    if (!emptied.ok()) return emptied;
  }
  superblock_ = format::Superblock{};
  superblock_.magic = format::kSuperblockMagic;
  superblock_.major = format::kMajor;
  superblock_.minor = format::kMinor;
  superblock_.byte_order = format::kByteOrder;
  std::memcpy(superblock_.uuid, options_.entropy.data(), sizeof superblock_.uuid);
  std::memcpy(superblock_.secret, options_.entropy.data() + sizeof superblock_.uuid,
              sizeof superblock_.secret);
  superblock_.slab_bytes = geometry.slab_bytes;
  superblock_.slab_count = geometry.slab_count;
  superblock_.journal_bytes = geometry.journal_bytes;
  superblock_.inode = facts.inode;
  superblock_.birth_ns = facts.birth_ns;
  // First of all it is marked as ours: a creation that is cut short behind this goes on at the next
  // start, and one that is cut before it leaves the file empty.
  superblock_.version = 2;  // that of the first place
  superblock_.checksum = checksum_of(superblock_);
  const Status marked = io_.pwrite_durable(format::kSuperblockA, bytes_of(superblock_));
  if (!marked.ok()) return marked;
  const Status allocated = allocate();
  if (!allocated.ok()) {
    // Empty, as it was: the store may get another place. Should this fail it is still ours.
    [[maybe_unused]] const Status emptied = io_.allocate(0);
  }
  return allocated;
}

/// Always, also when the file is long enough: a copy may have holes, which a full disk could not
/// fill.
Status StoreCore::allocate() {
  const Status allocated = io_.allocate(geometry_.file_bytes());
  if (allocated.ok()) return allocated;
  Error error = allocated.error();
  error.message +=
      " (" + std::to_string(geometry_.file_bytes()) + " bytes at " + options_.path + ")";
  return error;
}

/// Both places, one after the other: a crash leaves one whole, and later one bad block takes
/// nothing.
Status StoreCore::write_superblock(format::Superblock next) {
  for (int copy = 0; copy < 2; ++copy) {
    next.version = superblock_.version + 1;
    next.checksum = checksum_of(next);
    const uint64_t offset = next.version % 2 == 0 ? format::kSuperblockA : format::kSuperblockB;
    const Status written = io_.pwrite_durable(offset, bytes_of(next));
    if (!written.ok() && copy == 0) return written;
    // The second is a spare: what is written stands.
    if (!written.ok()) {
      observer_.on_store_event(written.error().message);
    } else {
      superblock_ = next;
    }
  }
  return Done{};
}

}  // namespace perigee::cache_store
