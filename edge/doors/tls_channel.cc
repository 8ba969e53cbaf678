#include "edge/doors/tls_channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/address.h"
#include "base/check.h"
#include "base/env.h"

namespace perigee::edge {
namespace {

using base::Error;
using base::ErrorCode;
using base::Io;
using base::Piece;

constexpr size_t kPlainMost = 64 * 1024;  ///< plaintext encrypted in one go

struct SslDelete {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

class TlsClientChannel final : public TlsChannel, private base::ChannelUser {
 public:
  TlsClientChannel(base::Env& env, std::unique_ptr<base::Channel> below, SSL* ssl)
      : env_(env), below_(std::move(below)), ssl_(ssl), peer_(below_->peer()), tell_([this] {
          tell();
        }) {
    BIO* bio = BIO_new(bio_method());
    CHECK(bio != nullptr);
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_connect_state(ssl_.get());
    below_->bind(this);
    peer_.secure = true;
    peer_.record_bytes = 16 * 1024;
  }

  base::Result<bool> handshake() override {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    const bool flushed = flush();
    if (result == 1 && flushed) return true;
    const int why = SSL_get_error(ssl_.get(), result);
    if (result == 1 || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
      below_->want(true, !leftover_.empty());
      return false;
    }
    const bool verifies = SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE;
    const long verdict = verifies ? SSL_get_verify_result(ssl_.get()) : X509_V_OK;
    std::string reason =
        verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : tls_errors();
    if (reason.empty()) reason = "the connection ended";
    return Error{ErrorCode::kTls, 0, "TLS handshake failed: " + reason};
  }

  void bind(base::ChannelUser* user) override { user_ = user; }
  void want(bool readable, bool writable) override {
    want_read_ = readable;
    want_write_ = writable;
    below_->want(readable, writable || !leftover_.empty());
    tell_of_held_bytes();
  }
  /// As many records as there are and fit.
  Io recv(std::span<std::byte> into) override {
    size_t received = 0;
    while (received < into.size() && over_.state == Io::kAgain) {
      ERR_clear_error();
      const int n =
          SSL_read(ssl_.get(), into.data() + received, static_cast<int>(into.size() - received));
      drained_ = n <= 0;
      if (n > 0) {
        received += static_cast<size_t>(n);
        continue;
      }
      const int why = SSL_get_error(ssl_.get(), n);
      if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) break;
      // Also an end without close_notify: what came may have been cut by anybody.
      over_ = why == SSL_ERROR_ZERO_RETURN ? Io{Io::kEof, 0, 0} : Io{Io::kFail, 0, EIO};
    }
    tell_of_held_bytes();
    if (received > 0) return {Io::kOk, received, 0};
    return into.empty() ? Io{Io::kOk, 0, 0} : over_;
  }
  Io send(std::span<const Piece> pieces) override {
    if (!flush()) return failed_ ? Io{Io::kFail, 0, EIO} : Io{Io::kAgain, 0, 0};
    size_t taken = 0;
    for (const Piece& piece : pieces) {
      size_t sent = 0;
      while (sent < piece.size && taken < kPlainMost) {
        ERR_clear_error();
        const size_t n = std::min(piece.size - sent, kPlainMost - taken);
        const int written = SSL_write(ssl_.get(), piece.data + sent, static_cast<int>(n));
        if (written <= 0) return {Io::kFail, 0, EIO};
        sent += static_cast<size_t>(written);
        taken += static_cast<size_t>(written);
      }
    }
    flush();
    if (failed_) return {Io::kFail, 0, EIO};
    return {Io::kOk, taken, 0};
  }
  size_t unacked() const override { return below_->unacked() + leftover_.size(); }
  bool finish() override {
    if (!closed_) SSL_shutdown(ssl_.get());
    closed_ = true;
    return flush() && below_->finish();
  }
  void abort() override { below_->abort(); }
  const base::Peer& peer() const override { return peer_; }

 private:
  static TlsClientChannel& self(BIO* bio) {
    return *static_cast<TlsClientChannel*>(BIO_get_data(bio));
  }
  static int bio_read(BIO* bio, char* into, int size) {
    BIO_clear_retry_flags(bio);
    const Io io =
        self(bio).below_->recv(std::as_writable_bytes(std::span(into, static_cast<size_t>(size))));
    if (io.state == Io::kOk) return static_cast<int>(io.n);
    if (io.state == Io::kAgain) BIO_set_retry_read(bio);
    return io.state == Io::kEof ? 0 : -1;
  }
  /// Never refuses: what the socket does not take is kept, and goes first the next time.
  static int bio_write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    self(bio).leftover_.append(bytes, static_cast<size_t>(size));
    return size;
  }
  static long bio_control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return 0;
    (void)bio;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static BIO_METHOD* bio_method() {
    static BIO_METHOD* const kMethod = [] {
      BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
      BIO_meth_set_read(method, bio_read);
      BIO_meth_set_write(method, bio_write);
      BIO_meth_set_ctrl(method, bio_control);
      return method;
    }();
    return kMethod;
  }
  /// True: nothing is left over.
  bool flush() {
    while (!leftover_.empty()) {
      const Piece piece{reinterpret_cast<const std::byte*>(leftover_.data()), leftover_.size()};
      const Io io = below_->send({&piece, 1});
      if (io.state == Io::kOk) leftover_.erase(0, io.n);
      if (io.state == Io::kFail || io.state == Io::kEof) {
        failed_ = true;
        leftover_.clear();
        return false;
      }
      if (io.state == Io::kAgain) return false;
    }
    return true;
  }
  void on_ready(bool readable, bool writable) noexcept override {
    if (writable && !leftover_.empty()) {
      flush();
      below_->want(want_read_, want_write_ || !leftover_.empty());
    }
    // While it shakes hands, either readiness moves it on.
    const bool shaking = SSL_is_init_finished(ssl_.get()) == 0;
    const bool tell_write = writable && leftover_.empty() && (want_write_ || shaking);
    if (user_ != nullptr && (readable || failed_ || tell_write)) {
      user_->on_ready(readable || failed_, tell_write);
    }
  }
  /// Bytes, or an end, that lie in the TLS layer make no socket readable.
  bool holds_bytes() const {
    return over_.state != Io::kAgain || SSL_pending(ssl_.get()) > 0 ||
           (!drained_ && SSL_has_pending(ssl_.get()) != 0);
  }
  void tell_of_held_bytes() {
    if (want_read_ && holds_bytes()) return env_.soon(tell_);
    tell_.disarm();
  }
  void tell() {
    if (user_ == nullptr) return;
    // Again, until they are taken. The user may destroy the channel, so this comes first.
    env_.soon(tell_);
    user_->on_ready(true, false);
  }

  base::Env& env_;
  std::unique_ptr<base::Channel> below_;
  std::unique_ptr<SSL, SslDelete> ssl_;
  base::ChannelUser* user_ = nullptr;
  base::Peer peer_;
  base::Soon tell_;       ///< of held bytes
  Io over_;               ///< kEof or kFail once nothing more will come
  std::string leftover_;  ///< ciphertext the socket has not taken; at most kPlainMost and overhead
  bool want_read_ = false;
  bool want_write_ = false;
  bool failed_ = false;
  bool closed_ = false;
  bool drained_ = true;  ///< the last SSL_read found no whole record
};

}  // namespace

base::Result<std::unique_ptr<TlsChannel>> make_tls_client(base::Env& env, TlsContexts& contexts,
                                                          const base::TlsClient& options,
                                                          std::unique_ptr<base::Channel> below) {
  const base::Result<SSL_CTX*> context = contexts.client(options);
  if (!context.ok()) return context.error();
  SSL* ssl = SSL_new(*context);
  if (ssl == nullptr) return Error{ErrorCode::kTls, 0, tls_errors()};
  auto channel = std::make_unique<TlsClientChannel>(env, std::move(below), ssl);
  const bool literal = base::Address::parse_host(options.server_name, 0).has_value();
  if (literal) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), options.server_name.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, options.server_name.c_str());
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, options.server_name.c_str());
  }
  static constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_set_alpn_protos(ssl, kAlpn, sizeof kAlpn - 1);
  return std::unique_ptr<TlsChannel>(std::move(channel));
}

}  // namespace perigee::edge
