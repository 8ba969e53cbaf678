// A fetch that ends before its time: at each stage, and inside each of its callbacks.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/unit/origin/origin_fixture.h"

namespace perigee::origin {
namespace {

namespace limits = base::limits;

class OriginStreamLifetime : public OriginTest {};

TEST_F(OriginStreamLifetime, MayBeDestroyedAtEveryStage) {
  using Steps = std::vector<std::function<void()>>;
  const Steps steps = {[] {},
                       [&] { env_.turn(); },
                       [&] { env_.turn(); },
                       [&] { env_.run(); },
                       [&] { answer("HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 O", peers_.size() - 1); },
                       [&] { answer("K\r\nContent-Length: 4\r\n\r\nab", peers_.size() - 1); }};
  for (size_t last = 0; last < steps.size(); ++last) {
    FetchLog log(env_);
    log.fetch = origin_->fetch(request(), log);
    for (size_t i = 0; i <= last; ++i) steps[i]();
    log.drop();
    env_.run();
    EXPECT_EQ(gate_.connections.used(), 0u) << "after step " << last;
    EXPECT_EQ(env_.waiting(), 0u) << "after step " << last;
  }
}

TEST_F(OriginStreamLifetime, MayBeDestroyedInsideEachCallback) {
  auto log = get();
  log->at_interim = [&] { log->fetch.reset(); };
  answer("HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(log->said, "103");
  log = get();
  log->at_head = [&] { log->fetch.reset(); };
  answer(kOk, 1);
  EXPECT_EQ(log->said, "200");
  log = get();
  log->at_failure = [&] { log->fetch.reset(); };
  finish(2);
  EXPECT_EQ(log->said, "failed:closed");
  EXPECT_EQ(gate_.connections.used(), 0u);
}

TEST_F(OriginStreamLifetime, OneDestroyedInsideItsTimeoutLeavesNothing) {
  auto log = get();
  log->at_failure = [&] { log->fetch.reset(); };
  env_.advance(limits::kFirstByteMs + 10);
  EXPECT_EQ(log->said, "failed:timeout");
}

}  // namespace
}  // namespace perigee::origin
