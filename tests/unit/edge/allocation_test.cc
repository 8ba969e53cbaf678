// A steady hit allocates nothing: operator new is counted over ten thousand of each kind. And what
// is long holds little at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/limits.h"
#include "origin/upload.h"
#include "tests/support/bodies.h"
#include "tests/support/edge/stand.h"

namespace {
std::atomic<uint64_t> allocations{0};
std::atomic<size_t> largest{0};

void* counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (size > largest.load(std::memory_order_relaxed)) largest.store(size);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  std::abort();
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace perigee::test {
namespace {

constexpr int kRounds = 10'000;

/// A peer without memory of its own: sends the same bytes again and again, and counts what it gets.
class EndlessPeer final : public base::Channel {
 public:
  EndlessPeer(std::string_view request, std::string_view address) : request_(request) {
    peer_.remote = *base::Address::parse(address);
  }
  void bind(base::ChannelUser* user) override { user_ = user; }
  void want(bool, bool) override {}
  base::Io recv(std::span<std::byte> into) override {
    if (!full_) return {base::Io::kAgain, 0, 0};
    full_ = false;
    std::memcpy(into.data(), request_.data(), request_.size());
    return {base::Io::kOk, request_.size(), 0};
  }
  base::Io send(std::span<const base::Piece> pieces) override {
    size_t n = 0;
    for (const base::Piece& piece : pieces) n += piece.size;
    got += n;
    return {base::Io::kOk, n, 0};
  }
  size_t unacked() const override { return 0; }
  bool finish() override { return true; }
  void abort() override {}
  const base::Peer& peer() const override { return peer_; }

  void ask() {
    full_ = true;
    user_->on_ready(true, false);
  }
  uint64_t got = 0;

 private:
  const std::string_view request_;
  base::ChannelUser* user_ = nullptr;
  bool full_ = false;
  base::Peer peer_;
};

/// Allocations over kRounds of these bytes on one connection, once it runs steadily.
uint64_t allocations_of(Stand& stand, const std::string& request,
                        std::string_view address = "203.0.113.9:4711") {
  auto channel = std::make_unique<EndlessPeer>(request, address);
  EndlessPeer& peer = *channel;
  stand.worker->adopt(std::move(channel), stand.worker->site_service());
  const auto round = [&] {
    peer.ask();
    while (stand.worker->turn()) {
    }
  };
  for (int i = 0; i < 100; ++i) round();
  const uint64_t asked = stand.origin.asked.size();
  const uint64_t got = peer.got;
  const uint64_t before = allocations.load();
  for (int i = 0; i < kRounds; ++i) round();
  const uint64_t counted_now = allocations.load() - before;
  EXPECT_EQ((peer.got - got) % kRounds, 0u) << "every answer is the same";
  EXPECT_GT(peer.got - got, uint64_t{kRounds} * 100);
  EXPECT_EQ(stand.origin.asked.size(), asked) << "hits all";
  return counted_now;
}

std::string request(std::string_view method, std::string_view target, std::string_view lines = "") {
  return std::string(method) + " " + std::string(target) +
         " HTTP/1.1\r\nHost: site.test\r\nUser-Agent: test/1.0 (a client like any other)\r\n"
         "Accept: text/html,application/xhtml+xml\r\nAccept-Encoding: gzip, br\r\nCookie: a=b; "
         "c=d\r\n" +
         std::string(lines) + "\r\n";
}

struct Case {
  const char* name;
  std::string bytes;
};

TEST(Allocations, ASteadyHitAllocatesNothing) {
  Stand stand("query_sort = true");
  const auto fresh = [](std::string body) {
    return Reply(200)
        .cache("max-age=86400")
        .etag("\"v1\"")
        .line("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        .line("Content-Type", "text/html; charset=utf-8")
        .body(std::move(body));
  };
  stand.origin.on("/small", fresh(std::string(1024, 's')));
  stand.origin.on("/large", fresh(std::string(50'000, 'l')));
  stand.origin.on("/varied", fresh("varied").line("Vary", "Accept, X-Kind"));
  stand.origin.on("/q?a=1&b=2", fresh("query"));
  for (const char* target : {"/small", "/large", "/q?a=1&b=2"}) stand.get(target);
  Client(stand).write(request("GET", "/varied")).answer();
  std::string pipelined;
  for (int i = 0; i < 16; ++i) pipelined += request("GET", "/small");
  const Case cases[] = {
      {"200, copied behind its head", request("GET", "/small")},
      {"200, lent from the map", request("GET", "/large")},
      {"304", request("GET", "/small", "If-None-Match: \"v1\"\r\n")},
      {"304 by date",
       request("GET", "/small", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT\r\n")},
      {"206", request("GET", "/large", "Range: bytes=100-199\r\n")},
      {"416", request("GET", "/small", "Range: bytes=9999-\r\n")},
      {"HEAD", request("HEAD", "/small")},
      {"a variant", request("GET", "/varied")},
      {"a sorted query", request("GET", "/q?b=2&a=1")},
      {"pipelined", pipelined},
      {"pipelined HEAD and 304",
       request("HEAD", "/large") + request("GET", "/large", "If-None-Match: *\r\n")},
  };
  for (const Case& one : cases) EXPECT_EQ(allocations_of(stand, one.bytes), 0u) << one.name;
}

TEST(Allocations, AHitOnASiteWithRulesAllocatesNothing) {
  Stand stand(
      "vary_accept = [\"text/html\"]\nvary_cookies = [\"a\", \"c\"]\n"
      "[[site.rule]]\nprefix = \"/a%20folder/with/a/long/name/\"\nttl = \"1d\"");
  for (const std::string target : {"/a%20folder/with/a/long/name/and//a;parameter/%41",
                                   "/a/plain/path/that/no/string/holds"}) {
    stand.origin.on(target, Reply(200)
                                .cache("max-age=86400")
                                .line("Vary", "Accept, Cookie, X-Kind")
                                .body(std::string(1024, 'a')));
    Client(stand).write(request("GET", target)).answer();
    EXPECT_EQ(allocations_of(stand, request("GET", target)), 0u) << target;
  }
}

TEST(Allocations, AHitThroughATrustedProxyAllocatesNothing) {
  Stand stand("[server]\ntrusted_proxies = [\"192.0.2.0/24\", \"10.0.0.0/8\"]");
  stand.origin.on("/a", Reply(200).cache("max-age=86400").body(std::string(1024, 'a')));
  const std::string bytes = request("GET", "/a",
                                    "X-Forwarded-For: 203.0.113.9, 10.0.0.2\r\n"
                                    "X-Forwarded-Proto: https\r\n");
  Client(stand, "10.0.0.1:1").write(bytes).answer();
  EXPECT_EQ(allocations_of(stand, bytes, "10.0.0.1:1"), 0u);
}

/// Takes little at a time.
class NarrowChannel final : public base::Channel {
 public:
  void bind(base::ChannelUser*) override {}
  void want(bool, bool) override {}
  base::Io recv(std::span<std::byte>) override { return {base::Io::kAgain, 0, 0}; }
  base::Io send(std::span<const base::Piece> pieces) override {
    return {base::Io::kOk, std::min<size_t>(pieces.front().size, 5000), 0};
  }
  size_t unacked() const override { return 0; }
  bool finish() override { return true; }
  void abort() override {}
  const base::Peer& peer() const override { return peer_; }

 private:
  base::Peer peer_;
};

TEST(Allocation, AnUploadHoldsNoMoreThanItsConnectionHasYetToTake) {
  constexpr size_t kAll = 32 * base::limits::kSendBytes;
  FedBody body(kAll);
  body.feed(std::string(kAll, 'x'));
  body.end();
  origin::FetchRequest request;
  request.method = http::Method::kPost;
  request.method_text = "POST";
  request.target = "/x";
  request.host = "h";
  request.body = &body;
  NarrowChannel channel;
  origin::Upload upload;
  struct : base::Waker {
    void wake() override {}
  } waker;
  upload.begin(request, waker);
  largest = 0;
  while (upload.send(channel) == origin::Upload::State::kMore) {
  }
  EXPECT_EQ(upload.state(), origin::Upload::State::kWhole);
  EXPECT_LE(largest, 8 * base::limits::kOutLowBytes);
}

}  // namespace
}  // namespace perigee::test
