// Histories of requests, drawn from a seed: whatever is coded, decoded, dropped, purged and fetched
// anew, a client gets the bytes of the origin, under the tag and the Vary that they must have.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/random.h"
#include "tests/support/edge/coded_flow.h"

namespace perigee::test {
namespace {

using http::Coding;

constexpr int kSteps = 120;
constexpr size_t kTargets = 5;
constexpr size_t kStepsPrinted = 12;  ///< of a history that fails

/// What the origin has for a target, until it has another one.
struct Version {
  size_t number = 0;
  std::string text;
  std::string sent;  ///< in `coding`
  Coding coding = Coding::kIdentity;
  std::string type;
  std::string cache;
  bool weak = false;    ///< its tag
  bool ranges = false;  ///< the origin answers them
  bool chunked = false;

  std::string name() const { return "\"v" + std::to_string(number) + "\""; }
  std::string tag() const { return (weak ? "W/" : "") + name(); }
  bool is_codable() const {
    return type == "text/html" && !cache.ends_with("no-transform") && cache != "no-store" &&
           (chunked || text.size() >= base::limits::kCodedBytesLeast ||
            coding != Coding::kIdentity);
  }
  Reply answer(const Asked& asked) const;
};

Reply Version::answer(const Asked& asked) const {
  const std::string known = asked["If-None-Match"];
  if (known == name() || known == "W/" + name()) return Reply(304).cache(cache).etag(tag());
  const bool part = ranges && !weak && !asked["Range"].empty();
  Reply reply = part      ? RangedFile{sent, tag(), cache}(asked)
                : chunked ? Reply(200).cache(cache).etag(tag()).chunked(sent)
                          : Reply(200).cache(cache).etag(tag()).body(sent);
  reply.line("Content-Type", type);
  if (coding != Coding::kIdentity) reply.line("Content-Encoding", coding_name(coding));
  return reply;
}

/// An Accept-Encoding, and what it takes.
struct Accepting {
  std::string_view value;
  std::string_view taken;
};
constexpr std::array kAccepting = {Accepting{"", ""},
                                   Accepting{"gzip", "gzip"},
                                   Accepting{"br", "br"},
                                   Accepting{"zstd", "zstd"},
                                   Accepting{"gzip, deflate, br, zstd", "gzip br zstd"},
                                   Accepting{"gzip;q=0.5, br;q=1", "gzip br"},
                                   Accepting{"*", "gzip br zstd"},
                                   Accepting{"*, zstd;q=0", "gzip br"},
                                   Accepting{"identity, gzip;q=0.5", ""},
                                   Accepting{"identity;q=0, GZIP", "gzip"},
                                   Accepting{"gzip;q=0, br;q=0, zstd;q=0", ""},
                                   Accepting{"deflate", ""}};

struct Request {
  std::string method = "GET";
  std::string target;
  Accepting accepting = kAccepting[0];
  std::string range;
  std::string if_range;
  std::string if_none_match;
  bool no_transform = false;

  std::string lines() const {
    std::string text;
    const auto add = [&](std::string_view name, std::string_view value) {
      if (!value.empty()) text.append(name).append(": ").append(value).append("\r\n");
    };
    add("Accept-Encoding", accepting.value);
    add("Range", range);
    add("If-Range", if_range);
    add("If-None-Match", if_none_match);
    add("Cache-Control", no_transform ? "no-transform" : "");
    return text;
  }
  bool takes(const std::string& coding) const {
    return coding.empty() ||
           (" " + std::string(accepting.taken) + " ").find(" " + coding + " ") != std::string::npos;
  }
  bool wants_range() const { return method == "GET" && !range.empty(); }
};

class CodingHistories : public testing::TestWithParam<int> {
 protected:
  CodingHistories()
      : chance_(static_cast<uint64_t>(GetParam())), stand_("purge_from = [\"203.0.113.0/24\"]") {
    for (size_t i = 0; i < kTargets; ++i) {
      const std::string target = "/" + std::to_string(i);
      stand_.origin.on(target, [this, i](const Asked& asked) { return now(i).answer(asked); });
      change(i);
    }
  }
  ~CodingHistories() override {
    if (!HasFailure()) return;
    std::string text = "seed " + std::to_string(GetParam()) + ", the last steps:\n";
    const size_t first = steps_.size() - std::min(steps_.size(), kStepsPrinted);
    for (size_t i = first; i < steps_.size(); ++i) text += "  " + steps_[i] + "\n";
    std::printf("%s", text.c_str());
  }

  void fill_store();
  void step();
  /// Of what comes from now on, some is longer than a record, and so are its codings.
  void have_long_ones() {
    long_ones_ = true;
    for (size_t i = 0; i < kTargets; ++i) change(i);
  }

 private:
  const Version& now(size_t target) const { return versions_[target].back(); }
  bool chance(unsigned per_cent) { return chance_.chance(per_cent * 10); }
  std::string content();
  void change(size_t target);
  void purge(size_t target);
  Request draw();
  std::string draw_tag(size_t target, bool strong);
  Answer ask(const Request& request);
  void crowd(Request request);
  void compare_head(Request request);
  void note(const std::string& what) { steps_.push_back(what); }
  void note(const Request& request, const Answer& answer);

  void judge(const Request& request, const Answer& answer);
  void judge_whole(const Request& request, const Answer& answer, const Version& version);
  void judge_part(const Request& request, const Answer& answer, const Version& version);
  void judge_vary(const Request& request, const Answer& answer, const Version& version);
  const Version* version_of(const Request& request, const Answer& answer);
  bool matches(const Request& request, const Version& version) const;

  sim::Random chance_;
  bool long_ones_ = false;
  Stand stand_;
  /// Of each target, those that may still be served: since its last purge.
  std::array<std::vector<Version>, kTargets> versions_;
  size_t numbers_ = 0;
  std::vector<std::string> steps_;
};

/// More than half of the store is in use.
void CodingHistories::fill_store() {
  for (int i = 0; !stand_.store().is_short(); ++i) {
    const std::string target = "/noise" + std::to_string(i);
    stand_.origin.on(target, Reply(200).cache("max-age=5").body(std::string(50'000, 'x')));
    stand_.get(target);
  }
}

std::string CodingHistories::content() {
  if (long_ones_ && chance(50)) {
    std::string text;
    const size_t size = 50'000 + chance_.below(250'000);
    while (text.size() < size) text += static_cast<char>('0' + chance_.below(64));
    return text;
  }
  const size_t size = chance(15)   ? chance_.below(1'500)
                      : chance(80) ? 1'000 + chance_.below(6'000)
                                   : 30'000 + chance_.below(30'000);
  std::string text = "version " + std::to_string(numbers_) + ", ";
  if (chance(90)) return text + text_of(size, static_cast<char>('a' + numbers_ % 26));
  // Noise, of which no coding is shorter.
  while (text.size() < size) text += static_cast<char>(chance_.next());
  return text;
}

void CodingHistories::change(size_t target) {
  static constexpr std::array kCaches = {
      "max-age=5", "max-age=5", "max-age=5", "no-cache", "max-age=5, no-transform", "no-store"};
  Version made;
  made.number = ++numbers_;
  made.text = content();
  made.sent = made.text;
  if (chance(40)) {
    made.coding = http::kMadeCodings[chance_.below(http::kMadeCodings.size())];
    const size_t members = made.coding == Coding::kBrotli ? 1 : 1 + chance_.below(2);
    const size_t cut = members == 1 ? made.text.size() : chance_.below(made.text.size());
    made.sent = encoded(made.coding, made.text.substr(0, cut));
    if (members == 2) made.sent += encoded(made.coding, made.text.substr(cut));
  }
  made.type = chance(85) ? "text/html" : "image/png";
  made.cache = kCaches[chance_.below(kCaches.size())];
  made.weak = chance(10);
  made.ranges = chance(50);
  // The length that a part tells would decide.
  made.chunked = !made.ranges && chance(40);
  note("/" + std::to_string(target) + " is now " + made.tag() + ", " +
       std::to_string(made.text.size()) + " bytes of " + made.type + ", " +
       std::string(coding_name(made.coding)) + ", " + made.cache +
       (made.chunked ? ", chunked" : ""));
  versions_[target].push_back(std::move(made));
}

void CodingHistories::purge(size_t target) {
  const bool soft = chance(40);
  note(std::string(soft ? "soft " : "") + "purge of /" + std::to_string(target));
  const Answer answer =
      stand_.ask("PURGE", "/" + std::to_string(target), soft ? "Soft-Purge: 1\r\n" : "");
  ASSERT_EQ(answer.status, 200);
  versions_[target].erase(versions_[target].begin(), versions_[target].end() - 1);
}

/// A tag of this target: its present one most of the time.
std::string CodingHistories::draw_tag(size_t target, bool strong) {
  const std::string tag = chance(80) ? now(target).name() : "\"v1\"";
  return (strong ? "" : "W/") + tag;
}

Request CodingHistories::draw() {
  Request request;
  const size_t target = chance_.below(kTargets);
  request.target = "/" + std::to_string(target);
  request.accepting = kAccepting[chance_.below(kAccepting.size())];
  request.no_transform = chance(4);
  if (chance(20)) {
    static constexpr std::array kRanges = {"bytes=0-9", "bytes=100-", "bytes=-50", "bytes=500-2499",
                                           "bytes=9999999-"};
    request.range = kRanges[chance_.below(kRanges.size())];
    if (chance(40)) request.if_range = draw_tag(target, chance(70));
  }
  if (chance(15)) request.if_none_match = draw_tag(target, chance(50));
  return request;
}

void CodingHistories::note(const Request& request, const Answer& answer) {
  std::string said = request.method + " " + request.target + ", ";
  for (const char c : request.lines()) said += c == '\r' ? ',' : c == '\n' ? ' ' : c;
  note(said + "-> " + std::to_string(answer.status) + " " + answer["ETag"] + " " +
       answer["Content-Encoding"] + " " + answer.cache());
}

Answer CodingHistories::ask(const Request& request) {
  Answer answer = stand_.ask(request.method, request.target, request.lines());
  note(request, answer);
  judge(request, answer);
  return answer;
}

/// Several clients ask while the origin thinks.
void CodingHistories::crowd(Request request) {
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<Request> requests;
  stand_.origin.hold();
  for (int i = 0; i < 3; ++i) {
    request.accepting = kAccepting[chance_.below(kAccepting.size())];
    requests.push_back(request);
    clients.push_back(std::make_unique<Client>(stand_));
    clients.back()->ask("GET", request.target, request.lines());
    stand_.run();
  }
  stand_.origin.release();
  stand_.run();
  note("three at once");
  for (size_t i = 0; i < clients.size(); ++i) {
    const Answer answer = clients[i]->answer();
    note(requests[i], answer);
    judge(requests[i], answer);
  }
}

/// HEAD has the fields that GET has, where nothing is coded meanwhile. And who asks again gets what
/// it takes.
void CodingHistories::compare_head(Request request) {
  request.range.clear();
  const auto fields = [&](const Answer& answer) {
    std::string text;
    for (const std::string_view name : {"ETag", "Vary", "Content-Type", "Content-Encoding",
                                        "Content-Length", "Accept-Ranges", "Cache-Control"}) {
      text.append(name).append(": ").append(answer[name]).append("\n");
    }
    return std::to_string(answer.status) + "\n" + text;
  };
  const Answer before = ask(request);
  request.method = "HEAD";
  const Answer head = ask(request);
  request.method = "GET";
  const Answer after = ask(request);
  // A chunked one has no length on its first way.
  const bool settled = fields(before) == fields(after) && after.cache().starts_with("perigee; hit");
  if (settled) {
    EXPECT_EQ(fields(head), fields(after));
    const Version* version = version_of(request, after);
    const bool chosen = version != nullptr && version->is_codable() && !request.no_transform;
    // It may be found out that what it takes is not worth making.
    ask(request);
    EXPECT_TRUE(!chosen || request.takes(ask(request)["Content-Encoding"]));
  }
}

void CodingHistories::step() {
  const size_t target = chance_.below(kTargets);
  switch (chance_.below(20)) {
    case 0:
      return change(target);
    case 1:
      change(target);
      return purge(target);
    case 2:
      return purge(target);
    case 3:
      note("six seconds pass");
      return stand_.pass_ms(6'000);
    case 4:
      if (!chance(30)) return;
      note("restart");
      return stand_.restart();
    case 5:
      return crowd(draw());
    case 6:
    case 7:
      return compare_head(draw());
    default:
      ask(draw());
  }
}

/// By the number in its tag; null: it is none that may be served.
const Version* CodingHistories::version_of(const Request& request, const Answer& answer) {
  const std::string tag = answer["ETag"];
  for (const Version& each : versions_[static_cast<size_t>(request.target[1] - '0')]) {
    if (tag == each.name() || tag == "W/" + each.name()) return &each;
  }
  return nullptr;
}

bool CodingHistories::matches(const Request& request, const Version& version) const {
  const std::string& tag = request.if_none_match;
  return tag == version.name() || tag == "W/" + version.name();
}

void CodingHistories::judge(const Request& request, const Answer& answer) {
  if (answer.status == 416) {
    EXPECT_TRUE(request.wants_range());
    return;
  }
  const Version* version = version_of(request, answer);
  ASSERT_NE(version, nullptr) << "status " << answer.status << ", ETag " << answer["ETag"];
  judge_vary(request, answer, *version);
  switch (answer.status) {
    case 200:
      EXPECT_FALSE(matches(request, *version)) << "it has this already";
      return judge_whole(request, answer, *version);
    case 206:
      EXPECT_FALSE(matches(request, *version)) << "it has this already";
      return judge_part(request, answer, *version);
    case 304:
      EXPECT_TRUE(matches(request, *version));
      EXPECT_EQ(answer["Content-Encoding"], "");
      EXPECT_EQ(answer.body, "");
      return;
    default:
      ADD_FAILURE() << "status " << answer.status;
  }
}

void CodingHistories::judge_vary(const Request& request, const Answer& answer,
                                 const Version& version) {
  // A 206 of the origin began it: it is not coded.
  const cache_store::Found stored = stand_.stored(request.target);
  const bool in_parts = stored.head && stored.head->kind == cache_store::RecordKind::kHead;
  // The origin's own 206, 304 or 416 does not say of what kind the whole is.
  const std::string cache = answer.cache();
  const bool relayed = cache.find("fwd=") != std::string::npos &&
                       cache.find("stored") == std::string::npos &&
                       cache.find("collapsed") == std::string::npos;
  if (in_parts || (relayed && answer.status != 200)) return;
  EXPECT_EQ(answer["Vary"], version.is_codable() ? "Accept-Encoding" : "");
}

void CodingHistories::judge_whole(const Request& request, const Answer& answer,
                                  const Version& version) {
  const std::string coding = answer["Content-Encoding"];
  const bool as_sent =
      coding ==
      (version.coding == Coding::kIdentity ? std::string_view() : coding_name(version.coding));
  EXPECT_EQ(answer["ETag"], as_sent ? version.tag() : "W/" + version.name());
  if (!as_sent) {
    EXPECT_TRUE(version.is_codable() && !request.wants_range() && !request.no_transform);
    EXPECT_EQ(answer["Accept-Ranges"], "");
    EXPECT_TRUE(request.takes(coding));
  }
  if (request.method == "HEAD") return;
  if (as_sent) {
    EXPECT_TRUE(answer.body == version.sent);
  } else {
    EXPECT_TRUE(decoded(answer) == version.text);
  }
}

void CodingHistories::judge_part(const Request& request, const Answer& answer,
                                 const Version& version) {
  EXPECT_TRUE(request.wants_range());
  EXPECT_TRUE(request.if_range.empty() || request.if_range == version.tag());
  EXPECT_EQ(answer["ETag"], version.tag());
  EXPECT_EQ(answer["Content-Encoding"],
            version.coding == Coding::kIdentity ? "" : coding_name(version.coding));
  size_t first = 0;
  size_t last = 0;
  size_t size = 0;
  const std::string range = answer["Content-Range"];
  ASSERT_EQ(std::sscanf(range.c_str(), "bytes %zu-%zu/%zu", &first, &last, &size), 3) << range;
  EXPECT_EQ(size, version.sent.size());
  EXPECT_TRUE(answer.body == version.sent.substr(first, last + 1 - first)) << range;
}

INSTANTIATE_TEST_SUITE_P(Seeds, CodingHistories, testing::Range(1, 11),
                         [](const auto& seed) { return std::to_string(seed.param); });

TEST_P(CodingHistories, ClientsGetTheBytesOfTheOrigin) {
  for (int i = 0; i < kSteps && !HasFailure(); ++i) step();
}

TEST_P(CodingHistories, SoTheyDoWhereTheStoreIsShort) {
  fill_store();
  for (int i = 0; i < kSteps && !HasFailure(); ++i) step();
}

TEST_P(CodingHistories, SoTheyDoOfLongOnes) {
  have_long_ones();
  for (int i = 0; i < kSteps && !HasFailure(); ++i) step();
}

}  // namespace
}  // namespace perigee::test
