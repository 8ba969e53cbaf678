// The content of an answer to POST, on its way to a client and kept for GET (RFC 9110 §9.3.3).
//
// Passes on what the origin sends at the client's pace and copies it; once it was whole, the pool
// puts it into the store. What is longer than the bound is only passed on.
#pragma once

#include <memory>
#include <vector>

#include "base/env.h"
#include "cache_store/store.h"
#include "http/exchange.h"
#include "http/stored_response.h"

namespace perigee::edge {

/// What the answer is stored as. The ticket was taken after the POST had invalidated its target.
struct KeptAnswer {
  std::string key;
  cache_store::Digest digest;
  cache_store::Ticket ticket;
  http::StoredPolicy policy;
  std::vector<std::byte> image;
};

class KeptBody final : public http::BodySource {
 public:
  /// `source`, `env` and `store` outlive it.
  KeptBody(http::BodySource& source, base::Env& env, cache_store::Store& store, KeptAnswer answer);
  KeptBody(const KeptBody&) = delete;
  KeptBody& operator=(const KeptBody&) = delete;

  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  void park() override { source_.park(); }
  std::optional<uint64_t> size() const override { return source_.size(); }

 private:
  /// Wakes whoever waits for this body when the source has more.
  class Relay final : public base::Waker {
   public:
    explicit Relay(KeptBody& body) : body_(body) {}
    void wake() override { body_.wake(); }

   private:
    KeptBody& body_;
  };
  void put();

  http::BodySource& source_;
  base::Env& env_;
  cache_store::Store& store_;
  Relay relay_{*this};
  KeptAnswer answer_;
  const uint64_t most_bytes_;
  std::vector<std::byte> kept_;
  std::span<const std::byte> seen_;  ///< of the last peek
  bool last_ = false;                ///< the last peek was the end
  bool keeping_ = true;
  base::Pending pending_;
};

}  // namespace perigee::edge
