// Makes one coding of a stored object that is longer than a record: read, encoded and put fragment
// by fragment, then decoded from the store and compared with the object. Its memory is bounded by a
// fragment, a step of the decoder and what the encoder needs.
//
// The coding's fragments have a number of their own, and nothing names it before they are all there
// and compared: so what fails half-way leaves fragments that nobody finds.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/fn.h"
#include "cache_store/store.h"
#include "http/coding/encoder.h"
#include "origin/body_digest.h"
#include "origin/coding_task.h"
#include "origin/fragmented_object.h"
#include "origin/long_body.h"

namespace perigee::origin {

/// One attempt. Pool.
class LongCoding {
 public:
  /// Set when no more may be done, and why. `done` of `of` bytes are encoded; 0 of 0: it is not
  /// known how much is still to be done.
  using Bounds = base::Fn<std::optional<CodingOutcome::Kind>(uint64_t done, uint64_t of)>;

  /// Of the object that `head`, a kHead, tells of. All outlive it.
  LongCoding(cache_store::Store& store, const CodingTask& task, const cache_store::RecordView& head,
             const cache_store::Ticket& ticket, Bounds& bounds);

  /// What came of it; the rest of `out` too, but for the time.
  CodingOutcome::Kind make(CodingOutcome& out);

 private:
  using Kind = CodingOutcome::Kind;

  /// All of what the origin sent, decoded.
  LongBody identity() const;
  /// How long that is. What is wrong with it stands in `out`.
  Kind measure(CodingOutcome& out);
  Kind encode();
  /// Puts what fills fragments; all that is left, if `last` and what comes before lies there too.
  Kind spill(bool last);
  Kind put_fragment(size_t bytes);
  bool is_worth_it(uint64_t read_bytes) const;
  Kind verify();
  Kind put();

  cache_store::Store& store_;
  const CodingTask& task_;
  const FragmentedObject source_;
  const http::Coding sent_;
  const cache_store::Ticket& ticket_;
  Bounds& bounds_;
  uint64_t object_bytes_ = 0;    ///< of the identity
  FragmentedObject coded_;       ///< coding 0: nothing lies in fragments yet
  std::vector<std::byte> made_;  ///< behind these
  Hasher sha256_{http::DigestAlgorithm::kSha256};
};

}  // namespace perigee::origin
