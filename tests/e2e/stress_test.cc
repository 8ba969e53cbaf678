// Everything at once, over real sockets: several sites and names, hits and misses, slow readers and
// uploads, purges, aborts at random moments, and origins that misbehave.
//
// Each body must be, byte for byte, the one that its host, path and version have; nobody sees
// another host's; what was purged or invalidated stays away; each origin is asked only what clients
// meant. It runs for PERIGEE_STRESS_SECONDS (5); PERIGEE_STRESS_SEED draws the same acts again.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "tests/e2e/harness/client.h"
#include "tests/e2e/harness/node.h"
#include "tests/e2e/harness/stress_site.h"

namespace perigee::e2e {
namespace {

using State = Response::State;
using Clock = std::chrono::steady_clock;

constexpr unsigned kClients = 16;
constexpr unsigned kFaults = 80;  ///< per mille of the origins' answers

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// A name under which one of the sites is asked for, and how clients may write it.
struct Name {
  size_t site;
  std::string name;
  std::vector<std::string> spellings;
};

const std::vector<Name>& names() {
  static const std::vector<Name> kNames = {
      {0, "www.one.test", {"www.one.test", "one.test", "WWW.one.test.", "www.one.test:80"}},
      {1, "two.test", {"two.test", "TWO.TEST", "two.test.:80"}},
      // The site without names, each of which is a client's own: of equal length, short and long.
      {2, "u.test", {"u.test", "U.test."}},
      {2, "v.test", {"v.test", "V.TEST:80"}},
      {2, "w.test:8080", {"w.test:8080"}},
      {2, "u-tenant-with-a-long-name.example.test", {"u-tenant-with-a-long-name.example.test"}},
      {2, "v-tenant-with-a-long-name.example.test", {"V-tenant-with-a-long-name.example.test."}},
  };
  return kNames;
}

/// What all clients share.
class Stage {
 public:
  explicit Stage(uint64_t seed)
      : sites_{StressSite({"www.one.test"}, seed + 1, kFaults),
               StressSite({"two.test"}, seed + 2, kFaults),
               StressSite(guests(), seed + 3, kFaults)},
        node_({.config = config(), .store_size = "64MiB", .workers = 3}) {}

  StressSite& site(size_t index) { return sites_[index]; }
  Node& node() { return node_; }
  void count(const std::string& what) {
    const std::lock_guard lock(mutex_);
    ++counts_[what];
  }
  size_t counted(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return counts_[what];
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const auto& [what, count] : counts_) out += " " + what + "=" + std::to_string(count);
    return out;
  }
  /// From now on nothing of this host and path that is as old as `version` may come.
  void forget(const Name& name, const std::string& path, uint64_t version) {
    const std::lock_guard lock(mutex_);
    uint64_t& gone = gone_[name.name + " " + path];
    gone = std::max(gone, version);
  }
  /// The newest version that was forgotten by now.
  uint64_t forgotten(const Name& name, const std::string& path) {
    const std::lock_guard lock(mutex_);
    return gone_[name.name + " " + path];
  }

 private:
  static std::vector<std::string> guests() {
    std::vector<std::string> hosts;
    for (const Name& name : names()) {
      if (name.site == 2) hosts.push_back(name.name);
    }
    return hosts;
  }
  std::string config() const {
    const auto origin = [&](size_t site) {
      return "origin = \"" + sites_[site].url() + "\"\norigin_connections = 12\n";
    };
    return "[log]\nlevel = \"error\"\n[[site]]\nhosts = [\"www.one.test\", \"one.test\"]\n" +
           origin(0) + "[[site]]\nhosts = [\"two.test\"]\nhost_header = \"backend.test\"\n" +
           origin(1) + "[[site]]\nhosts = []\ndefault = true\n" + origin(2);
  }

  std::mutex mutex_;
  std::map<std::string, size_t> counts_;
  std::map<std::string, uint64_t> gone_;
  StressSite sites_[3];
  Node node_;
};

/// One client: it does one thing after the other, on one connection after the other.
class Actor {
 public:
  Actor(Stage& stage, uint64_t seed, unsigned number)
      : stage_(stage), random_(seed * 1'000 + number), uploads_(uint64_t{number} << 32) {}
  void run(Clock::time_point end);

 private:
  struct Asked {
    const Name* name;
    const StressPath* path;
    std::string method;
    std::string variant = "none";
    Lines lines;
    uint64_t forgotten = 0;
  };
  uint64_t below(uint64_t n) { return random_() % n; }
  bool chance(unsigned percent) { return below(100) < percent; }
  static void pause(uint64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
  Client& client();
  Asked choose(const std::string& method);
  std::string bytes_of(const Asked& asked);
  void note(const Asked& asked, Response& response);
  void check(const Asked& asked, const Response& response);
  void read(const Asked& asked);

  void get();
  void pipeline();
  void slow_read();
  void abort();
  void head();
  void part();
  void condition();
  void purge(bool soft);
  void upload();

  Stage& stage_;
  std::mt19937_64 random_;
  uint64_t uploads_;
  std::optional<Client> client_;
  std::map<std::string, std::string> tags_;  ///< seen, by host and path
};

Client& Actor::client() {
  if (!client_ || chance(10)) client_.emplace(stage_.node().port());
  return *client_;
}

Actor::Asked Actor::choose(const std::string& method) {
  Asked asked;
  asked.name = &names()[below(names().size())];
  asked.path = &stress_paths()[below(stress_paths().size())];
  asked.method = method;
  const auto& spellings = asked.name->spellings;
  asked.lines = {"Host: " + spellings[below(spellings.size())],
                 "X-Asked: " + asked.name->name + " " + asked.path->path};
  if (asked.path->varies && chance(70)) {
    asked.variant = chance(50) ? "red" : "blue";
    asked.lines.push_back("X-Variant: " + asked.variant);
  }
  if (chance(10)) asked.lines.push_back("X-Forwarded-Host: evil.test");
  asked.forgotten = stage_.forgotten(*asked.name, asked.path->path);
  return asked;
}

std::string Actor::bytes_of(const Asked& asked) {
  return client_->bytes(asked.method, asked.path->path, asked.lines);
}

/// What can be said of any answer.
void Actor::check(const Asked& asked, const Response& response) {
  const std::string about = asked.method + " " + asked.name->name + asked.path->path + ", status " +
                            std::to_string(response.status) + ", is '" + response.field("X-Is") +
                            "', Cache-Status '" + response.field("Cache-Status") + "'";
  EXPECT_NE(response.state, State::kTimeout) << about;
  if (response.status == 0) return;  // no head came
  if (response.is_hit()) stage_.count("hit");
  const std::string is = response.field("X-Is");
  if (is.empty()) {
    EXPECT_TRUE(response.status == 304 || response.status == 416 || response.status >= 500 ||
                asked.method == "PURGE")
        << about;
    stage_.count("own " + std::to_string(response.status));
    return;
  }
  const Version version = Version::parse(is);
  EXPECT_TRUE(version.host == asked.name->name && version.path == asked.path->path) << about;
  EXPECT_EQ(version.variant, asked.path->varies ? asked.variant : "-") << about;
  // A HEAD that is relayed tells what the origin has, which needs not be new.
  if (asked.method != "HEAD" || response.is_hit()) {
    EXPECT_GT(version.number, asked.forgotten) << "it was purged or invalidated: " << about;
  }
  stage_.count(response.state == State::kWhole ? "whole" : "cut");
  if (asked.method == "HEAD" || response.status == 304) return;
  std::string right = content_of(version, asked.path->size);
  if (response.status == 206) {
    unsigned long first = 0;
    unsigned long last = 0;
    const std::string range = response.field("Content-Range");
    ASSERT_EQ(std::sscanf(range.c_str(), "bytes %lu-%lu/", &first, &last), 2) << about;
    right = right.substr(first, last + 1 - first);
  }
  const bool whole = response.state == State::kWhole;
  const bool same = whole ? response.body == right : right.starts_with(response.body);
  EXPECT_TRUE(same) << "a wrong body of " << response.body.size()
                    << " bytes: " << response.body.substr(0, 100) << "\n"
                    << about;
}

void Actor::note(const Asked& asked, Response& response) {
  check(asked, response);
  if (const std::string tag = response.field("ETag"); !tag.empty()) {
    tags_[asked.name->name + asked.path->path] = tag;
  }
  const bool goes_on = response.state == State::kWhole && response.field("Connection") != "close";
  if (!goes_on) client_.reset();
}

void Actor::read(const Asked& asked) {
  Response response = client_->read(asked.method == "HEAD");
  note(asked, response);
}

void Actor::get() {
  client();
  const Asked asked = choose("GET");
  client_->send(bytes_of(asked));
  read(asked);
}

void Actor::pipeline() {
  client();
  std::vector<Asked> all;
  std::string bytes;
  for (uint64_t left = 2 + below(5); left > 0; --left) {
    all.push_back(choose(chance(80) ? "GET" : "HEAD"));
    bytes += bytes_of(all.back());
  }
  client_->send(bytes);
  for (const Asked& asked : all) {
    if (client_) read(asked);
  }
  stage_.count("pipeline");
}

void Actor::slow_read() {
  client();
  const Asked asked = choose("GET");
  client_->send(bytes_of(asked));
  Response response = client_->read_head();
  for (size_t pieces = 1; pieces < 6 && response.state == State::kReading; ++pieces) {
    pause(below(60));
    client_->read_body(response, asked.path->size * pieces / 6);
  }
  if (response.state == State::kReading) client_->read_body(response);
  note(asked, response);
  stage_.count("slow read");
}

void Actor::abort() {
  client();
  const Asked asked = choose(chance(70) ? "GET" : "POST");
  std::string bytes = bytes_of(asked);
  if (asked.method == "POST") {
    Asked upload = asked;
    upload.lines.push_back("X-Upload: 0 50000");
    upload.lines.push_back("Content-Length: 50000");
    bytes = bytes_of(upload) + upload_of(0, 50'000);
  }
  client_->send(bytes.substr(0, below(bytes.size() + 1)));
  pause(below(20));
  if (chance(50)) {
    client_->reset();
  } else {
    client_->half_close();
  }
  client_.reset();
  stage_.count("abort");
}

void Actor::head() {
  client();
  const Asked asked = choose("HEAD");
  client_->send(bytes_of(asked));
  read(asked);
  stage_.count("head");
}

void Actor::part() {
  client();
  Asked asked = choose("GET");
  const uint64_t first = below(asked.path->size + 100);
  asked.lines.push_back("Range: bytes=" + std::to_string(first) + "-" +
                        (chance(50) ? std::to_string(first + below(2'000)) : ""));
  client_->send(bytes_of(asked));
  Response response = client_->read();
  if (response.status == 206) stage_.count("part");
  note(asked, response);
}

void Actor::condition() {
  client();
  Asked asked = choose("GET");
  const auto tag = tags_.find(asked.name->name + asked.path->path);
  asked.lines.push_back("If-None-Match: " + (tag != tags_.end() ? tag->second : "\"0\""));
  client_->send(bytes_of(asked));
  Response response = client_->read();
  if (response.status == 304) stage_.count("not modified");
  note(asked, response);
}

void Actor::purge(bool soft) {
  client();
  Asked asked = choose("PURGE");
  if (soft) asked.lines.push_back("Soft-Purge: 1");
  const uint64_t last = stage_.site(asked.name->site).last_version();
  client_->send(bytes_of(asked));
  Response response = client_->read();
  if (response.status == 200 && !soft) stage_.forget(*asked.name, asked.path->path, last);
  if (response.status == 200) stage_.count(soft ? "soft purge" : "purge");
  note(asked, response);
}

void Actor::upload() {
  client();
  Asked asked = choose(chance(70) ? "POST" : "PUT");
  const uint64_t id = ++uploads_;
  const size_t size = below(chance(30) ? 150'000 : 3'000);
  const std::string content = upload_of(id, size);
  const bool chunks = chance(50);
  asked.lines.push_back("X-Upload: " + std::to_string(id) + " " + std::to_string(size));
  asked.lines.push_back(chunks ? "Transfer-Encoding: chunked"
                               : "Content-Length: " + std::to_string(size));
  bool sent = client_->send(bytes_of(asked));
  const bool slow = chance(30);
  for (size_t at = 0; at < size && sent;) {
    const std::string piece = content.substr(at, 1 + below(20'000));
    char line[24];
    std::snprintf(line, sizeof line, "%zx\r\n", piece.size());
    sent = client_->send(chunks ? line + piece + "\r\n" : piece);
    at += piece.size();
    if (slow) pause(below(30));
  }
  if (sent && chunks) client_->send("0\r\n\r\n");
  Response response = client_->read();
  const Version version = Version::parse(response.field("X-Is"));
  if (response.status == 200) stage_.forget(*asked.name, asked.path->path, version.number);
  if (response.status == 200) stage_.count("upload");
  note(asked, response);
}

void Actor::run(Clock::time_point end) {
  while (Clock::now() < end) {
    const uint64_t dice = below(100);
    if (dice < 40) {
      get();
    } else if (dice < 52) {
      pipeline();
    } else if (dice < 58) {
      slow_read();
    } else if (dice < 65) {
      abort();
    } else if (dice < 71) {
      head();
    } else if (dice < 79) {
      part();
    } else if (dice < 86) {
      condition();
    } else if (dice < 92) {
      purge(dice < 88);
    } else {
      upload();
    }
  }
}

/// It lives, asks each origin for what is not there, and answers with that.
void expect_alive(Stage& stage) {
  ASSERT_TRUE(stage.node().process().running()) << stage.node().output();
  for (const Name& name : names()) {
    const StressPath& path = stress_paths().front();
    const uint64_t before = stage.site(name.site).last_version();
    const Lines lines = {"Host: " + name.name, "X-Asked: " + name.name + " " + path.path};
    Client(stage.node().port()).request("PURGE", path.path, lines).expect(200);
    Response fresh = Client(stage.node().port()).request("GET", path.path, lines);
    const Version version = Version::parse(fresh.field("X-Is"));
    EXPECT_GT(version.number, before);
    EXPECT_EQ(version.host, name.name);
    fresh.expect(200).expect_body(content_of(version, path.size));
  }
}

constexpr const char* kKinds[] = {"hit",          "whole", "cut",        "pipeline",
                                  "slow read",    "abort", "head",       "part",
                                  "not modified", "purge", "soft purge", "upload"};

TEST(Stress, EveryByteIsOfItsHostPathAndVersionWhateverHappens) {
  const uint64_t seconds = number_from("PERIGEE_STRESS_SECONDS", 5);
  const uint64_t seed = number_from("PERIGEE_STRESS_SEED", std::random_device()());
  std::cerr << "PERIGEE_STRESS_SEED=" << seed << "\n";
  Stage stage(seed);
  ASSERT_NE(stage.node().port(), 0);
  const auto tame = [&] {
    return std::any_of(std::begin(kKinds), std::end(kKinds),
                       [&](const char* what) { return stage.counted(what) == 0; });
  };
  // On a slow machine it takes more rounds until everything has happened once.
  for (uint64_t round = 0; round == 0 || (round < 12 && tame()); ++round) {
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    std::vector<std::thread> clients;
    for (unsigned i = 0; i < kClients; ++i) {
      clients.emplace_back([&, i] { Actor(stage, seed + round, i).run(end); });
    }
    for (std::thread& client : clients) client.join();
  }
  size_t faults = 0;
  size_t uploads = 0;
  for (size_t i = 0; i < 3; ++i) {
    stage.site(i).calm();
    faults += stage.site(i).faults();
    uploads += stage.site(i).uploads();
  }
  expect_alive(stage);
  EXPECT_EQ(stage.node().stop(), 0);
  const std::string said = stage.node().output();
  for (const std::string trouble : {"Sanitizer", "runtime error", "CHECK failed"}) {
    EXPECT_EQ(said.find(trouble), std::string::npos) << said;
  }
  for (size_t i = 0; i < 3; ++i) {
    for (const std::string& wrong : stage.site(i).violations()) ADD_FAILURE() << wrong;
  }
  std::cerr << "faults=" << faults << " uploads=" << uploads << stage.text() << "\n";
  for (const char* what : kKinds) EXPECT_GT(stage.counted(what), 0u) << "no " << what;
  EXPECT_GT(faults, 0u);
}

}  // namespace
}  // namespace perigee::e2e
