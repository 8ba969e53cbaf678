// In turn: idle connection, permit, addresses, connection. Each step has its bound of time.
#include "origin/connector.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::origin {

namespace limits = base::limits;

Connector::Connector(OriginShared& shared, ConnectorUser& user, const FetchRequest& request)
    : shared_(shared),
      user_(user),
      request_(request),
      relay_claim_([this](base::Share permit) {
        relay_permit_ = std::move(permit);
        connect();
      }),
      claim_([this](base::Share permit) {
        stop_waiting();
        on_permit(std::move(permit));
      }),
      patience_timer_([this] {
        stop_waiting();
        fail(FetchError::kBusy, "no connection to the origin was free in time");
      }) {}

Connector::~Connector() { stop_waiting(); }

void Connector::start(Reuse reuse) {
  CHECK(!permit_ && !pending_.waiting() && !claim_.waiting());
  reuse_ = reuse;
  if (!request_.upgrade.empty()) {
    permit_ = shared_.pool.gate().tunnels.try_take(1, request_.client);
    if (permit_) return resolve();
    return fail(FetchError::kBusy, "too many clients speak other protocols with the origin");
  }
  if (request_.relayed && !relay_permit_) {
    base::Budget& relays = shared_.pool.gate().relays;
    relay_permit_ = relays.try_take(1, request_.client);
    if (!relay_permit_) {
      if (relays.waiting() >= limits::kOriginWaiters) {
        return fail(FetchError::kBusy, "too many requests wait for a connection to the origin");
      }
      relay_claim_.wait(relays, shared_.env, 1, request_.client);
      shared_.env.arm(patience_timer_, shared_.env.now() + limits::kPermitMs);
      return;
    }
  }
  connect();
}

bool Connector::become_relay(base::Holder client) {
  if (!relay_permit_) relay_permit_ = shared_.pool.gate().relays.try_take(1, client);
  return bool{relay_permit_};
}

void Connector::connect() {
  if (reuse_ != Reuse::kNone) {
    if (auto idle = shared_.pool.take_idle(reuse_ == Reuse::kSurelyOpen)) {
      patience_timer_.disarm();
      return user_.on_connection(std::move(idle), true);
    }
  }
  if (base::Share permit = shared_.pool.take_permit()) {
    patience_timer_.disarm();
    return on_permit(std::move(permit));
  }
  wait_for_permit();
}

void Connector::wait_for_permit() {
  if (!shared_.pool.add_waiter(*this)) {
    return fail(FetchError::kBusy, "too many requests wait for a connection to the origin");
  }
  claim_.wait(shared_.pool.gate().connections, shared_.env, 1);
  // Who has waited for a place among the relays does not begin to wait anew.
  if (!patience_timer_.armed()) {
    shared_.env.arm(patience_timer_, shared_.env.now() + limits::kPermitMs);
  }
}

void Connector::stop_waiting() {
  patience_timer_.disarm();
  relay_claim_.abandon();
  claim_.abandon();
  shared_.pool.remove_waiter(*this);
}

void Connector::on_idle_connection(std::unique_ptr<OriginConnection> connection) {
  // What cannot be used gives its permit back: to the head of the line, and so to this one in its
  // turn.
  if (reuse_ == Reuse::kNone || !connection->silent()) return;
  stop_waiting();
  user_.on_connection(std::move(connection), true);
}

void Connector::on_permit(base::Share permit) {
  CHECK(permit && !permit_);
  permit_ = std::move(permit);
  resolve();
}

void Connector::resolve() {
  const HttpOriginOptions& options = shared_.options;
  if (const auto literal = base::Address::parse_host(options.host, options.port)) {
    addresses_ = {*literal};
    return connect_to(0);
  }
  pending_ = shared_.names.resolve(
      options.host, options.port, [this](base::Result<base::Addresses> result) {
        if (!result.ok()) {
          const bool late = result.error().code == base::ErrorCode::kTimeout;
          return fail(late ? FetchError::kTimeout : FetchError::kResolve, result.error().message);
        }
        // What did not work a moment ago is not tried again.
        if (asked_again_ && *result == addresses_) return fail(worst_, failures_);
        addresses_ = std::move(*result);
        if (addresses_.size() > limits::kAddressesTried) addresses_.resize(limits::kAddressesTried);
        connect_to(0);
      });
}

void Connector::connect_to(size_t index) {
  if (addresses_.empty()) return fail(FetchError::kResolve, "the origin's name has no address");
  CHECK(index < addresses_.size() && permit_);
  const HttpOriginOptions& options = shared_.options;
  base::Endpoint endpoint;
  endpoint.address = addresses_[index];
  endpoint.tls = options.secure ? &options.tls : nullptr;
  endpoint.deadline = shared_.env.now() + request_.times.connect_ms;
  pending_ = shared_.env.connect(
      endpoint, [this, index](base::Result<std::unique_ptr<base::Channel>> result) {
        if (!result.ok()) return on_refused(result.error(), index);
        auto connection =
            std::make_unique<OriginConnection>(std::move(*result), std::move(permit_));
        user_.on_connection(std::move(connection), false);
      });
}

/// One address did not work. What is wrong with any of them may be what the operator looks for.
void Connector::on_refused(const base::Error& error, size_t index) {
  failures_.append(failures_.empty() ? "" : "; ").append(error.message);
  if (error.code == base::ErrorCode::kTls) {
    worst_ = FetchError::kTls;
  } else if (error.code == base::ErrorCode::kTimeout && worst_ == FetchError::kConnect) {
    worst_ = FetchError::kTimeout;
  }
  if (index + 1 < addresses_.size()) return connect_to(index + 1);
  give_up();
}

/// The name may have moved since it was asked for: once, it is asked for again.
void Connector::give_up() {
  const HttpOriginOptions& options = shared_.options;
  const bool literal = base::Address::parse_host(options.host, options.port).has_value();
  if (!literal && !asked_again_ && shared_.names.expire(options.host)) {
    asked_again_ = true;
    return resolve();
  }
  fail(worst_, failures_);
}

void Connector::fail(FetchError::Kind kind, const std::string& why) {
  permit_ = {};
  relay_permit_ = {};
  user_.on_no_connection(kind, why);
}

}  // namespace perigee::origin
