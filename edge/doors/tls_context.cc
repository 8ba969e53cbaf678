#include "edge/doors/tls_context.h"

#include <openssl/err.h>

#include "edge/regular_file.h"

namespace perigee::edge {

namespace {
constexpr size_t kReadAheadBytes = 48 * 1024;  ///< of ciphertext
}  // namespace

std::string tls_errors() {
  std::string text;
  while (const unsigned long error = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(error);
    if (!text.empty()) text += "; ";
    text += reason != nullptr ? reason : "unknown error";
  }
  return text;
}

base::Result<SSL_CTX*> TlsContexts::client(const base::TlsClient& options) {
  auto& context = clients_[{options.ca_file, options.verify}];
  if (context != nullptr) return context.get();
  std::unique_ptr<SSL_CTX, SslContextDelete> made(SSL_CTX_new(TLS_client_method()));
  if (made == nullptr) return base::Error{base::ErrorCode::kTls, 0, tls_errors()};
  SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(made.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(made.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS);
  // One recv for several records, not two for each.
  SSL_CTX_set_read_ahead(made.get(), 1);
  SSL_CTX_set_default_read_buffer_len(made.get(), kReadAheadBytes);
  if (options.verify) {
    SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
    // A FIFO or a device would hold the loop.
    const base::Status kind =
        options.ca_file.empty() ? base::Done{} : check_regular_file(options.ca_file);
    if (!kind.ok())
      return base::Error{base::ErrorCode::kTls, 0, "the CA file " + kind.error().message};
    const int loaded = options.ca_file.empty()
                           ? SSL_CTX_set_default_verify_paths(made.get())
                           : SSL_CTX_load_verify_file(made.get(), options.ca_file.c_str());
    if (loaded != 1) {
      return base::Error{base::ErrorCode::kTls, 0,
                         "the CA file " + options.ca_file + " cannot be used: " + tls_errors()};
    }
  }
  context = std::move(made);
  return context.get();
}

}  // namespace perigee::edge
