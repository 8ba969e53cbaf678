// A whole node on a loop of a test: real worker, flow, codec, fills and store; pipes for sockets.
//
//   Stand stand("ttl = \"1h\"");                       // lines of [[site]]
//   stand.origin.on("/a", Reply(200).body("hello"));
//   EXPECT_EQ(stand.get("/a").cache(), "perigee; fwd=uri-miss; fwd-status=200; stored");
//   EXPECT_EQ(stand.get("/a").body, "hello");
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache_store/store_io.h"
#include "edge/worker.h"
#include "tests/support/edge/scripted_origin.h"
#include "tests/support/edge/wire.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_channel.h"
#include "tests/support/temp_folder.h"

namespace perigee::test {

/// What a client got. Status 0: nothing whole.
struct Answer {
  int status = 0;
  Lines lines;
  std::string body;
  std::string operator[](std::string_view name) const { return value_of(lines, name); }
  size_t count(std::string_view name) const;
  std::string cache() const { return (*this)["Cache-Status"]; }
};

class Stand;

/// One client connection.
class Client {
 public:
  explicit Client(Stand& stand, std::string_view address = "203.0.113.9:4711");

  /// Sends bytes as they are, without a turn of the loop.
  Client& write(std::string_view bytes);
  /// Sends a request for site.test; `lines` end in CRLF each. A body gets its length.
  Client& ask(std::string_view method, std::string_view target, std::string_view lines = "",
              std::string_view body = "");
  /// Runs the loop and takes the next answer; status 0 when there is none.
  Answer answer();
  /// Runs the loop and takes everything that arrived, raw.
  std::string arrived();
  /// The end of the connection was seen: in order, or as a reset.
  bool saw_end() const { return pipe_->saw_fin() || pipe_->saw_reset(); }
  bool saw_reset() const { return pipe_->saw_reset(); }
  void half_close() { pipe_->finish(); }
  void reset() { pipe_->abort(); }
  /// What the node may have on its way to this client, and how much a send takes.
  PipeRules& reading() { return pipe_->in_rules(); }
  MemoryChannel& pipe() { return *pipe_; }

 private:
  Stand& stand_;
  std::unique_ptr<MemoryChannel> pipe_;
  std::deque<bool> heads_;  ///< for each request on its way: was it a HEAD
  std::string bytes_;
};

/// The store's file, with faults on demand.
class FaultyIo final : public cache_store::StoreIo {
 public:
  base::Result<cache_store::FileFacts> open(const std::string& path) override {
    return file_->open(path);
  }
  base::Status allocate(uint64_t size) override { return file_->allocate(size); }
  base::Result<const std::byte*> map(uint64_t size) override { return file_->map(size); }
  base::Result<uint64_t> size() override { return file_->size(); }
  base::Status pread(uint64_t offset, std::span<std::byte> into) override {
    return file_->pread(offset, into);
  }
  base::Status pwrite(uint64_t offset, std::span<const std::byte> bytes) override;
  base::Status pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) override;
  base::Status sync() override { return file_->sync(); }
  base::Status detach(uint64_t offset, uint64_t length) override {
    return file_->detach(offset, length);
  }
  void populate(uint64_t offset, uint64_t length) override { file_->populate(offset, length); }
  std::optional<uint64_t> count_resident(uint64_t offset, uint64_t length) override {
    return pages_gone ? std::optional<uint64_t>(0) : file_->count_resident(offset, length);
  }
  bool find_resident(uint64_t offset, std::span<unsigned char> pages) override {
    if (!pages_gone) return file_->find_resident(offset, pages);
    std::fill(pages.begin(), pages.end(), '\0');
    return true;
  }
  void release(uint64_t offset, uint64_t length) override { file_->release(offset, length); }
  base::Status lock_memory() override { return file_->lock_memory(); }
  base::Status map_again(uint64_t offset, uint64_t length) override {
    return file_->map_again(offset, length);
  }
  int fd() const override { return file_->fd(); }

  bool refuse_writes = false;
  bool pages_gone = false;  ///< none is in memory

 private:
  std::unique_ptr<cache_store::StoreIo> file_ = cache_store::make_file_io();
};

class Stand : private cache_store::StoreObserver {
 public:
  /// `site` are lines of the site's section; whole sections may follow them.
  explicit Stand(const std::string& site = "");
  ~Stand() override;

  /// Until nothing happens any more.
  void run() { env.run(); }
  /// Lets time pass, in steps, with all that comes up on the way.
  void pass_ms(int64_t ms);
  /// One request on a connection of its own, kept alive between calls while it lasts.
  Answer ask(std::string_view method, std::string_view target, std::string_view lines = "",
             std::string_view body = "");
  Answer get(std::string_view target, std::string_view lines = "") {
    return ask("GET", target, lines);
  }
  /// Lets the pool finish a put, so that the next request is a hit.
  void settle() { run(); }
  /// Closes the store and opens it again, as a restart would: every record is cold.
  void restart();
  /// The same with other lines of the site's section.
  void restart(const std::string& site);

  /// Other lines of the site's section from now on, without a restart.
  void reload(const std::string& site);
  /// Of the configuration as it is.
  edge::SnapshotPtr snapshot();

  /// What is stored for a URL of the site (its own key).
  cache_store::Found stored(std::string_view target);
  /// Readers that hold the slab of that record, beside this call.
  uint64_t pins(std::string_view target);
  /// Connections of clients.
  size_t connections() const { return worker->connections(); }
  /// Writes over every place of the store's file where these bytes stand.
  void damage(std::string_view bytes);
  /// Marks the slab of that record as holding a bad page.
  void poison(std::string_view target);
  /// Timers that stand without any request in flight.
  static constexpr size_t kIdleTimers = 1;

  FakeEnv env;
  ScriptedOrigin origin{env};
  FaultyIo* io = nullptr;
  std::unique_ptr<edge::Worker> worker;
  cache_store::Store& store() { return *store_; }
  const edge::Config& config() const { return config_; }
  edge::Node& node() { return *node_; }
  edge::ClientSlots& client_slots() { return node_->client_slots(); }
  edge::Metrics metrics{2};  ///< a test may seat a second worker
  /// What the operator was told since the newest stand was made.
  static const std::vector<std::string>& warnings();

 private:
  friend class Client;
  void configure(const std::string& site);
  void start();
  void stop();
  void on_store_event(std::string_view) override {}

  TempFolder folder_;
  edge::Config config_;
  std::unique_ptr<FaultyIo> io_;
  std::unique_ptr<cache_store::Store> store_;
  std::unique_ptr<edge::AccessLog> access_log_;
  std::unique_ptr<edge::Node> node_;
  std::unique_ptr<Client> client_;
};

}  // namespace perigee::test
