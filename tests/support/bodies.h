// The two ends of a body in a test: one that a test feeds, and one that takes all it can get.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/exchange/exchange.h"
#include "tests/support/fake_env.h"

namespace perigee::test {

/// A body source whose bytes, end and failure are given by the test.
class FedBody : public http::BodySource {
 public:
  explicit FedBody(std::optional<uint64_t> size = std::nullopt) : size_(size) {}
  void feed(std::string_view text);
  void end();
  /// The rest will not come; `as` kBad: and what came may be wrong.
  void fail(http::Chunk::State as = http::Chunk::kFail);
  size_t taken() const { return taken_; }  ///< bytes advanced over
  unsigned peeks = 0;

  http::Chunk peek(size_t max) override;
  void advance(size_t n) override;
  std::optional<uint64_t> size() const override { return size_; }

 private:
  void wake_if_waiting();

  std::optional<uint64_t> size_;
  std::string bytes_;
  size_t taken_ = 0;
  bool ended_ = false;
  std::optional<http::Chunk::State> failed_;
  bool waiting_ = false;
};

/// Pulls a body source to its end, as fast as it gives; woken through the env's next turn. `budget`
/// bounds what is taken: a slow reader raises it bit by bit and calls pull().
class BodyReader : public base::Waker {
 public:
  BodyReader(FakeEnv& env, http::BodySource& source);
  ~BodyReader() override;
  void wake() override;
  void pull();
  bool ended() const { return ended_; }
  bool failed() const { return failed_; }
  bool done() const { return ended_ || failed_; }
  /// The source is gone: never touch it again.
  void forget() { source_ = nullptr; }

  std::string text;
  size_t budget = SIZE_MAX;
  size_t piece = SIZE_MAX;  ///< most taken at once
  int wakes = 0;

 private:
  FakeEnv& env_;
  http::BodySource* source_;
  bool ended_ = false;
  bool failed_ = false;
  bool awaited_ = false;  ///< a kLater was given and no wake came yet
  base::Soon pull_{[this] { pull(); }};
};

}  // namespace perigee::test
