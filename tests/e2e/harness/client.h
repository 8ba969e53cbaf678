// A client that sees bytes: it sends what it is told and reads answers strictly, with a parser of
// its own.
//
// Blocking, bounded by 20 s a wait. What no HTTP/1.1 server may send fails the test.
#pragma once

#include <cstdint>
#include <set>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perigee::e2e {

/// Field lines as they go over the wire: {"Range: bytes=0-4"}.
using Lines = std::vector<std::string>;

/// An answer, or what came of it.
struct Response {
  enum class State : uint8_t {
    kNone,     ///< the connection ended in order before a head
    kReading,  ///< the head, and `body` so far
    kWhole,
    kCut,    ///< the connection ended before the body did
    kReset,  ///< the same, by RST
    kTimeout,
  };
  /// A 1xx head that came before.
  struct Interim {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> fields;
  };
  using Here = std::source_location;

  State state = State::kNone;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<Interim> interim;
  std::string body;  ///< decoded

  /// The value of the one field of that name, in any case; "" when there is none, or more than one.
  std::string field(std::string_view name) const;
  size_t count(std::string_view name) const;
  /// The parameters of Perigee's member of Cache-Status, which is the last one; empty: there is
  /// none.
  std::set<std::string> cache() const;
  bool is_hit() const { return cache().contains("hit"); }

  // Each fails the test at the caller's line, and returns this.
  Response& expect(int wanted, const Here& here = Here::current());
  Response& expect_body(std::string_view wanted, const Here& here = Here::current());
  Response& expect_field(std::string_view name, std::string_view wanted,
                         const Here& here = Here::current());
  Response& expect_no_field(std::string_view name, const Here& here = Here::current());
  /// Each of the words ("hit", "fwd=uri-miss; stored") is a parameter of Perigee's member of
  /// Cache-Status.
  Response& expect_cache(std::string_view words, const Here& here = Here::current());

  // For Client: how the body is framed, and what is missing.
  enum class Framing : uint8_t { kLength, kChunked, kClose };
  Framing framing = Framing::kLength;
  uint64_t left = 0;  ///< of the body, or of the chunk
  bool between_chunks = true;
};

class Client {
 public:
  /// Connects to that port of 127.0.0.1 (or ::1).
  explicit Client(uint16_t port, bool v6 = false);
  ~Client();
  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), port_(other.port_), input_(std::move(other.input_)) {}
  Client& operator=(Client&&) = delete;

  /// A whole exchange. Host is 127.0.0.1:PORT unless a line says otherwise; a body is sent with its
  /// length.
  Response request(std::string_view method, std::string_view target, const Lines& lines = {},
                   std::string_view body = {});
  Response get(std::string_view target, const Lines& lines = {}) {
    return request("GET", target, lines);
  }
  /// The request of request(), as bytes.
  std::string bytes(std::string_view method, std::string_view target, const Lines& lines = {},
                    std::string_view body = {}) const;

  /// False: the peer is gone.
  bool send(std::string_view bytes);
  /// As much as is taken until nothing has been for half a second.
  size_t send_until_blocked(std::string_view bytes);
  /// Bytes, or the end, are there to be read.
  bool readable() const;
  /// The next answer; `head`: to a HEAD.
  Response read(bool head = false);
  Response read_head(bool head = false);
  /// The status of the next head, which is not a final one.
  int read_interim();
  /// Reads until `size` bytes of the body are there, or it has ended.
  void read_body(Response& response, size_t size = SIZE_MAX);
  /// Nothing more comes: kNone after FIN, kReset; kTimeout; kReading when bytes come after all.
  Response::State end();
  void half_close();
  /// Closes with RST.
  void reset();
  void close();

 private:
  enum class Got : uint8_t { kBytes, kEnd, kReset, kTimeout };
  Got receive();
  bool read_one_head(Response& response, bool to_head);
  void parse_head(std::string_view head, Response& response, bool to_head);
  void frame(Response& response, bool to_head);
  bool read_chunk_line(Response& response);
  bool need(Response& response);

  int fd_ = -1;
  uint16_t port_;
  std::string input_;
};

}  // namespace perigee::e2e
