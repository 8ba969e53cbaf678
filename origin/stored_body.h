// The one cursor over the body of a stored record: a hit reads with it, and so does a fill's client
// once the record stands.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "cache_store/store.h"
#include "http/exchange/multipart_body.h"

namespace perigee::origin {

/// Where the body of `record` lies, whose slab `pin` holds.
inline cache_store::ParkedRecord place_of(const cache_store::RecordView& record,
                                          const cache_store::Pin& pin) {
  return {record.digest, record.slot, record.rid,         record.checksum,
          pin.slab(),    pin.life(),  record.body.data(), record.body_offset};
}

/// Lends the bytes as they lie in the store's map, under a pin of its own. Loop-local, never waits.
/// While it rests it holds nothing; it fails when the record is gone then.
class StoredBody final : public http::SpanSource {
 public:
  /// Over `span` of the body of `record`, whose slab `pin` holds. `store` outlives it.
  StoredBody(cache_store::Store& store, cache_store::Pin pin, const cache_store::RecordView& record,
             const http::ByteSpan& span)
      : StoredBody(store, place_of(record, pin), std::move(pin), span) {
    CHECK(span.end <= record.body.size());
  }
  /// Over `span` of the body at `place`; without a pin it rests at first.
  StoredBody(cache_store::Store& store, const cache_store::ParkedRecord& place,
             cache_store::Pin&& pin, const http::ByteSpan& span)
      : store_(store), pin_(std::move(pin)), place_(place), span_(span), at_(span.begin) {
    CHECK(span.begin <= span.end);
    if (store.can_lend_pages()) fd_ = store.fd();
  }
  void seek(const http::ByteSpan& span) override {
    span_ = span;
    at_ = span.begin;
  }
  http::Chunk peek(size_t max) override {
    if (!pin_) pin_ = store_.resume(place_);
    if (!pin_) return {{}, http::Chunk::kFail};
    if (store_.poisoned(pin_)) return {{}, http::Chunk::kBad};
    const uint64_t left = span_.end - at_;
    const auto n = static_cast<size_t>(std::min<uint64_t>(max, left));
    const auto state = n == left ? http::Chunk::kEnd : http::Chunk::kMore;
    return {{place_.body + at_, n, fd_, place_.body_offset + at_}, state};
  }
  void advance(size_t n) override {
    at_ += n;
    CHECK(at_ <= span_.end);
  }
  std::optional<uint64_t> size() const override { return span_.size(); }
  void rest() override { pin_.reset(); }

 private:
  cache_store::Store& store_;
  cache_store::Pin pin_;  ///< empty while it rests
  cache_store::ParkedRecord place_;
  http::ByteSpan span_;
  uint64_t at_;
  int fd_ = -1;  ///< the store's, where its pages may be lent
};

}  // namespace perigee::origin
