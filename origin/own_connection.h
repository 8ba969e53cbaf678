// A connection to an origin that belongs to one connection of a client.
//
// NTLM and Negotiate authenticate a connection, not a request: the origin takes whatever comes on
// it for that client's. So no other client's request may ever travel on it.
#pragma once

#include <memory>
#include <utility>

#include "http/exchange/exchange.h"
#include "origin/origin_pool.h"

namespace perigee::origin {

/// Hangs on the client's connection, and ends with it. At most one is kept: of the origin that was
/// asked last.
class OwnConnection final : public http::Attachment {
 public:
  /// Keeps it, idle, for the client's next request to the origin of `pool`.
  void keep(std::unique_ptr<OriginConnection> connection, const OriginPool& pool) {
    // Nobody listens to it meanwhile: take() looks whether something came.
    connection->channel().want(false, false);
    connection->channel().bind(nullptr);
    connection_ = std::move(connection);
    pool_ = &pool;
  }
  /// The one that is kept, if it is of this origin and nothing has come on it; else null, and it is
  /// closed.
  std::unique_ptr<OriginConnection> take(const OriginPool& pool) {
    std::unique_ptr<OriginConnection> taken = std::move(connection_);
    const bool usable = taken != nullptr && pool_ == &pool && taken->silent();
    return usable ? std::move(taken) : nullptr;
  }

 private:
  std::unique_ptr<OriginConnection> connection_;
  const OriginPool* pool_ = nullptr;
};

}  // namespace perigee::origin
