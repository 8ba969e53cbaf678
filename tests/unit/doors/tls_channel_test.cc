// TLS towards an origin: who is believed, and that a channel of TLS behaves as any other.
#include "edge/doors/tls_channel.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "tests/support/fake_env.h"
#include "tests/unit/doors/tls_peer.h"

namespace perigee::edge {
namespace {

using base::Io;

/// One authority for all tests.
struct Authority {
  Authority() : identity(make_identity({.authority = true}, nullptr)), file(write_pem(identity)) {}
  ~Authority() { std::remove(file.c_str()); }
  Identity identity;
  std::string file;
};
const Authority& authority() {
  static const Authority kAuthority;
  return kAuthority;
}

class TlsTest : public ::testing::Test, protected base::ChannelUser {
 protected:
  TlsTest() { options_ = {.server_name = "origin.test", .ca_file = authority().file}; }

  void open(const CertificateText& text, const Identity* issuer = &authority().identity) {
    test::MemoryPipe pipe = test::make_memory_pipe(env_, rules_);
    near_ = pipe.near.get();
    peer_ = std::make_unique<TlsPeer>(std::move(pipe.far), make_identity(text, issuer));
    auto made = make_tls_client(env_, contexts_, options_, std::move(pipe.near));
    ASSERT_TRUE(made.ok()) << made.error().message;
    tls_ = std::move(*made);
    tls_->bind(this);
    shake();
  }
  /// Until the handshake has ended either way.
  void shake() {
    for (int turn = 0; turn < 50 && !done_; ++turn) {
      base::Result<bool> result = tls_->handshake();
      if (!result.ok()) {
        error_ = result.error().message;
        return;
      }
      done_ = *result;
      env_.run();
      peer_->pump();
    }
  }
  void open_well() {
    open({.names = "DNS:origin.test"});
    ASSERT_TRUE(done_) << error_;
  }
  /// Reads on readiness, as users do.
  void on_ready(bool readable, bool writable) noexcept override {
    readies_ += readable ? 1 : 0;
    writables_ += writable ? 1 : 0;
    if (readable && leaves_) tls_.reset();
    if (!readable || !reads_ || leaves_) return;
    std::string buffer(read_most_, '\0');
    last_ = tls_->recv(std::as_writable_bytes(std::span(buffer)));
    if (last_.state == Io::kOk) text_ += buffer.substr(0, last_.n);
    if (last_.state == Io::kEof || last_.state == Io::kFail) tls_->want(false, false);
  }
  void read_all() {
    tls_->want(true, false);
    env_.run();
  }
  Io give(std::string_view text) {
    const base::Piece piece{reinterpret_cast<const std::byte*>(text.data()), text.size()};
    return tls_->send({&piece, 1});
  }

  test::FakeEnv env_;
  test::PipeRules rules_;
  TlsContexts contexts_;
  base::TlsClient options_;
  test::MemoryChannel* near_ = nullptr;
  std::unique_ptr<TlsPeer> peer_;
  std::unique_ptr<TlsChannel> tls_;
  bool done_ = false;
  std::string error_;
  bool reads_ = true;
  bool leaves_ = false;  ///< destroys the channel when it is readable
  size_t read_most_ = 64 * 1024;
  int readies_ = 0;
  int writables_ = 0;
  std::string text_;
  Io last_;
};

// --- who is believed ---

TEST_F(TlsTest, AVerifiedChainIsBelievedAndTheNameIsSent) {
  open_well();
  EXPECT_EQ(peer_->server_name(), "origin.test");
  EXPECT_EQ(peer_->alpn(), "http/1.1");
  EXPECT_TRUE(tls_->peer().secure);
}

TEST_F(TlsTest, NothingOlderThanTls12IsSpoken) {
  const base::Result<SSL_CTX*> context = contexts_.client(options_);
  ASSERT_TRUE(context.ok());
  EXPECT_EQ(SSL_CTX_get_min_proto_version(*context), TLS1_2_VERSION);
}

struct TrustCase {
  const char* name;
  CertificateText certificate;
  bool self_signed;
  const char* server_name;
  const char* says;  ///< part of the error; null: believed
};
class Trust : public TlsTest, public ::testing::WithParamInterface<TrustCase> {};
TEST_P(Trust, FollowsTheCertificate) {
  const TrustCase& row = GetParam();
  options_.server_name = row.server_name;
  open(row.certificate, row.self_signed ? nullptr : &authority().identity);
  EXPECT_EQ(done_, row.says == nullptr) << error_;
  EXPECT_NE(error_.find(row.says == nullptr ? "" : row.says), std::string::npos) << error_;
}
INSTANTIATE_TEST_SUITE_P(
    , Trust,
    ::testing::Values(
        TrustCase{"Wildcard", {.names = "DNS:*.origin.test"}, false, "a.origin.test", nullptr},
        TrustCase{"PartialWildcard",
                  {.names = "DNS:a*.origin.test"},
                  false,
                  "ab.origin.test",
                  "mismatch"},
        TrustCase{"OtherName", {.names = "DNS:other.test"}, false, "origin.test", "mismatch"},
        TrustCase{"NoName", {}, false, "origin.test", "mismatch"},
        TrustCase{"Address", {.names = "IP:192.0.2.1"}, false, "192.0.2.1", nullptr},
        TrustCase{"OtherAddress", {.names = "IP:192.0.2.1"}, false, "192.0.2.2", "mismatch"},
        TrustCase{"AddressAsName", {.names = "DNS:192.0.2.1"}, false, "192.0.2.1", "mismatch"},
        TrustCase{"Expired",
                  {.names = "DNS:origin.test", .begins_s = -7200, .ends_s = -3600},
                  false,
                  "origin.test",
                  "expired"},
        TrustCase{"NotYet",
                  {.names = "DNS:origin.test", .begins_s = 3600, .ends_s = 7200},
                  false,
                  "origin.test",
                  "not yet valid"},
        TrustCase{"SelfSigned", {.names = "DNS:origin.test"}, true, "origin.test", "self-signed"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_F(TlsTest, WithoutVerificationAnybodyIsBelieved) {
  options_.verify = false;
  options_.ca_file.clear();
  open({.names = "DNS:other.test"}, nullptr);
  EXPECT_TRUE(done_) << error_;
}

// The contexts of a loop are kept: each way to trust has its own.
TEST_F(TlsTest, WhoIsBelievedInOneWayIsNotBelievedInAnother) {
  const base::TlsClient strict = options_;
  options_.verify = false;
  open({.names = "DNS:other.test"}, nullptr);
  ASSERT_TRUE(done_) << error_;
  options_ = strict;
  done_ = false;
  open({.names = "DNS:origin.test"}, nullptr);
  EXPECT_FALSE(done_);
  const Identity stranger = make_identity({.authority = true}, nullptr);
  const std::string file = write_pem(stranger);
  options_.ca_file = file;
  error_.clear();
  open({.names = "DNS:origin.test"}, &stranger);
  EXPECT_TRUE(done_) << error_;
  options_ = strict;
  done_ = false;
  open({.names = "DNS:origin.test"}, &stranger);
  EXPECT_FALSE(done_);
  std::remove(file.c_str());
}

TEST_F(TlsTest, AnAddressIsNotSentAsAName) {
  options_.server_name = "192.0.2.1";
  open({.names = "IP:192.0.2.1"});
  EXPECT_TRUE(done_);
  EXPECT_EQ(peer_->server_name(), "");
}

TEST_F(TlsTest, AnAuthorityFileThatIsNotThereIsSaid) {
  options_.ca_file = "/no/such/file.pem";
  test::MemoryPipe pipe = test::make_memory_pipe(env_);
  const auto made = make_tls_client(env_, contexts_, options_, std::move(pipe.near));
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, base::ErrorCode::kTls);
  EXPECT_NE(made.error().message.find("/no/such/file.pem"), std::string::npos);
}

TEST_F(TlsTest, AnAuthorityFileThatIsNoFileHoldsNoLoop) {
  const std::string fifo = testing::TempDir() + "perigee-ca-" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path : {fifo, std::string("/dev/zero"), testing::TempDir()}) {
    options_.ca_file = path;
    test::MemoryPipe pipe = test::make_memory_pipe(env_);
    const auto made = make_tls_client(env_, contexts_, options_, std::move(pipe.near));
    ASSERT_FALSE(made.ok());
    EXPECT_NE(made.error().message.find(path + ": is a"), std::string::npos)
        << made.error().message;
  }
  ::unlink(fifo.c_str());
}

TEST_F(TlsTest, ClearTextBeforeTheHandshakeIsRefused) {
  test::MemoryPipe pipe = test::make_memory_pipe(env_);
  auto made = make_tls_client(env_, contexts_, options_, std::move(pipe.near));
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE((*made)->handshake().ok());
  pipe.far->write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_FALSE((*made)->handshake().ok());
}

TEST_F(TlsTest, AnEndWithinTheHandshakeIsAnError) {
  test::MemoryPipe pipe = test::make_memory_pipe(env_);
  auto made = make_tls_client(env_, contexts_, options_, std::move(pipe.near));
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE((*made)->handshake().ok());
  pipe.far->finish();
  EXPECT_FALSE((*made)->handshake().ok());
}

TEST_F(TlsTest, AHandshakeGoesThroughTheNarrowestPipe) {
  rules_ = {.capacity = 7, .per_send = 3, .per_recv = 1};
  test::MemoryPipe pipe = test::make_memory_pipe(env_, rules_);
  peer_ = std::make_unique<TlsPeer>(
      std::move(pipe.far), make_identity({.names = "DNS:origin.test"}, &authority().identity));
  auto made = make_tls_client(env_, contexts_, options_, std::move(pipe.near));
  ASSERT_TRUE(made.ok());
  tls_ = std::move(*made);
  reads_ = false;
  tls_->bind(this);
  for (int turn = 0; turn < 5000 && !done_; ++turn) {
    const base::Result<bool> result = tls_->handshake();
    ASSERT_TRUE(result.ok()) << result.error().message;
    done_ = *result;
    env_.turn();
    peer_->pump();
  }
  EXPECT_TRUE(done_);
}

// --- as a channel ---

TEST_F(TlsTest, BytesGoBothWays) {
  open_well();
  peer_->write("hello");
  read_all();
  EXPECT_EQ(text_, "hello");
  EXPECT_EQ(give("GET /").n, 5u);
  peer_->pump();
  EXPECT_EQ(peer_->received, "GET /");
}

TEST_F(TlsTest, SeveralPiecesGoInOneSendEmptyOnesToo) {
  open_well();
  const std::string_view texts[] = {"ab", "", "cd"};
  base::Piece pieces[3];
  for (int i = 0; i < 3; ++i) {
    pieces[i] = {reinterpret_cast<const std::byte*>(texts[i].data()), texts[i].size()};
  }
  EXPECT_EQ(tls_->send(pieces).n, 4u);
  peer_->pump();
  EXPECT_EQ(peer_->received, "abcd");
}

TEST_F(TlsTest, BytesHeldInTheTlsLayerAreReadable) {
  open_well();
  read_most_ = 100;
  peer_->write(std::string(50'000, 'x'));
  read_all();
  EXPECT_EQ(text_.size(), 50'000u);
  EXPECT_EQ(peer_->channel().unacked(), 0u) << "most came out of the layer, not of the socket";
}

TEST_F(TlsTest, HalfARecordDoesNotSpin) {
  open_well();
  test::MemoryChannel& wire = peer_->channel();
  peer_->write(std::string(10'000, 'x'));
  wire.out_rules().per_recv = 4'000;
  read_all();  // ends: it waits for the rest
  EXPECT_EQ(text_.size(), 10'000u);
  EXPECT_LT(readies_, 20);
}

TEST_F(TlsTest, AnIdleChannelIsNotReadable) {
  open_well();
  peer_->write("hello");
  read_all();
  const int before = readies_;
  tls_->want(true, false);
  env_.run();
  EXPECT_EQ(readies_, before);
}

TEST_F(TlsTest, CloseNotifyIsAnEndInOrder) {
  open_well();
  peer_->write("tail");
  peer_->close_notify();
  peer_->channel().finish();
  read_all();
  EXPECT_EQ(text_, "tail");
  EXPECT_EQ(last_.state, Io::kEof);
}

TEST_F(TlsTest, AnEndWithoutCloseNotifyIsACut) {
  open_well();
  peer_->write("tail");
  peer_->channel().finish();
  read_all();
  EXPECT_EQ(text_, "tail");
  EXPECT_EQ(last_.state, Io::kFail);
}

TEST_F(TlsTest, AnAlertIsACut) {
  open_well();
  peer_->write("part");
  peer_->alert();
  read_all();
  EXPECT_EQ(text_, "part");
  EXPECT_EQ(last_.state, Io::kFail);
}

TEST_F(TlsTest, DamagedBytesAreACut) {
  open_well();
  peer_->write("part");
  peer_->channel().write(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  read_all();
  EXPECT_EQ(text_, "part");
  EXPECT_EQ(last_.state, Io::kFail);
}

TEST_F(TlsTest, ALargeBodyComesThroughWhole) {
  open_well();
  std::string body(3'000'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 + i / 4096);
  for (size_t at = 0; at < body.size(); at += 100'000) {
    peer_->write(std::string_view(body).substr(at, 100'000));
    read_all();
  }
  EXPECT_TRUE(text_ == body);
}

TEST_F(TlsTest, ASendThatIsNotTakenIsPausedAndGoesOnWhenWritable) {
  open_well();
  peer_->channel().in_rules().capacity = 1000;
  const std::string body(300'000, 'y');
  size_t taken = 0;
  writables_ = 1;
  for (int turn = 0; turn < 5000 && peer_->received.size() < body.size(); ++turn) {
    while (writables_ > 0 && taken < body.size()) {
      const Io io = give(std::string_view(body).substr(taken));
      ASSERT_NE(io.state, Io::kFail);
      taken += io.n;
      EXPECT_LE(taken, peer_->received.size() + 140'000) << "no queue grows behind it";
      if (io.state == Io::kAgain) writables_ = 0;
    }
    tls_->want(false, taken < body.size());
    env_.turn();
    peer_->pump();
  }
  EXPECT_TRUE(peer_->received == body);
}

TEST_F(TlsTest, FinishSendsCloseNotify) {
  open_well();
  give("last");
  EXPECT_TRUE(tls_->finish());
  peer_->pump();
  EXPECT_EQ(peer_->received, "last");
  EXPECT_TRUE(peer_->saw_close_notify());
  EXPECT_TRUE(peer_->channel().saw_fin());
  EXPECT_TRUE(tls_->finish()) << "again changes nothing";
}

TEST_F(TlsTest, FinishWaitsForWhatTheSocketHasNotTaken) {
  open_well();
  peer_->channel().in_rules().capacity = 1000;
  const std::string body(20'000, 'y');
  EXPECT_EQ(give(body).n, body.size());
  EXPECT_GT(tls_->unacked(), body.size()) << "what is left over counts, too";
  bool finished = tls_->finish();
  EXPECT_FALSE(finished);
  EXPECT_FALSE(peer_->channel().saw_fin());
  for (int turn = 0; turn < 100 && !finished; ++turn) {
    peer_->pump();
    finished = tls_->finish();
  }
  EXPECT_TRUE(finished);
  peer_->pump();
  EXPECT_TRUE(peer_->received == body);
  EXPECT_TRUE(peer_->saw_close_notify());
  EXPECT_EQ(tls_->unacked(), 0u);
}

TEST_F(TlsTest, ItsEndIsToldAgainAndAgain) {
  open_well();
  peer_->close_notify();
  read_all();
  ASSERT_EQ(last_.state, Io::kEof);
  const int before = readies_;
  read_all();
  EXPECT_GT(readies_, before) << "by level";
  EXPECT_EQ(last_.state, Io::kEof);
}

TEST_F(TlsTest, ReadingIntoNoRoomIsNoEnd) {
  open_well();
  peer_->close_notify();
  EXPECT_EQ(tls_->recv({}).state, Io::kOk);
  std::byte byte;
  EXPECT_EQ(tls_->recv({&byte, 1}).state, Io::kEof);
}

TEST_F(TlsTest, WhatIsHeldIsNotToldWithoutInterest) {
  open_well();
  read_most_ = 100;
  reads_ = false;
  peer_->write(std::string(1'000, 'x'));
  std::byte byte;
  EXPECT_EQ(tls_->recv({&byte, 1}).n, 1u);
  env_.run();
  EXPECT_EQ(readies_, 0);
  reads_ = true;
  read_all();
  EXPECT_EQ(text_.size(), 999u);
}

// OpenSSL's errors are a queue of the thread: what another connection left there is not ours.
TEST_F(TlsTest, AnErrorThatSomebodyElseLeftDoesNotCount) {
  const auto leave_an_error = [] { ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH); };
  leave_an_error();
  open_well();
  leave_an_error();
  std::byte byte;
  EXPECT_EQ(tls_->recv({&byte, 1}).state, Io::kAgain);
  leave_an_error();
  EXPECT_EQ(give("x").n, 1u);
  leave_an_error();
  peer_->write("hello");
  read_all();
  EXPECT_EQ(text_, "hello");
  leave_an_error();
  EXPECT_EQ(tls_->recv({&byte, 1}).state, Io::kAgain) << "nothing but a record is missing";
  ERR_clear_error();
}

TEST_F(TlsTest, AResetBelowIsAFailure) {
  open_well();
  peer_->channel().abort();
  read_all();
  EXPECT_EQ(last_.state, Io::kFail);
  EXPECT_EQ(give("x").state, Io::kFail);
}

TEST_F(TlsTest, AResetBelowIsAFailureForWhatIsLeftOverToo) {
  open_well();
  peer_->channel().in_rules().capacity = 1000;
  EXPECT_EQ(give(std::string(20'000, 'y')).n, 20'000u);
  EXPECT_EQ(give("x").state, Io::kAgain) << "what is left over goes first";
  peer_->channel().abort();
  EXPECT_EQ(give("x").state, Io::kFail);
  EXPECT_EQ(tls_->unacked(), near_->unacked()) << "nothing is kept for a peer that is gone";
}

TEST_F(TlsTest, MayBeDestroyedWhileATaskWouldTellOfHeldBytes) {
  open_well();
  reads_ = false;
  peer_->write(std::string(1000, 'x'));
  std::byte byte;
  EXPECT_EQ(tls_->recv({&byte, 1}).n, 1u);
  tls_->want(true, false);
  tls_.reset();
  env_.run();
  EXPECT_EQ(readies_, 0);
}

TEST_F(TlsTest, MayBeDestroyedWhenItTellsOfHeldBytes) {
  open_well();
  peer_->write(std::string(1000, 'x'));
  std::byte byte;
  EXPECT_EQ(tls_->recv({&byte, 1}).n, 1u);
  leaves_ = true;
  read_all();
  EXPECT_EQ(readies_, 1);
}

TEST_F(TlsTest, HeldBytesThatAreNotTakenAreToldInEachTurn) {
  open_well();
  reads_ = false;
  peer_->write(std::string(1000, 'x'));
  std::byte byte;
  EXPECT_EQ(tls_->recv({&byte, 1}).n, 1u);
  tls_->want(true, false);
  for (int turns = 1; turns <= 3; ++turns) {
    env_.turn();
    EXPECT_EQ(readies_, turns);
  }
  reads_ = true;
  env_.run();
  EXPECT_EQ(text_.size(), 999u);
}

}  // namespace
}  // namespace perigee::edge
