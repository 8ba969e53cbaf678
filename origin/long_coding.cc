#include "origin/long_coding.h"

#include <algorithm>
#include <memory>
#include <span>

#include "base/check.h"
#include "base/limits.h"
#include "origin/coded_record.h"

namespace perigee::origin {

namespace limits = base::limits;
using http::Coding;
using Kind = CodingOutcome::Kind;

namespace {

/// Why a content is not what it says.
Verified wrong_of(LongBody::State state) {
  if (state == LongBody::State::kCut) return Verified::kCut;
  return state == LongBody::State::kTooLong ? Verified::kTooLong : Verified::kFailed;
}

}  // namespace

LongCoding::LongCoding(cache_store::Store& store, const CodingTask& task,
                       const cache_store::RecordView& head, const cache_store::Ticket& ticket,
                       Bounds& bounds)
    : store_(store),
      task_(task),
      source_(fragmented_object(head)),
      sent_(http::sent_coding(head.policy.flags)),
      ticket_(ticket),
      bounds_(bounds) {
  CHECK(head.kind == cache_store::RecordKind::kHead && head.rid == task.rid);
  CHECK(task.coding != sent_);
}

Kind LongCoding::make(CodingOutcome& out) {
  // Nobody uses its fragments before they are all there: so long they stay.
  const cache_store::Awaited awaited = store_.await(task_.base);
  if (first_missing(store_, source_, {0, source_.size})) return Kind::kIncomplete;
  object_bytes_ = source_.size;
  if (sent_ != Coding::kIdentity) {
    if (const Kind measured = measure(out); measured != Kind::kStored) return measured;
  }
  out.object_bytes = object_bytes_;
  if (const Kind encoded = encode(); encoded != Kind::kStored) return encoded;
  if (const Kind verified = verify(); verified != Kind::kStored) return verified;
  out.coded_bytes = coded_.size + made_.size();
  return put();
}

LongBody LongCoding::identity() const {
  const uint64_t most =
      std::min({store_.max_fragmented_bytes(), limits::kCodedBytesMost,
                sent_ == Coding::kIdentity ? source_.size : source_.size * limits::kDecodedTimes});
  return {store_, source_, sent_, most};
}

Kind LongCoding::measure(CodingOutcome& out) {
  LongBody body = identity();
  for (;;) {
    if (const auto ended = bounds_(0, 0)) return *ended;
    std::span<const std::byte> piece;
    const LongBody::State state = body.next(piece);
    if (state == LongBody::State::kPiece) continue;
    object_bytes_ = body.given();
    if (state == LongBody::State::kEnd) return Kind::kStored;
    if (state == LongBody::State::kGone) return Kind::kIncomplete;
    out.key = task_.key;
    out.sent = sent_;
    out.wrong = wrong_of(state);
    return Kind::kUndecodable;
  }
}

Kind LongCoding::encode() {
  LongBody body = identity();
  std::unique_ptr<http::Encoder> encoder;
  if (task_.coding != Coding::kIdentity) {
    encoder = http::Encoder::make(task_.coding, effort_of(task_), object_bytes_);
    if (encoder == nullptr) return Kind::kFailed;
  }
  for (;;) {
    if (const auto ended = bounds_(body.given(), object_bytes_)) return *ended;
    std::span<const std::byte> piece;
    const LongBody::State state = body.next(piece);
    const bool last = state == LongBody::State::kEnd;
    if (state == LongBody::State::kGone) return Kind::kIncomplete;
    // It was measured, or nothing is decoded.
    if (state != LongBody::State::kPiece && !last) return Kind::kFailed;
    if (encoder == nullptr) {
      made_.insert(made_.end(), piece.begin(), piece.end());
    } else if (!encoder->encode(piece, last, made_)) {
      return Kind::kFailed;
    }
    if (last && !is_worth_it(object_bytes_)) return Kind::kNotWorthIt;
    const bool spills = made_.size() > store_.max_object_bytes() || coded_.coding != 0;
    if (spills) {
      // What will not be kept is not written to its end.
      if (!is_worth_it(body.given())) return Kind::kNotWorthIt;
      if (const Kind put = spill(last); put != Kind::kStored) return put;
    }
    if (last) return made_.empty() && coded_.size == 0 ? Kind::kFailed : Kind::kStored;
  }
}

bool LongCoding::is_worth_it(uint64_t read_bytes) const {
  return task_.coding == Coding::kIdentity ||
         coded_.size + made_.size() < most_coded_bytes(read_bytes);
}

Kind LongCoding::spill(bool last) {
  while (made_.size() >= store_.fragment_bytes()) {
    if (const Kind put = put_fragment(store_.fragment_bytes()); put != Kind::kStored) return put;
  }
  return last && !made_.empty() ? put_fragment(made_.size()) : Kind::kStored;
}

Kind LongCoding::put_fragment(size_t bytes) {
  if (coded_.coding == 0) {
    coded_.rid = task_.rid;
    coded_.coding = store_.draw_rid();
  }
  CHECK(coded_.size % store_.fragment_bytes() == 0 && bytes <= made_.size());
  const std::span<const std::byte> piece(made_.data(), bytes);
  const auto put = store_.put_fragment(
      {coded_.fragment(coded_.size / store_.fragment_bytes()), task_.base, ticket_, {&piece, 1}});
  if (!put.ok()) return kind_of(put.error());
  sha256_.add(piece);
  coded_.size += bytes;
  made_.erase(made_.begin(), made_.begin() + static_cast<ptrdiff_t>(bytes));
  return Kind::kStored;
}

Kind LongCoding::verify() {
  constexpr auto kOne = http::Members::kOne;
  LongBody body = identity();
  LongBody coded = coded_.coding == 0 ? LongBody(made_, task_.coding, object_bytes_, kOne)
                                      : LongBody(store_, coded_, task_.coding, object_bytes_, kOne);
  std::optional<Kind> ended;
  GoOn go_on([&] {
    ended = bounds_(0, 0);
    return !ended;
  });
  switch (compare(body, coded, go_on)) {
    case Compared::kSame:
      return Kind::kStored;
    case Compared::kDifferent:
      // A fragment of either may have gone meanwhile.
      return first_missing(store_, source_, {0, source_.size}) ||
                     first_missing(store_, coded_, {0, coded_.size})
                 ? Kind::kIncomplete
                 : Kind::kFailed;
    case Compared::kLeft:
      return *ended;
  }
  return Kind::kFailed;
}

Kind LongCoding::put() {
  cache_store::Draft draft;
  draft.rid = task_.rid;
  draft.key = task_.key;
  draft.base = task_.base;
  draft.ticket = ticket_;
  const auto put = coded_.coding == 0
                       ? put_coding(store_, draft, task_.coding, effort_of(task_), made_)
                       : put_long_coding(store_, draft, task_.coding, effort_of(task_), coded_,
                                         sha256_.finish());
  return put.ok() ? Kind::kStored : kind_of(put.error());
}

}  // namespace perigee::origin
