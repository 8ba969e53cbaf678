// A request that goes to the origin for this client alone: every method but GET, and what must not
// be answered from the cache. Its answer is not stored, but it may freshen what is (HEAD) or remove
// it (unsafe methods).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/env.h"
#include "base/reuse_facts.h"
#include "cache_store/store.h"
#include "edge/lookup.h"
#include "origin/fetch.h"

namespace perigee::edge {

class Waiting;

class Relayed final : public origin::FetchUser {
 public:
  explicit Relayed(Waiting& waiting) : waiting_(waiting) {}

  /// Asks the origin.
  void begin(const Route& route);

  // FetchUser
  void on_fetch_cut(const origin::FetchError& error) override;
  void on_fetch_interim(const http::ReceivedResponse& interim) override;
  void on_fetch_head(const http::ReceivedResponse& received,
                     const http::ResponseTimes& times) override;
  void on_fetch_failed(const origin::FetchError& error) override;

 private:
  /// A HEAD tells whether the stored answer to GET still stands (RFC 9111 §4.3.5, http-rules 2.10).
  void note_head_response(const http::ReceivedResponse& head, const http::ResponseTimes& times);
  /// Removes what an unsafe request's success makes invalid. True: the answer waits until the
  /// journal says so too, lest kill -9 bring it back; then answer() goes on.
  bool invalidate();
  bool may_be_coded(const http::ReceivedResponse& received, const http::ResponseTimes& times) const;
  void on_invalidated(const base::Status& status);
  void answer();
  /// The origin agreed to the protocol that the client asked for: from here on bytes go both ways.
  void switch_protocols(const http::ReceivedResponse& received);

  Waiting& waiting_;
  std::string_view upgrade_;      ///< the protocol that was asked for; empty: none
  bool shared_ = false;           ///< any client could have sent it
  cache_store::Awaited awaited_;  ///< what such a request may freshen
  cache_store::Ticket ticket_;    ///< taken before the request left
  base::Pending pending_;
  std::unique_ptr<origin::Fetch> fetch_;
  std::vector<std::byte> image_;  ///< the head of the response
  base::ReuseFacts policy_;       ///< of the response
  std::optional<uint64_t> content_length_;
  bool has_body_ = false;
};

}  // namespace perigee::edge
