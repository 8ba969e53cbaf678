// Makes one coding of a stored object whose identity is longer than a record: read, encoded and put
// fragment by fragment, then decoded from the store and compared with the object. Where the origin
// has the coding ready, that is put and compared instead. Its memory is bounded by a fragment, a
// step of the decoder and what the encoder needs.
//
// The coding's fragments have a number of their own, and nothing names it before they are all there
// and compared: so what fails half-way leaves fragments that nobody finds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/fn.h"
#include "cache_store/store.h"
#include "http/coding/encoder.h"
#include "origin/body_digest.h"
#include "origin/coding_task.h"
#include "origin/content_reader.h"
#include "origin/fragmented_object.h"

namespace perigee::origin {

/// One attempt. Pool.
class LongCoding {
 public:
  /// Set when no more may be done, and why. `done` of `of` bytes are encoded; 0 of 0: it is not
  /// known how much is still to be done.
  using Bounds = base::Fn<std::optional<CodingOutcome::Kind>(uint64_t done, uint64_t of)>;

  /// Of an object that lies in fragments, or that the origin sent coded. `object` is looked at here
  /// alone; if it has a body, that stays pinned as long as this lives. All else outlives this.
  LongCoding(cache_store::Store& store, const CodingTask& task,
             const cache_store::RecordView& object, const cache_store::Ticket& ticket,
             Bounds& bounds);

  /// What came of it; the rest of `out` too, but for the time.
  CodingOutcome::Kind make(CodingOutcome& out);

 private:
  using Kind = CodingOutcome::Kind;

  /// All of what the origin sent, decoded.
  ContentReader identity() const;
  /// How long that is. What is wrong with it stands in `out`.
  Kind measure(CodingOutcome& out);
  /// Puts what the origin has ready, and compares it. kNotReady: it has nothing that is of use.
  Kind take_ready(CodingOutcome& out);
  Kind copy(Precoded::Ready& ready);
  /// It lies beside what is stored, so it is meant to be a coding of that.
  bool is_meant(Precoded::Ready& ready);
  Kind encode();
  bool in_fragments() const { return coded_.coding != 0; }
  /// It does not fit one record: some lies in fragments, or has to.
  bool spills() const;
  /// Puts what fills fragments; all that is left, if `last`.
  Kind spill(bool last);
  Kind put_fragment(size_t bytes);
  bool is_worth_it(uint64_t read_bytes) const;
  Kind verify();
  Kind put();

  cache_store::Store& store_;
  const CodingTask& task_;
  const FragmentedObject source_;
  const std::span<const std::byte> body_;  ///< of what lies in one record
  const http::Coding sent_;
  const cache_store::Ticket& ticket_;
  Bounds& bounds_;
  http::Effort effort_;
  uint64_t object_bytes_ = 0;     ///< of the identity
  FragmentedObject coded_;        ///< coding 0: nothing lies in fragments yet
  std::vector<std::byte> made_;   ///< behind these
  std::optional<Hasher> sha256_;  ///< of what lies in fragments
};

}  // namespace perigee::origin
