// A Channel around a Channel that speaks TLS, so that whoever uses it cannot tell.
#pragma once

#include <memory>

#include "base/channel.h"
#include "base/env.h"
#include "base/result.h"
#include "edge/doors/tls_context.h"

namespace perigee::edge {

class TlsChannel : public base::Channel {
 public:
  /// True: done and verified. False: waits for the peer, call again when ready. kTls: refused, and
  /// why.
  virtual base::Result<bool> handshake() = 0;
};

/// The client's side towards an origin: SNI, and the certificate must carry the name (or the
/// address).
base::Result<std::unique_ptr<TlsChannel>> make_tls_client(base::Env& env, TlsContexts& contexts,
                                                          const base::TlsClient& options,
                                                          std::unique_ptr<base::Channel> below);

}  // namespace perigee::edge
