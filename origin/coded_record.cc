#include "origin/coded_record.h"

#include <string>
#include <string_view>

#include "origin/body_digest.h"

namespace perigee::origin {
namespace {

/// The `head` of a coded record: a byte with the effort, then the SHA-256 of the body in base64.
constexpr size_t kHeadBytes = 1 + 44;

}  // namespace

base::Result<cache_store::Found> put_coding(cache_store::Store& store, cache_store::Draft draft,
                                            http::Coding coding, http::Effort effort,
                                            std::span<const std::byte> coded) {
  std::string head(1, static_cast<char>(effort));
  head += sha256_of(coded);
  draft.kind = cache_store::RecordKind::kCoded;
  draft.slot = slot_of(coding);
  draft.head = std::as_bytes(std::span(head));
  draft.body = {&coded, 1};
  return store.put(draft);
}

bool is_best(const cache_store::RecordView& coded) {
  return !coded.head.empty() && coded.head[0] == static_cast<std::byte>(http::Effort::kBest);
}

void set_made(const cache_store::RecordView& coded, http::Selection& out) {
  out.made = coding_of(coded.slot);
  if (coded.head.size() != kHeadBytes) return;
  const std::span<const std::byte> sha256 = coded.head.subspan(1);
  out.made_sha256 = {reinterpret_cast<const char*>(sha256.data()), sha256.size()};
}

}  // namespace perigee::origin
