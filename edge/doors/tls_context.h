// TLS towards origins: one SSL_CTX a loop and trust setting, so that no lock is shared between
// loops.
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/result.h"

namespace perigee::edge {

struct SslContextDelete {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

/// The contexts of one loop, made when first needed.
class TlsContexts {
 public:
  /// kTls when the CA file cannot be used.
  base::Result<SSL_CTX*> client(const base::TlsClient& options);

 private:
  std::map<std::pair<std::string, bool>, std::unique_ptr<SSL_CTX, SslContextDelete>> clients_;
};

/// OpenSSL's queue of errors as one line; empties it.
std::string tls_errors();

}  // namespace perigee::edge
