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

LongCoding::LongCoding(cache_store::Store& store, const CodingTask& task,
                       const cache_store::RecordView& object, const cache_store::Ticket& ticket,
                       Bounds& bounds)
    : store_(store),
      task_(task),
      source_(fragmented_object(object)),
      body_(object.body),
      sent_(http::sent_coding(object.policy.flags)),
      ticket_(ticket),
      bounds_(bounds),
      effort_(effort_of(task)) {
  CHECK(object.rid == task.rid && task.coding != sent_);
  CHECK(object.kind == cache_store::RecordKind::kHead || sent_ != Coding::kIdentity);
}

Kind LongCoding::make(CodingOutcome& out) {
  // Until the coding is named nobody uses its fragments. The store keeps those of a URL that is
  // awaited.
  const cache_store::Awaited awaited = store_.await(task_.base);
  if (body_.empty() && !is_complete(store_, source_)) return Kind::kIncomplete;
  object_bytes_ = source_.size;
  if (sent_ != Coding::kIdentity) {
    if (const Kind measured = measure(out); measured != Kind::kStored) return measured;
  }
  out.object_bytes = object_bytes_;
  const Kind ready = take_ready(out);
  const bool encodes = ready == Kind::kNotReady && task_.way != CodingWay::kReady;
  if (!encodes && ready != Kind::kStored) return ready;
  if (encodes) {
    if (const Kind encoded = encode(); encoded != Kind::kStored) return encoded;
    if (const Kind verified = verify(); verified != Kind::kStored) return verified;
  }
  const uint64_t coded_bytes = coded_.size + made_.size();
  const Kind stored = put();
  if (stored == Kind::kStored) out.coded_bytes = coded_bytes;
  return stored;
}

ContentReader LongCoding::identity() const {
  const uint64_t most =
      std::min({store_.max_fragmented_bytes(), limits::kCodedBytesMost,
                sent_ == Coding::kIdentity ? source_.size : source_.size * limits::kDecodedTimes});
  if (!body_.empty()) return {body_, sent_, most};
  return {store_, source_, sent_, most};
}

Kind LongCoding::measure(CodingOutcome& out) {
  ContentReader body = identity();
  for (;;) {
    if (const auto ended = bounds_(0, 0)) return *ended;
    std::span<const std::byte> piece;
    const ContentReader::State state = body.next(piece);
    if (state == ContentReader::State::kPiece) continue;
    object_bytes_ = body.given();
    if (state == ContentReader::State::kEnd) return Kind::kStored;
    if (state == ContentReader::State::kGone) return Kind::kIncomplete;
    out.key = task_.key;
    out.sent = sent_;
    out.wrong = verified_of(state);
    return Kind::kUndecodable;
  }
}

Kind LongCoding::take_ready(CodingOutcome& out) {
  if (task_.precoded == nullptr || task_.coding == Coding::kIdentity) return Kind::kNotReady;
  const auto ready =
      task_.precoded->open({task_.target, task_.coding, object_bytes_, task_.begun_ms});
  if (ready == nullptr) return Kind::kNotReady;
  const Kind copied = copy(*ready);
  const Kind taken = copied == Kind::kStored ? verify() : copied;
  if (taken == Kind::kStored) {
    out.was_ready = true;
    effort_ = http::Effort::kBest;
    return taken;
  }
  if (taken != Kind::kFailed && taken != Kind::kNotReady) return taken;
  // While it is written it holds a part.
  if (taken == Kind::kFailed && ready->settled() && is_meant(*ready)) {
    out.not_coding = ready->name();
  }
  coded_ = {};
  made_.clear();
  return Kind::kNotReady;
}

Kind LongCoding::copy(Precoded::Ready& ready) {
  std::vector<std::byte> step;
  for (uint64_t at = 0; at < ready.size(); at += step.size()) {
    if (const auto ended = bounds_(0, 0)) return *ended;
    step.resize(std::min<uint64_t>(limits::kCodingStepBytes, ready.size() - at));
    if (!ready.read(at, step)) return Kind::kNotReady;
    made_.insert(made_.end(), step.begin(), step.end());
    if (!spills()) continue;
    const bool last = at + step.size() == ready.size();
    if (const Kind put = spill(last); put != Kind::kStored) return put;
  }
  return Kind::kStored;
}

bool LongCoding::is_meant(Precoded::Ready& ready) {
  ContentReader body = identity();
  for (;;) {
    if (bounds_(0, 0)) return false;
    const uint64_t at = body.given();
    std::span<const std::byte> piece;
    const ContentReader::State state = body.next(piece);
    if (state == ContentReader::State::kEnd) return true;
    if (state != ContentReader::State::kPiece || !ready.lies_beside(at, piece)) return false;
  }
}

Kind LongCoding::encode() {
  ContentReader body = identity();
  std::unique_ptr<http::Encoder> encoder;
  if (task_.coding != Coding::kIdentity) {
    encoder = http::Encoder::make(task_.coding, effort_, object_bytes_);
    if (encoder == nullptr) return Kind::kFailed;
  }
  for (;;) {
    if (const auto ended = bounds_(body.given(), object_bytes_)) return *ended;
    std::span<const std::byte> piece;
    const ContentReader::State state = body.next(piece);
    const bool last = state == ContentReader::State::kEnd;
    if (state == ContentReader::State::kGone) return Kind::kIncomplete;
    // It was measured, or nothing is decoded.
    if (state != ContentReader::State::kPiece && !last) return Kind::kFailed;
    if (encoder == nullptr) {
      made_.insert(made_.end(), piece.begin(), piece.end());
    } else if (!encoder->encode(piece, last, made_)) {
      return Kind::kFailed;
    }
    if (last && !is_worth_it(object_bytes_)) return Kind::kNotWorthIt;
    if (spills()) {
      // What will hardly be kept is not written to its end.
      const bool half = body.given() >= object_bytes_ / 2;
      if (half && !is_worth_it(body.given())) return Kind::kNotWorthIt;
      if (const Kind put = spill(last); put != Kind::kStored) return put;
    }
    if (last) return made_.empty() && !in_fragments() ? Kind::kFailed : Kind::kStored;
  }
}

bool LongCoding::is_worth_it(uint64_t read_bytes) const {
  return task_.coding == Coding::kIdentity ||
         coded_.size + made_.size() < most_coded_bytes(read_bytes);
}

bool LongCoding::spills() const {
  return in_fragments() || made_.size() > store_.max_object_bytes();
}

Kind LongCoding::spill(bool last) {
  while (made_.size() >= store_.fragment_bytes()) {
    if (const Kind put = put_fragment(store_.fragment_bytes()); put != Kind::kStored) return put;
  }
  return last && !made_.empty() ? put_fragment(made_.size()) : Kind::kStored;
}

Kind LongCoding::put_fragment(size_t bytes) {
  if (!in_fragments()) {
    coded_.rid = task_.rid;
    coded_.coding = store_.draw_rid();
    sha256_.emplace(http::DigestAlgorithm::kSha256);
  }
  CHECK(coded_.size % store_.fragment_bytes() == 0 && bytes <= made_.size());
  const std::span<const std::byte> piece(made_.data(), bytes);
  const auto put = store_.put_fragment(
      {coded_.fragment(coded_.size / store_.fragment_bytes()), task_.base, ticket_, {&piece, 1}});
  if (!put.ok()) return kind_of(put.error());
  sha256_->add(piece);
  coded_.size += bytes;
  made_.erase(made_.begin(), made_.begin() + static_cast<ptrdiff_t>(bytes));
  return Kind::kStored;
}

Kind LongCoding::verify() {
  constexpr auto kOne = http::Members::kOne;
  ContentReader body = identity();
  ContentReader coded = in_fragments()
                            ? ContentReader(store_, coded_, task_.coding, object_bytes_, kOne)
                            : ContentReader(made_, task_.coding, object_bytes_, kOne);
  std::optional<Kind> ended;
  GoOn go_on([&] {
    ended = bounds_(0, 0);
    return !ended;
  });
  switch (compare(body, coded, go_on)) {
    case Compared::kSame:
      return Kind::kStored;
    case Compared::kDifferent:
      return Kind::kFailed;
    case Compared::kGone:
      return Kind::kIncomplete;
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
  const auto put = in_fragments() ? put_long_coding(store_, draft, task_.coding, effort_, coded_,
                                                    sha256_->finish())
                                  : put_coding(store_, draft, task_.coding, effort_, made_);
  return put.ok() ? Kind::kStored : kind_of(put.error());
}

}  // namespace perigee::origin
