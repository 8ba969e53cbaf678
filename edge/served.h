// What the flow keeps of an exchange from its answer to its end, and the body sources that need no
// waiting.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/exchange/exchange.h"
#include "http/response.h"
#include "origin/stored_body.h"

namespace perigee::edge {

/// How an exchange was answered: what its log line and its counters say.
struct Ending {
  uint16_t status = 0;
  http::CacheStatus cache;
  int64_t begun_ms = 0;  ///< Tick at which the request was there
};

/// Hangs on an Exchange from its answer (or its first wait) to its end; lives in its slot or its
/// arena.
class Served : public http::Attachment {
 public:
  Ending ending;
};

/// A hit, in the exchange's slot.
class ServedHit final : public Served {
 public:
  explicit ServedHit(origin::StoredBody stored) : body(std::move(stored)) {}
  origin::StoredBody body;
};
static_assert(sizeof(ServedHit) <= http::Exchange::kSlotBytes, "a hit fits the exchange's slot");

/// A short text that lies in the exchange's arena.
class TextBody final : public http::BodySource {
 public:
  explicit TextBody(std::string_view text) : left_(text), size_(text.size()) {}
  http::Chunk peek(size_t max) override {
    const size_t n = std::min(max, left_.size());
    const auto* data = reinterpret_cast<const std::byte*>(left_.data());
    return {{data, n}, n == left_.size() ? http::Chunk::kEnd : http::Chunk::kMore};
  }
  void advance(size_t n) override { left_.remove_prefix(n); }
  std::optional<uint64_t> size() const override { return size_; }

 private:
  std::string_view left_;
  uint64_t size_;
};

/// A short answer of our own, in the exchange's slot.
class ServedText final : public Served {
 public:
  explicit ServedText(std::string_view text) : body(text) {}
  TextBody body;
};
static_assert(sizeof(ServedText) <= http::Exchange::kSlotBytes,
              "a short answer fits the exchange's slot");

}  // namespace perigee::edge
