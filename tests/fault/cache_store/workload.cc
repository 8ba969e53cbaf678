#include "tests/fault/cache_store/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "cache_store/index.h"
#include "tests/support/keys.h"

namespace perigee::cache_store {

using test::MemoryIo;

StoreOptions small_store(int identity) {
  StoreOptions options;
  options.path = "disk";
  options.slab_bytes = 16 << 10;
  options.journal_bytes = 2 << 10;
  options.size_bytes = kSmallStoreBytes;
  options.entropy.fill(static_cast<std::byte>(identity));
  return options;
}

Workload::Workload(uint64_t seed, const StoreOptions& options)
    : chance_(seed), options_(options), putting_(seed % 2 == 0 ? 72 : 45) {
  for (int url = 0; url < 16; ++url) {
    targets_.push_back("/" + std::to_string(url) + std::string(url == 3 ? 3000 : url, 'k'));
    const std::string key = test::url_key("site", targets_.back());
    keys_.push_back(key);
    keys_.push_back(test::variant_key(key, 9, "variant"));
  }
  facts_.resize(keys_.size());
  synced_.resize(keys_.size());
}

Workload::~Workload() = default;

uint64_t KeyFacts::hard_for(const Version& version) const {
  uint64_t last = std::max(own.hard, lazy.hard);
  for (const uint64_t tag : version.tags) last = std::max(last, tagged.at(tag).hard);
  return last;
}

/// A Vary spec is marked by a purge of its own key alone: its variants are, each for itself.
uint64_t KeyFacts::soft_for(const Version& version) const {
  if (version.kind == RecordKind::kVarySpec) return own.soft;
  uint64_t last = std::max(own.soft, lazy.soft);
  for (const uint64_t tag : version.tags) last = std::max(last, tagged.at(tag).soft);
  return last;
}

std::string Workload::name(size_t key) const {
  return targets_[key / 2].substr(0, 12) + (key % 2 == 0 ? "" : "|variant");
}

void Workload::close() {
  awaited_.clear();
  store_.reset();
}

bool Workload::open() {
  close();
  io_ = std::make_unique<MemoryIo>(disk_);
  on_io(*io_);
  base::Result<std::unique_ptr<Store>> opened = Store::open(options_, *io_, listener_, wall_ms_);
  if (!opened.ok()) return false;
  store_ = std::move(*opened);
  tickets_.clear();
  put_now_.clear();
  download_.reset();
  // An opening syncs all that it finds.
  synced_ = look();
  return true;
}

void Workload::crash(const std::optional<test::MemoryDisk::Image>& image) {
  io_->kill();
  close();
  if (image) disk_.load(*image);
  forget_unsettled();
}

/// Purges that were not durable may have had an effect or not.
void Workload::forget_unsettled() {
  settled_purges_ = purges_.size();
  for (KeyFacts& facts : facts_) facts.unsettled.clear();
}

Sights Workload::look() const {
  Sights sights;
  for (const std::string& key : keys_) sights.push_back(history_.look(*store_, key));
  return sights;
}

bool Workload::step() {
  wall_ms_ += 300;
  rewritten_ = 0;
  const uint64_t choice = draw(100);
  if (choice < putting_) {
    put();
  } else if (choice < 75) {
    purge(draw(2) == 0);
  } else if (choice < 78) {
    erase();
  } else if (choice < 84) {
    last_ = "commit";
    commit();
  } else if (choice < 97) {
    maintain();
  } else {
    last_ = choice == 97 ? "kill and open" : "close and open";
    if (choice == 97) crash(std::nullopt);
    close();
    commit();
    return open();
  }
  return true;
}

void Workload::put() {
  if (download_ && draw(3) > 0) return go_on(*download_);
  const size_t key = draw_key();
  // Now and then with a ticket from before.
  if (tickets_.empty() || draw(3) > 0) {
    for (const std::string& text : keys_) awaited_.push_back(store_->await(store_->digest(text)));
    tickets_.emplace_back(store_->ticket(), purges_.size());
  }
  const auto [ticket, begun] =
      tickets_[tickets_.size() - 1 - draw(std::min<size_t>(3, tickets_.size()))];
  const Sight present = history_.look(*store_, keys_[key]);
  if (present.what == Sight::kLong && draw(3) == 0) {
    const Version& version = *history_.find(present.version);
    if (draw(3) == 0) return put_coding(key, version, ticket, begun);
    return put_fragment(key, version, draw(fragments_of(version)), ticket, begun);
  }
  if (present.what == Sight::kObject && draw(2) == 0) {
    const Version& version = *history_.find(present.version);
    const bool drops = present.codings != 0 && version.body_bytes > 0 && draw(3) > 0;
    return drops ? drop_body(key, version) : put_coding(key, version, ticket, begun);
  }
  Version& version = history_.begin(keys_[key]);
  version.begun = begun;
  version.ticket = ticket;
  version.head_bytes = 8 + draw(300);
  for (uint64_t tag = 0; tag < KeyFacts::kTags; ++tag) {
    if (draw(3) == 0) version.tags.push_back(tag);
  }
  const bool stored = present.what == Sight::kObject || present.what == Sight::kLong;
  const bool vary = key % 2 == 0 && draw(8) == 0;
  if (vary) {
    version.kind = RecordKind::kVarySpec;
    // Enough bytes to tell it from others: a spec that equals the present one is not stored again.
    version.body_bytes = 16 + draw(60);
  } else if (stored && draw(3) == 0) {
    const Version& confirmed = *history_.find(present.version);
    version.kind = confirmed.kind;
    version.body_of = confirmed.body_of;
    version.body_bytes = confirmed.body_bytes;
    version.rid = confirmed.rid;
  } else if (!download_ && draw(6) == 0) {
    return begin_download(key, version);
  } else {
    const uint64_t most = store_->max_object_bytes();
    const uint64_t kind = draw(8);
    version.body_bytes = kind == 0 ? 0 : kind == 1 ? most : draw(kind < 5 ? 400 : most);
    version.rid = version.number;
  }
  put_version(key, version, present);
}

uint64_t Workload::fragments_of(const Version& version) const {
  return (version.body_bytes - 1) / store_->fragment_bytes() + 1;
}

void Workload::begin_download(size_t key, Version& version) {
  const uint64_t least = store_->max_object_bytes();
  version.kind = RecordKind::kHead;
  version.body_bytes = least + 1 + draw(store_->max_fragmented_bytes() - least);
  version.rid = store_->draw_rid();
  const uint64_t fragments = fragments_of(version);
  download_ = Download{key, version.number, draw(2) == 0 ? 0 : draw(fragments + 1)};
  go_on(*download_);
}

void Workload::go_on(Download& download) {
  const Version& version = *history_.find(download.version);
  if (!download.head_put && download.next == download.head_at) {
    download.head_put = true;
    put_version(download.key, version, history_.look(*store_, keys_[download.key]));
  } else {
    put_fragment(download.key, version, download.next++, version.ticket, version.begun);
  }
  if (download.head_put && download.next == fragments_of(version)) download_.reset();
}

void Workload::put_fragment(size_t key, const Version& version, uint64_t number,
                            const Ticket& ticket, uint64_t begun) {
  last_ = "put fragment " + std::to_string(number) + " of v" + std::to_string(version.number) +
          " begun " + std::to_string(begun) + " of " + name(key);
  rewritten_key_ = key;
  rewritten_ = uint64_t{1} << number;
  // The one that was synced may go.
  if (synced_[key].version == version.number) synced_[key].fragments &= ~rewritten_;
  const std::vector<std::byte> whole = history_.body_of(version);
  const std::span<const std::byte> body = History::fragment_of(whole, *store_, number);
  const size_t cut = body.size() / 3;
  const std::span<const std::byte> pieces[] = {body.first(cut), body.subspan(cut)};
  const base::Result<Found> result = store_->put_fragment(
      {{version.rid, number}, store_->digest(keys_[base_of(key)]), ticket, pieces});
  const bool fenced = is_base_fenced(key, begun);
  if (result.ok()) {
    ++fragment_puts_;
    EXPECT_FALSE(fenced) << "a fragment from before a purge was stored";
    EXPECT_TRUE(std::ranges::equal(result->head->body, body));
  } else if (!faulty) {
    EXPECT_TRUE(fenced) << result.error().message;
    EXPECT_EQ(result.error().code, base::ErrorCode::kCancelled);
  }
}

/// What belongs to an object is put too late: neither its URL nor its tags are known.
bool Workload::is_base_fenced(size_t key, uint64_t begun) const {
  return std::any_of(
      purges_.begin() + static_cast<ptrdiff_t>(begun), purges_.end(), [&](const Purge& purge) {
        const bool by_key = purge.kind == PredicateKind::kKey && purge.key == base_of(key);
        return !purge.soft && (by_key || purge.kind == PredicateKind::kEverything);
      });
}

void Workload::put_coding(size_t key, const Version& version, const Ticket& ticket,
                          uint64_t begun) {
  const Slot slot = static_cast<Slot>(1 + draw(4));
  last_ = "put coding " + std::to_string(slot) + " of v" + std::to_string(version.number) +
          " begun " + std::to_string(begun) + " of " + name(key);
  const Digest base = store_->digest(keys_[base_of(key)]);
  const bool is_long = version.kind == RecordKind::kHead && draw(2) == 0;
  const base::Result<Found> result =
      is_long ? History::put_long_coding(*store_, keys_[key], base, version.rid, slot, ticket)
              : History::put_coding(*store_, keys_[key], base, version.rid, slot, ticket);
  const bool fenced = is_base_fenced(key, begun);
  if (result.ok()) {
    ++coding_puts_;
    EXPECT_FALSE(fenced) << "a coding from before a purge was stored";
    const auto& coded = *result->coded;
    EXPECT_TRUE(is_long ? History::is_long_coding(*store_, coded)
                        : std::ranges::equal(coded.body, History::coding_of(version.rid, slot)));
  } else if (!faulty) {
    EXPECT_TRUE(fenced) << result.error().message;
    EXPECT_EQ(result.error().code, base::ErrorCode::kCancelled);
  }
}

/// The object becomes a shell, or is one again.
void Workload::drop_body(size_t key, const Version& version) {
  last_ = "drop the body of v" + std::to_string(version.number) + " of " + name(key);
  // The object that was synced may go before the shell is.
  synced_[key] = {};
  const std::vector<std::byte> head = history_.head_of(version);
  const base::Result<Found> result =
      History::put_shell(*store_, draft_of(key, version, head), version.body_bytes);
  if (result.ok()) {
    ++shells_;
    EXPECT_FALSE(is_fenced(key, version)) << "a shell from before a purge was stored";
    note_put(key, version);
  } else if (!faulty) {
    // Of the purges of an earlier run not all are remembered.
    const bool earlier = !put_now_.contains(version.number);
    EXPECT_TRUE(earlier || is_fenced(key, version)) << result.error().message;
    EXPECT_EQ(result.error().code, base::ErrorCode::kCancelled);
  }
}

Draft Workload::draft_of(size_t key, const Version& version,
                         std::span<const std::byte> head) const {
  Draft draft;
  draft.kind = version.kind;
  draft.slot = version.kind == RecordKind::kVarySpec ? kVarySlot : kHeadSlot;
  draft.rid = version.rid;
  draft.key = keys_[key];
  draft.base = store_->digest(keys_[base_of(key)]);
  draft.policy.lifetime_ms = 60'000;
  draft.head = head;
  draft.tags = version.tags;
  draft.ticket = version.ticket;
  return draft;
}

/// Of the purges since it was begun, any number of the first may be durable when the process is
/// killed.
void Workload::note_put(size_t key, const Version& version) {
  for (size_t durable = std::max<size_t>(settled_purges_, version.begun); durable < purges_.size();
       ++durable) {
    if (!concerns(purges_[durable], key, version)) continue;
    const int64_t since_ms = stale_since(key, version, durable);
    for (const Sight::What what : {Sight::kObject, Sight::kLong, Sight::kVary}) {
      facts_[key].unsettled.insert({what, version.number, since_ms});
    }
  }
}

bool Workload::concerns(const Purge& purge, size_t key, const Version& version) const {
  switch (purge.kind) {
    case PredicateKind::kKey:
      return purge.key == base_of(key);
    case PredicateKind::kTag:
      return std::ranges::count(version.tags, purge.tag) > 0;
    case PredicateKind::kPrefix:
      return targets_[key / 2].starts_with(purge.prefix);
    case PredicateKind::kEverything:
      return true;
  }
  return false;
}

/// As the first `count` purges make it: since the first that concerns it, and a Vary spec since the
/// last of its own key.
int64_t Workload::stale_since(size_t key, const Version& version, size_t count) const {
  const bool spec = version.kind == RecordKind::kVarySpec;
  int64_t since_ms = 0;
  for (size_t i = version.begun; i < count; ++i) {
    const Purge& purge = purges_[i];
    if (!concerns(purge, key, version) || (spec && purge.kind != PredicateKind::kKey)) continue;
    if (spec || since_ms == 0) since_ms = int64_t{seconds_up(purge.wall_ms)} * 1000;
  }
  return since_ms;
}

/// Something was purged since the fetch began, so it may not be stored: a variant neither after a
/// soft purge of its URL.
bool Workload::is_fenced(size_t key, const Version& version) const {
  return std::any_of(purges_.begin() + static_cast<ptrdiff_t>(version.begun), purges_.end(),
                     [&](const Purge& purge) {
                       const bool takes_variants =
                           purge.kind == PredicateKind::kKey && key != base_of(key);
                       return concerns(purge, key, version) && (!purge.soft || takes_variants);
                     });
}

void Workload::put_version(size_t key, const Version& version, const Sight& present) {
  const bool is_long = version.kind == RecordKind::kHead;
  const std::vector<std::byte> head = history_.head_of(version);
  const std::vector<std::byte> body =
      is_long ? std::vector<std::byte>() : history_.body_of(version);
  const size_t cut = body.size() / 3;
  const std::span<const std::byte> pieces[] = {std::span(body).first(cut),
                                               std::span(body).subspan(cut)};
  Draft draft = draft_of(key, version, head);
  draft.body = pieces;
  draft.whole_length = is_long ? version.body_bytes : 0;
  last_ = "put v" + std::to_string(version.number) + " begun " + std::to_string(version.begun) +
          " of " + name(key);
  const base::Result<Found> result = store_->put(draft);
  const bool fenced = is_fenced(key, version);
  const bool older = present.what != Sight::kNothing &&
                     version.ticket.fetch_seq < history_.find(present.version)->ticket.fetch_seq;
  if (result.ok()) {
    ++puts_;
    put_now_.insert(version.number);
    EXPECT_FALSE(fenced) << "a fetch from before a purge was stored";
    EXPECT_FALSE(older) << "an older fetch replaced a newer one";
    const RecordView& record = result->state == Found::kVary ? *result->vary : *result->head;
    EXPECT_EQ(record.body.size(), body.size());
    note_put(key, version);
  } else if (!faulty) {
    EXPECT_TRUE(fenced || older) << result.error().message;
    EXPECT_EQ(result.error().code, base::ErrorCode::kCancelled);
  }
}

void Workload::purge(bool soft) {
  if (draw(3) == 0) {
    purge_many(soft);
  } else {
    const size_t key = draw_url();
    facts_[key].unsettled.insert(history_.look(*store_, keys_[key]));
    last_ = std::string(soft ? "soft" : "hard") + " purge of " + name(key);
    store_->purge({store_->digest(keys_[key]), soft, wall_ms_});
    purges_.push_back({.key = key, .soft = soft, .wall_ms = wall_ms_, .event = purges_.size() + 1});
    if (!soft) {
      EXPECT_EQ(history_.look(*store_, keys_[key]).what, Sight::kNothing);
    }
  }
  if (draw(2) == 0) commit();
}

/// By tag, by prefix, and now and then of everything.
void Workload::purge_many(bool soft) {
  static constexpr std::array<const char*, 4> kPrefixes = {"/1", "/3", "/12", ""};
  Purge purge{.soft = soft, .wall_ms = wall_ms_, .event = purges_.size() + 1};
  const uint64_t choice = draw(20);
  purge.kind = choice == 0   ? PredicateKind::kEverything
               : choice < 10 ? PredicateKind::kTag
                             : PredicateKind::kPrefix;
  purge.tag = draw(KeyFacts::kTags);
  purge.prefix = kPrefixes.at(choice == 19 ? 3 : draw(3));
  last_ = std::string(soft ? "soft" : "hard") + " purge of kind " +
          std::to_string(static_cast<int>(purge.kind)) + " tag " + std::to_string(purge.tag) +
          " prefix " + purge.prefix;
  const Sights before = look();
  const std::string prefix = test::url_key("site", purge.prefix);
  store_->purge(
      {.soft = soft, .wall_ms = wall_ms_, .kind = purge.kind, .tag = purge.tag, .prefix = prefix});
  purges_.push_back(purge);
  const Sights after = look();
  for (size_t key = 0; key < keys_.size(); ++key) {
    const Version* version = history_.find(before[key].version);
    if (version == nullptr || !concerns(purge, key, *version)) {
      EXPECT_EQ(after[key], before[key]) << name(key);
      continue;
    }
    facts_[key].unsettled.insert(before[key]);
    const bool spec = version->kind == RecordKind::kVarySpec;
    EXPECT_EQ(after[key].what, soft ? before[key].what : Sight::kNothing) << name(key);
    EXPECT_TRUE(!soft || spec || after[key].stale()) << name(key);
  }
}

void Workload::erase() {
  const size_t key = draw_url();
  facts_[key].unsettled.insert(history_.look(*store_, keys_[key]));
  last_ = "erase " + name(key);
  store_->erase(store_->digest(keys_[key]));
  purges_.push_back({.key = key, .event = purges_.size() + 1});
  EXPECT_EQ(history_.look(*store_, keys_[key]).what, Sight::kNothing);
}

/// It is durable.
void Workload::settle(const Purge& purge) {
  const auto note = [&](LastPurges& last) { (purge.soft ? last.soft : last.hard) = purge.event; };
  for (size_t key = 0; key < keys_.size(); ++key) {
    KeyFacts& facts = facts_[key];
    if (purge.kind == PredicateKind::kTag) {
      note(facts.tagged.at(purge.tag));
    } else if (purge.kind == PredicateKind::kKey) {
      if (purge.key == key) note(facts.own);
    } else if (concerns(purge, key, {})) {
      note(facts.lazy);
    }
  }
}

/// Without a store it was closed, which commits.
void Workload::commit() {
  if (store_ != nullptr) {
    const base::Status status = store_->commit(store_->ticket().purge_seq);
    if (!status.ok()) {
      EXPECT_TRUE(faulty) << status.error().message;
      return;
    }
  } else if (faulty) {
    return forget_unsettled();
  }
  for (; settled_purges_ < purges_.size(); ++settled_purges_) {
    settle(purges_[settled_purges_]);
  }
  for (KeyFacts& facts : facts_) facts.unsettled.clear();
}

void Workload::maintain() {
  const Sights before = look();
  last_ = "maintain";
  const uint64_t syncs = io_->syncs();
  for (int i = 0; i < 4 && store_->maintain({.wall_ms = wall_ms_}); ++i) {
  }
  if (io_->syncs() != syncs) synced_ = before;
  commit();
}

}  // namespace perigee::cache_store
