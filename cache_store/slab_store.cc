#include "cache_store/slab_store.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "cache_store/fragment_key.h"
#include "cache_store/record.h"

namespace perigee::cache_store {

using base::Done;
using base::Error;
using base::ErrorCode;
using base::Status;

namespace {

bool is_same_spec(const Draft& draft, const RecordView& present) {
  std::span<const std::byte> left = present.body;
  for (const auto& piece : draft.body) {
    if (piece.size() > left.size() || !std::equal(piece.begin(), piece.end(), left.begin())) {
      return false;
    }
    left = left.subspan(piece.size());
  }
  return draft.kind == RecordKind::kVarySpec && left.empty();
}

/// Why what the file holds may have been purged for all we know; null: it was not.
/// `newest_epoch` is that of slabs and journal. `journal_is_whole`: no purge that was durable once
/// is missing in it.
const char* doubt_about(const format::Superblock& found, const FileFacts& facts,
                        uint64_t newest_epoch, bool journal_is_whole) {
  if (found.inode != facts.inode || found.birth_ns != facts.birth_ns) {
    return "the store file was copied";
  }
  if (newest_epoch > found.epoch) return "the store file's superblock is an old one";
  if (!journal_is_whole) return "the store's purge journal is damaged";
  if (found.journal_bad != 0) return "the last purges could not be written";
  return nullptr;
}

}  // namespace

base::Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, StoreIo& io,
                                                 StoreObserver& observer, int64_t wall_ms) {
  if (options.probation_percent == 0 ||
      options.probation_percent > base::limits::kProbationPercentMost) {
    return Error{ErrorCode::kInvalid, 0, "probation takes 1 to 90 percent of the store"};
  }
  const base::Result<FileFacts> facts = io.open(options.path);
  if (!facts.ok()) return facts.error();
  auto superblocks = std::make_unique<Superblocks>(io, observer);
  const base::Result<OpenedSize> size = superblocks->adopt_or_create(options, *facts);
  if (!size.ok()) return size.error();
  const base::Result<const std::byte*> map = io.map(size->geometry.file_bytes());
  if (!map.ok()) return map.error();
  const Status locked = options.lock_memory ? io.lock_memory() : Status(Done{});
  if (!locked.ok()) return locked.error();
  const MappedFile file{size->geometry, *map, std::to_array(superblocks->current().uuid)};
  auto store = std::make_unique<SlabStore>(io, observer, std::move(superblocks), file, options);
  const Status status = store->start(*facts, size->slabs_found, wall_ms);
  if (!status.ok()) return status.error();
  return std::unique_ptr<Store>(std::move(store));
}

SlabStore::SlabStore(StoreIo& io, StoreObserver& observer, std::unique_ptr<Superblocks> superblocks,
                     const MappedFile& file, const StoreOptions& options)
    : io_(io),
      health_(observer),
      superblocks_(std::move(superblocks)),
      secret_(superblocks_->current()),
      purges_(io, file.geometry.journal_bytes),
      slabs_(io, health_, file),
      recovery_(io, file.geometry, {file.uuid, secret_}),
      reader_(io, slabs_, secret_),
      writer_(io, secret_, health_, file.geometry),
      reclaimer_({index_, purges_, slabs_, recovery_, reader_, writer_, health_},
                 options.probation_percent),
      journal_keeper_(purges_, slabs_, *superblocks_, health_),
      syncer_(io, slabs_, reclaimer_, health_),
      bad_(index_, purges_, health_),
      scrubber_({io, recovery_, slabs_, index_, reader_, bad_}),
      residency_({io, recovery_, slabs_, index_}, options.memory_bytes),
      verifier_(reader_, index_, bad_, residency_),
      warmer_({recovery_, slabs_, index_, verifier_}, options.memory_bytes),
      sweeper_({recovery_, slabs_, index_, reader_, purges_, bad_}) {}

SlabStore::~SlabStore() {
  // What was purged or erased must not come back, however the process ends.
  if (purges_.has_begun() && !commit(purges_.newest()).ok()) {
    health_.tell("the last purges are not durable");
  }
}

/// The epoch is raised and synced before the first write, so that no generation, seq or purge seq
/// is used twice.
Status SlabStore::start(const FileFacts& facts, uint64_t slabs_found, int64_t wall_ms) {
  if (!slabs_.guard()) {
    return Error{ErrorCode::kUnsupported, 0, "the store's pages cannot be guarded"};
  }
  const format::Superblock found = superblocks_->current();
  PurgeJournal::Loaded journal =
      purges_.load({found.journal_half, found.journal_generation, found.journal_seq, 0,
                    (found.incompat & format::kPredicateUnits) != 0});
  ScannedFile file = scan(slabs_found);
  const Shrunk shrunk = take_slabs_beyond(slabs_.geometry().slab_count, file);
  {
    const base::MutexLock lock(slabs_.mutex());
    if (slabs_found > slabs_.count()) slabs_.note_left(shrunk.lowest_purge_seq);
    for (const ScannedFile::Slab& slab : file.slabs) {
      slabs_.adopt_sealed(slab.number, slab.ring, slab.contents);
    }
    for (const uint32_t slab : file.empty) slabs_.adopt_empty(slab);
  }
  const bool journal_is_whole = !journal.damaged && file.journal_seq <= purges_.durable_seq();
  // A journal that is newer than the superblock holds numbers that must not be drawn again.
  const uint64_t newest_epoch =
      std::max(file.newest_epoch, purges_.durable_seq() >> format::kEpochShift);
  const char* doubt = doubt_about(found, facts, newest_epoch, journal_is_whole);
  if (doubt != nullptr) {
    health_.tell(std::string(doubt) + ": what it holds is confirmed with the origin");
  }
  const uint64_t epoch = superblocks_->begin_epoch(newest_epoch, facts);
  slabs_.begin_epoch(epoch);
  purges_.begin(epoch << format::kEpochShift, doubt != nullptr, journal.entries);
  Status written = journal_keeper_.begin();
  if (written.ok() && slabs_found > slabs_.count()) {
    written = cut(shrunk, journal.entries);
    if (written.ok()) health_.tell("the store is smaller than it was: what lay at its end is gone");
  }
  const Status synced = written.ok() ? io_.sync() : written;
  if (!synced.ok()) return synced;
  syncer_.begin(wall_ms);
  scrubber_.begin(wall_ms);
  residency_.begin(wall_ms);
  warmer_.begin(file.slabs, wall_ms);
  reclaimer_.set_time(wall_ms);
  publish_scanned(file, {std::move(journal.entries),
                         {superblocks_->current().stale_floor, purges_.kill_floor()}});
  sweeper_.begin(purges_.checked_at_start() != PredicateTable::kUntested);
  slabs_.probe_lending();
  return Done{};
}

/// All slabs of the file, those too that are about to go.
ScannedFile SlabStore::scan(uint64_t slab_count) const {
  Geometry found = slabs_.geometry();
  CHECK(slab_count >= found.slab_count);
  found.slab_count = slab_count;
  return Recovery(io_, found, {std::to_array(superblocks_->current().uuid), secret_}).scan();
}

/// Ends the slabs at the end of the file. First what must not come back is durably erased, then
/// they go: a crash in between leaves them, and the next start does it again.
Status SlabStore::cut(const Shrunk& shrunk, std::vector<PurgeJournal::Entry>& purges) {
  for (const Digest& digest : shrunk.outdated) {
    purges_.drop(digest);
    purges.push_back({.seq = purges_.newest(), .digest = digest, .erasure = true});
  }
  const Status erased = commit(purges_.newest());
  return erased.ok() ? superblocks_->cut(slabs_.geometry()) : erased;
}

/// In the order of their seq, so that the highest of a key wins and takes out the slots it
/// excludes. Nothing is known of how they were used: as if each was once.
void SlabStore::publish_scanned(const ScannedFile& file, const PurgeHistory& history) {
  index_.reserve(file.records.size());
  const ScannedFile::Record* before = nullptr;
  for (const ScannedFile::Record& record : file.records) {
    const format::TableEntry& entry = record.entry;
    const bool copy = before != nullptr && before->entry.seq == entry.seq;
    before = &record;
    Fate fate = history.fate_of(entry);
    if (copy && !is_good(record)) continue;
    if (fate.gone) {
      // An older version may have a higher purge seq than this one, if it was copied meanwhile.
      index_.erase({entry.digest_lo, entry.digest_hi}, [](bool) {});
      continue;
    }
    fate.stale.checked = purges_.checked_at_start();
    index_.insert({{entry.digest_lo, entry.digest_hi}, entry.slot},
                  {{record.slab, entry.offset64, entry.length64}, record.ring, false, 1},
                  [&]() -> std::optional<Staleness> { return fate.stale; });
  }
  recovered_ = index_.size();
}

/// Of a copy whose original is still there: it may not have reached the disk before a power cut.
/// There are as many as one slab holds, and few more.
bool SlabStore::is_good(const ScannedFile::Record& copy) const {
  const format::TableEntry& entry = copy.entry;
  std::vector<std::byte> bytes;
  return reader_.check({copy.slab, entry.offset64, entry.length64},
                       {{entry.digest_lo, entry.digest_hi}, entry.slot},
                       bytes) == RecordReader::Condition::kGood;
}

/// Views a verified entry with its pin; `out` stays empty when there is nothing to serve.
bool SlabStore::view(IndexEntry& entry, std::string_view key,
                     std::optional<RecordView>& out) const {
  if (!reader_.view(entry.location, key, out.emplace())) {
    out.reset();
    return false;
  }
  out->stale_since_ms = int64_t{entry.stale.since_s} * 1000;
  out->stale_seq = entry.stale.seq;
  out->pin = std::move(entry.pin);
  return true;
}

template <Index::Uses kUses>
Found SlabStore::find(const Digest& digest, std::string_view key, SlotMask accepted) {
  Found found;
  found.digest = digest;
  IndexMatches matches = index_.find<kUses>(
      digest, accepted, [&](const Location& location) { return slabs_.pin(location.slab); });
  if (!matches.head || matches.head->pin.is_poisoned()) return found;
  const bool coded = matches.coded && !matches.coded->pin.is_poisoned();
  if (!matches.head->verified || (coded && !matches.coded->verified)) {
    found.state = Found::kCold;
    return found;
  }
  const bool spec = matches.head->slot == kVarySlot;
  std::optional<RecordView>& place = spec ? found.vary : found.head;
  if (!view(*matches.head, key, place)) return found;
  if (place->kind == RecordKind::kFragment) {
    place.reset();
    return found;
  }
  if (matches.head->stale.checked != purges_.stamp()) [[unlikely]] {
    if (!settle(digest, *matches.head, *place)) {
      place.reset();
      return found;
    }
  }
  found.state = spec ? Found::kVary : Found::kHit;
  if (!coded || view_coded(digest, *matches.coded, key, found)) return found;
  // The next one may be good. Each look takes one out of the index.
  return find<Index::Uses::kIgnored>(digest, key, accepted);
}

template Found SlabStore::find<Index::Uses::kCounted>(const Digest&, std::string_view, SlotMask);
template Found SlabStore::find<Index::Uses::kIgnored>(const Digest&, std::string_view, SlotMask);

/// False: it is of another version of the object, or cannot be read, and leaves the index.
bool SlabStore::view_coded(const Digest& digest, IndexEntry& entry, std::string_view key,
                           Found& found) {
  const Slot slot = entry.slot;
  const Location location = entry.location;
  const bool live = view(entry, key, found.coded) && found.coded->kind == RecordKind::kCoded &&
                    found.coded->rid == found.head->rid;
  if (live) return true;
  found.coded.reset();
  return !index_.erase_if({digest, slot}, location, [](bool) {});
}

Pin SlabStore::resume(ParkedRecord& parked) {
  if (Pin pin = slabs_.pin_again(parked.slab, parked.life)) return pin;
  std::optional<IndexEntry> entry =
      index_.find_one({parked.digest, parked.slot},
                      [&](const Location& location) { return slabs_.pin(location.slab); });
  if (!entry || !entry->verified || entry->pin.is_poisoned()) return {};
  const std::byte* body = reader_.body_of(entry->location, parked);
  if (body == nullptr) return {};
  parked.slab = entry->pin.slab();
  parked.life = entry->pin.life();
  parked.body_offset =
      slabs_.offset_of(entry->location) + static_cast<uint64_t>(body - slabs_.at(entry->location));
  parked.body = body;
  return std::move(entry->pin);
}

/// A purge by tag, prefix or of everything came since the entry was tested. False: one took the
/// record. What depends on it, codings and fragments, is out of reach with it.
bool SlabStore::settle(const Digest& digest, const IndexEntry& entry, RecordView& record) {
  const FiledSubject subject = reader_.filed(entry.location, record);
  const Fate fate =
      purges_.settle(index_, {digest, entry.slot}, entry.location, entry.stale.checked, subject);
  const int64_t since_ms = int64_t{fate.stale.since_s} * 1000;
  const bool earlier = record.stale_since_ms == 0 || since_ms < record.stale_since_ms;
  if (since_ms != 0 && earlier) record.stale_since_ms = since_ms;
  // What was tested may have been a zero page.
  return !fate.gone && !record.pin.is_poisoned();
}

/// All codings that are accepted: which of them is looked up next is not known.
void SlabStore::warm(const Digest& digest, std::string_view, SlotMask accepted) {
  const auto pin = [&](const Location& location) { return slabs_.pin(location.slab); };
  if (const auto head = index_.peek(digest, pin)) verifier_.verify(digest, *head);
  for (Slot slot = 0; slot <= kVarySlot; ++slot) {
    if (!is_coded_slot(slot) || (accepted >> slot & 1) == 0) continue;
    if (const auto coded = index_.find_one({digest, slot}, pin)) verifier_.verify(digest, *coded);
  }
}

template <Index::Uses kUses>
Found SlabStore::find_fragment(const FragmentId& id) {
  const FragmentKey key(id);
  Found found;
  found.digest = digest(key.text());
  IndexMatches matches = index_.find<kUses>(
      found.digest, 0, [&](const Location& location) { return slabs_.pin(location.slab); });
  if (!matches.head || matches.head->pin.is_poisoned()) return found;
  if (!matches.head->verified) {
    found.state = Found::kCold;
    return found;
  }
  if (!view(*matches.head, key.text(), found.head)) return found;
  if (found.head->kind != RecordKind::kFragment || found.head->rid != id.rid) {
    found.head.reset();
    return found;
  }
  found.state = Found::kHit;
  return found;
}

template Found SlabStore::find_fragment<Index::Uses::kCounted>(const FragmentId&);
template Found SlabStore::find_fragment<Index::Uses::kIgnored>(const FragmentId&);

bool SlabStore::has_fragment(const FragmentId& id) {
  const FragmentKey key(id);
  return index_.peek(digest(key.text()), [](const Location&) { return Pin(); }).has_value();
}

void SlabStore::warm_fragment(const FragmentId& id) {
  const FragmentKey key(id);
  warm(digest(key.text()), key.text(), 0);
}

uint64_t SlabStore::draw_rid() {
  const base::MutexLock lock(slabs_.mutex());
  return slabs_.draw_number();
}

base::Result<Found> SlabStore::put(const Draft& draft) {
  CHECK(draft.kind != RecordKind::kFragment);
  return store(draft);
}

base::Result<Found> SlabStore::put_fragment(const FragmentDraft& fragment) {
  if (fragment.id.number >= max_fragmented_bytes() / fragment_bytes()) {
    return Error{ErrorCode::kNoSpace, 0, "behind the end of what is kept in fragments"};
  }
  const FragmentKey key(fragment.id);
  Draft draft;
  draft.kind = RecordKind::kFragment;
  draft.rid = fragment.id.rid;
  draft.key = key.text();
  draft.base = fragment.base;
  draft.body = fragment.body;
  draft.ticket = fragment.ticket;
  return store(draft);
}

/// What put() and put_fragment() have in common.
base::Result<Found> SlabStore::store(const Draft& draft) {
  const Status fit = writer_.check(draft);
  if (!fit.ok()) return fit.error();
  const Digest key_digest = digest(draft.key);
  const PurgeSubject subject{
      draft.base, draft.ticket, draft.slot, !(draft.base == key_digest), is_dependent(draft.kind),
      draft.key,  draft.tags};
  if (purges_.fate_of(subject).gone) return refuse("purged since the fetch began");
  RecordWriter::Image image = writer_.make_image(draft, key_digest);
  for (size_t step = 0; step < base::limits::kReclaimSteps; ++step) {
    std::optional<base::Result<Found>> stored = store_now(draft, subject, image);
    if (stored) return std::move(*stored);
    if (reclaim(slabs_.geometry().slab_bytes) == Reclaimer::Progress::kStuck) break;
  }
  puts_no_room_.fetch_add(1, std::memory_order_relaxed);
  return Error{ErrorCode::kNoSpace, 0, "no slab is free"};
}

/// Nothing: no slab is free.
std::optional<base::Result<Found>> SlabStore::store_now(const Draft& draft,
                                                        const PurgeSubject& subject,
                                                        RecordWriter::Image& image) {
  const Digest key_digest{image.header.digest_lo, image.header.digest_hi};
  // Held until the entry stands: a slab is emptied under it, and must not miss this record.
  const base::MutexLock lock(slabs_.mutex());
  short_.store(slabs_.empty_count() * 2 < slabs_.count(), std::memory_order_relaxed);
  if (draft.replaces || draft.kind == RecordKind::kCoded) {
    const Found object = present_under(key_digest, draft.key);
    if (!object.head || object.head->rid != draft.rid) return refuse("its object is gone");
  }
  // Of one fragment all that is ever put is the same, and all codings of one rid are good.
  if (!subject.dependent) {
    // Not pinned any longer than this: its slab may be the one to make room.
    Found present = present_under(key_digest, draft.key);
    if (present.vary && is_same_spec(draft, *present.vary)) return present;
    // Refused before it is written: the file order goes on saying which one is the newest.
    const RecordView* record = present.vary   ? &*present.vary
                               : present.head ? &*present.head
                                              : nullptr;
    const bool older = record != nullptr && draft.ticket.fetch_seq < record->ticket.fetch_seq;
    if (older) return refuse("a response that was asked for later is there");
  }
  const Ring ring = reclaimer_.ring_for(slabs_, draft.kind, key_digest);
  if (!reclaimer_.has_room(slabs_, ring, image.layout.end)) return std::nullopt;
  const Status room = reclaimer_.make_room(slabs_, ring, image.layout.end);
  if (!room.ok()) return room.error();
  const base::Result<Location> location = writer_.append(slabs_, ring, draft, image);
  if (!location.ok()) return location.error();
  return publish(draft, subject, *location);
}

/// One step. Not under the lock of the slabs.
Reclaimer::Progress SlabStore::reclaim(uint64_t bytes) {
  const Reclaimer::Progress progress = reclaimer_.step(bytes);
  if (progress == Reclaimer::Progress::kSync) syncer_.sync();
  return progress;
}

/// What a put would replace, if it is good and of this run; a Vary spec of any run. Only puts bring
/// something there, and they have the lock.
Found SlabStore::present_under(const Digest& digest, std::string_view key) {
  Found found;
  found.digest = digest;
  std::optional<IndexEntry> entry =
      index_.peek(digest, [&](const Location& location) { return slabs_.pin(location.slab); });
  if (!entry || entry->pin.is_poisoned()) return found;
  const bool spec = entry->slot == kVarySlot;
  const bool readable =
      entry->verified || (spec && reader_.verify(entry->location, {digest, entry->slot}) ==
                                      RecordReader::Condition::kGood);
  std::optional<RecordView>& place = spec ? found.vary : found.head;
  if (!readable || !view(*entry, key, place)) return found;
  // A purge may have taken it, and its pages may have gone bad while they were read.
  const bool tested = entry->stale.checked == purges_.stamp() || settle(digest, *entry, *place);
  if (!tested || place->pin.is_poisoned()) {
    place.reset();
    return found;
  }
  found.state = spec ? Found::kVary : Found::kHit;
  return found;
}

/// The Pin and the view let readers go on from what was just written.
base::Result<Found> SlabStore::publish(const Draft& draft, const PurgeSubject& subject,
                                       const Location& location) {
  Found found;
  found.digest = digest(draft.key);
  const Ring ring = slabs_.info(location.slab).ring;
  Pin pin = slabs_.pin(location.slab);
  // The pages were just written, so this is quick.
  reader_.touch(location);
  RecordView record;
  if (!reader_.view(location, draft.key, record) || pin.is_poisoned()) {
    return Error{ErrorCode::kIo, 0, "what was written cannot be read"};
  }
  Fate fate;
  const bool published = index_.insert({found.digest, draft.slot}, {location, ring},
                                       [&]() -> std::optional<Staleness> {
                                         fate = purges_.fate_of(subject);
                                         if (fate.gone) return std::nullopt;
                                         return fate.stale;
                                       });
  if (!published) return refuse("purged since the fetch began");
  residency_.note_verified(location.slab);
  reclaimer_.note_stored(found.digest);
  puts_.fetch_add(1, std::memory_order_relaxed);
  put_bytes_.fetch_add(location.bytes(), std::memory_order_relaxed);
  record.stale_since_ms = int64_t{fate.stale.since_s} * 1000;
  record.pin = std::move(pin);
  const bool spec = draft.slot == kVarySlot;
  const bool coded = draft.kind == RecordKind::kCoded;
  found.state = spec ? Found::kVary : Found::kHit;
  (spec ? found.vary : coded ? found.coded : found.head) = std::move(record);
  return found;
}

Error SlabStore::refuse(std::string_view why) {
  puts_refused_.fetch_add(1, std::memory_order_relaxed);
  return {ErrorCode::kCancelled, 0, std::string(why)};
}

int SlabStore::erase(const Digest& digest) {
  bool remembered = false;
  index_.erase(digest, [&](bool stored) { remembered = purges_.erase(digest, stored); });
  return remembered ? 1 : 0;
}

/// See PurgeLog::stamps_run_out(). Once in 2^30 purges and erasures.
void SlabStore::renew_stamps() {
  index_.set_all_checked(PredicateTable::kUntested);
  purges_.begin_stamps();
  const uint64_t begun = purges_.newest_predicate();
  index_.set_all_checked(PredicateTable::kUntested);
  purges_.note_checked(begun);
}

PurgeResult SlabStore::purge(const Predicate& predicate) {
  PurgeResult result;
  if (predicate.kind != PredicateKind::kKey) {
    const base::MutexLock lock(predicate_mutex_);
    if (purges_.stamps_run_out()) renew_stamps();
    result.seq = purges_.purge(predicate);
    return result;
  }
  const auto fence = [&] { return result.seq = purges_.purge(predicate); };
  const bool matched =
      predicate.soft ? index_.make_stale(predicate.digest, seconds_up(predicate.wall_ms), fence)
                     : index_.erase(predicate.digest, [&](bool) { fence(); });
  result.matched = matched ? 1 : 0;
  return result;
}

/// Somebody may have cut the file short: what is missing reads as zeros.
void SlabStore::check_length() {
  const base::Result<uint64_t> size = io_.size();
  if (size.ok() && *size >= slabs_.geometry().file_bytes()) return;
  if (health_.end_storing()) {
    health_.tell(size.ok() ? "the store file was cut short: nothing is stored any more"
                           : size.error().message);
  }
  if (size.ok()) slabs_.poison_beyond(*size);
}

bool SlabStore::maintain(const StepBudget& budget) {
  const Status committed = commit(purges_.newest());
  reclaimer_.set_time(budget.wall_ms);
  syncer_.step(budget.wall_ms);
  check_length();
  {
    const base::MutexLock lock(slabs_.mutex());
    reclaimer_.drop_poisoned(slabs_);
  }
  journal_keeper_.tidy(committed);
  sweeper_.step(budget);
  // Before the scrubber reads, since that brings pages in for a while.
  residency_.step(budget.wall_ms);
  scrubber_.step(budget);
  const Reclaimer::Progress progress = reclaim(budget.bytes);
  return progress == Reclaimer::Progress::kMore || progress == Reclaimer::Progress::kSync;
}

StoreStats SlabStore::stats() const {
  StoreStats stats;
  stats.objects = index_.size();
  stats.index_bytes = index_.memory_bytes();
  stats.slabs = slabs_.geometry().slab_count;
  stats.slab_bytes = slabs_.geometry().slab_bytes;
  {
    const base::MutexLock lock(slabs_.mutex());
    stats.slabs_free = slabs_.empty_count();
  }
  stats.pins = slabs_.pins();
  stats.puts = puts_.load(std::memory_order_relaxed);
  stats.puts_refused = puts_refused_.load(std::memory_order_relaxed);
  stats.puts_no_room = puts_no_room_.load(std::memory_order_relaxed);
  stats.put_bytes = put_bytes_.load(std::memory_order_relaxed);
  stats.corrupt = bad_.count();
  stats.cooled = residency_.cooled();
  stats.scrubbed_bytes = scrubber_.bytes();
  reclaimer_.add_to(stats);
  stats.purges = purges_.count();
  stats.purged_lazily = purges_.matches().sum();
  stats.recovered = recovered_;
  stats.journal_bad = purges_.bad();
  stats.failed = health_.failed();
  return stats;
}

}  // namespace perigee::cache_store
