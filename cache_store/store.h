// The cache's memory: bytes by key in one mapped file that survives kill -9.
//
// The store knows digests, slots, rids, tags, key text and opaque spans; it knows neither HTTP nor
// sockets. It owns no thread and no timer: verbs marked "pool" may block and are called from jobs,
// verbs marked "loop" never block. The layout on disk is described in FORMAT.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/result.h"
#include "base/reuse_facts.h"
#include "cache_store/pin.h"

namespace perigee::cache_store {

class AwaitedTable;
class StoreIo;

/// 128 bits of a key, keyed by the file's secret. `lo` is never 0.
struct Digest {
  uint64_t lo = 0;
  uint64_t hi = 0;
  bool operator==(const Digest&) const = default;
};

enum class RecordKind : uint8_t {
  kObject = 1,
  kHead = 2,
  kCoded = 3,
  kFragment = 4,
  kVarySpec = 5,
  kShell = 6,  ///< an object whose body lies in its codings alone
};

/// Slot 0 holds the object or its head, 1 to 4 codings, 7 the Vary spec of a URL.
using Slot = uint8_t;
inline constexpr Slot kHeadSlot = 0;
inline constexpr Slot kVarySlot = 7;

/// One bit per slot (1 << slot): the codings that the caller would take. Slots 0 and 7 are always
/// looked up; their bits, and those of slots without a coding, mean nothing.
using SlotMask = uint8_t;
inline constexpr SlotMask kCodedSlots = 0b0001'1110;
/// The slot of a coding, which is of use beside a head of its rid alone.
constexpr bool is_coded_slot(Slot slot) { return (kCodedSlots >> slot & 1) != 0; }

/// Taken before a fill's request leaves, so that a later purge refuses its put, and so does a
/// response that was asked for later and is stored already.
struct Ticket {
  uint64_t purge_seq = 0;  ///< the newest purge then
  uint64_t fetch_seq = 0;  ///< the ticket's own: no two are the same, later ones are higher
};

/// A response for a URL is on its way: an erase of the URL is remembered although nothing is stored
/// under it. Held until put() is over. Move-only; any thread; gone before its store.
class Awaited {
 public:
  Awaited() = default;
  Awaited(AwaitedTable& table, const Digest& base, const Ticket& ticket)
      : table_(&table), base_(base), ticket_(ticket) {}
  Awaited(Awaited&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), base_(other.base_), ticket_(other.ticket_) {}
  Awaited& operator=(Awaited&& other) noexcept {
    if (this != &other) {
      reset();
      table_ = std::exchange(other.table_, nullptr);
      base_ = other.base_;
      ticket_ = other.ticket_;
    }
    return *this;
  }
  ~Awaited() { reset(); }
  /// The response's.
  const Ticket& ticket() const { return ticket_; }
  /// The same as destroying it.
  void reset();

 private:
  AwaitedTable* table_ = nullptr;
  Digest base_;
  Ticket ticket_;
};

/// RecordView::stale_since_ms of what may have been purged for all we know: so long ago that no
/// window for serving stale content reaches it, and only the origin's word makes it usable.
inline constexpr int64_t kUnconfirmedMs = 1000;

/// One record as it lies in the map. The spans are valid while `pin` is held.
struct RecordView {
  // Written out, as in Found: GCC clears an object with a constexpr constructor twice.
  RecordView() {}
  Pin pin;
  RecordKind kind = RecordKind::kObject;
  Slot slot = 0;
  Digest digest;
  uint64_t rid = 0;
  uint64_t checksum = 0;  ///< of `body`
  Ticket ticket;          ///< under which it was put
  base::ReuseFacts policy;
  std::string_view key;
  std::span<const uint64_t> tags;
  /// Opaque: the head image of http/head_image.h; of a coding what origin/coded_record.h says.
  std::span<const std::byte> head;
  std::span<const std::byte> body;
  uint64_t body_offset = 0;  ///< of `body` in the store file, for sendfile
  /// Bytes of the object's body, which for a kHead lies in fragments, and for a kShell in codings;
  /// of a kCoded without a body those that lie in fragments; else of `body`.
  uint64_t whole_length = 0;
  /// Wall time of a soft purge, rounded up to a second; kUnconfirmedMs; 0: none. Of a fragment: 0,
  /// for its head tells.
  int64_t stale_since_ms = 0;
  /// Of a Vary spec: the soft purge that `stale_since_ms` tells of. It holds for the variants whose
  /// ticket has a lower purge_seq.
  uint64_t stale_seq = 0;
};

/// What a reader that waits for long keeps of a record in place of its Pin, so that the slab can be
/// used again meanwhile.
struct ParkedRecord {
  Digest digest;
  Slot slot = kHeadSlot;
  uint64_t rid = 0;
  /// Of its body: a coding of the same rid may have other bytes.
  uint64_t checksum = 0;
  uint32_t slab = 0;
  uint32_t life = 0;
  const std::byte* body = nullptr;
  uint64_t body_offset = 0;  ///< in the store file
};

/// The answer of lookup. Each record holds its own slab.
struct Found {
  // Written out: GCC would clear the room of records that are not there, on every hit.
  Found() {}
  enum State : uint8_t {
    kMiss,
    kHit,   ///< `head` is there, verified, and its key compared equal
    kVary,  ///< `vary` is there; look up again with the variant's key
    kCold,  ///< something is there but not verified yet: warm() on the pool, then look up again
  };
  State state = kMiss;
  Digest digest;
  std::optional<RecordView> head;  ///< slot 0
  /// Of a hit: the shortest coding of `head` among those that are accepted and stored.
  std::optional<RecordView> coded;
  std::optional<RecordView> vary;  ///< slot 7: its body is the opaque Vary spec
};

/// What put() writes. All spans are copied before put() returns.
struct Draft {
  RecordKind kind = RecordKind::kObject;
  Slot slot = kHeadSlot;
  uint64_t rid = 0;      ///< 0: the store draws a new one
  std::string_view key;  ///< the full key (variants: of the variant), at most 16 KiB
  Digest base;           ///< digest of the URL's own key; equal to digest(key) unless a variant
  base::ReuseFacts policy;
  std::span<const uint64_t> tags;                    ///< at most 64
  std::span<const std::byte> head;                   ///< at most 64 KiB
  std::span<const std::span<const std::byte>> body;  ///< pieces in order, max_object_bytes() in all
  /// Of what has no body of its own: of a kHead and a kShell the bytes of the object's body, of a
  /// kCoded those that lie in fragments. Else 0.
  uint64_t whole_length = 0;
  Ticket ticket;  ///< from before the fetch began
  /// Only in place of a record of this rid. A coding is always put so.
  bool replaces = false;
  /// Of the record that `body` points into, if it does: when its pages go bad meanwhile, nothing is
  /// stored.
  const Pin* source = nullptr;
};

/// One piece of a body that is longer than a record may be: of an object's, or of a coding of it. A
/// piece whose rid is not its head's is dead.
struct FragmentId {
  uint64_t rid = 0;     ///< of the head; never 0
  uint64_t number = 0;  ///< from 0 on, in the order of the body
  /// Of a piece of a coding: which attempt made it, by draw_rid(). So no two codings of an object
  /// share a piece. 0: of the body itself.
  uint64_t coding = 0;
};

/// What put_fragment() writes. All spans are copied before it returns.
struct FragmentDraft {
  FragmentId id;
  Digest base;    ///< of the URL's own key: a hard purge or an erase of it fences the fragment
  Ticket ticket;  ///< from before the fetch began
  /// Pieces in order, fragment_bytes() in all; an object's last fragment may be shorter, and none
  /// is empty.
  std::span<const std::span<const std::byte>> body;
};

/// The numbers stand in the journal, where 2 is an erasure.
enum class PredicateKind : uint8_t {
  kKey = 1,         ///< a URL, with all its slots and variants
  kTag = 3,         ///< records with a tag
  kPrefix = 4,      ///< URLs whose key begins so, and their variants
  kEverything = 5,  ///< all that is stored
};

/// What to purge.
struct Predicate {
  Digest digest;      ///< kKey: of the URL's own key
  bool soft = false;  ///< mark stale instead of removing
  int64_t wall_ms = 0;
  PredicateKind kind = PredicateKind::kKey;
  uint64_t tag = 0;  ///< kTag
  /// kPrefix: the text of a key, whose last part may go on (key_prefix.h). Copied.
  std::string_view prefix;
};

/// What a purge did. It is in force when purge() returns and durable when commit(seq) has
/// succeeded.
struct PurgeResult {
  uint64_t seq = 0;
  /// URLs: 1 or 0. Unknown but for kKey: the records are found when they are looked up or swept,
  /// and swept() counts them.
  std::optional<int> matched;
};

/// What a store is opened with.
struct StoreOptions {
  std::string path;
  uint64_t size_bytes = 0;
  /// 0: chosen from the size. Tests and replays set it: a multiple of 4 KiB from 16 KiB to 16 MiB.
  uint64_t slab_bytes = 0;
  /// Of one half. 0: chosen from the size; else a multiple of 64 from 1 KiB to 64 MiB.
  uint64_t journal_bytes = 0;
  /// The share of all slabs that new records pass through, 1 to 90; at least four slabs.
  unsigned probation_percent = 10;
  /// Of this machine, or what this process may have of it. A store larger than half of it loses
  /// pages as it is used.
  uint64_t memory_bytes = UINT64_MAX;
  /// Keep the whole file in memory; open() fails if the system does not allow it.
  bool lock_memory = false;
  /// Chance from the operating system for a new file's uuid (16 bytes) and secret (32).
  std::array<std::byte, 48> entropy{};
};

/// Of one of the two queues in which slabs stand. Laps and uses are counted when a slab is emptied;
/// of one record, three uses at most are told from more.
struct RingStats {
  uint64_t slabs = 0;
  uint64_t live_bytes = 0;  ///< of records that can be found
  uint64_t laps = 0;        ///< records that were still there at the end of the queue
  uint64_t uses = 0;        ///< of these on their way to it
};

/// Counts since open, and the present state.
struct StoreStats {
  uint64_t objects = 0;      ///< index entries
  uint64_t index_bytes = 0;  ///< of memory
  uint64_t slabs = 0;
  uint64_t slabs_free = 0;  ///< without records, those still read included
  uint64_t slab_bytes = 0;
  uint64_t pins = 0;  ///< held just now
  uint64_t puts = 0;
  uint64_t puts_refused = 0;  ///< by the purge fence, or older than what is there
  uint64_t puts_no_room = 0;
  RingStats probation;
  RingStats main;
  uint64_t put_bytes = 0;       ///< of records that were put
  uint64_t survivor_bytes = 0;  ///< of records that were copied out of a slab before it was emptied
  uint64_t promoted = 0;        ///< records that went from probation to main, since they were used
  uint64_t second_laps = 0;     ///< records that went to main without a use
  uint64_t ghost_hits = 0;      ///< records that began in main, since they had left not long ago
  uint64_t evicted = 0;         ///< entries dropped by recycling
  uint64_t corrupt = 0;         ///< records dropped at a failed checksum
  uint64_t cooled = 0;          ///< records whose pages left memory: verified again when used
  uint64_t scrubbed_bytes = 0;  ///< read to find such records before anybody asks for them
  uint64_t poisoned = 0;        ///< slabs dropped after a bad page
  uint64_t purges = 0;          ///< and erasures
  uint64_t purged_lazily = 0;   ///< records that tags, prefixes and everything took or made stale
  uint64_t recovered = 0;       ///< entries found at open
  bool journal_bad = false;
  bool failed = false;  ///< nothing is stored any more; the node goes on as a proxy
};

/// Told about what cannot be a return value. Called from any thread; must not call back into the
/// store.
class StoreObserver {
 public:
  virtual ~StoreObserver() = default;
  /// Something an operator should know; one sentence.
  virtual void on_store_event(std::string_view sentence) = 0;
};

/// Bounds one maintenance step.
struct StepBudget {
  uint64_t bytes = base::limits::kReclaimStepBytes;  ///< copied
  int64_t wall_ms = 0;                               ///< now
};

/// The verbs. Which thread may call what is said at each.
class Store {
 public:
  /// Opens or creates the file, takes its lock and recovers the index. Blocking; at start only.
  /// Errors: kInvalid (size too small), kNoSpace, kIo, kForbidden (locked), kUnsupported.
  static base::Result<std::unique_ptr<Store>> open(const StoreOptions& options, StoreIo& io,
                                                   StoreObserver& observer, int64_t wall_ms);
  virtual ~Store() = default;

  /// Any thread.
  virtual Digest digest(std::string_view key) const = 0;
  /// Loop. One shard lock, no copy, no system call, no allocation.
  virtual Found lookup(const Digest& digest, std::string_view key, SlotMask accepted) = 0;
  /// Any thread. The same for who is not a client: it counts no use.
  virtual Found peek(const Digest& digest, std::string_view key, SlotMask accepted) = 0;
  /// Loop. The Pin that reading a parked record goes on under: of its slab if that was not used
  /// again, else of the one that holds the same record by now; `parked` then says where. Empty: it
  /// is gone.
  virtual Pin resume(ParkedRecord& parked) = 0;
  /// Pool. Verifies what lookup found cold, and all codings accepted; afterwards look up again.
  virtual void warm(const Digest& digest, std::string_view key, SlotMask accepted) = 0;
  /// Pool. A Vary spec that equals the present one is not stored again: the present one is
  /// returned, and its rid goes on naming the variants. Everything else is appended and published,
  /// stale when a soft purge came after the ticket (a variant is refused then). Readers may go on
  /// from what is returned: `vary` for a Vary spec, `coded` for a coding, else `head`. Errors:
  /// kNoSpace (no slab free now, or too large), kCancelled (fenced by a purge or an erase, or asked
  /// for earlier than what is there; of what replaces: that is not there any more),
  /// kIo.
  virtual base::Result<Found> put(const Draft& draft) = 0;

  // Whoever reads a kShell needs a coding of its rid, and any of them may be missing.

  // An object that is longer than a record may be is a kHead, which put() takes and lookup() finds,
  // and fragments under its rid. Any of them may be missing: whoever reads finds out.

  /// Any thread; takes the lock of the slabs. A rid for an object whose fragments are put before
  /// its head.
  virtual uint64_t draw_rid() = 0;
  /// Loop. As lookup(): kMiss; kHit, with the fragment in `head`; kCold: warm_fragment(), then
  /// again.
  virtual Found lookup_fragment(const FragmentId& id) = 0;
  /// Any thread. The same for who is not a client: it counts no use.
  virtual Found peek_fragment(const FragmentId& id) = 0;
  /// Any thread. It is there, verified or not. Counts no use of it.
  virtual bool has_fragment(const FragmentId& id) = 0;
  /// Pool. As warm().
  virtual void warm_fragment(const FragmentId& id) = 0;
  /// Pool. Replaces the fragment of this id. Errors as put(), but neither a soft purge nor what was
  /// asked for later fences it.
  virtual base::Result<Found> put_fragment(const FragmentDraft& draft) = 0;
  /// What each fragment holds but an object's last one: four fill a slab.
  virtual uint64_t fragment_bytes() const = 0;
  /// The longest body that is kept in fragments: an eighth of all slabs, in whole fragments.
  virtual uint64_t max_fragmented_bytes() const = 0;

  /// Any thread. Says that a response for the URL `base` is on its way, and draws its ticket in one
  /// step with that: an erase in between would count for a response that was asked for after it.
  [[nodiscard]] virtual Awaited await(const Digest& base) = 0;
  /// Loop or pool. Removes the URL with all its slots and variants from memory at once, and fences
  /// the responses for it that are on their way; commit() writes the entry. 0: nothing was there or
  /// awaited, and nothing is remembered or still to be written of it.
  virtual int erase(const Digest& digest) = 0;
  /// Loop or pool. In force at once; durable after commit().
  virtual PurgeResult purge(const Predicate& predicate) = 0;
  /// Any thread. How many records a purge of a tag, of a prefix or of everything removed or made
  /// stale: objects, heads and Vary specs, but no fragments, which go with their heads. A record
  /// that several purges concern counts for one of them. Nothing: the sweep has not passed yet, or
  /// limits::kPurgesCounted purges came since, or it was another run's.
  virtual std::optional<uint64_t> swept(uint64_t seq) const = 0;
  /// Pool. Writes queued purge entries up to `seq` durably; purges that wait share one write.
  virtual base::Status commit(uint64_t seq) = 0;
  /// Any thread, cheap.
  virtual Ticket ticket() const = 0;
  /// Any thread. True when a hard or soft purge of this URL, or an erase, came after the ticket.
  /// `url_key`: the text of its key. A response that is on its way has tags that nobody knows yet:
  /// so any purge by tag since the ticket is one.
  virtual bool purged_since(const Digest& digest, std::string_view url_key,
                            Ticket ticket) const = 0;
  /// Pool. One step of reclaim, sync, journal, sweep, scrubbing, and of the look at which pages are
  /// in memory; false when nothing is left to do now but for what keeps a pace of its own.
  virtual bool maintain(const StepBudget& budget) = 0;
  /// Pool, beside maintain(). One paced step of verifying what the start found, so that it is not
  /// cold when somebody asks; false when nothing is left to do.
  virtual bool warm_ahead(int64_t wall_ms) = 0;
  /// True when bytes of this slab cannot be trusted any more (a page went bad under a reader).
  /// Loop; asked after what was read was used and before it leaves.
  virtual bool poisoned(const Pin& pin) const = 0;

  /// Any thread. Puts find no slab because readers hold them: who is blocked lets go of its own at
  /// once.
  virtual bool is_crowded() const = 0;
  /// Any thread. More than half of the slabs are in use: what can be made again need not be kept.
  virtual bool is_short() const = 0;
  /// The descriptor for sendfile, and whether its pages may be lent to sockets (FORMAT.md).
  virtual int fd() const = 0;
  virtual bool can_lend_pages() const = 0;
  /// The largest body put() takes, with a head of 64 KiB.
  virtual uint64_t max_object_bytes() const = 0;
  virtual StoreStats stats() const = 0;
  /// A number that names this store file: the same at each open, another one for a copy of the
  /// file. No secret. Any thread.
  virtual uint64_t identity() const = 0;
};

}  // namespace perigee::cache_store
