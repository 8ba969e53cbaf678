// Records by key; a record that was replaced or purged lives on for those who pinned it.
#include "tests/unit/origin/fake_store.h"

#include <gtest/gtest.h>

#include <functional>

#include "cache_store/fragment_key.h"

namespace perigee::origin {

using cache_store::Digest;
using cache_store::Found;
using cache_store::FragmentId;
using cache_store::RecordKind;

FakeStore::~FakeStore() {
  for (const auto& [key, record] : records_) {
    EXPECT_EQ(record->word.life_pins.load(), 0u) << key << " is still pinned";
  }
  for (const auto& record : gone_) EXPECT_EQ(record->word.life_pins.load(), 0u) << record->key;
}

Digest FakeStore::digest(std::string_view key) const {
  const uint64_t hash = std::hash<std::string_view>()(key);
  return {hash | 1, hash * 31};
}

FakeStore::Record* FakeStore::find(const std::string& key) const {
  const auto it = records_.find(key);
  return it == records_.end() ? nullptr : it->second.get();
}

const std::string* FakeStore::body(const std::string& key) const {
  const Record* record = find(key);
  return record == nullptr ? nullptr : &record->body;
}

uint64_t FakeStore::pins(const std::string& key) const {
  const Record* record = find(key);
  return record == nullptr ? 0 : record->word.life_pins.load();
}

uint64_t FakeStore::rid(const std::string& key) const {
  const Record* record = find(key);
  return record == nullptr ? 0 : record->rid;
}

void FakeStore::poison(const std::string& key) { records_.at(key)->word.poisoned = true; }

std::string FakeStore::key_of(const FragmentId& id) {
  return std::string(cache_store::FragmentKey(id).text());
}

const std::string* FakeStore::fragment(const FragmentId& id) const { return body(key_of(id)); }

uint64_t FakeStore::fragment_pins(const FragmentId& id) const { return pins(key_of(id)); }

void FakeStore::evict_fragment(const FragmentId& id) {
  const auto it = records_.find(key_of(id));
  ASSERT_NE(it, records_.end());
  gone_.push_back(std::move(it->second));
  records_.erase(it);
}

void FakeStore::make_cold(const FragmentId& id) { records_.at(key_of(id))->cold = true; }

void FakeStore::poison(const FragmentId& id) { poison(key_of(id)); }

Found FakeStore::view(Record& record) const {
  Found found;
  const bool spec = record.kind == RecordKind::kVarySpec;
  found.state = spec ? Found::kVary : Found::kHit;
  cache_store::RecordView& view = (spec ? found.vary : found.head).emplace();
  record.word.life_pins.fetch_add(1);
  view.pin = cache_store::Pin(&record.word, 0, 0);
  view.kind = record.kind;
  view.digest = digest(record.key);
  view.rid = record.rid;
  view.ticket = record.ticket;
  view.policy = record.policy;
  view.key = record.key;
  view.head = record.head;
  view.body = std::as_bytes(std::span(record.body));
  view.whole_length = record.kind == RecordKind::kHead ? record.whole_length : record.body.size();
  found.digest = digest(record.key);
  return found;
}

Found FakeStore::lookup(const Digest&, std::string_view key, cache_store::SlotMask) {
  const auto it = records_.find(std::string(key));
  return it == records_.end() ? Found() : view(*it->second);
}

cache_store::Pin FakeStore::resume(cache_store::ParkedRecord& parked) {
  for (const auto& [key, record] : records_) {
    if (!(digest(key) == parked.digest) || record->rid != parked.rid) continue;
    parked.body = std::as_bytes(std::span(record->body)).data();
    record->word.life_pins.fetch_add(1);
    return {&record->word, 0, 0};
  }
  return {};
}

Found FakeStore::lookup_fragment(const FragmentId& id) {
  Record* record = find(key_of(id));
  if (record == nullptr || record->word.is_poisoned()) return {};
  if (!record->cold) return view(*record);
  Found found;
  found.state = Found::kCold;
  return found;
}

void FakeStore::warm_fragment(const FragmentId& id) {
  Record* record = find(key_of(id));
  if (record != nullptr) record->cold = false;
}

void FakeStore::append(std::span<const std::span<const std::byte>> pieces, std::string& to) {
  for (const auto& piece : pieces) {
    to.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
}

Found FakeStore::replace(std::shared_ptr<Record> record) {
  std::shared_ptr<Record>& place = records_[record->key];
  if (place != nullptr) gone_.push_back(std::move(place));
  place = std::move(record);
  return view(*place);
}

base::Result<Found> FakeStore::put_fragment(const cache_store::FragmentDraft& draft) {
  ++fragment_puts;
  auto record = std::make_shared<Record>();
  append(draft.body, record->body);
  EXPECT_FALSE(record->body.empty());
  const bool fits = record->body.size() <= fragment_size &&
                    draft.id.number < fragmented_most / fragment_size &&
                    draft.id.number < refuse_fragments_from;
  if (refuse_puts || !fits) return base::Error{base::ErrorCode::kNoSpace, 0, "no room"};
  if (purged_since(draft.base, {}, draft.ticket)) {
    return base::Error{base::ErrorCode::kCancelled, 0, "purged"};
  }
  record->kind = RecordKind::kFragment;
  record->rid = draft.id.rid;
  record->ticket = draft.ticket;
  record->base = draft.base;
  record->key = key_of(draft.id);
  return replace(std::move(record));
}

base::Result<Found> FakeStore::put(const cache_store::Draft& draft) {
  ++puts;
  const bool head = draft.kind == RecordKind::kHead;
  EXPECT_EQ(head, draft.whole_length > 0);
  EXPECT_TRUE(!head || draft.rid != 0);
  if (refuse_puts || draft.whole_length > max_fragmented_bytes()) {
    return base::Error{base::ErrorCode::kNoSpace, 0, "no room"};
  }
  if (purged_since(draft.base, {}, draft.ticket)) {
    return base::Error{base::ErrorCode::kCancelled, 0, "purged"};
  }
  auto record = std::make_shared<Record>();
  record->kind = draft.kind;
  record->rid = draft.rid != 0 ? draft.rid : next_rid_++;
  record->ticket = draft.ticket;
  record->base = draft.base;
  record->policy = draft.policy;
  record->key = draft.key;
  record->head.assign(draft.head.begin(), draft.head.end());
  append(draft.body, record->body);
  record->whole_length = draft.whole_length;
  const std::shared_ptr<Record>& place = records_[record->key];
  const bool is_spec = draft.kind == RecordKind::kVarySpec;
  if (is_spec && place != nullptr && place->kind == draft.kind && place->body == record->body) {
    return view(*place);
  }
  if (place != nullptr && place->ticket.fetch_seq > draft.ticket.fetch_seq) {
    return base::Error{base::ErrorCode::kCancelled, 0, "older"};
  }
  return replace(std::move(record));
}

int FakeStore::erase(const Digest& digest) {
  purged_[digest.lo] = ++sequence_;
  int matched = 0;
  for (auto it = records_.begin(); it != records_.end();) {
    const auto next = std::next(it);
    // Fragments stay, as in a store: nobody finds them without their head.
    if (it->second->base == digest && it->second->kind != RecordKind::kFragment) {
      matched = 1;
      gone_.push_back(std::move(it->second));
      records_.erase(it);
    }
    it = next;
  }
  return matched;
}

cache_store::PurgeResult FakeStore::purge(const cache_store::Predicate& predicate) {
  const int matched = erase(predicate.digest);
  return {sequence_, matched};
}

bool FakeStore::purged_since(const Digest& digest, std::string_view,
                             cache_store::Ticket ticket) const {
  const auto it = purged_.find(digest.lo);
  return it != purged_.end() && it->second > ticket.purge_seq;
}

bool FakeStore::poisoned(const cache_store::Pin& pin) const { return pin.word()->is_poisoned(); }

}  // namespace perigee::origin
