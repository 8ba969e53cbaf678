// One connection's HTTP/1 codec between a scripted flow and a peer in memory, and a small language
// over it:
//
//   wire("GET / HTTP/1.1\r\nHost: a\r\n\r\n").request("GET", "/").stays_open();
//   wire("GET /\r\n\r\n").refused(400);
//
// wire() runs its bytes at every split point, and whole, and byte by byte, and demands that all
// runs tell the same.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/http1_codec.h"
#include "tests/support/bodies.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_channel.h"

namespace perigee::test {

/// What a flow saw of one request, in memory of its own.
struct SeenRequest {
  std::string method;
  std::string target;
  std::string scheme;
  std::string authority;
  int version_minor = 1;
  bool upgrade_dropped = false;
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<std::string> body;  ///< what was read of it; nullopt: the request has none
  bool body_ended = false;
  bool cancelled = false;
  std::optional<uint64_t> sent_bytes;  ///< set by on_sent()
  bool sent_whole = false;

  bool operator==(const SeenRequest&) const = default;
};

/// What the rig's flow does with a request by itself.
enum class FlowKind : uint8_t {
  kReadThenAnswer,  ///< reads the content to its end, then answers 200 with Content-Length
  kAnswerAtOnce,    ///< answers before the content was read
  kHold,            ///< promotes the request and leaves it to the test
};

/// The codec, driven as a connection drives it: what it does not consume is kept and fed again.
class CodecRig : public http::RequestSink, private base::Waker {
 public:
  explicit CodecRig(FlowKind kind = FlowKind::kReadThenAnswer, http::Http1Options options = {});
  ~CodecRig() override;

  /// The peer sends; everything that comes of it happens.
  void send(std::string_view bytes);
  /// The peer ends its side.
  void send_end();
  /// Lets `ms` pass; the codec's deadline fires when it is due on the way.
  void advance(int64_t ms);
  /// Moves whatever can be moved.
  void settle();

  // --- the answers of a test ---
  /// Answers the request that waits with a body in memory and its length.
  void answer(uint16_t status, std::string_view body);
  /// Answers it with a head and a body source (null: none) of the test's.
  void answer(const http::ResponseHead& head, http::BodySource* body);
  void inform(uint16_t status, std::string_view field_lines = {});
  /// Reads what has come of its content into its SeenRequest. True at the end.
  bool read_body();

  http::ServerCodec& codec() { return *codec_; }
  http::Exchange* exchange() { return exchange_; }
  http::OutQueue& out() { return out_; }
  base::Tick now() const { return env_.now(); }
  http::ServerCodec::State state() const { return codec_->state(); }
  MemoryChannel& peer() { return *pipe_.far; }
  /// All that the peer has got so far.
  const std::string& received();
  /// The same, and forgets it.
  std::string take_received();

  /// Everything that the flow was told.
  std::deque<SeenRequest> requests;
  std::vector<uint16_t> refusals;
  std::vector<std::string> reasons;  ///< of the refusals
  int wakes = 0;
  /// Replaces what the flow does: called instead of it for each request.
  std::function<void(http::Exchange&)> on_request_hook;

 private:
  class TextBody;

  void on_request(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_sent(http::Exchange& exchange, uint64_t body_bytes, bool whole) override;
  void on_refused(const base::Peer& peer, uint16_t status, std::string_view why) override;
  void wake() override { ++wakes; }

  FakeEnv env_;
  MemoryPipe pipe_;
  http::OutBuffers buffers_;
  http::OutQueue out_{buffers_};
  http::Http1Options options_;
  FlowKind kind_;
  http::Http1ScratchPtr scratch_;
  std::unique_ptr<http::ServerCodec> codec_;
  http::Exchange* exchange_ = nullptr;
  std::unique_ptr<TextBody> body_;
  std::string pending_;
  std::string received_;
  bool peer_ended_ = false;
};

/// The outcome of some bytes, the same for every way to split them.
class WireResult {
 public:
  /// Runs them; `kind` and `options` as for CodecRig.
  WireResult(std::string bytes, FlowKind kind, const http::Http1Options& options,
             const std::source_location& at);
  /// Whatever the flow saw and the test did not name is a failure.
  ~WireResult();
  WireResult(const WireResult&) = delete;
  WireResult& operator=(const WireResult&) = delete;

  /// The next request has this method and target; the further expectations are about it.
  WireResult& request(std::string_view method, std::string_view target);
  WireResult& authority(std::string_view authority);
  WireResult& body(std::string_view body);
  WireResult& no_body();
  /// It has this field, first of its name.
  WireResult& field(std::string_view name, std::string_view value);
  WireResult& field_count(size_t count);
  WireResult& upgrade_dropped();
  /// Then comes a refusal with this status, and the connection ends, lingering.
  WireResult& refused(uint16_t status);
  /// Requests before the refusal are no failure (content that turned out malformed).
  WireResult& ignoring_requests();
  /// The connection goes on, or has ended after its answers.
  WireResult& stays_open();
  WireResult& closes();
  WireResult& lingers();
  /// All that was sent to the peer contains, or does not contain, this.
  WireResult& sent(std::string_view text);
  WireResult& never_sent(std::string_view text);

  struct Outcome {
    std::deque<SeenRequest> requests;
    std::vector<uint16_t> refusals;
    std::vector<std::string> reasons;
    std::string received;
    http::ServerCodec::State state = http::ServerCodec::State::kOpen;

    bool operator==(const Outcome&) const = default;
  };
  const Outcome& outcome() const { return outcome_; }

 private:
  std::string where() const;
  const SeenRequest* current();

  std::string bytes_;
  std::string place_;
  Outcome outcome_;
  size_t seen_ = 0;  ///< requests that the test has named
  bool refusal_named_ = false;
};

/// The positions to split bytes at: all of a short text, a sample of a long one.
std::vector<size_t> split_points(std::string_view bytes);
/// Bytes as they stand in a C string.
std::string escaped(std::string_view bytes);
/// A GET with a Host and these field lines, each ended by CRLF.
std::string get(std::string_view field_lines = {}, std::string_view target = "/");
/// A POST likewise, and its content behind it.
std::string post(std::string_view field_lines, std::string_view content = {});
/// Runs bytes through a codec of their own.
inline WireResult wire(std::string bytes, FlowKind kind = FlowKind::kReadThenAnswer,
                       const http::Http1Options& options = {},
                       const std::source_location& at = std::source_location::current()) {
  return WireResult(std::move(bytes), kind, options, at);
}
/// Each of the requests is refused with this status, and a good request behind it is never seen.
void each_refused(uint16_t status, std::initializer_list<std::string> requests,
                  const std::source_location& at = std::source_location::current());

}  // namespace perigee::test
