// Finds a connection for one request: an idle one, or a permit, the name's addresses, and one that
// answers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "origin/fetch.h"
#include "origin/origin_pool.h"
#include "origin/resolver_cache.h"

namespace perigee::origin {

/// What the fetches of one origin and loop share.
struct OriginShared {
  const HttpOriginOptions& options;
  OriginPool pool;
  ResolverCache& names;
  base::Env& env;
  /// Receive buffers of kFillChunkBytes that are not in use.
  std::vector<std::unique_ptr<std::byte[]>> buffers;
};

class ConnectorUser {
 public:
  virtual ~ConnectorUser() = default;
  virtual void on_connection(std::unique_ptr<OriginConnection> connection, bool reused) = 0;
  virtual void on_no_connection(FetchError::Kind kind, const std::string& why) = 0;
};

/// Calls its user once for each start(), perhaps inside it. Destroying it gives everything up.
class Connector final : private OriginPool::Waiter {
 public:
  enum class Reuse : uint8_t {
    kAny,         ///< an idle connection may turn out to be closed: the request is repeated then
    kSurelyOpen,  ///< the request is never repeated (http-rules 3.13)
    kNone,        ///< a new connection
  };

  /// For `request`, which outlives it. A relayed one is of the relays' share, for its client.
  Connector(OriginShared& shared, ConnectorUser& user, const FetchRequest& request);
  ~Connector() override;
  void start(Reuse reuse);
  /// What was connected for a fill is a relay from now on. False: the relays' share is taken.
  bool become_relay(base::Holder client);
  /// The connection is used no longer: the place among the relays goes back.
  void leave_relays() { relay_permit_ = {}; }

 private:
  void on_idle_connection(std::unique_ptr<OriginConnection> connection) override;
  void connect();
  void on_permit(base::Share permit);
  void wait_for_permit();
  void resolve();
  void connect_to(size_t index);
  void on_refused(const base::Error& error, size_t index);
  void give_up();
  void stop_waiting();
  void fail(FetchError::Kind kind, const std::string& why);

  OriginShared& shared_;
  ConnectorUser& user_;
  const FetchRequest& request_;
  Reuse reuse_ = Reuse::kAny;
  base::Claim relay_claim_;
  base::Share relay_permit_;
  base::Claim claim_;
  base::Timer patience_timer_;
  base::Share permit_;
  base::Pending pending_;
  base::Addresses addresses_;
  bool asked_again_ = false;  ///< for the name, after all its addresses had failed
  std::string failures_;      ///< of each address that was tried
  FetchError::Kind worst_ = FetchError::kConnect;  ///< the most telling of them
};

}  // namespace perigee::origin
