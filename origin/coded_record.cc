#include "origin/coded_record.h"

#include <string>
#include <string_view>

#include "base/check.h"
#include "origin/body_digest.h"

namespace perigee::origin {

using cache_store::RecordKind;
using cache_store::RecordView;

namespace {

// The `head` of a coded record: a byte with the effort, the SHA-256 of the body in base64 and,
// where the body lies in fragments, the number in their keys.
constexpr size_t kSha256At = 1;
constexpr size_t kNumberAt = kSha256At + 44;
constexpr size_t kLongHeadBytes = kNumberAt + sizeof(uint64_t);

std::string head_of(http::Effort effort, std::string_view sha256) {
  return std::string(1, static_cast<char>(effort)).append(sha256);
}

base::Result<cache_store::Found> put(cache_store::Store& store, cache_store::Draft& draft,
                                     http::Coding coding, std::string_view head) {
  draft.kind = RecordKind::kCoded;
  draft.slot = slot_of(coding);
  draft.head = std::as_bytes(std::span(head));
  return store.put(draft);
}

}  // namespace

base::Result<cache_store::Found> put_coding(cache_store::Store& store, cache_store::Draft draft,
                                            http::Coding coding, http::Effort effort,
                                            std::span<const std::byte> coded) {
  draft.body = {&coded, 1};
  return put(store, draft, coding, head_of(effort, sha256_of(coded)));
}

base::Result<cache_store::Found> put_long_coding(cache_store::Store& store,
                                                 cache_store::Draft draft, http::Coding coding,
                                                 http::Effort effort, const FragmentedObject& coded,
                                                 std::string_view sha256) {
  CHECK(coded.coding != 0 && coded.rid == draft.rid);
  std::string head = head_of(effort, sha256);
  // A digest that could not be computed leaves its room empty.
  head.resize(kNumberAt);
  for (size_t i = 0; i < sizeof coded.coding; ++i) {
    head += static_cast<char>(coded.coding >> (8 * i) & 0xff);
  }
  draft.whole_length = coded.size;
  return put(store, draft, coding, head);
}

bool lies_in_fragments(const RecordView& record) {
  return record.kind == RecordKind::kHead ||
         (record.kind == RecordKind::kCoded && record.body.empty());
}

FragmentedObject fragments_of(const RecordView& record) {
  CHECK(lies_in_fragments(record));
  FragmentedObject object = fragmented_object(record);
  if (record.kind == RecordKind::kHead) return object;
  CHECK(record.head.size() == kLongHeadBytes);
  for (size_t i = 0; i < sizeof object.coding; ++i) {
    object.coding |= std::to_integer<uint64_t>(record.head[kNumberAt + i]) << (8 * i);
  }
  return object;
}

bool is_there(cache_store::Store& store, const RecordView& coded) {
  if (!lies_in_fragments(coded)) return true;
  // What a faulty writer left, or a later version.
  if (coded.head.size() != kLongHeadBytes) return false;
  const FragmentedObject object = fragments_of(coded);
  return object.coding != 0 && is_complete(store, object);
}

bool is_best(const RecordView& coded) {
  return !coded.head.empty() && coded.head[0] == static_cast<std::byte>(http::Effort::kBest);
}

void set_made(const RecordView& coded, http::Selection& out) {
  out.made = coding_of(coded.slot);
  const bool told = coded.head.size() >= kNumberAt && coded.head[kSha256At] != std::byte{0};
  if (!told) return;
  const std::span<const std::byte> sha256 = coded.head.subspan(kSha256At, kNumberAt - kSha256At);
  out.made_sha256 = {reinterpret_cast<const char*>(sha256.data()), sha256.size()};
}

}  // namespace perigee::origin
