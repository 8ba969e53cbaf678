// An HTTP origin over memory pipes: the test plays the origin's side, word by word.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "origin/http_origin.h"
#include "origin/resolver_cache.h"
#include "tests/support/bodies.h"
#include "tests/support/fake_env.h"
#include "tests/support/field_lines.h"
#include "tests/support/memory_channel.h"

namespace perigee::origin {

inline constexpr int64_t kSecond = 1000;
inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Writes down what a fetch says: "103 200 failed:closed".
class FetchLog : public FetchUser {
 public:
  explicit FetchLog(test::FakeEnv& env) : env_(env) {}

  void on_fetch_interim(const http::ReceivedResponse& interim) override {
    say(std::to_string(interim.status));
    call(at_interim);
  }
  void on_fetch_head(const http::ReceivedResponse& head,
                     const http::ResponseTimes& times) override {
    say(std::to_string(head.status));
    received_at = times;
    if (!call(at_head) || fetch == nullptr || !pull) return;
    reader = std::make_unique<test::BodyReader>(env_, *fetch);
    reader->pull();
  }
  void on_fetch_failed(const FetchError& failure) override {
    static constexpr const char* kNames[] = {"resolve", "connect",   "tls",   "closed",
                                             "absent",  "malformed", "large", "timeout",
                                             "busy",    "refused",   "cut"};
    say("failed:" + std::string(kNames[failure.kind]));
    error = failure;
    call(at_failure);
  }
  void on_fetch_cut(const FetchError& failure) override { told_cut = failure.message; }
  std::string body() const { return reader == nullptr ? "" : reader->text; }
  bool whole() const { return reader != nullptr && reader->ended(); }
  bool cut() const { return reader != nullptr && reader->failed(); }
  void drop() {
    reader.reset();
    fetch.reset();
  }

  std::unique_ptr<Fetch> fetch;
  std::string said;
  std::string told_cut;
  FetchError error;
  http::ResponseTimes received_at;
  std::unique_ptr<test::BodyReader> reader;
  bool pull = true;  ///< content is read as it comes
  std::function<void()> at_interim;
  std::function<void()> at_head;
  std::function<void()> at_failure;

 private:
  void say(const std::string& word) { said += (said.empty() ? "" : " ") + word; }
  /// True: nothing was to be called. What is called may destroy the fetch.
  bool call(const std::function<void()>& function) {
    if (function) function();
    return !function;
  }
  test::FakeEnv& env_;
};

class OriginTest : public ::testing::Test {
 protected:
  explicit OriginTest(size_t connections = 4) : gate_(connections) {
    options_.host = "192.0.2.1";
    options_.authority = "origin.example";
    env_.on_connect = [this](const base::Endpoint&) { return std::optional(accept()); };
    make_origin();
  }
  ~OriginTest() override {
    origin_.reset();
    names_.reset();
    peers_.clear();
    env_.run();
    EXPECT_EQ(gate_.connections.used(), 0u) << "a permit was not given back";
    EXPECT_EQ(gate_.relays.used(), 0u) << "a place among the relays was not given back";
    EXPECT_EQ(env_.timers(), 0u) << "a timer stayed behind";
    EXPECT_EQ(env_.channels(), 0u) << "a channel stayed behind";
  }
  void make_origin() {
    names_ = std::make_unique<ResolverCache>(env_);
    origin_ = make_http_origin(options_, gate_, *names_, env_);
  }
  test::FakeEnv::ConnectResult accept() {
    test::MemoryPipe pipe = test::make_memory_pipe(env_, rules_);
    peers_.push_back(std::move(pipe.far));
    return std::unique_ptr<base::Channel>(std::move(pipe.near));
  }
  FetchRequest request(http::Method method = http::Method::kGet, std::string_view text = "GET") {
    FetchRequest request;
    request.method = method;
    request.method_text = text;
    request.target = "/x";
    request.host = "h";
    request.times = times_;
    return request;
  }
  std::unique_ptr<FetchLog> fetch(const FetchRequest& asked) {
    auto log = std::make_unique<FetchLog>(env_);
    log->fetch = origin_->fetch(asked, *log);
    env_.run();
    return log;
  }
  std::unique_ptr<FetchLog> get() { return fetch(request()); }
  std::unique_ptr<FetchLog> post(http::BodySource* body = nullptr) {
    FetchRequest asked = request(http::Method::kPost, "POST");
    asked.body = body;
    return fetch(asked);
  }
  /// The origin's end of the n-th connection.
  test::MemoryChannel& peer(size_t index = 0) { return *peers_.at(index); }
  void answer(std::string_view text, size_t index = 0) {
    peer(index).write(text);
    env_.run();
  }
  /// One exchange on a new connection, which is idle then.
  void leave_idle() {
    const auto log = get();
    peers_.back()->read();
    answer(kOk, peers_.size() - 1);
    EXPECT_TRUE(log->whole());
  }
  void finish(size_t index = 0) {
    peer(index).finish();
    env_.run();
  }
  void reset(size_t index = 0) {
    peer(index).abort();
    env_.run();
  }
  size_t connections() const { return env_.connects.size(); }

  test::FakeEnv env_;
  test::PipeRules rules_;
  HttpOriginOptions options_;
  http::OriginTimes times_;
  OriginGate gate_;
  std::unique_ptr<ResolverCache> names_;
  std::unique_ptr<Origin> origin_;
  std::vector<std::unique_ptr<test::MemoryChannel>> peers_;
};

}  // namespace perigee::origin
