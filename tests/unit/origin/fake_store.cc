// Records by key; a record that was replaced or purged lives on for those who pinned it.
#include "tests/unit/origin/fake_store.h"

#include <gtest/gtest.h>

#include <functional>

namespace perigee::origin {

using cache_store::Digest;
using cache_store::Found;

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

const FakeStore::Record* FakeStore::find(const std::string& key) const {
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

Found FakeStore::view(Record& record) const {
  Found found;
  const bool spec = record.kind == cache_store::RecordKind::kVarySpec;
  found.state = spec ? Found::kVary : Found::kHit;
  cache_store::RecordView& view = (spec ? found.vary : found.head).emplace();
  record.word.life_pins.fetch_add(1);
  view.pin = cache_store::Pin(&record.word, 0, 0);
  view.kind = record.kind;
  view.rid = record.rid;
  view.ticket = record.ticket;
  view.policy = record.policy;
  view.key = record.key;
  view.head = record.head;
  view.body = std::as_bytes(std::span(record.body));
  view.whole_length = record.body.size();
  found.digest = digest(record.key);
  return found;
}

Found FakeStore::lookup(const Digest&, std::string_view key, cache_store::SlotMask) {
  const auto it = records_.find(std::string(key));
  return it == records_.end() ? Found() : view(*it->second);
}

base::Result<Found> FakeStore::put(const cache_store::Draft& draft) {
  ++puts;
  if (refuse_puts) return base::Error{base::ErrorCode::kNoSpace, 0, "no room"};
  if (purged_since(draft.base, draft.ticket)) {
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
  for (const auto& piece : draft.body) {
    record->body.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  std::shared_ptr<Record>& place = records_[record->key];
  const bool is_spec = draft.kind == cache_store::RecordKind::kVarySpec;
  if (is_spec && place != nullptr && place->kind == draft.kind && place->body == record->body) {
    return view(*place);
  }
  if (place != nullptr && place->ticket.fetch_seq > draft.ticket.fetch_seq) {
    return base::Error{base::ErrorCode::kCancelled, 0, "older"};
  }
  if (place != nullptr) gone_.push_back(std::move(place));
  place = std::move(record);
  return view(*place);
}

int FakeStore::erase(const Digest& digest) {
  purged_[digest.lo] = ++sequence_;
  int matched = 0;
  for (auto it = records_.begin(); it != records_.end();) {
    const auto next = std::next(it);
    if (it->second->base == digest) {
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

bool FakeStore::purged_since(const Digest& digest, cache_store::Ticket ticket) const {
  const auto it = purged_.find(digest.lo);
  return it != purged_.end() && it->second > ticket.purge_seq;
}

bool FakeStore::poisoned(const cache_store::Pin& pin) const { return pin.word()->is_poisoned(); }

}  // namespace perigee::origin
