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
      : env_(env),
        below_(std::move(below)),
        ssl_(ssl),
        peer_(below_->peer()),
        pending_timer_([this] {
          if (user_ != nullptr) user_->on_ready(true, false);
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
    const long verdict = SSL_get_verify_result(ssl_.get());
    std::string reason = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : tls_errors();
    if (reason.empty()) reason = "the connection ended";
    return Error{ErrorCode::kTls, 0, "TLS handshake failed: " + reason};
  }

  void bind(base::ChannelUser* user) override { user_ = user; }
  void want(bool readable, bool writable) override {
    want_read_ = readable;
    want_write_ = writable;
    below_->want(readable, writable || !leftover_.empty());
    // Bytes that were decrypted already make no socket readable.
    if (readable && SSL_pending(ssl_.get()) > 0) env_.arm(pending_timer_, env_.now());
  }
  Io recv(std::span<std::byte> into) override {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
    if (n > 0) return {Io::kOk, static_cast<size_t>(n), 0};
    switch (SSL_get_error(ssl_.get(), n)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return {Io::kAgain, 0, 0};
      case SSL_ERROR_ZERO_RETURN:
        return {Io::kEof, 0, 0};
      default:
        // Also an end without close_notify: what came may have been cut by anybody.
        return {Io::kFail, 0, EIO};
    }
  }
  Io send(std::span<const Piece> pieces) override {
    if (!flush()) return failed_ ? Io{Io::kFail, 0, EIO} : Io{Io::kAgain, 0, 0};
    size_t taken = 0;
    for (const Piece& piece : pieces) {
      const size_t n = std::min(piece.size, kPlainMost - taken);
      if (n == 0) break;
      ERR_clear_error();
      const int written = SSL_write(ssl_.get(), piece.data, static_cast<int>(n));
      if (written <= 0) return {Io::kFail, 0, EIO};
      taken += static_cast<size_t>(written);
      if (static_cast<size_t>(written) < piece.size) break;
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
    const Io io = self(bio).below_->recv(
        std::as_writable_bytes(std::span(into, static_cast<size_t>(size))));
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
    if (user_ == nullptr) return;
    // Records go both ways underneath: a readable socket may let a write go on.
    user_->on_ready(readable || failed_, writable && leftover_.empty());
  }

  base::Env& env_;
  std::unique_ptr<base::Channel> below_;
  std::unique_ptr<SSL, SslDelete> ssl_;
  base::ChannelUser* user_ = nullptr;
  base::Peer peer_;
  base::Timer pending_timer_;
  std::string leftover_;  ///< ciphertext the socket has not taken; at most kPlainMost and overhead
  bool want_read_ = false;
  bool want_write_ = false;
  bool failed_ = false;
  bool closed_ = false;
};

}  // namespace

base::Result<std::unique_ptr<TlsChannel>> make_tls_client(base::Env& env,
                                                          TlsContexts& contexts,
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
    SSL_set1_host(ssl, options.server_name.c_str());
  }
  static constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_set_alpn_protos(ssl, kAlpn, sizeof kAlpn - 1);
  return std::unique_ptr<TlsChannel>(std::move(channel));
}

}  // namespace perigee::edge
