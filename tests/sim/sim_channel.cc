#include "tests/sim/sim_channel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/sim/sim_env.h"

namespace perigee::sim {

void Pipe::put(std::string_view bytes, Stamp stamp) {
  if (bytes.empty()) return;
  bytes_ += bytes;
  sent_ += bytes.size();
  sends_.push_back({sent_, stamp});
}

/// Brings the bytes of pages on loan up to date, and gives back those that are read.
void Pipe::look_at_lent() {
  std::erase_if(lent_, [&](const Lent& lent) { return lent.end <= taken_; });
  for (const Lent& lent : lent_) {
    const std::string_view now = lent.pages->bytes();
    const uint64_t begin = std::max(lent.begin, taken_);
    const uint64_t end = std::min(lent.end, taken_ + bytes_.size());
    if (begin >= end) continue;
    bytes_.replace(begin - taken_, end - begin, now.substr(begin - lent.begin, end - begin));
  }
}

std::string Pipe::take(size_t most, Stamp stamp) {
  look_at_lent();
  std::string out = bytes_.substr(0, most);
  if (out.empty()) return out;
  bytes_.erase(0, out.size());
  taken_ += out.size();
  takes_.push_back({taken_, stamp});
  return out;
}

Stamp Pipe::find(const std::vector<Mark>& marks, uint64_t offset) {
  const auto it = std::upper_bound(marks.begin(), marks.end(), offset,
                                   [](uint64_t at, const Mark& mark) { return at < mark.end; });
  return it != marks.end() ? it->stamp : Stamp{};
}

Stamp Link::attempt_at(uint64_t offset) const {
  for (const auto& [at, stamp] : attempts) {
    if (at == offset) return stamp;
  }
  return {};
}

void Link::peer_reset() {
  reset = true;
  peer_gone = true;
  if (rules.reset_loses_bytes) pipes[kToNode].discard();
  pipes[kFromNode].discard();
}

void Link::peer_close() {
  if (pipes[kFromNode].waiting() > 0) return peer_reset();
  pipes[kToNode].fin = true;
  peer_gone = true;
}

SimChannel::SimChannel(SimEnv& env, LinkPtr link) : env_(env), link_(std::move(link)) {
  peer_.remote = base::Address::parse(std::string(kPeerAddress) + ":50000").value();
  peer_.local = base::Address::parse("192.0.2.200:80").value();
  env_.add(*this);
}

SimChannel::~SimChannel() {
  env_.remove(*this);
  link_->node_gone = true;
  link_->node_left = env_.scheduler().stamp();
  if (link_->pipes[kToNode].waiting() > 0 && !link_->peer_gone) link_->reset = true;
  link_->pipes[kToNode].discard();
  link_->pipes[kFromNode].fin = true;
}

void SimChannel::want(bool read, bool write) {
  want_read_ = read;
  want_write_ = write;
}

bool SimChannel::readable() const {
  return link_->pipes[kToNode].waiting() > 0 || link_->pipes[kToNode].fin || link_->reset;
}

bool SimChannel::writable() const {
  return link_->pipes[kFromNode].room() > 0 || link_->peer_gone || link_->reset;
}

bool SimChannel::ready() const {
  return user_ != nullptr && ((want_read_ && readable()) || (want_write_ && writable()));
}

void SimChannel::poll() {
  const bool read = want_read_ && readable();
  const bool write = want_write_ && writable();
  if (user_ != nullptr && (read || write)) user_->on_ready(read, write);
}

base::Io SimChannel::recv(std::span<std::byte> into) {
  Pipe& pipe = link_->pipes[kToNode];
  if (link_->killed) return {base::Io::kAgain, 0, 0};
  if (pipe.waiting() == 0) {
    if (link_->reset) {
      if (!link_->reset_taken) link_->reset_taken = env_.scheduler().stamp();
      return {base::Io::kFail, 0, ECONNRESET};
    }
    if (!pipe.fin) return {base::Io::kAgain, 0, 0};
    if (!pipe.fin_taken) pipe.fin_taken = env_.scheduler().stamp();
    return {base::Io::kEof, 0, 0};
  }
  const std::string bytes =
      pipe.take(std::min(into.size(), link_->rules.most_a_recv), env_.scheduler().stamp());
  std::memcpy(into.data(), bytes.data(), bytes.size());
  return {base::Io::kOk, bytes.size(), 0};
}

base::Io SimChannel::send(std::span<const base::Piece> pieces) {
  Pipe& pipe = link_->pipes[kFromNode];
  if (link_->killed) return {base::Io::kAgain, 0, 0};
  if (link_->reset || link_->peer_gone) {
    link_->reset = true;
    return {base::Io::kFail, 0, EPIPE};
  }
  CHECK(!pipe.fin);
  const auto& tried = link_->attempts;
  if (tried.empty() || tried.back().first != pipe.sent()) {
    link_->attempts.emplace_back(pipe.sent(), env_.scheduler().stamp());
  }
  size_t sent = 0;
  size_t left = std::min(pipe.room(), link_->rules.most_a_send);
  if (left == 0 || env_.scheduler().random.chance(link_->rules.refused_send)) {
    return {base::Io::kAgain, 0, 0};
  }
  std::string bytes;
  for (const base::Piece& piece : pieces) {
    const size_t n = std::min(left, piece.size);
    if (piece.fd >= 0 && n > 0) {
      // One after another, so that the pages are noted where their bytes begin.
      pipe.put(bytes, env_.scheduler().stamp());
      sent += bytes.size();
      bytes.clear();
      pipe.note_lent(link_->lender->lend(piece.offset, n), n);
    }
    bytes.append(reinterpret_cast<const char*>(piece.data), n);
    left -= n;
  }
  pipe.put(bytes, env_.scheduler().stamp());
  return {base::Io::kOk, sent + bytes.size(), 0};
}

bool SimChannel::finish() {
  if (!link_->killed) link_->pipes[kFromNode].fin = true;
  return true;
}

void SimChannel::abort() {
  if (link_->killed || link_->reset) return;
  link_->reset = true;
  link_->node_reset = true;
}

}  // namespace perigee::sim
