// One request on one connection to an HTTP origin, and its response as it comes.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "origin/origin_pool.h"
#include "origin/resolver_cache.h"

namespace perigee::origin {

/// What the streams of one origin and loop share.
struct StreamShared {
  const HttpOriginOptions& options;
  OriginPool pool;
  ResolverCache& names;
  base::Env& env;
};

class OriginStream final : public Fetch, private base::ChannelUser, private base::Waker {
 public:
  OriginStream(StreamShared& shared, const FetchRequest& request, FetchUser& user);
  ~OriginStream() override;

  // BodySource
  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override { return declared_; }

 private:
  enum class Phase : uint8_t { kStarting, kConnecting, kExchanging, kDone };
  /// Outlives the stream where a task refers to it.
  struct Handle {
    OriginStream* stream;
  };

  void begin();
  void connect();
  void connect_to(size_t index);
  void use(std::unique_ptr<OriginConnection> connection, bool reused);
  void on_ready(bool readable, bool writable) noexcept override;
  void wake() override;  ///< the request's content has more
  void run();
  bool send_some();
  bool fill_output();
  void receive_head();
  bool handle_head_step(const http::ResponseParser::Step& step);
  base::Io receive();
  void end_response();
  void fail(FetchError::Kind kind, std::string message);
  http::Chunk lose();
  void on_timer();
  void run_later();
  bool may_retry() const;

  StreamShared& shared_;
  FetchRequest request_;
  FetchUser& user_;
  std::shared_ptr<Handle> handle_;
  Phase phase_ = Phase::kStarting;
  base::Pending pending_;
  base::Addresses addresses_;
  std::unique_ptr<OriginConnection> connection_;
  base::Timer timer_;
  base::Tick begun_;
  base::Tick rate_since_;
  uint64_t rate_bytes_ = 0;
  http::ResponseParser parser_;
  std::string output_;
  std::vector<std::byte> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;
  std::span<const std::byte> content_;
  std::optional<uint64_t> declared_;
  int64_t request_ms_ = 0;
  int64_t idle_ms_ = 0;
  bool permit_ = false;
  bool reused_ = false;
  bool retried_ = false;
  bool request_sent_ = false;
  bool chunked_up_ = false;
  bool upload_cut_ = false;
  bool head_done_ = false;
  bool keep_alive_ = false;
  bool ended_ = false;
  bool failed_ = false;
  bool peer_ended_ = false;
  bool peer_clean_ = false;
  bool readable_ = false;
  bool waiting_ = false;
};

}  // namespace perigee::origin
