#include "origin/content_reader.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::origin {

using base::limits::kCodingStepBytes;
using cache_store::Found;
using http::Decoder;

namespace {

/// `n` bytes from the front of `from`.
std::span<const std::byte> take(std::span<const std::byte>& from, size_t n) {
  const std::span<const std::byte> taken = from.first(n);
  from = from.subspan(n);
  return taken;
}

bool is_sound(ContentReader::State state) {
  return state == ContentReader::State::kPiece || state == ContentReader::State::kEnd;
}

}  // namespace

ContentReader::ContentReader(cache_store::Store& store, const FragmentedObject& stored,
                             http::Coding coding, uint64_t most, http::Members members)
    : store_(&store),
      object_(stored),
      coded_(coding != http::Coding::kIdentity),
      most_(most),
      decoder_(Decoder::make(coding, members)) {}

ContentReader::ContentReader(std::span<const std::byte> stored, http::Coding coding, uint64_t most,
                             http::Members members)
    : object_{0, stored.size()},
      coded_(coding != http::Coding::kIdentity),
      most_(most),
      decoder_(Decoder::make(coding, members)),
      read_(stored.size()),
      stored_(stored) {}

ContentReader::State ContentReader::next(std::span<const std::byte>& piece) {
  piece = {};
  State state = State::kPiece;
  if (coded_) {
    state = decode(piece);
  } else if (state = read(); state == State::kPiece) {
    piece = take(stored_, std::min(stored_.size(), kCodingStepBytes));
  }
  given_ += piece.size();
  if (given_ > most_) return State::kTooLong;
  return state == State::kEnd && given_ == 0 ? State::kBad : state;
}

ContentReader::State ContentReader::read() {
  if (!stored_.empty()) return State::kPiece;
  if (read_ == object_.size) return State::kEnd;
  CHECK(store_ != nullptr && read_ < object_.size);
  const uint64_t number = read_ / store_->fragment_bytes();
  const cache_store::FragmentId id = object_.fragment(number);
  fragment_.reset();
  Found found = store_->peek_fragment(id);
  if (found.state == Found::kCold) {
    store_->warm_fragment(id);
    found = store_->peek_fragment(id);
  }
  const http::ByteSpan right = fragment_span(object_, number, store_->fragment_bytes());
  if (found.state != Found::kHit || found.head->body.size() != right.size()) return State::kGone;
  fragment_ = std::move(found.head);
  stored_ = fragment_->body;
  read_ = right.end;
  return State::kPiece;
}

ContentReader::State ContentReader::decode(std::span<const std::byte>& piece) {
  if (decoder_ == nullptr) return State::kBad;
  const State state = read();
  if (state == State::kGone || (state == State::kEnd && between_members_)) return state;
  buffer_.resize(kCodingStepBytes);
  // A piece of it only: many members may hold nothing.
  const std::span<const std::byte> in = stored_.first(std::min(stored_.size(), kCodingStepBytes));
  const Decoder::Step step = decoder_->decode(in, buffer_);
  if (step.state == Decoder::State::kBad) return State::kBad;
  take(stored_, step.taken);
  between_members_ = step.state == Decoder::State::kEnd;
  const bool stuck = step.taken == 0 && step.made == 0 && !between_members_;
  if (stuck) return State::kCut;
  piece = {buffer_.data(), step.made};
  return State::kPiece;
}

Compared compare(ContentReader& a, ContentReader& b, GoOn& go_on) {
  std::span<const std::byte> left;
  std::span<const std::byte> right;
  ContentReader::State left_state = ContentReader::State::kPiece;
  ContentReader::State right_state = ContentReader::State::kPiece;
  for (;;) {
    if (!go_on()) return Compared::kLeft;
    if (left.empty() && left_state == ContentReader::State::kPiece) left_state = a.next(left);
    if (right.empty() && right_state == ContentReader::State::kPiece) right_state = b.next(right);
    const bool gone =
        left_state == ContentReader::State::kGone || right_state == ContentReader::State::kGone;
    if (gone) return Compared::kGone;
    if (!is_sound(left_state) || !is_sound(right_state)) return Compared::kDifferent;
    const size_t n = std::min(left.size(), right.size());
    if (n > 0 && std::memcmp(left.data(), right.data(), n) != 0) return Compared::kDifferent;
    take(left, n);
    take(right, n);
    const bool left_ended = left.empty() && left_state == ContentReader::State::kEnd;
    const bool right_ended = right.empty() && right_state == ContentReader::State::kEnd;
    if (left_ended && right_ended) return Compared::kSame;
    // The other one may have nothing more to give either, and not know it yet.
    const bool longer = (left_ended && !right.empty()) || (right_ended && !left.empty());
    if (longer) return Compared::kDifferent;
  }
}

}  // namespace perigee::origin
