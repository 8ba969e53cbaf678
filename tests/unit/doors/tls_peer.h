// The server's side of TLS for tests: certificates made on the spot, and an SSL at the far end of a
// memory pipe.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/memory_channel.h"

namespace perigee::edge {

struct FreeOpenSsl {
  void operator()(X509* x) const { X509_free(x); }
  void operator()(EVP_PKEY* x) const { EVP_PKEY_free(x); }
  void operator()(SSL* x) const { SSL_free(x); }
  void operator()(SSL_CTX* x) const { SSL_CTX_free(x); }
};
using X509Ptr = std::unique_ptr<X509, FreeOpenSsl>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeOpenSsl>;

/// A key and a certificate for it.
struct Identity {
  KeyPtr key;
  X509Ptr certificate;
};

/// What a certificate says. `names` in the form of OpenSSL: "DNS:origin.test,IP:127.0.0.1".
struct CertificateText {
  std::string names;
  long begins_s = -3600;  ///< from now
  long ends_s = 3600;
  bool authority = false;
};
/// Signed by `issuer`; null: by itself.
Identity make_identity(const CertificateText& text, const Identity* issuer);
/// Writes the certificate as PEM into a new file of a test's folder; returns its path.
std::string write_pem(const Identity& identity);

/// A TLS server that answers nothing by itself. Turn by turn: pump() moves what has arrived.
class TlsPeer {
 public:
  TlsPeer(std::unique_ptr<test::MemoryChannel> channel, const Identity& identity);

  void pump();
  bool shaken() const { return SSL_is_init_finished(ssl_.get()) != 0; }
  /// The client has said that no more will come.
  bool saw_close_notify() const {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  /// Encrypts and sends.
  void write(std::string_view text);
  void close_notify();
  /// Sends a fatal alert: pretends that a damaged record has come.
  void alert();
  /// What the client sent, decrypted.
  std::string received;
  /// Name that the client asked for; empty: none.
  std::string server_name() const;
  std::string alpn() const;
  test::MemoryChannel& channel() { return *channel_; }
  void drop() { channel_.reset(); }

 private:
  void flush();

  std::unique_ptr<test::MemoryChannel> channel_;
  std::unique_ptr<SSL_CTX, FreeOpenSsl> context_;
  std::unique_ptr<SSL, FreeOpenSsl> ssl_;
};

}  // namespace perigee::edge
