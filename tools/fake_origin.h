// An HTTP/1.1 origin that does what it is told, well or badly: for tests and for trying things by
// hand.
//
// As a program: `fake_origin [PORT]` listens on 127.0.0.1 (0: any port) and prints "listening on
// PORT". As a class: a FakeOrigin listens from construction to destruction; every request on it
// gets the script that was set for its path (set(), reply(), replies()), else what its path and
// query say:
//
//   /any/path?QUERY        a well-made response. QUERY, all optional and percent-decoded:
//       status=200  h=Name:+value (repeatable)  body=text  size=N (pattern_body(N), instead of
//       body) delay_ms=N (before the head)  pause_ms=N (between head and body)  chunked=1  close=1
//       (until FIN) http10=1  etag="x" (with it, If-None-Match is answered 304)  keep_alive=N
//       (Keep-Alive: timeout) early_hints=1 (a 103 before it)
//   /fault/MODE[/..]?QUERY  one fault: `fake_origin --help` lists them; `after=N` and `size=N`
//   shape it.
//       All of them claim to be cacheable (Cache-Control: max-age=60), so that storing one shows.
//   /__count?path=/x       how many requests for that path have come, as text. Not counted itself.
//
// Blocking sockets, a thread for each connection; nothing depends on time but what asks for a
// delay.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace perigee::tools {

/// A request as it came.
struct FakeRequest {
  std::string method;
  std::string target;                                       ///< with its query
  std::string path;                                         ///< without
  std::vector<std::pair<std::string, std::string>> fields;  ///< names as they came
  std::string body;            ///< empty until Wire::read_body(); then decoded
  unsigned connection = 0;     ///< on which it came, counted from 1
  unsigned on_connection = 0;  ///< its place on that connection, from 1
  /// The first field of that name, in any case; nullopt: none.
  std::optional<std::string> field(std::string_view name) const;
  /// The first value of a query parameter, percent-decoded.
  std::optional<std::string> query(std::string_view name) const;
  uint64_t query_number(std::string_view name, uint64_t otherwise) const;
};

/// The origin's end of one connection, for the script of one request.
class Wire {
 public:
  virtual ~Wire() = default;
  /// All of it, or false: the peer is gone, or the origin stops.
  virtual bool send(std::string_view bytes) = 0;
  /// The content of the request, into request.body. False: it was cut. Without a call it is read
  /// after the script, as an early answer demands.
  virtual bool read_body(FakeRequest& request) = 0;
  /// The content is taken for the next request, as by a server that forgets that there is some.
  virtual void forget_body() = 0;
  /// FIN, and no further request on this connection.
  virtual void finish() = 0;
  /// RST, and no further request on this connection.
  virtual void reset() = 0;
  /// Waits. False: the origin stops, or the peer closed.
  virtual bool sleep(int64_t ms) = 0;
  /// Waits while the path is held (FakeOrigin::hold). False: the origin stops.
  virtual bool wait_while_held(const std::string& path) = 0;
};

using FakeScript = std::function<void(FakeRequest&, Wire&)>;

/// A well-made response.
struct FakeReply {
  unsigned status = 200;
  std::vector<std::string> fields;  ///< lines "Name: value", framing apart
  std::string body;
  int64_t delay_ms = 0;  ///< before the head
  int64_t pause_ms = 0;  ///< between head and body
  std::string etag;      ///< sent, and If-None-Match with it answered 304
  bool chunked = false;
  bool close = false;  ///< no length: the body ends with FIN
  bool http10 = false;
  bool early_hints = false;
};

/// Reads the request's content, then answers; for scripts of one's own.
void send_reply(const FakeReply& reply, FakeRequest& request, Wire& wire);
/// What a path without a script gets: a fault, or a well-made response (see the top).
FakeScript default_script();

/// `size` bytes that are the same each time, and differ between places.
std::string pattern_body(size_t size);

struct FaultMode {
  std::string_view name;  ///< of /fault/NAME
  std::string_view meaning;
  void (*run)(FakeRequest&, Wire&);
};
/// All faults; `fake_origin --help` lists them.
std::span<const FaultMode> fault_modes();

class FakeOrigin {
 public:
  /// Listens on 127.0.0.1; 0: any free port. Aborts when the port is taken.
  explicit FakeOrigin(uint16_t port = 0);
  /// Closes everything and joins its threads.
  ~FakeOrigin();
  FakeOrigin(const FakeOrigin&) = delete;
  FakeOrigin& operator=(const FakeOrigin&) = delete;

  uint16_t port() const { return port_; }
  /// "http://127.0.0.1:PORT"
  std::string url() const;

  // --- what is answered; any thread ---
  void set(const std::string& path, FakeScript script);
  void reply(const std::string& path, FakeReply reply);
  /// One after the other; the last one stays.
  void replies(const std::string& path, std::vector<FakeReply> replies);
  /// Requests for the path are counted and then wait, before anything is sent, until release().
  void hold(const std::string& path);
  void release(const std::string& path);
  /// Connections made while true are accepted and never answered.
  void set_mute(bool mute) { mute_ = mute; }
  /// Further connections are refused until listen_again(). Those that are open go on.
  void refuse();
  void listen_again();
  /// Closes all open connections (RST when `reset`).
  void drop_connections(bool reset);

  // --- what happened; any thread ---
  /// Requests for a path (without query) so far.
  size_t count(const std::string& path) const;
  size_t connections() const;  ///< accepted so far
  /// Accepted, and not yet ended by both sides.
  size_t open_connections() const;
  /// The last request for a path.
  std::optional<FakeRequest> last(const std::string& path) const;
  /// Waits until that many requests for the path have come. False: not within 10 s.
  bool wait_for(const std::string& path, size_t requests) const;
  bool wait_for_connections(size_t connections) const;

 private:
  class Connection;
  void accept_all();
  void answer(FakeRequest& request, Wire& wire);

  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> mute_{false};
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, FakeScript> scripts_;
  std::map<std::string, size_t> counts_;
  std::map<std::string, FakeRequest> last_;
  std::map<std::string, bool> held_;
  bool refusing_ = false;
  std::list<std::unique_ptr<Connection>> connections_;
  size_t accepted_ = 0;
  std::thread acceptor_;
};

}  // namespace perigee::tools
