// What a listener offers to its connections: the protocols that they may speak, and who answers
// their requests.
//
// One per role of a listener and loop. A connection comes here once its handshake, if it has one,
// is over, so that the protocol is the negotiated one.
#pragma once

#include <memory>

#include "base/channel.h"
#include "base/env.h"
#include "http/exchange/codec.h"
#include "http/h1/server_codec.h"
#include "http/request_scratch.h"

namespace perigee::edge {

class Service {
 public:
  /// All of it belongs to the same loop and outlives the connections.
  Service(http::RequestSink& sink, const http::Http1Options& http1, http::RequestScratch& scratch)
      : sink_(sink), http1_(http1), scratch_(scratch) {}

  /// The codec of a connection with `peer`.
  std::unique_ptr<http::ServerCodec> make_codec(http::OutQueue& out, base::Waker& waker,
                                                const base::Peer& peer) {
    return http::make_http1_codec({out, sink_, waker, peer}, http1_, scratch_);
  }

 private:
  http::RequestSink& sink_;
  const http::Http1Options& http1_;
  http::RequestScratch& scratch_;
};

}  // namespace perigee::edge
