#include "tests/fault/cache_store/history.h"

#include <algorithm>
#include <cstring>

namespace perigee::cache_store {

namespace {

/// Bytes that follow from a number and tell it from every other.
std::vector<std::byte> stream(uint64_t seed, size_t size) {
  std::vector<std::byte> bytes(size);
  uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
  for (size_t at = 0; at < size; at += 8) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    const uint64_t word = state * 0x2545f4914f6cdd1dull;
    std::memcpy(bytes.data() + at, &word, std::min<size_t>(8, size - at));
  }
  return bytes;
}

/// Verified, where that can be done.
Found look_up(Store& store, std::string_view key, SlotMask codings) {
  const Digest digest = store.digest(key);
  Found found = store.lookup(digest, key, codings);
  if (found.state != Found::kCold) return found;
  found = {};
  store.warm(digest, key, codings);
  return store.lookup(digest, key, codings);
}

/// Of a coding: all but its body.
Draft coding_draft(std::string_view key, const Digest& base, uint64_t rid, Slot slot,
                   const Ticket& ticket) {
  Draft draft;
  draft.kind = RecordKind::kCoded;
  draft.slot = slot;
  draft.rid = rid;
  draft.key = key;
  draft.base = base;
  draft.ticket = ticket;
  return draft;
}

}  // namespace

std::string describe(const Sight& sight) {
  static constexpr const char* kWords[] = {"nothing", "object", "long", "vary", "WRONG"};
  return std::string(kWords[sight.what]) + " v" + std::to_string(sight.version) + " stale " +
         std::to_string(sight.stale_since_ms) + " fragments " + std::to_string(sight.fragments);
}

Version& History::begin(std::string_view key) {
  Version& version = versions_.emplace_back();
  version.number = version.body_of = versions_.size();
  version.key = key;
  return version;
}

const Version* History::find(uint64_t number) const {
  return number == 0 || number > versions_.size() ? nullptr : &versions_[number - 1];
}

std::vector<std::byte> History::head_of(const Version& version) const {
  std::vector<std::byte> head = stream(version.number, version.head_bytes);
  std::memcpy(head.data(), &version.number, sizeof version.number);
  return head;
}

std::vector<std::byte> History::body_of(const Version& version) const {
  return stream(~version.body_of, version.body_bytes);
}

bool History::put(Store& store, const Version& version, Draft draft) const {
  const std::vector<std::byte> head = head_of(version);
  const std::vector<std::byte> body = body_of(version);
  const std::span<const std::byte> piece(body);
  draft.kind = version.kind;
  draft.slot = version.kind == RecordKind::kVarySpec ? kVarySlot : kHeadSlot;
  draft.key = version.key;
  draft.base = store.digest(version.key);
  draft.head = head;
  draft.body = {&piece, 1};
  return store.put(draft).ok();
}

std::span<const std::byte> History::fragment_of(std::span<const std::byte> body, const Store& store,
                                                uint64_t number) {
  const std::span<const std::byte> left = body.subspan(number * store.fragment_bytes());
  return left.first(std::min<uint64_t>(store.fragment_bytes(), left.size()));
}

/// False: one of them is wrong.
bool History::look_at_fragments(Store& store, const Version& version, Sight& sight) const {
  const std::vector<std::byte> body = body_of(version);
  for (uint64_t number = 0; number * store.fragment_bytes() < body.size(); ++number) {
    const FragmentId id{version.rid, number};
    Found found = store.lookup_fragment(id);
    if (found.state == Found::kCold) {
      store.warm_fragment(id);
      found = store.lookup_fragment(id);
    }
    if (found.state != Found::kHit) continue;
    const RecordView& record = *found.head;
    const bool same = record.kind == RecordKind::kFragment && record.rid == id.rid &&
                      record.stale_since_ms == 0 &&
                      std::ranges::equal(record.body, fragment_of(body, store, number));
    if (store.poisoned(record.pin)) continue;
    if (!same) return false;
    sight.fragments |= uint64_t{1} << number;
  }
  return true;
}

std::vector<std::byte> History::coding_of(uint64_t rid, Slot slot) {
  return stream(rid * 8 + slot, 16 + rid * slot % 300);
}

base::Result<Found> History::put_coding(Store& store, std::string_view key, const Digest& base,
                                        uint64_t rid, Slot slot, const Ticket& ticket) {
  const std::vector<std::byte> body = coding_of(rid, slot);
  const std::span<const std::byte> piece(body);
  Draft draft = coding_draft(key, base, rid, slot, ticket);
  draft.head = piece.first(1);
  draft.body = {&piece, 1};
  return store.put(draft);
}

FragmentId History::coding_fragment(uint64_t rid, Slot slot, uint64_t number) {
  return {rid, number, rid * 8 + slot};
}

std::vector<std::byte> History::long_coding_of(const Store& store, uint64_t rid, Slot slot) {
  return stream(rid * 8 + slot, store.fragment_bytes() + 16 + rid * slot % 300);
}

base::Result<Found> History::put_long_coding(Store& store, std::string_view key, const Digest& base,
                                             uint64_t rid, Slot slot, const Ticket& ticket) {
  const std::vector<std::byte> body = long_coding_of(store, rid, slot);
  for (uint64_t number = 0; number < 2; ++number) {
    const std::span<const std::byte> piece = fragment_of(body, store, number);
    base::Result<Found> put =
        store.put_fragment({coding_fragment(rid, slot, number), base, ticket, {&piece, 1}});
    if (!put.ok()) return put;
  }
  Draft draft = coding_draft(key, base, rid, slot, ticket);
  draft.whole_length = body.size();
  return store.put(draft);
}

bool History::is_long_coding(Store& store, const RecordView& coded) {
  const std::vector<std::byte> body = long_coding_of(store, coded.rid, coded.slot);
  if (coded.whole_length != body.size()) return false;
  for (uint64_t number = 0; number < 2; ++number) {
    const FragmentId id = coding_fragment(coded.rid, coded.slot, number);
    store.warm_fragment(id);
    const Found found = store.peek_fragment(id);
    if (found.state != Found::kHit || store.poisoned(found.head->pin)) continue;
    if (!std::ranges::equal(found.head->body, fragment_of(body, store, number))) return false;
  }
  return true;
}

base::Result<Found> History::put_shell(Store& store, Draft draft, uint64_t body_bytes) {
  draft.kind = RecordKind::kShell;
  draft.replaces = true;
  draft.whole_length = body_bytes;
  draft.body = {};
  return store.put(draft);
}

/// False: one of them is wrong.
bool History::look_at_codings(Store& store, std::string_view key, const RecordView& object,
                              Sight& sight) {
  for (Slot slot = 1; slot <= 4; ++slot) {
    const auto mask = static_cast<SlotMask>(1u << slot);
    Found found = look_up(store, key, mask);
    if (!found.coded) continue;
    const RecordView& record = *found.coded;
    const bool elsewhere = object.kind == RecordKind::kHead && record.body.empty();
    const bool same = record.kind == RecordKind::kCoded && record.slot == slot &&
                      record.rid == object.rid &&
                      (elsewhere ? is_long_coding(store, record)
                                 : std::ranges::equal(record.body, coding_of(object.rid, slot)));
    if (store.poisoned(record.pin)) continue;
    if (!same) return false;
    sight.codings = static_cast<SlotMask>(sight.codings | mask);
  }
  return true;
}

Sight History::look(Store& store, std::string_view key) const {
  const Found found = look_up(store, key, 0);
  if (found.state == Found::kMiss || found.state == Found::kCold) return {};
  Sight sight;
  sight.what = Sight::kWrong;
  const RecordView& record = found.state == Found::kVary ? *found.vary : *found.head;
  sight.stale_since_ms = record.stale_since_ms;
  if (record.head.size() < sizeof sight.version) return sight;
  std::memcpy(&sight.version, record.head.data(), sizeof sight.version);
  const Version* version = find(sight.version);
  const bool is_shell = record.kind == RecordKind::kShell;
  const RecordKind kind = is_shell ? RecordKind::kObject : record.kind;
  if (version == nullptr || version->key != key || kind != version->kind) return sight;
  const bool is_long = record.kind == RecordKind::kHead;
  const bool same =
      std::ranges::equal(record.head, head_of(*version)) &&
      (is_long || is_shell ? record.body.empty() && record.whole_length == version->body_bytes &&
                                 (version->rid == 0 || record.rid == version->rid)
                           : std::ranges::equal(record.body, body_of(*version)));
  if (store.poisoned(record.pin)) return {};
  if (!same || (is_long && !look_at_fragments(store, *version, sight))) return sight;
  const bool may_be_coded = kind == RecordKind::kObject || is_long;
  if (may_be_coded && !look_at_codings(store, key, record, sight)) return sight;
  sight.what = found.state == Found::kVary ? Sight::kVary : is_long ? Sight::kLong : Sight::kObject;
  return sight;
}

bool Listener::doubted() const {
  return std::ranges::any_of(sentences, [](const std::string& sentence) {
    return sentence.find("confirmed with the origin") != std::string::npos;
  });
}

}  // namespace perigee::cache_store
