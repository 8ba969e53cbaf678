// One connection's HTTP/1 codec between a scripted flow and a peer in memory.
//
// Without a test framework, so that fuzz targets use it as well: what can only be a bug of the
// codec is a CHECK.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h1/server_codec.h"
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
  bool asks_upgrade = false;
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

/// What the configuration and the listener decide.
struct RigOptions : http::Http1Options {
  bool secure = false;  ///< the connection is TLS
};

/// The codec, driven as a connection drives it: what it does not consume is kept and fed again.
class CodecRig : public http::RequestSink, private base::Waker {
 public:
  explicit CodecRig(FlowKind kind = FlowKind::kReadThenAnswer, RigOptions options = {});
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
  /// A 1xx with one field, or none.
  void inform(uint16_t status, std::string_view name = {}, std::string_view value = {});
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
  void on_refused(const base::Peer& peer, std::string_view why, http::Arena& arena,
                  http::ResponseHead& answer) override;
  void wake() override { ++wakes; }

  FakeEnv env_;
  MemoryPipe pipe_;
  http::OutBuffers buffers_;
  http::OutQueue out_{buffers_};
  RigOptions options_;
  FlowKind kind_;
  std::unique_ptr<http::RequestScratch> scratch_;
  std::unique_ptr<http::ServerCodec> codec_;
  http::Exchange* exchange_ = nullptr;
  std::unique_ptr<TextBody> body_;
  std::string pending_;
  std::string received_;
  bool peer_ended_ = false;
};

/// What came of some bytes from a client.
struct WireOutcome {
  std::deque<SeenRequest> requests;
  std::vector<uint16_t> refusals;
  std::vector<std::string> reasons;
  std::string received;
  http::ServerCodec::State state = http::ServerCodec::State::kOpen;

  bool operator==(const WireOutcome&) const = default;
};

/// Sends the pieces one after another to a codec of their own.
WireOutcome run_wire(const std::vector<std::string_view>& pieces, FlowKind kind,
                     const RigOptions& options = {});
/// An outcome in words.
std::string told(const WireOutcome& outcome);
/// Bytes as they stand in a C string.
std::string escaped(std::string_view bytes);

}  // namespace perigee::test
