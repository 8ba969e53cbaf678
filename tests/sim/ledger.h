// What happened on the wires of one run, without judgement: every request and response on both
// sides of the node, with the instants at which the node sent and took their bytes.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "http/range.h"
#include "tests/sim/fields.h"
#include "tests/sim/places.h"
#include "tests/sim/sim_channel.h"

namespace perigee::sim {

/// A request that reached the origin, and what it answered. `id` stands in X-Sim of a response with
/// content, and in the name X-Sim-304-<id> of a 304, so that a stored head says all that it was
/// made of.
struct OriginExchange {
  int id = 0;
  LinkPtr link;
  int site = -1;      ///< whose origin it reached
  int resource = -1;  ///< what it asks for, as an origin with many names reads it
  std::string method;
  std::string target;
  Fields request;
  int asked_by = -1;                   ///< the client's request whose fields were forwarded
  Fields asked;                        ///< those fields as the client sent them
  bool unusual = false;                ///< that request was one that may have provoked an error
  const SitePolicy* policy = nullptr;  ///< under which the answer is kept
  uint64_t request_begin = 0;          ///< offsets in the connection
  int status = 0;                      ///< 0: never answered
  Fields fields;
  uint64_t content = 0;  ///< 0: none
  uint64_t size = 0;     ///< of the content as a whole
  /// Of a 206 to a range: the bytes of the content that it brings.
  std::optional<http::ByteSpan> part;
  bool sound = false;  ///< the head is well formed and what follows is whole as it is framed
  bool head_sound = false;
  bool until_close = false;
  bool has_length = false;
  uint64_t head_end = 0;
  uint64_t end = 0;

  /// For one client alone, and said whose: nothing of the answer is stored.
  bool relayed() const { return has(request, "X-Forwarded-For") || has(request, "Forwarded"); }
  /// The node began to send the request; at the latest then.
  Stamp begun() const { return link->attempt_at(request_begin); }
  Stamp first_byte() const { return link->pipes[kFromNode].sent_at(request_begin); }
  /// The node had the whole final head.
  Stamp head_taken() const {
    return head_end > 0 ? link->pipes[kToNode].taken_at(head_end - 1) : Stamp{};
  }
  /// The node had all of it, and it was whole.
  Stamp completed() const;
  /// The node cannot learn more of it: completed, or the connection is over.
  Stamp over() const;
};

/// The bytes of one request on a connection to an origin, as they came.
struct AskedBytes {
  LinkPtr link;
  int site = -1;
  uint64_t begin = 0;  ///< offset in the connection
  std::string raw;
  bool ended = false;  ///< the origin's reader took it for whole

  Stamp begun() const { return link->attempt_at(begin); }
};

/// A request of a client, and what the node answered.
struct ClientExchange {
  int id = 0;
  LinkPtr link;
  int resource = -1;  ///< what it means
  std::string method;
  std::string target;  ///< as it is keyed
  std::string version;
  Fields fields;
  std::string content;       ///< without its framing
  bool own_options = false;  ///< an OPTIONS that the node answers itself
  uint64_t request_begin = 0;
  uint64_t head_end = 0;
  bool broken_off = false;  ///< the client gave up, or sent its content short
  int status = 0;           ///< 0: no whole head came
  Fields response;
  std::vector<int> interim;
  std::string body;
  bool whole = false;
  bool ended_by_close = false;  ///< whole only because the connection ended in order
  bool starved = false;         ///< it waited for ever, without any fault
  std::string protocol_error;
  uint64_t response_begin = 0;

  /// It wants nothing that the origin would have to be asked for.
  bool only_if_cached() const {
    return joined(fields, "Cache-Control").value_or("").find("only-if-cached") != std::string::npos;
  }
  Stamp written() const { return link->pipes[kToNode].sent_at(request_begin); }
  /// The node had the whole head.
  Stamp taken() const { return link->pipes[kToNode].taken_at(head_end - 1); }
  /// The node sent the first byte of the final head.
  Stamp answered() const { return link->pipes[kFromNode].sent_at(response_begin); }
};

struct Ledger {
  std::deque<Resource> resources;      ///< by id, from 0
  std::deque<AskedBytes> asked;        ///< in the order in which their first bytes were read
  std::deque<OriginExchange> origin;   ///< by id, from 0
  std::deque<ClientExchange> clients;  ///< by id, from 0
  std::map<uint64_t, uint64_t> sizes;  ///< of contents
  std::vector<uint64_t> quiet;         ///< seqs at which the node had nothing left to do
  struct Loss {
    uint64_t seq;
    /// kFailed: until the next start nothing is stored any more.
    enum Kind : uint8_t { kForgotten, kRestart, kPowerCut, kFailed } kind;
  };
  std::vector<Loss> losses;  ///< the store may have dropped records here
  /// The origin of a site could not be reached, broke off, or said what is no response.
  struct Failure {
    Stamp stamp;
    int site = -1;
    int resource = -1;         ///< -1: whatever was asked for
    bool only_closed = false;  ///< an idle connection ended, which only unsafe requests suffer from
  };
  std::vector<Failure> failures;
  std::vector<Stamp> stops;  ///< the node was told to drain
  /// The machine slept.
  struct Sleep {
    Stamp begun;
    Stamp woken;
  };
  std::vector<Sleep> sleeps;
  std::vector<uint64_t> wall_steps;
  uint64_t disk_errors = 0;
  uint64_t corrupt = 0;            ///< records that the store found damaged
  uint64_t pages_detached = 0;     ///< on loan to a socket that had not sent them yet
  uint64_t calm_seq = UINT64_MAX;  ///< no fault from then on, nor any trace of one

  /// What provokes errors stood in that request of a client: a head beyond 2 KiB, odd bytes, or
  /// fields that are kept from the origin because they poison.
  static bool is_unusual(const ClientExchange& exchange, bool trusted);
  int resource_id(const Resource& resource);
  const Resource& resource(int id) const { return resources[static_cast<size_t>(id)]; }
  /// The two are filed under one name of one site: an unsafe request for one may touch the other.
  bool neighbours(int one, int other) const;
  OriginExchange& new_origin_exchange() {
    origin.push_back({.id = static_cast<int>(origin.size())});
    return origin.back();
  }
  ClientExchange& new_client_exchange() {
    clients.push_back({.id = static_cast<int>(clients.size())});
    return clients.back();
  }

 private:
  std::map<Resource, int> resource_ids_;
};

}  // namespace perigee::sim
