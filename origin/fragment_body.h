// The cursor over a body that lies in the store as fragments (FORMAT.md): one fragment is held at a
// time, so that a slow reader keeps one slab and not all of them.
#pragma once

#include <cstdint>
#include <optional>

#include "base/env.h"
#include "cache_store/store.h"
#include "http/exchange/multipart_body.h"

namespace perigee::origin {

/// An object whose body lies in fragments.
struct FragmentedObject {
  uint64_t rid = 0;
  uint64_t size = 0;  ///< of the whole body
};
/// What the head of such an object says.
inline FragmentedObject fragmented_object(const cache_store::RecordView& head) {
  return {head.rid, head.whole_length};
}

/// Bytes of a stored object's body, wherever they lie.
inline uint64_t body_size_of(const cache_store::RecordView& record) {
  return record.kind == cache_store::RecordKind::kHead ? record.whole_length : record.body.size();
}

/// Loop. Every fragment that holds a byte of `span` is there, verified or not. Linear in their
/// number.
bool has_fragments(cache_store::Store& store, const FragmentedObject& object,
                   const http::ByteSpan& span);

/// Lends the bytes as they lie in the store's map. Loop-local. Waits (kLater) while the pool
/// verifies a fragment; fails when one is gone.
class FragmentBody final : public http::SpanSource {
 public:
  /// Over `span` of the object's body. `store` and `env` outlive it.
  FragmentBody(cache_store::Store& store, base::Env& env, const FragmentedObject& object,
               const http::ByteSpan& span);
  FragmentBody(const FragmentBody&) = delete;
  FragmentBody& operator=(const FragmentBody&) = delete;

  void seek(const http::ByteSpan& span) override;
  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override { return span_.size(); }

 private:
  class WarmJob;
  enum class Held : uint8_t { kYes, kLater, kGone };
  Held hold_fragment();
  Held warm(const cache_store::FragmentId& id);
  void on_warmed();

  cache_store::Store& store_;
  base::Env& env_;
  const FragmentedObject object_;
  http::ByteSpan span_;
  uint64_t at_;
  std::optional<cache_store::RecordView>
      fragment_;         ///< that holds the byte at `at_`, or one before
  uint64_t number_ = 0;  ///< of `fragment_`
  base::Pending warming_;
  int rounds_ = 0;  ///< in which the next fragment was cold
};

}  // namespace perigee::origin
