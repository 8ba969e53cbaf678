// One request on one connection to an HTTP origin, and its response as it comes.
//
// Whatever calls the user back does so last, or looks whether it is still there: the user may
// destroy the stream inside any callback.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "http/h1/response_reader.h"
#include "origin/connector.h"
#include "origin/upload.h"

namespace perigee::origin {

class OriginStream final : public Fetch,
                           private base::ChannelUser,
                           private base::Waker,
                           private ConnectorUser {
 public:
  OriginStream(OriginShared& shared, const FetchRequest& request, FetchUser& user);
  ~OriginStream() override;

  // BodySource
  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override { return declared_; }
  void hand_to(FetchUser& user) override { user_ = &user; }
  void become_relay(base::Holder client) override;
  void tunnel(http::BodySource& client) override;

 private:
  enum class Phase : uint8_t {
    kStarting,
    kConnecting,
    kHead,     ///< the request goes up, its response's head is awaited
    kContent,  ///< the head was handed over, content is pulled
    kEnded,    ///< whole
    kFailed,
  };

  void connect();
  void on_connection(std::unique_ptr<OriginConnection> connection, bool reused) override;
  void on_no_connection(FetchError::Kind kind, const std::string& why) override;
  void on_ready(bool readable, bool writable) noexcept override;
  void wake() override { run_soon(); }  ///< the request's content has more
  void run_soon() { shared_.env.soon(run_); }
  void run();
  bool send_request();
  void await_response(Upload::State state);
  void look_for_early_answer();
  bool has_read_content() const;
  void await(int64_t ms);
  base::Io receive();
  http::ResponseReader::Step parse();
  void receive_head();
  void on_closed_before_head();
  bool take_step(const http::ResponseReader::Step& step);
  void hand_over_head();
  bool next_content();
  void wait_for_content();
  void await_content();
  void send_tunnelled();
  void stop_waiting();
  void resume_content();
  void end_response();
  bool is_open_ended() const;
  void cut(const char* why);
  void close(Phase phase);
  void fail(FetchError::Kind kind, const std::string& why);
  void on_timer();
  void watch_pace();
  void on_pace();
  uint64_t moved_bytes() const { return upload_.taken_bytes() + received_bytes_; }

  OriginShared& shared_;
  const FetchRequest request_;
  FetchUser* user_;
  bool for_one_client_;  ///< relayed, or a fill that became a relay
  Connector connector_;
  Upload upload_;
  std::unique_ptr<OriginConnection> connection_;
  http::ResponseReader parser_;
  base::Soon run_;
  base::Timer timer_;
  base::Timer pace_timer_;  ///< runs while a client may hold the connection up
  Phase phase_ = Phase::kStarting;
  std::unique_ptr<std::byte[]> buffer_;  ///< of kFillChunkBytes, taken at the first receive
  std::span<const std::byte> input_;     ///< received and not parsed
  std::span<const std::byte> content_;   ///< parsed and not taken
  std::optional<uint64_t> declared_;
  int64_t request_ms_ = 0;  ///< wall time at which the request was first sent
  int64_t idle_ms_ = 0;     ///< how long the connection may be kept afterwards
  base::Tick head_due_{std::numeric_limits<int64_t>::max()};  ///< of the final head, 1xx included
  base::Tick waiting_since_;
  int64_t waited_ms_ = 0;    ///< for content, since the rate was last looked at
  uint64_t rate_bytes_ = 0;  ///< received since then
  uint64_t received_bytes_ = 0;
  uint64_t paced_bytes_ = 0;  ///< moved_bytes() when the client's pace was last looked at
  bool* gone_ = nullptr;      ///< set at the end, for a callback that goes on after it
  bool reused_ = false;
  bool retried_ = false;
  bool keep_alive_ = false;
  bool tunnel_ = false;    ///< another protocol is spoken, and the client's bytes go up
  bool finished_ = false;  ///< the client's bytes ended, and the origin was told
  bool early_ = false;     ///< the response began before all content was sent
  bool readable_ = false;
  bool waiting_ = false;       ///< a kLater was given, and no wake for it yet
  bool beyond_share_ = false;  ///< a relay without a place among the relays
};

}  // namespace perigee::origin
