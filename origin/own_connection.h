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
  OwnConnection() = default;
  ~OwnConnection() override { let_go(); }
  OwnConnection(const OwnConnection&) = delete;
  OwnConnection& operator=(const OwnConnection&) = delete;

  /// Keeps it, idle, for the client's next request to the origin of `pool`, unless somebody waits
  /// for its permit meanwhile.
  void keep(std::unique_ptr<OriginConnection> connection, OriginPool& pool) {
    let_go();
    // Nobody listens to it meanwhile: take() looks whether something came.
    connection->channel().want(false, false);
    connection->channel().bind(nullptr);
    connection_ = std::move(connection);
    pool_ = &pool;
    pool_->add_own(*this);
  }
  /// Closes what is kept.
  void let_go() {
    if (pool_ != nullptr) std::exchange(pool_, nullptr)->remove_own(*this);
    connection_.reset();
  }
  /// The one that is kept, if it is of this origin and nothing has come on it; else null, and it is
  /// closed.
  std::unique_ptr<OriginConnection> take(const OriginPool& pool) {
    std::unique_ptr<OriginConnection> taken = std::move(connection_);
    const bool usable = taken != nullptr && pool_ == &pool && taken->silent();
    let_go();
    return usable ? std::move(taken) : nullptr;
  }

 private:
  std::unique_ptr<OriginConnection> connection_;
  OriginPool* pool_ = nullptr;  ///< while it keeps one
};

}  // namespace perigee::origin
