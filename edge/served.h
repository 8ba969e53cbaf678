// What the flow keeps of an exchange from its answer to its end, and the body sources that need no
// waiting.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cache_store/store.h"
#include "http/exchange/multipart_body.h"
#include "http/response.h"

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

/// A span of a stored body, read under its pin.
class PinnedBody final : public http::SpanSource {
 public:
  /// `body` is the whole one; it begins at `file_offset` of the store's file.
  PinnedBody(cache_store::Store& store, cache_store::Pin pin, std::span<const std::byte> body,
             uint64_t file_offset, const http::ByteSpan& span)
      : store_(store),
        pin_(std::move(pin)),
        body_(body.data()),
        offset_(file_offset),
        span_(span),
        at_(span.begin) {
    if (store.can_lend_pages()) fd_ = store.fd();
  }
  void seek(const http::ByteSpan& span) override {
    span_ = span;
    at_ = span.begin;
  }
  http::Chunk peek(size_t max) override {
    if (store_.poisoned(pin_)) return {{}, http::Chunk::kBad};
    const uint64_t left = span_.end - at_;
    const auto n = static_cast<size_t>(std::min<uint64_t>(max, left));
    const auto state = n == left ? http::Chunk::kEnd : http::Chunk::kMore;
    return {{body_ + at_, n, fd_, offset_ + at_}, state};
  }
  void advance(size_t n) override { at_ += n; }
  std::optional<uint64_t> size() const override { return span_.size(); }

 private:
  cache_store::Store& store_;
  cache_store::Pin pin_;
  const std::byte* body_;
  uint64_t offset_;
  http::ByteSpan span_;
  uint64_t at_;
  int fd_ = -1;
};

/// A hit, in the exchange's slot.
class ServedHit final : public Served {
 public:
  explicit ServedHit(PinnedBody pinned) : body(std::move(pinned)) {}
  PinnedBody body;
};
static_assert(sizeof(ServedHit) <= 192, "a hit fits the exchange's slot");

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
static_assert(sizeof(ServedText) <= 192, "a short answer fits the exchange's slot");

}  // namespace perigee::edge
