#include "http/exchange/out_queue.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace perigee::http {

namespace limits = base::limits;

namespace {

/// Of one call on the channel; more wait for the next one.
constexpr size_t kPieces = 16;

}  // namespace

/// What one flush gives to the channel.
struct OutQueue::Offer {
  std::array<base::Piece, kPieces> pieces;
  size_t count = 0;
  size_t bytes = 0;
  size_t lent = 0;  ///< pieces of the queue that were offered, the last one perhaps in part

  void add(const base::Piece& piece) {
    pieces[count++] = piece;
    bytes += piece.size;
  }
};

/// What the channel took of each lent piece.
struct OutQueue::Taken {
  struct Part {
    BodySource* source;
    size_t bytes;
  };
  std::array<Part, kPieces> parts;
  size_t count = 0;
};

/// Before bytes are added: borrows a buffer, or drops the front that was taken once it is the
/// larger part, so that a queue that never runs empty does not grow.
void OutQueue::make_room() {
  std::vector<char>& copied = buffer_.copied;
  if (copied.capacity() == 0 && buffer_.lent.empty()) {
    buffer_ = buffers_.take();
  } else if (taken_ > copied_bytes()) {
    copied.erase(copied.begin(), copied.begin() + static_cast<ptrdiff_t>(taken_));
    for (LentPiece& lent : buffer_.lent) lent.at -= taken_;
    taken_ = 0;
  }
}

bool OutQueue::has_room() {
  if (copied_bytes() >= limits::kOutHighBytes) full_ = true;
  if (copied_bytes() < limits::kOutLowBytes) full_ = false;
  return !full_;
}

void OutQueue::copy(std::string_view bytes) {
  CHECK(buffer_.lent.empty() || buffer_.lent.back().promised);
  make_room();
  buffer_.copied.insert(buffer_.copied.end(), bytes.begin(), bytes.end());
}

std::span<char> OutQueue::reserve(size_t n) {
  CHECK(buffer_.lent.empty() || buffer_.lent.back().promised);
  make_room();
  reserved_at_ = buffer_.copied.size();
  buffer_.copied.resize(reserved_at_ + n);
  return {buffer_.copied.data() + reserved_at_, n};
}

void OutQueue::commit(size_t n) {
  CHECK(reserved_at_ + n <= buffer_.copied.size());
  buffer_.copied.resize(reserved_at_ + n);
}

void OutQueue::lend(const base::Piece& piece, BodySource& source, Rest rest) {
  CHECK(piece.size > 0);
  CHECK(buffer_.lent.empty() || buffer_.lent.back().promised);
  make_room();
  buffer_.lent.push_back({buffer_.copied.size(), piece, &source, rest == Rest::kPromised});
}

OutQueue::Offer OutQueue::make_offer() const {
  Offer offer;
  size_t at = taken_;
  size_t lent_bytes = 0;
  const auto add_copied = [&](size_t end) {
    if (end == at) return;
    offer.add({reinterpret_cast<const std::byte*>(buffer_.copied.data() + at), end - at});
    at = end;
  };
  for (const LentPiece& lent : buffer_.lent) {
    // Copied bytes and the piece itself.
    if (offer.count + 2 > kPieces || lent_bytes >= limits::kSendBytes) return offer;
    add_copied(lent.at);
    base::Piece piece = lent.piece;
    piece.size = std::min(piece.size, limits::kSendBytes - lent_bytes);
    lent_bytes += piece.size;
    offer.add(piece);
    ++offer.lent;
    // A channel sends a file only for the last piece.
    if (piece.fd >= 0 && piece.size >= limits::kSendfileBytes) return offer;
  }
  add_copied(buffer_.copied.size());
  return offer;
}

/// Takes `n` bytes of the offer off the queue. Says which sources are to be advanced.
OutQueue::Taken OutQueue::take(const Offer& offer, size_t n) {
  Taken taken;
  const bool blocked = n < offer.bytes;
  total_ += n;
  size_t gone = 0;  ///< lent pieces that need nothing more
  for (size_t i = 0; i < offer.lent; ++i) {
    LentPiece& lent = buffer_.lent[i];
    const size_t copied = std::min(n, lent.at - taken_);
    taken_ += copied;
    n -= copied;
    const size_t part = std::min(n, lent.piece.size);
    n -= part;
    if (part > 0) taken.parts[taken.count++] = {lent.source, part};
    lent.piece.data += part;
    lent.piece.offset += part;
    lent.piece.size -= part;
    if (lent.piece.size == 0 || !lent.promised) ++gone;
    if (lent.piece.size > 0) break;
  }
  taken_ += n;
  std::vector<LentPiece>& all = buffer_.lent;
  all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(gone));
  if (blocked) withdraw();
  return taken;
}

/// Nothing is lent any more: promised pieces are copied to where they stand, others forgotten.
void OutQueue::withdraw() {
  if (buffer_.lent.empty()) return;
  std::vector<LentPiece> all = std::exchange(buffer_.lent, {});
  size_t moved = 0;
  for (const LentPiece& lent : all) {
    if (!lent.promised) continue;
    const char* const data = reinterpret_cast<const char*>(lent.piece.data);
    const auto place = buffer_.copied.begin() + static_cast<ptrdiff_t>(lent.at + moved);
    buffer_.copied.insert(place, data, data + lent.piece.size);
    moved += lent.piece.size;
  }
  for (const LentPiece& lent : all) {
    if (lent.promised) lent.source->advance(lent.piece.size);
  }
  all.clear();
  if (buffer_.lent.empty()) buffer_.lent.swap(all);
}

OutQueue::Flushed OutQueue::flush(base::Channel& channel) {
  const Offer offer = make_offer();
  if (offer.count == 0) return {};
  const base::Io io = channel.send({offer.pieces.data(), offer.count});
  if (io.state == base::Io::kFail || io.state == base::Io::kEof) {
    return {base::Io::kFail, io.error};
  }
  const size_t n = io.state == base::Io::kOk ? io.n : 0;
  CHECK(n <= offer.bytes);
  const Taken taken = take(offer, n);
  release_if_empty();
  // Last: a source that has given all may end its exchange, which may add to the queue.
  for (size_t i = 0; i < taken.count; ++i) taken.parts[i].source->advance(taken.parts[i].bytes);
  if (n < offer.bytes) return {base::Io::kAgain, 0};
  return {base::Io::kOk, 0, !empty()};
}

void OutQueue::release_if_empty() {
  if (!empty()) return;
  taken_ = 0;
  buffers_.give_back(std::exchange(buffer_, OutBuffer()));
}

void OutQueue::clear() {
  buffers_.give_back(std::exchange(buffer_, OutBuffer()));
  taken_ = 0;
  full_ = false;
}

}  // namespace perigee::http
