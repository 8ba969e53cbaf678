// In turn: idle connection, permit, addresses, connection. Each step has its bound of time.
#include "origin/connector.h"

#include <utility>

#include "base/limits.h"

namespace perigee::origin {

namespace limits = base::limits;

Connector::Connector(OriginShared& shared, ConnectorUser& user)
    : shared_(shared),
      user_(user),
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
  reuse_ = reuse;
  if (reuse != Reuse::kNone) {
    if (auto idle = shared_.pool.take_idle(reuse == Reuse::kSurelyOpen)) {
      return user_.on_connection(std::move(idle), true);
    }
  }
  if (base::Share permit = shared_.pool.take_permit()) return on_permit(std::move(permit));
  wait_for_permit();
}

void Connector::wait_for_permit() {
  if (!shared_.pool.add_waiter(*this)) {
    return fail(FetchError::kBusy, "too many requests wait for a connection to the origin");
  }
  claim_.wait(shared_.pool.gate(), shared_.env, 1);
  shared_.env.arm(patience_timer_, shared_.env.now() + limits::kPermitMs);
}

void Connector::stop_waiting() {
  patience_timer_.disarm();
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
        addresses_ = std::move(*result);
        if (addresses_.size() > limits::kAddressesTried) addresses_.resize(limits::kAddressesTried);
        connect_to(0);
      });
}

void Connector::connect_to(size_t index) {
  if (addresses_.empty()) return fail(FetchError::kResolve, "the origin's name has no address");
  const HttpOriginOptions& options = shared_.options;
  base::Endpoint endpoint;
  endpoint.address = addresses_[index];
  endpoint.tls = options.secure ? &options.tls : nullptr;
  endpoint.deadline = shared_.env.now() + options.connect_ms;
  pending_ = shared_.env.connect(
      endpoint, [this, index](base::Result<std::unique_ptr<base::Channel>> result) {
        if (result.ok()) {
          auto connection =
              std::make_unique<OriginConnection>(std::move(*result), std::move(permit_));
          return user_.on_connection(std::move(connection), false);
        }
        if (index + 1 < addresses_.size()) return connect_to(index + 1);
        const base::ErrorCode code = result.error().code;
        fail(code == base::ErrorCode::kTls       ? FetchError::kTls
             : code == base::ErrorCode::kTimeout ? FetchError::kTimeout
                                                 : FetchError::kConnect,
             result.error().message);
      });
}

void Connector::fail(FetchError::Kind kind, const std::string& why) {
  permit_ = {};
  user_.on_no_connection(kind, why);
}

}  // namespace perigee::origin
