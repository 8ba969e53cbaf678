// The cursor over a body that lies in the store as fragments (FORMAT.md): one fragment is held at a
// time, so that a slow reader keeps one slab and not all of them. One that is gone is read as it
// comes from the origin again, where that can be asked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/env.h"
#include "cache_store/store.h"
#include "http/exchange/multipart_body.h"
#include "origin/fragmented_object.h"

namespace perigee::origin {

class FillReader;
class MissingFragments;

/// Lends the bytes as they lie in the store's map. Loop-local. Waits (kLater) while the pool
/// verifies a fragment or the origin sends one; fails when one is gone for good.
class FragmentBody final : public http::SpanSource {
 public:
  /// Over `span` of the object's body. `store`, `env` and `missing` outlive it. `missing` null: the
  /// origin is not asked.
  FragmentBody(cache_store::Store& store, base::Env& env, const FragmentedObject& object,
               const http::ByteSpan& span, MissingFragments* missing);
  ~FragmentBody() override;
  FragmentBody(const FragmentBody&) = delete;
  FragmentBody& operator=(const FragmentBody&) = delete;

  void seek(const http::ByteSpan& span) override;
  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override { return span_.size(); }
  void rest() override;

 private:
  class WarmJob;
  enum class Held : uint8_t {
    kYes,
    kArriving,  ///< from the origin
    kLater,
    kGone
  };
  Held hold_fragment();
  Held take_stored(cache_store::RecordView&& fragment, uint64_t number);
  Held fetch(uint64_t number);
  Held warm(const cache_store::FragmentId& id);
  http::Chunk peek_arriving(size_t max);
  void fetch_ahead(uint64_t number);
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
  MissingFragments* const missing_;
  std::unique_ptr<FillReader> arriving_;  ///< from the origin, instead of `fragment_`
  bool failed_ = false;                   ///< a fetch of one failed: no other is begun
  PassOn pass_on_{*this};
  int rounds_ = 0;  ///< in which the next fragment was cold
};

}  // namespace perigee::origin
