// Outgoing connections in clear text: made, refused, given up.
#include "edge/doors/uv_connect.h"

#include <sys/resource.h>

#include "edge/doors/uv_listener.h"
#include "tests/unit/doors/loopback.h"

namespace perigee::edge {
namespace {

class Connect : public testing::Test {
 protected:
  Connect() {
    base::Result<ListeningSockets> sockets =
        open_listeners(*base::Address::parse("127.0.0.1:0"), 1);
    address = sockets->bound;
    listener = sockets->fds[0];
  }
  ~Connect() override {
    if (listener >= 0) ::close(listener);
  }
  base::Endpoint endpoint() { return {.address = address, .deadline = loop.env.now() + 5'000}; }

  TurnedLoop loop;
  base::Address address;
  int listener = -1;
};

TEST_F(Connect, GivesAChannelToWhoeverListens) {
  std::unique_ptr<base::Channel> channel;
  base::Pending pending = loop.env.connect(endpoint(), [&](auto result) {
    ASSERT_TRUE(result.ok());
    channel = std::move(*result);
  });
  EXPECT_TRUE(pending.waiting());
  EXPECT_EQ(channel, nullptr) << "never inside the call";
  ASSERT_TRUE(loop.run_until([&] { return channel != nullptr; }));
  EXPECT_FALSE(pending.waiting());
  const std::string text = "x";
  const std::array<base::Piece, 1> pieces = {
      base::Piece{reinterpret_cast<const std::byte*>(text.data()), text.size()}};
  EXPECT_EQ(channel->send(pieces).n, 1u);
}

TEST_F(Connect, SaysWhoRefused) {
  ::close(std::exchange(listener, -1));
  base::Status status = base::Done{};
  base::Pending pending = loop.env.connect(endpoint(), [&](auto result) {
    ASSERT_FALSE(result.ok());
    status = result.error();
  });
  ASSERT_TRUE(loop.run_until([&] { return !status.ok(); }));
  EXPECT_EQ(status.error().code, base::ErrorCode::kConnect);
  EXPECT_EQ(status.error().os_error, ECONNREFUSED);
  EXPECT_NE(status.error().message.find(address.text()), std::string::npos);
}

// The kernel refuses these inside connect(): TCP knows no multicast.
TEST_F(Connect, WhatIsRefusedAtOnceIsToldInALaterTurn) {
  base::Endpoint nowhere = endpoint();
  nowhere.address = *base::Address::parse("224.0.0.1:80");
  const size_t handles = loop.handles();
  base::Status status = base::Done{};
  base::Pending pending = loop.env.connect(nowhere, [&](auto result) {
    ASSERT_FALSE(result.ok());
    status = result.error();
  });
  EXPECT_TRUE(status.ok()) << "never inside the call";
  EXPECT_TRUE(pending.waiting());
  ASSERT_TRUE(loop.run_until([&] { return !status.ok(); }));
  EXPECT_EQ(status.error().code, base::ErrorCode::kConnect);
  EXPECT_EQ(status.error().os_error, ENETUNREACH);
  EXPECT_FALSE(pending.waiting());
  bool called = false;
  pending = loop.env.connect(nowhere, [&](auto) { called = true; });
  pending.abandon();
  loop.turn();
  EXPECT_FALSE(called);
  EXPECT_EQ(loop.handles(), handles);
}

TEST_F(Connect, WithoutADescriptorIsAnErrorThatSaysSo) {
  // A sanitizer opens descriptors of its own where it meets a type for the first time.
  {
    const base::Pending abandoned = loop.env.connect(endpoint(), [](auto) {});
  }
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  base::Status status = base::Done{};
  base::Pending pending = loop.env.connect(endpoint(), [&](auto result) {
    ASSERT_FALSE(result.ok());
    status = result.error();
  });
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(loop.run_until([&] { return !status.ok(); }));
  EXPECT_EQ(status.error().code, base::ErrorCode::kConnect);
  EXPECT_EQ(status.error().os_error, EMFILE);
}

TEST_F(Connect, WhatArrivesBelongsToNobodyYet) {
  std::unique_ptr<base::Channel> channel;
  base::Pending pending =
      loop.env.connect(endpoint(), [&](auto result) { channel = std::move(*result); });
  ASSERT_TRUE(loop.run_until([&] { return channel != nullptr; }));
  FarEnd far_end(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_EQ(channel->peer().remote, address);
  EXPECT_FALSE(channel->peer().secure);
  // Whoever made it is gone, and is not told.
  channel->want(true, true);
  loop.turn();
  Recorder user;
  channel->bind(&user);
  ASSERT_TRUE(loop.run_until([&] { return user.was_writable; }));
}

TEST_F(Connect, IsSilentOnceNobodyWantsIt) {
  bool called = false;
  base::Pending pending = loop.env.connect(endpoint(), [&](auto) { called = true; });
  pending.abandon();
  base::Pending other = loop.env.connect(endpoint(), [](auto) {});
  ASSERT_TRUE(loop.run_until([&] { return !other.waiting(); }));
  EXPECT_FALSE(called);
}

TEST_F(Connect, UnderWayAtTheEndOfItsLoopIsNotTold) {
  bool called = false;
  base::Pending pending;
  {
    TurnedLoop other;
    pending = other.env.connect(endpoint(), [&](auto) { called = true; });
  }
  EXPECT_FALSE(pending.waiting());
  EXPECT_FALSE(called);
}

/// Nothing answers there: the accept queue of a listener with a backlog of 0 is filled first.
class FullListener {
 public:
  FullListener() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&any), size), 0);
    EXPECT_EQ(::listen(fd_, 0), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &size);
    address = *base::Address::parse("127.0.0.1:" + std::to_string(ntohs(any.sin_port)));
    first_.emplace(connect_to(address.port));
  }
  ~FullListener() { ::close(fd_); }

  base::Address address;

 private:
  int fd_;
  std::optional<FarEnd> first_;
};

TEST_F(Connect, AbandonedInTheTurnOfItsDeadlineItGoesOnce) {
  FullListener full;
  const base::Endpoint target{.address = full.address, .deadline = loop.env.now() + 50};
  std::vector<base::Pending> pendings;
  size_t timeouts = 0;
  for (int i = 0; i < 4; ++i) {
    pendings.push_back(
        loop.env.connect(target, [&](auto result) { timeouts += result.ok() ? 0 : 1; }));
  }
  // Of timers of one instant the last one fires first.
  base::Timer gone([&] { pendings.clear(); });
  loop.env.arm(gone, target.deadline);
  ASSERT_TRUE(loop.run_until([&] { return pendings.empty(); }));
  EXPECT_EQ(timeouts, 0u);
  base::Pending other = loop.env.connect(endpoint(), [](auto) {});
  ASSERT_TRUE(loop.run_until([&] { return !other.waiting(); }));
}

TEST_F(Connect, AnAnswerThatComesAfterItsDeadlineIsATimeout) {
  FullListener full;
  const base::Endpoint target{.address = full.address, .deadline = loop.env.now() + 50};
  std::vector<base::Pending> pendings;
  size_t late = 0;
  for (int i = 0; i < 4; ++i) {
    pendings.push_back(loop.env.connect(target, [&](auto result) {
      late += !result.ok() && result.error().code == base::ErrorCode::kTimeout ? 1 : 0;
    }));
  }
  ASSERT_TRUE(loop.run_until([&] {
    return std::none_of(pendings.begin(), pendings.end(),
                        [](const auto& p) { return p.waiting(); });
  }));
  EXPECT_GT(late, 0u);
}

}  // namespace
}  // namespace perigee::edge
