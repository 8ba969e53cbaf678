// A socket as a channel: readiness by level, partial takes, files lent or copied, and honest ends.
#include "edge/doors/uv_socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <array>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "tests/support/refused_calls.h"
#include "tests/unit/doors/loopback.h"

namespace perigee::edge {
namespace {

using base::Io;
using base::Piece;

Piece piece_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

class SocketChannel : public testing::Test {
 protected:
  SocketChannel() { open(true); }

  /// A new pair of ends; the near one may use sendfile or not.
  void open(bool may_sendfile) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener, 1), 0);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    far_end = std::make_unique<FarEnd>(connect_to(ntohs(address.sin_port)));
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ::close(listener);
    near_fd = fd;
    channel = make_socket_channel(loop.env, {.fd = fd, .may_sendfile = may_sendfile}, {});
    channel->bind(&user);
  }
  Io recv(size_t most) { return channel->recv(std::span(buffer).first(most)); }
  std::string text(const Io& io) const {
    return {reinterpret_cast<const char*>(buffer.data()), io.n};
  }
  /// Without the first bytes of them, which were taken.
  static void drop_taken(std::vector<Piece>& pieces, size_t taken) {
    while (!pieces.empty() && taken >= pieces.front().size) {
      taken -= pieces.front().size;
      pieces.erase(pieces.begin());
    }
    if (pieces.empty()) return;
    Piece& first = pieces.front();
    first = {first.data + taken, first.size - taken, first.fd, first.offset + taken};
  }
  /// Sends all of the pieces, each time as soon as there is room. Somebody else must read them.
  bool send_when_writable(std::vector<Piece> pieces) {
    while (!pieces.empty()) {
      const Io io = channel->send(pieces);
      if (io.state == Io::kFail) return false;
      drop_taken(pieces, io.n);
      if (io.state == Io::kOk) continue;
      user.forget();
      if (!loop.run_until([&] { return user.was_writable; })) return false;
    }
    return true;
  }
  /// Sends all of the pieces, however often it takes, while the far end reads them.
  std::string send_all(std::vector<Piece> pieces) {
    size_t total = 0;
    for (const Piece& piece : pieces) total += piece.size;
    std::string got;
    while (!pieces.empty()) {
      const Io io = channel->send(pieces);
      EXPECT_NE(io.state, Io::kFail) << io.error;
      if (io.state == Io::kFail) break;
      got += far_end->read(io.n);
      drop_taken(pieces, io.n);
    }
    EXPECT_EQ(got.size(), total);
    return got;
  }

  TurnedLoop loop;
  Recorder user;
  int near_fd = -1;  ///< the channel's
  std::unique_ptr<FarEnd> far_end;
  std::unique_ptr<base::Channel> channel;
  std::array<std::byte, 4096> buffer{};
};

/// Bytes of which no two neighbourhoods are the same: a piece of a wrong place shows.
std::string numbered(size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
  text.resize(size);
  return text;
}

/// What memory holds of a file that is to be lent: other bytes, so that the way it went shows. Its
/// end is the file's: what is left of a piece may be too small to be lent.
std::string memory_beside(const std::string& in_file) {
  const size_t end = in_file.size() - base::limits::kSendfileBytes;
  return std::string(end, 'm') + in_file.substr(end);
}

/// A file without a name.
class File {
 public:
  explicit File(std::string_view content) : file_(std::tmpfile()) {
    EXPECT_EQ(std::fwrite(content.data(), 1, content.size(), file_), content.size());
    std::fflush(file_);
  }
  ~File() { std::fclose(file_); }
  int fd() const { return fileno(file_); }

 private:
  std::FILE* file_;
};

TEST_F(SocketChannel, TellsByLevelAsLongAsBytesAreThere) {
  channel->want(true, false);
  loop.turn();
  EXPECT_EQ(user.calls, 0);
  far_end->send("hello");
  ASSERT_TRUE(loop.run_until([&] { return user.was_readable; }));
  EXPECT_FALSE(user.was_writable);
  EXPECT_EQ(text(recv(2)), "he");
  user.forget();
  ASSERT_TRUE(loop.run_until([&] { return user.was_readable; }));
  EXPECT_EQ(text(recv(100)), "llo");
  EXPECT_EQ(recv(100).state, Io::kAgain);
}

TEST_F(SocketChannel, IsSilentWithoutInterestAndLosesNothing) {
  channel->want(true, false);
  channel->want(false, false);
  far_end->send("hello");
  loop.turn();
  EXPECT_EQ(user.calls, 0);
  channel->want(true, false);
  ASSERT_TRUE(loop.run_until([&] { return user.was_readable; }));
  EXPECT_EQ(text(recv(100)), "hello");
}

TEST_F(SocketChannel, AFreshOneIsWritable) {
  channel->want(false, true);
  ASSERT_TRUE(loop.run_until([&] { return user.was_writable; }));
  EXPECT_FALSE(user.was_readable);
}

TEST_F(SocketChannel, TakesAPartThenSaysAgainThenTellsWhenThereIsRoom) {
  const std::string large(64 << 20, 'x');
  size_t sent = 0;
  Io io{Io::kOk, 0, 0};
  while (io.state == Io::kOk) {
    const std::array<Piece, 1> rest = {piece_of(std::string_view(large).substr(sent))};
    io = channel->send(rest);
    sent += io.n;
    ASSERT_LT(sent, large.size()) << "the kernel took all of it";
  }
  EXPECT_EQ(io.state, Io::kAgain);
  EXPECT_GT(sent, 0u);
  EXPECT_GT(channel->unacked(), 0u);
  channel->want(false, true);
  loop.turn();
  EXPECT_FALSE(user.was_writable);
  EXPECT_EQ(far_end->read(sent).size(), sent);
  ASSERT_TRUE(loop.run_until([&] { return user.was_writable; }));
  ASSERT_TRUE(loop.run_until([&] { return channel->unacked() == 0; }));
}

TEST_F(SocketChannel, GathersPiecesInTheirOrder) {
  EXPECT_EQ(send_all({piece_of("one "), piece_of("two "), piece_of("three")}), "one two three");
  // More than one call takes.
  std::vector<std::string> texts;
  std::vector<Piece> pieces;
  std::string whole;
  for (int i = 0; i < 100; ++i) texts.push_back(std::to_string(i) + ",");
  for (const std::string& one : texts) {
    pieces.push_back(piece_of(one));
    whole += one;
  }
  EXPECT_EQ(send_all(pieces), whole);
}

TEST_F(SocketChannel, LendsALargePieceOfAFileBehindItsHead) {
  const std::string in_file(200'000, 'f');
  const std::string in_memory = memory_beside(in_file);
  const File file("skipped" + in_file);
  Piece body = piece_of(in_memory);
  body.fd = file.fd();
  body.offset = 7;
  EXPECT_EQ(send_all({piece_of("head "), body}), "head " + in_file);
}

// One sendmsg takes 16 pieces: the file must wait for the rest of its head.
TEST_F(SocketChannel, AHeadThatIsTakenInPartGoesOnBeforeItsFile) {
  const std::string in_file = numbered(200'000);
  const File file(in_file);
  std::vector<std::string> texts;
  std::vector<Piece> pieces;
  std::string head;
  for (int i = 0; i < 40; ++i) texts.push_back("line " + std::to_string(i) + "\n");
  for (const std::string& one : texts) {
    pieces.push_back(piece_of(one));
    head += one;
  }
  const std::string in_memory = memory_beside(in_file);
  pieces.push_back(piece_of(in_memory));
  pieces.back().fd = file.fd();
  EXPECT_EQ(send_all(pieces), head + in_file);
}

// A reader that empties the socket between the two calls makes room for the file where the head had
// none.
TEST_F(SocketChannel, AHeadLargerThanTheSocketTakesGoesBeforeItsFile) {
  const std::string in_file = numbered(70'000);
  const File file(in_file);
  const std::string head = numbered(8 << 20) + "|";
  constexpr int kRounds = 10;
  std::string got;
  std::thread reader([&] { got = far_end->read(kRounds * (head.size() + in_file.size())); });
  channel->want(false, true);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Piece> pieces = {piece_of(head), piece_of(in_file)};
    pieces[1].fd = file.fd();
    EXPECT_TRUE(send_when_writable(pieces));
  }
  reader.join();
  ASSERT_EQ(got.size(), kRounds * (head.size() + in_file.size()));
  for (int round = 0; round < kRounds; ++round) {
    const size_t at = static_cast<size_t>(round) * (head.size() + in_file.size());
    EXPECT_TRUE(got.compare(at, head.size(), head) == 0) << round;
    EXPECT_TRUE(got.compare(at + head.size(), in_file.size(), in_file) == 0) << round;
  }
}

TEST_F(SocketChannel, AFileThatIsTakenInPartGoesOnWhereItStopped) {
  const std::string in_file = numbered(24 << 20);
  const File file(in_file);
  const std::string in_memory = memory_beside(in_file);
  Piece body = piece_of(in_memory);
  body.fd = file.fd();
  // Until the socket takes nothing any more.
  std::array<Piece, 2> pieces = {piece_of("head "), body};
  Io io = channel->send(pieces);
  ASSERT_EQ(io.state, Io::kOk);
  ASSERT_GT(io.n, 5u);
  size_t taken = io.n - 5;
  for (; io.state == Io::kOk; taken += io.n) {
    EXPECT_LE(io.n, base::limits::kSendBytes + 5) << "one connection's share of a turn";
    const std::array<Piece, 1> rest = {
        Piece{body.data + taken, body.size - taken, body.fd, body.offset + taken}};
    io = channel->send(rest);
    ASSERT_LT(taken, in_file.size()) << "the kernel took all of it";
  }
  EXPECT_EQ(io.state, Io::kAgain);
  EXPECT_EQ(io.n, 0u);
  EXPECT_EQ(far_end->read(5 + taken), "head " + in_file.substr(0, taken));
  std::vector<Piece> rest = {
      Piece{body.data + taken, body.size - taken, body.fd, body.offset + taken}};
  EXPECT_TRUE(send_all(rest) == in_file.substr(taken));
}

TEST_F(SocketChannel, AStalledSocketTakesNeitherAHeadNorAFile) {
  const std::string filler(64 << 20, 'x');
  size_t sent = 0;
  Io io{Io::kOk, 0, 0};
  while (io.state == Io::kOk) {
    const std::array<Piece, 1> rest = {piece_of(std::string_view(filler).substr(sent))};
    io = channel->send(rest);
    sent += io.n;
  }
  const std::string in_file = numbered(100'000);
  const File file(in_file);
  Piece body = piece_of(in_file);
  body.fd = file.fd();
  const std::array<Piece, 2> pieces = {piece_of("head "), body};
  io = channel->send(pieces);
  EXPECT_EQ(io.state, Io::kAgain);
  EXPECT_EQ(io.n, 0u);
  EXPECT_EQ(far_end->read(sent).size(), sent);
  EXPECT_EQ(send_all({piece_of("head "), body}), "head " + in_file);
}

TEST_F(SocketChannel, HoldsNothingBackForMoreThatMayCome) {
  for (const char* text : {"short", "another"}) {
    const std::array<Piece, 1> pieces = {piece_of(text)};
    const Io io = channel->send(pieces);
    int unsent = -1;
    ASSERT_EQ(::ioctl(near_fd, SIOCOUTQNSD, &unsent), 0);
    EXPECT_EQ(unsent, 0);
    EXPECT_EQ(far_end->read(io.n), text);
    ASSERT_TRUE(loop.run_until([&] { return channel->unacked() == 0; }));
  }
}

TEST_F(SocketChannel, LendsNoMoreOfAFileThanItsPiece) {
  const std::string in_file = numbered(300'000);
  const File file(in_file);
  Piece piece = piece_of(std::string_view(in_file).substr(50, 100'000));
  piece.fd = file.fd();
  piece.offset = 50;
  EXPECT_TRUE(send_all({piece_of("head "), piece}) == "head " + in_file.substr(50, 100'000));
  EXPECT_EQ(send_all({piece_of("next")}), "next");
}

TEST_F(SocketChannel, OneThatIsDestroyedEndsInOrder) {
  const std::array<Piece, 1> pieces = {piece_of("all")};
  EXPECT_EQ(channel->send(pieces).n, 3u);
  const size_t handles = loop.handles();
  channel->want(true, false);
  EXPECT_EQ(loop.handles(), handles + 1);
  channel.reset();
  loop.turn();
  EXPECT_EQ(loop.handles(), handles);
  EXPECT_EQ(far_end->read(100), "all");
  EXPECT_EQ(far_end->error, 0);
}

TEST_F(SocketChannel, ASendToAFarEndThatIsGoneFailsAndRaisesNothing) {
  far_end->reset();
  const std::array<Piece, 1> pieces = {piece_of("x")};
  // The first one finds the reset, the second the closed pipe.
  for (int i = 0; i < 2; ++i) EXPECT_EQ(channel->send(pieces).state, Io::kFail);
  EXPECT_EQ(channel->send(pieces).error, EPIPE);
}

TEST_F(SocketChannel, ReadingIntoNoRoomIsNoEnd) {
  EXPECT_NE(recv(0).state, Io::kEof);
  far_end->send("x");
  ASSERT_TRUE(loop.run_until([&] {
    channel->want(true, false);
    return user.was_readable;
  }));
  EXPECT_EQ(recv(0).state, Io::kOk);
  EXPECT_EQ(text(recv(10)), "x");
}

TEST_F(SocketChannel, WritesPiecesOfAFileThatAreSmallOrMustNotBeLent) {
  const File file(std::string(200'000, 'f'));
  const std::string small(base::limits::kSendfileBytes - 1, 'm');
  Piece piece = piece_of(small);
  piece.fd = file.fd();
  EXPECT_EQ(send_all({piece}), small);
  open(false);
  const std::string large(200'000, 'm');
  piece = piece_of(large);
  piece.fd = file.fd();
  EXPECT_EQ(send_all({piece}), large);
}

TEST_F(SocketChannel, WhatWentBeforeAFileThatFindsNoRoomIsTold) {
  const std::string memory(200'000, 'm');
  const File file(memory);
  Piece piece = piece_of(memory);
  piece.fd = file.fd();
  const std::array<Piece, 2> pieces = {piece_of("head"), piece};
  const auto fd = static_cast<uint32_t>(near_fd);
  EXPECT_TRUE(test::holds_with_refused({{SYS_sendfile, 0, fd, EAGAIN}}, [&] {
    const Io io = channel->send(pieces);
    EXPECT_EQ(io.state, Io::kOk);
    EXPECT_EQ(io.n, 4u) << "else it would be sent again";
  }));
}

TEST_F(SocketChannel, AFileThatIsShorterThanItsPieceFails) {
  const std::string memory(200'000, 'm');
  const File file("short");
  Piece piece = piece_of(memory);
  piece.fd = file.fd();
  piece.offset = 5;
  const std::array<Piece, 1> pieces = {piece};
  EXPECT_EQ(channel->send(pieces).state, Io::kFail);
}

TEST_F(SocketChannel, AfterTheFarEndHasFinishedItStillSends) {
  far_end->send("bye");
  far_end->half_close();
  channel->want(true, false);
  ASSERT_TRUE(loop.run_until([&] { return user.was_readable; }));
  EXPECT_EQ(text(recv(100)), "bye");
  EXPECT_EQ(recv(100).state, Io::kEof);
  EXPECT_EQ(send_all({piece_of("answer")}), "answer");
}

TEST_F(SocketChannel, FinishEndsOurSideAndReadsOn) {
  const std::array<Piece, 1> pieces = {piece_of("all")};
  EXPECT_EQ(channel->send(pieces).n, 3u);
  EXPECT_TRUE(channel->finish());
  EXPECT_EQ(far_end->read(100), "all");
  EXPECT_EQ(far_end->error, 0);
  far_end->send("more");
  channel->want(true, false);
  ASSERT_TRUE(loop.run_until([&] { return user.was_readable; }));
  EXPECT_EQ(text(recv(100)), "more");
}

TEST_F(SocketChannel, AResetIsReadableAndFails) {
  channel->want(true, false);
  loop.turn();
  far_end->reset();
  ASSERT_TRUE(loop.run_until([&] { return user.was_readable; }));
  const Io io = recv(100);
  EXPECT_EQ(io.state, Io::kFail);
  EXPECT_EQ(io.error, ECONNRESET);
}

TEST_F(SocketChannel, InterestThatIsAskedForInsideTheCallAboutAnErrorCounts) {
  channel->want(true, false);
  loop.turn();
  user.on_call = [&] { channel->want(true, false); };
  far_end->reset();
  // The error is not read: it is told again and again, by level.
  ASSERT_TRUE(loop.run_until([&] { return user.calls >= 2; }));
  EXPECT_NE(recv(100).state, Io::kOk);
}

TEST_F(SocketChannel, AbortResetsTheFarEnd) {
  const std::array<Piece, 1> pieces = {piece_of("part")};
  EXPECT_EQ(channel->send(pieces).n, 4u);
  channel->abort();
  channel.reset();
  far_end->read(100);
  EXPECT_EQ(far_end->error, ECONNRESET);
}

TEST_F(SocketChannel, OneThatWasDestroyedIsNotCalledNotEvenThisTurn) {
  std::unique_ptr<base::Channel> first = std::move(channel);
  std::unique_ptr<FarEnd> first_far = std::move(far_end);
  open(true);
  Recorder second_user;
  channel->bind(&second_user);
  // Whichever is called first destroys the other.
  user.on_call = [&] { channel.reset(); };
  second_user.on_call = [&] { first.reset(); };
  first->want(true, false);
  channel->want(true, false);
  first_far->send("x");
  far_end->send("x");
  ASSERT_TRUE(loop.run_until([&] { return user.calls + second_user.calls > 0; }));
  loop.turn();
  EXPECT_TRUE((user.calls > 0) != (second_user.calls > 0));
}

TEST_F(SocketChannel, ANewUserIsToldInsteadOfTheOldOne) {
  channel->want(true, false);
  Recorder other;
  channel->bind(&other);
  far_end->send("x");
  ASSERT_TRUE(loop.run_until([&] { return other.was_readable; }));
  EXPECT_EQ(user.calls, 0);
}

}  // namespace
}  // namespace perigee::edge
