// Fills over several loops of one thread, an origin that the test plays, and waiters that write
// down what they are told.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "http/cache_key.h"
#include "http/date.h"
#include "http/vary.h"
#include "origin/fill_reader.h"
#include "origin/fill_table.h"
#include "origin/fills.h"
#include "origin/stored_record.h"
#include "tests/support/bodies.h"
#include "tests/support/fake_env.h"
#include "tests/support/field_lines.h"
#include "tests/unit/origin/fake_store.h"

namespace perigee::origin {

class PlayedOrigin;

/// A fetch whose answers the test gives.
class PlayedFetch final : public Fetch {
 public:
  PlayedFetch(PlayedOrigin& origin, const FetchRequest& request, FetchUser& user);
  ~PlayedFetch() override;

  /// The final head. "Name: value" lines separated by newlines; a Content-Length line declares the
  /// body.
  void head(uint16_t status, const std::string& lines);
  void interim(uint16_t status, const std::string& lines = "");
  void feed(std::string_view bytes);
  void end();
  void cut();
  void fail(FetchError::Kind kind) { user_->on_fetch_failed({kind, "played"}); }
  /// A head with its whole body.
  void answer(uint16_t status, const std::string& lines, std::string_view body);

  http::Chunk peek(size_t max) override;
  void advance(size_t n) override { bytes_.erase(0, n); }
  std::optional<uint64_t> size() const override { return std::nullopt; }
  void hand_to(FetchUser& user) override { user_ = &user; }
  void become_relay(base::Holder) override { relay = true; }
  void tunnel(http::BodySource&) override {}
  bool relay = false;  ///< it was told that its readers pace it
  /// A field of the request, empty: not sent.
  std::string asked(std::string_view name) const;
  /// Bytes that were not taken yet.
  size_t left() const { return bytes_.size(); }

 private:
  void tell();

  PlayedOrigin& origin_;
  FetchUser* user_;
  std::vector<std::pair<std::string, std::string>> fields_;
  std::string bytes_;
  http::Chunk::State state_ = http::Chunk::kMore;  ///< what follows `bytes_`
  bool waiting_ = false;
};

class PlayedOrigin final : public Origin {
 public:
  explicit PlayedOrigin(base::Env& its_env) : env(its_env) {}
  std::unique_ptr<Fetch> fetch(const FetchRequest& request, FetchUser& user) override {
    auto made = std::make_unique<PlayedFetch>(*this, request, user);
    ++count;
    return made;
  }
  void drain() override {}
  /// The one that was begun last, and is still wanted.
  PlayedFetch& last() { return *open.back(); }

  base::Env& env;
  std::list<PlayedFetch*> open;  ///< that were not destroyed, in the order of their beginning
  size_t count = 0;
};

class TestWaiter;

/// A site whose fills go to a played origin.
class PlayedSite final : public FillSite {
 public:
  PlayedSite(PlayedOrigin& origin, base::Budget& fills) : origin_(origin), fills_(fills) {}
  Origin& origin() override { return origin_; }
  const PrecodedPtr& precoded() const override { return precoded_; }
  base::Budget& fills() override { return fills_; }
  void on_head(const http::ReceivedResponse&, const http::ResponseTimes&,
               const http::PolicyOptions&) override {}
  void on_stand_in(http::StandIn, std::string_view) override {}
  void on_wrong_digest(std::string_view) override {}
  void on_failure(const FetchError&, base::Tick) override {}

 private:
  PlayedOrigin& origin_;
  base::Budget& fills_;
  const PrecodedPtr precoded_;
};

/// One loop with its door to the fills.
struct TestLoop {
  TestLoop(FillTable& table, unsigned number) : env(number), fills(table, env), origin(env) {}
  test::FakeEnv env;
  Fills fills;
  PlayedOrigin origin;
};

class FillsTest : public ::testing::Test, protected FillObserver {
 protected:
  explicit FillsTest(size_t loops = 1, size_t memory = 8 << 20);
  ~FillsTest() override;

  FillRequest request(size_t loop, const std::string& target, const std::string& lines = "");
  /// A new waiter that has joined; it keeps what it is told.
  TestWaiter& join(const std::string& target = "/a", const std::string& lines = "", size_t loop = 0,
                   JoinMode mode = JoinMode::kShared);
  /// The same with a request that was judged before.
  TestWaiter& join(FillRequest&& judged, size_t loop, JoinMode mode = JoinMode::kShared);
  void drop(TestWaiter& waiter);
  void refresh(const std::string& target = "/a") {
    loops_[0]->fills.refresh_behind(request(0, target));
    run();
  }
  /// Turns of all loops until nothing happens.
  void run();
  void advance(int64_t ms);
  PlayedOrigin& origin(size_t loop = 0) { return loops_[loop]->origin; }
  /// The fetch begun last on that loop.
  PlayedFetch& fetch(size_t loop = 0) { return origin(loop).last(); }
  size_t fetches() const;
  /// Fetches and stores a response.
  void keep(const std::string& target, const std::string& lines, std::string_view body);
  static std::string key(const std::string& target) { return "key:" + target; }
  const std::string* stored(const std::string& target = "/a") { return store_.body(key(target)); }

  void on_fill_begun() override { ++begun_; }
  void on_fill_ended(bool stored, bool) override {
    ++ended_;
    if (stored) ++stored_count_;
  }

  FakeStore store_;
  base::Budget budget_;
  base::Budget asking_{base::limits::kFills};  ///< of the site, that ask its origin
  std::shared_ptr<http::PolicyOptions> policy_ = std::make_shared<http::PolicyOptions>();
  FillTable table_{{store_, budget_, *this}};
  std::vector<std::unique_ptr<TestLoop>> loops_;
  std::list<TestWaiter> waiters_;
  size_t begun_ = 0;
  size_t ended_ = 0;
  size_t stored_count_ = 0;
};

/// Says: interim statuses, then one of head, own, released, stored, failed:status.
class TestWaiter final : public FillWaiter {
 public:
  TestWaiter(TestLoop& its_loop, const std::string& target, const std::string& lines)
      : loop(its_loop), lines_(lines) {
    head_.method_text = "GET";
    head_.target = target_ = target;
    head_.scheme = "http";
    head_.fields = lines_.list();
  }
  const http::RequestHead& fill_head() const override { return head_; }
  void on_fill_interim(const http::ResponseHead& interim) override {
    said += std::to_string(interim.status) + " ";
  }
  void on_fill_head(std::shared_ptr<Fill> session, bool own) override {
    said += own ? "own" : "head";
    status = session->response().policy.status;
    storing = session->storing();
    revalidated = session->revalidated();
    if (at_head) at_head();
    if (!reads) return;
    body.emplace(std::move(session), loop.fills, begin, end);
    reader = std::make_unique<test::BodyReader>(loop.env, *body);
    reader->budget = budget;
    reader->pull();
  }
  void on_fill_released() override {
    said += "released";
    if (at_released) at_released();
  }
  void on_fill_stored() override { said += "stored"; }
  void on_fill_failed(const FetchError& error) override {
    said += "failed:" + std::to_string(error.status());
  }
  /// Lets it take `bytes` more.
  void take(size_t bytes) {
    reader->budget += bytes;
    reader->pull();
  }
  const std::string& text() const { return reader->text; }
  bool whole() const { return reader != nullptr && reader->ended(); }
  bool cut() const { return reader != nullptr && reader->failed(); }
  void finish() {
    reader.reset();
    body.reset();
  }

  TestLoop& loop;
  std::string said;
  uint16_t status = 0;
  bool storing = false;
  bool revalidated = false;
  bool reads = true;
  size_t budget = SIZE_MAX;
  uint64_t begin = 0;
  std::optional<uint64_t> end;
  std::function<void()> at_head;
  std::function<void()> at_released;
  std::optional<FillReader> body;
  std::unique_ptr<test::BodyReader> reader;

 private:
  test::FieldLines lines_;
  std::string target_;
  http::RequestHead head_;
};

}  // namespace perigee::origin
