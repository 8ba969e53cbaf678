#include "http/h1/response_sender.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/limits.h"
#include "http/h1/writer.h"

namespace perigee::http {

namespace limits = base::limits;

bool ResponseSender::choose_framing(const RequestHead& request, const ResponseHead& head,
                                    bool has_body) {
  left_ = head.content_length.value_or(0);
  if (!head.upgrade.empty()) {
    framing_ = Framing::kClose;
  } else if (never_has_body(request.method, head.status)) {
    framing_ = Framing::kNone;
    left_ = 0;
  } else if (head.content_length || !has_body) {
    framing_ = Framing::kLength;
  } else {
    framing_ = request.version_minor > 0 ? Framing::kChunked : Framing::kClose;
  }
  return framing_ != Framing::kClose;
}

bool ResponseSender::write_head(const RequestHead& request, const ResponseHead& head,
                                bool keep_alive) {
  return write_response_head(context_.out, head, {framing_, keep_alive, request.version_minor});
}

void ResponseSender::begin_body(BodySource* body) {
  sent_ = 0;
  last_lent_ = false;
  body_ = framing_ == Framing::kNone ? nullptr : body;
  if (body_ == nullptr || (framing_ == Framing::kLength && left_ == 0)) return end_body();
  body_->set_waker(&context_.waker);
  pull();
}

bool ResponseSender::pull() {
  bool moved = false;
  while (!context_.out.lending() && context_.out.has_room()) {
    const Chunk chunk =
        body_->peek(framing_ == Framing::kChunked ? limits::kFillChunkBytes : limits::kSendBytes);
    if (chunk.state == Chunk::kLater) return moved;
    if (chunk.state == Chunk::kFail || chunk.state == Chunk::kBad) {
      end(chunk.state == Chunk::kBad ? Ending::kBad : Ending::kCut);
      return false;
    }
    base::Piece piece = chunk.piece;
    if (framing_ == Framing::kLength) piece.size = std::min<uint64_t>(piece.size, left_);
    const bool last =
        chunk.state == Chunk::kEnd || (framing_ == Framing::kLength && piece.size == left_);
    if (framing_ != Framing::kChunked && piece.size > limits::kCopyBodyBytes) {
      last_lent_ = last;
      lent_ = piece.size;
      context_.out.lend(piece, lender_);
      return true;
    }
    copy_piece(piece);
    if (last) {
      end_body();
      return true;
    }
    if (piece.size == 0) return moved;
    moved = true;
  }
  return moved;
}

void ResponseSender::cancel() {
  context_.out.withdraw();
  body_ = nullptr;
}

void ResponseSender::copy_piece(const base::Piece& piece) {
  if (piece.size == 0) return;
  OutQueue& out = context_.out;
  std::array<char, 20> memory;
  if (framing_ == Framing::kChunked) out.copy(chunk_line(piece.size, memory));
  out.copy({reinterpret_cast<const char*>(piece.data), piece.size});
  if (framing_ == Framing::kChunked) out.copy(kChunkEnd);
  count(piece.size);
}

void ResponseSender::on_taken(size_t n) {
  count(n);
  lent_ -= n;
  if (lent_ == 0 && last_lent_) end_body();
}

/// `n` bytes of the body have gone to the queue or the channel.
void ResponseSender::count(size_t n) {
  body_->advance(n);
  sent_ += n;
  if (framing_ == Framing::kLength) left_ -= n;
}

void ResponseSender::end_body() {
  if (framing_ == Framing::kChunked) context_.out.copy(kLastChunk);
  // A body shorter than declared: the client must see the cut.
  end(framing_ != Framing::kLength || left_ == 0 ? Ending::kWhole : Ending::kCut);
}

void ResponseSender::end(Ending ending) {
  body_ = nullptr;
  listener_.on_response_end(ending);
}

}  // namespace perigee::http
