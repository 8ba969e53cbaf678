// One request to an origin and its response, whatever kind of origin it is.
//
// An Origin belongs to one loop; what is shared between loops (permits, health) it refers to. A
// Fetch is its own body source: after on_fetch_head() its content is pulled, and pulling is the
// only pace it knows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/budget.h"
#include "base/env.h"
#include "http/exchange/exchange.h"
#include "http/h1/response_reader.h"
#include "http/policy.h"
#include "http/stored_response.h"

namespace perigee::origin {

class OwnConnection;

/// Why no final head came. Each maps to what a client gets: 400, 502, 503 or 504.
struct FetchError {
  enum Kind : uint8_t {
    kResolve,    ///< 502
    kConnect,    ///< 502
    kTls,        ///< 502
    kClosed,     ///< the connection ended before a whole head: 502
    kAbsent,     ///< the folder that is the origin cannot be opened: 503
    kMalformed,  ///< not HTTP, or framing that can be read in two ways: 502
    kTooLarge,   ///< head beyond its bounds: 502
    kTimeout,    ///< connect, first byte or head: 504
    kBusy,       ///< no connection, permit or memory in time: 503
    kRefused,    ///< the request's head must not leave: 400
    kCut,        ///< the content ended early, behind a head
  } kind = kConnect;
  static constexpr size_t kKinds = kCut + 1;
  std::string message;  ///< the whole reason, for the log alone: it names addresses
  /// What a client is told: one fixed sentence for the kind. Of static storage.
  std::string_view sentence() const {
    switch (kind) {
      case kResolve:
        return "the origin's name has no address now";
      case kConnect:
        return "the origin cannot be reached";
      case kTls:
        return "no secure connection to the origin came about";
      case kClosed:
        return "the origin closed the connection before its response";
      case kAbsent:
        return "the folder of this site cannot be opened now";
      case kMalformed:
        return "the origin's response is not valid";
      case kTooLarge:
        return "the origin's response has too large a head";
      case kTimeout:
        return "the origin did not answer in time";
      case kBusy:
        return "this server has too much to do";
      case kRefused:
        return "this request holds a byte that no head may hold";
      case kCut:
        return "the origin's response was cut";
    }
    return "";
  }
  /// http-rules 2.8: name, connect, TLS, timeout, closed before the head, or no folder.
  bool unreachable() const { return kind < kMalformed || kind == kTimeout; }
  uint16_t status() const {
    switch (kind) {
      case kTimeout:
        return 504;
      case kAbsent:
      case kBusy:
        return 503;
      case kRefused:
        return 400;
      default:
        return 502;
    }
  }
};

/// What to ask. All views must stay valid until the Fetch ends; fill sessions own copies.
struct FetchRequest {
  http::Method method = http::Method::kGet;
  std::string_view method_text = "GET";
  std::string_view target;
  std::string_view host;             ///< the Host field to send
  http::HeaderList fields;           ///< end-to-end fields to send (forwarded_fields())
  http::BodySource* body = nullptr;  ///< streamed up; null: none
  /// For one client alone, and paced by it: it takes of the relays' share of connections.
  bool relayed = false;
  base::Holder client = base::kAnybody;  ///< whose it is then
  http::OriginTimes times;
  /// It travels on a connection of the client's own, which is kept here; null: on any.
  OwnConnection* own = nullptr;
  /// The protocol that this relayed request asks to go on with (RFC 9110 §7.8); empty: none.
  std::string_view upgrade;
};

class FetchUser {
 public:
  virtual ~FetchUser() = default;
  /// A 1xx other than 100 and 101. The head is valid during the call.
  virtual void on_fetch_interim(const http::ReceivedResponse& interim) = 0;
  /// The final head, valid during the call. Content can be peeked from now on, also inside the
  /// call.
  virtual void on_fetch_head(const http::ReceivedResponse& head,
                             const http::ResponseTimes& times) = 0;
  /// Instead of on_fetch_head().
  virtual void on_fetch_failed(const FetchError& error) = 0;
  /// After on_fetch_head(): the content ends before its end, as whoever pulls it sees too. For
  /// logs; the Fetch must not be destroyed inside.
  virtual void on_fetch_cut(const FetchError&) {}
};

/// Destroying it cancels: the connection is closed unless the response was whole. Callbacks are
/// never made inside fetch(); a user may destroy the Fetch inside one.
class Fetch : public http::BodySource {
 public:
  /// The response turned out to be for its waiters alone, who pace it from now on: it counts as a
  /// relay of `client`. Beyond the relays' share it is cut when they are slow.
  virtual void become_relay(base::Holder client) = 0;
  /// From now on this user is told, instead of the one that asked. After the head.
  virtual void hand_to(FetchUser& user) = 0;
  /// The head was a 101: what `client` gives goes to the origin, to its end. It outlives the Fetch,
  /// and what is peeked here goes to the client.
  virtual void tunnel(http::BodySource& client) = 0;
};

/// Where responses come from; of one loop.
class Origin {
 public:
  virtual ~Origin() = default;
  /// Loop. Never null; failures arrive by on_fetch_failed(). Retries GET, HEAD and OPTIONS once, on
  /// a reused connection that closed without a byte (http-rules 3.13).
  virtual std::unique_ptr<Fetch> fetch(const FetchRequest& request, FetchUser& user) = 0;
  /// Closes idle connections; what is in flight goes on.
  virtual void drain() = 0;
};

/// How to reach an HTTP origin. Part of the configuration snapshot, which outlives every Origin.
struct HttpOriginOptions {
  std::string host;  ///< name or literal, without brackets
  uint16_t port = 80;
  std::string authority;  ///< host[:port] as configured
  bool secure = false;
  base::TlsClient tls;
  size_t connections = base::limits::kOriginConnections;  ///< of the process
};

}  // namespace perigee::origin
