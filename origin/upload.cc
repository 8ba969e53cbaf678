// Content is pulled only while the connection takes what was pulled before.
#include "origin/upload.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "http/h1/writer.h"

namespace perigee::origin {

namespace limits = base::limits;
using http::Chunk;

namespace {

/// The method gives content a meaning, so that none of it is told as a length of 0.
bool means_content(http::Method method) {
  return method == http::Method::kPost || method == http::Method::kPut ||
         method == http::Method::kPatch;
}

}  // namespace

void Upload::begin(const FetchRequest& request, base::Waker& waker) {
  body_ = request.body;
  output_.clear();
  sent_ = 0;
  state_ = State::kMore;
  broken_ = false;
  http::RequestToSend head{.method = request.method_text,
                           .target = request.target,
                           .host = request.host,
                           .fields = request.fields,
                           .upgrade = request.upgrade};
  if (body_ != nullptr) {
    const std::optional<uint64_t> size = body_->size();
    chunked_ = !size.has_value();
    head.framing = size ? http::Framing::kLength : http::Framing::kChunked;
    head.content_length = size.value_or(0);
    body_->set_waker(&waker);
  } else if (means_content(request.method)) {
    // RFC 9110 §8.6: else some origins ask for the length of what is not there (411).
    head.framing = http::Framing::kLength;
  }
  if (!http::append_request_head(output_, head)) {
    stop();
    state_ = State::kRefused;
  }
}

void Upload::begin_tunnel(http::BodySource& client, base::Waker& waker) {
  CHECK(body_ == nullptr && output_.empty());
  body_ = &client;
  chunked_ = false;
  state_ = State::kMore;
  body_->set_waker(&waker);
}

Upload::State Upload::send(base::Channel& channel) {
  if (over()) return state_;
  for (size_t taken = 0; taken < limits::kSendBytes;) {
    const State pulled = pull();
    if (pulled == State::kCut) return state_ = pulled;
    if (sent_ == output_.size()) return state_ = pulled;
    const base::Piece piece{reinterpret_cast<const std::byte*>(output_.data()) + sent_,
                            std::min(output_.size() - sent_, limits::kSendBytes - taken)};
    const base::Io io = channel.send({&piece, 1});
    if (io.state == base::Io::kAgain) return state_ = State::kBlocked;
    if (io.state != base::Io::kOk) {
      stop();
      broken_ = true;
      return state_ = State::kBroken;
    }
    CHECK(io.n <= piece.size);
    sent_ += io.n;
    taken += io.n;
    taken_bytes_ += io.n;
    if (sent_ == output_.size() || sent_ >= limits::kOutLowBytes) {
      output_.erase(0, sent_);
      sent_ = 0;
    }
  }
  return state_ = State::kMore;
}

/// Fills the output where there is room. kWhole: nothing is left to pull.
Upload::State Upload::pull() {
  CHECK(sent_ <= output_.size());
  while (body_ != nullptr && output_.size() - sent_ < limits::kOutLowBytes) {
    const Chunk chunk = body_->peek(limits::kFillChunkBytes);
    if (chunk.state == Chunk::kLater) return State::kWaiting;
    if (chunk.state == Chunk::kFail) return State::kCut;
    const std::string_view bytes(reinterpret_cast<const char*>(chunk.piece.data), chunk.piece.size);
    if (!chunked_) output_.append(bytes);
    if (chunked_ && !bytes.empty()) http::append_chunk(output_, bytes);
    if (!bytes.empty()) body_->advance(bytes.size());
    if (chunk.state != Chunk::kEnd) continue;
    if (chunked_) output_.append(http::kLastChunk);
    body_->set_waker(nullptr);
    body_ = nullptr;
  }
  return body_ == nullptr ? State::kWhole : State::kMore;
}

void Upload::stop() {
  if (body_ != nullptr) body_->set_waker(nullptr);
  body_ = nullptr;
  output_.clear();
  sent_ = 0;
  if (state_ != State::kWhole) state_ = State::kStopped;
}

}  // namespace perigee::origin
