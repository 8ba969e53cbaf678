#include "tests/e2e/harness/stress_site.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace perigee::e2e {

namespace {

constexpr size_t kLineDigits = 8;
constexpr int64_t kHangMs = 3'000;

/// Lines of one prefix, each with its number.
std::string lines_of(const std::string& prefix, size_t size) {
  std::string out;
  out.reserve(size + prefix.size() + kLineDigits + 1);
  for (unsigned line = 0; out.size() < size; ++line) {
    char digits[kLineDigits + 2];
    std::snprintf(digits, sizeof digits, "%08u\n", line);
    out += prefix + digits;
  }
  out.resize(size);
  return out;
}

std::string chunked(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const std::string_view piece = body.substr(0, 10'000);
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    out.append(size).append(piece).append("\r\n");
    body.remove_prefix(piece.size());
  }
  return out + "0\r\n\r\n";
}

std::string tag_of(const Version& version) { return "\"" + std::to_string(version.number) + "\""; }

std::string key_of(const Version& version) {
  return version.host + " " + version.path + " " + version.variant;
}

}  // namespace

std::string Version::text() const {
  return host + " " + path + " " + std::to_string(number) + " " + variant;
}

Version Version::parse(const std::string& text) {
  Version version;
  std::istringstream(text) >> version.host >> version.path >> version.number >> version.variant;
  return version;
}

const std::vector<StressPath>& stress_paths() {
  static const std::vector<StressPath> kPaths = {
      {"/small", "max-age=60", 300},
      {"/empty", "max-age=60", 0},
      {"/page", "max-age=60", 20'000, false, true},
      {"/large", "max-age=60", 300'000},
      {"/short-lived", "max-age=1, stale-while-revalidate=2", 5'000},
      {"/stale-at-once", "max-age=0, stale-if-error=60", 9'000},
      {"/variants", "max-age=60", 3'000, true},
      {"/private", "private, max-age=60", 4'000},
      {"/unstored", "no-store", 15'000},
      {"/unstored-large", "no-store", 400'000, false, true},
      {"/a/path/that/is/longer/than/a/small/string", "max-age=60", 1'000},
  };
  return kPaths;
}

std::string content_of(const Version& version, size_t size) {
  return lines_of(version.text() + " ", size);
}

std::string upload_of(uint64_t id, size_t size) {
  return lines_of("upload " + std::to_string(id) + " ", size);
}

StressSite::StressSite(std::vector<std::string> hosts, uint64_t seed, unsigned faults)
    : hosts_(std::move(hosts)), faults_(faults), random_(seed) {
  for (const StressPath& path : stress_paths()) {
    origin_.set(path.path, [this, &path](tools::FakeRequest& request, tools::Wire& wire) {
      serve(path, request, wire);
    });
  }
}

uint64_t StressSite::below(uint64_t n) {
  const std::lock_guard lock(mutex_);
  return random_() % n;
}

StressSite::Fault StressSite::draw_fault() {
  if (below(1000) >= faults_) return Fault::kNone;
  ++fault_count_;
  const uint64_t dice = below(20);
  if (dice == 0) return Fault::kHang;
  return std::vector{Fault::kSlow, Fault::kReset, Fault::kCut, Fault::kEarly}[dice % 4];
}

void StressSite::complain(const std::string& what, const tools::FakeRequest& request) {
  std::string text = what + ": " + request.method + " " + request.target;
  for (const auto& [name, value] : request.fields) text += " | " + name + ": " + value;
  const std::lock_guard lock(mutex_);
  violations_.push_back(text);
}

std::vector<std::string> StressSite::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

/// Its host and path are what some client asked for, and one of ours.
bool StressSite::check_asked(const tools::FakeRequest& request) {
  const std::string host = request.field("X-Forwarded-Host").value_or("");
  const std::string asked = request.field("X-Asked").value_or("");
  if (std::find(hosts_.begin(), hosts_.end(), host) == hosts_.end()) {
    complain("a host of somewhere else", request);
  } else if (asked != host + " " + request.target) {
    complain("not what its client asked for", request);
  } else {
    return true;
  }
  return false;
}

void StressSite::check_upload(const tools::FakeRequest& request) {
  const std::string told = request.field("X-Upload").value_or("");
  uint64_t id = 0;
  size_t size = 0;
  std::istringstream(told) >> id >> size;
  if (request.body != upload_of(id, size)) complain("another content than the upload's", request);
  ++uploads_;
}

void StressSite::serve(const StressPath& path, tools::FakeRequest& request, tools::Wire& wire) {
  if (!check_asked(request)) return wire.reset();
  const Fault fault = draw_fault();
  const bool unsafe = request.method == "POST" || request.method == "PUT";
  if (unsafe && fault != Fault::kEarly) {
    if (!wire.read_body(request)) return;
    check_upload(request);
  }
  if (fault == Fault::kHang) {
    wire.sleep(kHangMs);
    return wire.reset();
  }
  if (fault == Fault::kSlow && !wire.sleep(static_cast<int64_t>(below(300)))) return;
  Version version{*request.field("X-Forwarded-Host"), path.path, 0,
                  path.varies ? request.field("X-Variant").value_or("none") : "-"};
  const bool same = draw_version(request, version);
  if (same && below(2) == 0) {
    wire.send("HTTP/1.1 304 Same\r\nETag: " + tag_of(version) +
              "\r\nCache-Control: " + path.cache_control + "\r\n\r\n");
    return;
  }
  if (same) draw_new(version);
  send_version(path, version, request, fault, wire);
}

/// True: the one that the request has already.
bool StressSite::draw_version(const tools::FakeRequest& request, Version& version) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = current_.find(key_of(version));
    if (known != current_.end()) version.number = known->second;
  }
  const bool safe = request.method == "GET" || request.method == "HEAD";
  const bool known = safe && version.number != 0;
  if (known && request.field("If-None-Match") == tag_of(version)) return true;
  if (!known || request.method == "GET") draw_new(version);
  return false;
}

void StressSite::draw_new(Version& version) {
  version.number = ++versions_;
  const std::lock_guard lock(mutex_);
  uint64_t& current = current_[key_of(version)];
  current = std::max(current, version.number);
}

void StressSite::send_version(const StressPath& path, const Version& version,
                              const tools::FakeRequest& request, Fault fault, tools::Wire& wire) {
  const std::string body = content_of(version, path.size);
  std::string head = "HTTP/1.1 200 Fine\r\nCache-Control: " + path.cache_control +
                     "\r\nX-Is: " + version.text() + "\r\nETag: " + tag_of(version) + "\r\n";
  if (path.varies) head += "Vary: X-Variant\r\n";
  head += path.chunked ? std::string("Transfer-Encoding: chunked")
                       : "Content-Length: " + std::to_string(body.size());
  head += "\r\n\r\n";
  if (request.method == "HEAD") {
    wire.send(head);
    return;
  }
  const std::string framed = path.chunked ? chunked(body) : body;
  if (fault == Fault::kReset || fault == Fault::kCut) {
    wire.send((head + framed).substr(0, below(head.size() + framed.size())));
    return fault == Fault::kReset ? wire.reset() : wire.finish();
  }
  if (fault == Fault::kSlow) {
    if (!wire.send(head) || !wire.sleep(static_cast<int64_t>(below(300)))) return;
    wire.send(framed);
    return;
  }
  wire.send(head + framed);
}

}  // namespace perigee::e2e
