// An origin for the stress test: every byte that it sends says for which host, path and version it
// is, and it misbehaves at random.
//
// Each answer with content is a version of its own, drawn from one counter, and named in X-Is. So a
// client that sees an answer can compute all of it, and knows whether it is older than a purge.
// What the origin was asked is looked at too: X-Asked, a plain field, says for which host and path
// the client meant its request.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tools/fake_origin.h"

namespace perigee::e2e {

/// What one answer is of.
struct Version {
  std::string host;
  std::string path;
  uint64_t number = 0;
  std::string variant;  ///< X-Variant of the request, where the path varies; else "-"
  /// X-Is: host, path, number, variant.
  std::string text() const;
  static Version parse(const std::string& text);
};

/// How a path behaves, the same at every host.
struct StressPath {
  std::string path;
  std::string cache_control;
  size_t size = 0;
  bool varies = false;
  bool chunked = false;
};
/// All paths: small and large, stored and not, private, stale while revalidated, with variants.
const std::vector<StressPath>& stress_paths();

/// The content of one version, all of it.
std::string content_of(const Version& version, size_t size);
/// What a client uploads: bytes that only this upload has.
std::string upload_of(uint64_t id, size_t size);

class StressSite {
 public:
  /// `hosts`: X-Forwarded-Host is one of these. `faults`: per mille of the answers.
  StressSite(std::vector<std::string> hosts, uint64_t seed, unsigned faults);

  uint16_t port() const { return origin_.port(); }
  std::string url() const { return origin_.url(); }
  /// The number of the last version that was drawn.
  uint64_t last_version() const { return versions_; }
  size_t uploads() const { return uploads_; }
  size_t faults() const { return fault_count_; }
  /// No further fault.
  void calm() { faults_ = 0; }
  /// What it should not have been asked.
  std::vector<std::string> violations() const;

 private:
  enum class Fault : uint8_t { kNone, kSlow, kReset, kCut, kHang, kEarly };
  void serve(const StressPath& path, tools::FakeRequest& request, tools::Wire& wire);
  void send_version(const StressPath& path, const Version& version,
                    const tools::FakeRequest& request, Fault fault, tools::Wire& wire);
  bool draw_version(const tools::FakeRequest& request, Version& version);
  void draw_new(Version& version);
  bool check_asked(const tools::FakeRequest& request);
  void check_upload(const tools::FakeRequest& request);
  void complain(const std::string& what, const tools::FakeRequest& request);
  Fault draw_fault();
  uint64_t below(uint64_t n);

  const std::vector<std::string> hosts_;
  std::atomic<unsigned> faults_;
  std::atomic<uint64_t> versions_{0};
  std::atomic<size_t> uploads_{0};
  std::atomic<size_t> fault_count_{0};
  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  std::map<std::string, uint64_t> current_;  ///< version by host, path and variant
  std::vector<std::string> violations_;
  tools::FakeOrigin origin_;  ///< last: its threads use all of the above
};

}  // namespace perigee::e2e
