// Memory pipes: what a kernel would do, without one.
#include "tests/support/memory_channel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace perigee::test {

MemoryChannel::MemoryChannel(FakeEnv& env, std::shared_ptr<Link> link, int side)
    : env_(env), link_(std::move(link)), side_(side) {
  peer_.remote = base::Address::parse("127.0.0.1:80").value();
  peer_.local = base::Address::parse("127.0.0.1:40000").value();
  env_.add(*this);
}

MemoryChannel::~MemoryChannel() {
  env_.remove(*this);
  if (!in().bytes.empty()) link_->reset[1 - side_] = true;
  out().finished = true;
  in().closed = true;
}

void MemoryChannel::want(bool read, bool write) {
  want_read_ = read;
  want_write_ = write;
}

bool MemoryChannel::readable() const {
  return !in().bytes.empty() || in().finished || link_->reset[side_];
}

bool MemoryChannel::writable() const {
  return out().bytes.size() < out().rules.capacity || out().closed || link_->reset[side_];
}

bool MemoryChannel::poll() {
  const bool read = want_read_ && readable();
  const bool write = want_write_ && writable();
  if (user_ == nullptr || (!read && !write)) return false;
  user_->on_ready(read, write);
  return true;
}

base::Io MemoryChannel::recv(std::span<std::byte> into) {
  ++recvs;
  Direction& from = in();
  if (from.bytes.empty()) {
    if (link_->reset[side_]) return {base::Io::kFail, 0, ECONNRESET};
    return {from.finished ? base::Io::kEof : base::Io::kAgain, 0, 0};
  }
  const size_t n = std::min({into.size(), from.bytes.size(), from.rules.per_recv});
  std::memcpy(into.data(), from.bytes.data(), n);
  from.bytes.erase(0, n);
  return {base::Io::kOk, n, 0};
}

base::Io MemoryChannel::send(std::span<const base::Piece> pieces) {
  Direction& to = out();
  if (link_->reset[side_]) return {base::Io::kFail, 0, ECONNRESET};
  if (to.finished) return {base::Io::kFail, 0, EPIPE};
  if (to.closed) {
    link_->reset[side_] = true;
    return {base::Io::kFail, 0, EPIPE};
  }
  const size_t room = to.rules.capacity - std::min(to.rules.capacity, to.bytes.size());
  size_t left = std::min(room, to.rules.per_send);
  if (left == 0) return {base::Io::kAgain, 0, 0};
  size_t taken = 0;
  for (const base::Piece& piece : pieces) {
    const size_t n = std::min(left, piece.size);
    to.bytes.append(reinterpret_cast<const char*>(piece.data), n);
    taken += n;
    left -= n;
  }
  return {base::Io::kOk, taken, 0};
}

bool MemoryChannel::finish() {
  out().finished = true;
  return true;
}

void MemoryChannel::abort() {
  link_->reset[1 - side_] = true;
  link_->reset[side_] = true;
  in().bytes.clear();
}

std::string MemoryChannel::read() { return std::exchange(in().bytes, {}); }

std::string MemoryChannel::read_some(size_t most) {
  std::string taken = in().bytes.substr(0, most);
  in().bytes.erase(0, taken.size());
  return taken;
}

MemoryPipe make_memory_pipe(FakeEnv& env, PipeRules rules) {
  auto link = std::make_shared<MemoryChannel::Link>();
  link->directions[0].rules = rules;
  link->directions[1].rules = rules;
  return {std::make_unique<MemoryChannel>(env, link, 0),
          std::make_unique<MemoryChannel>(env, link, 1)};
}

}  // namespace perigee::test
