#include "tools/replay/stored.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <unordered_set>

#include "base/check.h"

namespace perigee::tools {

using cache_store::Draft;
using cache_store::Found;
using cache_store::RecordKind;
using cache_store::RecordView;

namespace {

constexpr uint64_t kLeastSlabs = 64;
/// Requests between two rounds of upkeep: a node does one each 50 ms.
constexpr int64_t kUpkeepEach = 8;
constexpr uint64_t kLongestBody = 256 << 20;

/// The store's own choice, and for smaller stores one that leaves enough slabs.
uint64_t slab_bytes_for(uint64_t bytes) {
  for (const uint64_t choice : {uint64_t{4} << 20, uint64_t{2} << 20, uint64_t{256} << 10}) {
    if (bytes / choice >= kLeastSlabs) return choice;
  }
  return std::max<uint64_t>(bytes / kLeastSlabs / 4096 * 4096, 16 << 10);
}

double now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace

Stored::Stored(const std::string& folder, uint64_t bytes)
    : path_(folder + "/store-replay." + std::to_string(getpid())),
      io_(cache_store::make_file_io()),
      bytes_(kLongestBody / 64) {
  std::mt19937_64 chance(1);
  for (std::byte& byte : bytes_) byte = static_cast<std::byte>(chance());
  cache_store::StoreOptions options;
  options.path = path_;
  options.slab_bytes = slab_bytes_for(bytes);
  options.journal_bytes = 256 << 10;
  options.size_bytes = std::max(uint64_t{2} << 20, options.slab_bytes) +
                       std::max(bytes / options.slab_bytes, kLeastSlabs) * options.slab_bytes;
  options.entropy.fill(std::byte{7});
  auto opened = cache_store::Store::open(options, *io_, *this, wall_ms_);
  if (opened.ok()) {
    store_ = std::move(*opened);
  } else {
    error_ = opened.error().message;
  }
}

Stored::~Stored() {
  store_.reset();
  io_.reset();
  unlink(path_.c_str());
}

void Stored::on_store_event(std::string_view sentence) {
  std::fprintf(stderr, "store: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
}

std::span<const std::byte> Stored::body_of(const Request& request) const {
  const uint64_t size = std::min<uint64_t>(request.size, bytes_.size());
  const uint64_t from = request.id * 4099 % (bytes_.size() - size + 1);
  return std::span(bytes_).subspan(from, size);
}

Found Stored::look(std::string_view key) {
  const cache_store::Digest digest = store_->digest(key);
  Found found = store_->lookup(digest, key, 0);
  if (found.state != Found::kCold) return found;
  store_->warm(digest, key, 0);
  return store_->lookup(digest, key, 0);
}

/// Reads what a client would be sent, up to what is missing. Returns how much there is.
uint64_t Stored::fragments_there(const RecordView& head) {
  const uint64_t each = store_->fragment_bytes();
  uint64_t bytes = 0;
  for (uint64_t number = 0; number * each < head.whole_length; ++number) {
    const cache_store::FragmentId id{head.rid, number};
    Found found = store_->lookup_fragment(id);
    if (found.state == Found::kCold) {
      store_->warm_fragment(id);
      found = store_->lookup_fragment(id);
    }
    if (found.state != Found::kHit) break;
    bytes += found.head->body.size();
  }
  return bytes;
}

bool Stored::request(const Request& request) {
  const std::string key = std::to_string(request.id);
  ++wall_ms_;
  bool hit = false;
  {
    const Found found = look(key);
    hit = found.state == Found::kHit && (found.head->kind != RecordKind::kHead ||
                                         fragments_there(*found.head) == found.head->whole_length);
  }
  if (!hit) put(key, request);
  if (wall_ms_ % kUpkeepEach == 0) {
    while (store_->maintain({.wall_ms = wall_ms_})) continue;
  }
  return hit;
}

void Stored::put(std::string_view key, const Request& request) {
  const cache_store::Digest base = store_->digest(key);
  const cache_store::Awaited awaited = store_->await(base);
  const std::span<const std::byte> body = body_of(request);
  Draft draft;
  draft.key = key;
  draft.base = base;
  draft.policy.response_time_ms = wall_ms_;
  draft.policy.lifetime_ms = int64_t{1} << 40;
  draft.policy.status = 200;
  draft.ticket = awaited.ticket();
  if (request.size > store_->max_object_bytes()) return put_fragments(request, draft);
  draft.body = {&body, 1};
  const double begin = now_ns();
  if (store_->put(draft).ok()) body_bytes_ += body.size();
  longest_put_ns_ = std::max(longest_put_ns_, now_ns() - begin);
}

void Stored::put_fragments(const Request& request, Draft& draft) {
  if (request.size > store_->max_fragmented_bytes() || request.size > bytes_.size()) {
    ++bypassed_;
    return;
  }
  draft.kind = RecordKind::kHead;
  draft.rid = store_->draw_rid();
  draft.whole_length = request.size;
  std::span<const std::byte> left = body_of(request);
  for (uint64_t number = 0; !left.empty(); ++number) {
    const std::span<const std::byte> piece =
        left.first(std::min<size_t>(store_->fragment_bytes(), left.size()));
    left = left.subspan(piece.size());
    const std::span<const std::byte> pieces[] = {piece};
    if (!store_->put_fragment({{draft.rid, number}, draft.base, draft.ticket, pieces}).ok()) return;
    body_bytes_ += piece.size();
  }
  (void)store_->put(draft);
}

double Stored::write_amplification() const {
  const cache_store::StoreStats now = stats();
  const auto put = static_cast<double>(std::max<uint64_t>(now.put_bytes, 1));
  return (put + static_cast<double>(now.survivor_bytes)) / put;
}

double Stored::overhead() const {
  const auto put = static_cast<double>(std::max<uint64_t>(stats().put_bytes, 1));
  return (put - static_cast<double>(body_bytes_)) / put;
}

double Stored::overhead_of_what_stays(const Workload& objects) {
  std::unordered_set<uint64_t> ids;
  uint64_t body_bytes = 0;
  for (const Request& request : objects.requests) {
    if (!ids.insert(request.id).second) continue;
    const Found found = look(std::to_string(request.id));
    if (found.state != Found::kHit) continue;
    const bool fragments = found.head->kind == RecordKind::kHead;
    body_bytes += fragments ? fragments_there(*found.head) : found.head->body.size();
  }
  const cache_store::StoreStats now = stats();
  const uint64_t live = now.probation.live_bytes + now.main.live_bytes;
  return static_cast<double>(live - body_bytes) / static_cast<double>(slab_area());
}

}  // namespace perigee::tools
