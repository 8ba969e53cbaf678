// Bytes of a client and what the codec makes of them, as a small language:
//
//   wire("GET / HTTP/1.1\r\nHost: a\r\n\r\n").request("GET", "/").stays_open();
//   wire("GET /\r\n\r\n").refused(400);
//
// wire() runs its bytes at every split point, and whole, and byte by byte, and demands that all
// runs tell the same.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/codec_rig.h"

namespace perigee::test {

/// The outcome of some bytes, the same for every way to split them.
class WireResult {
 public:
  /// Runs them; `kind` and `options` as for CodecRig.
  WireResult(std::string bytes, FlowKind kind, const RigOptions& options,
             const std::source_location& at);
  /// Whatever the flow saw and the test did not name is a failure.
  ~WireResult();
  WireResult(const WireResult&) = delete;
  WireResult& operator=(const WireResult&) = delete;

  /// The next request has this method and target; the further expectations are about it.
  WireResult& request(std::string_view method, std::string_view target);
  WireResult& authority(std::string_view authority);
  WireResult& body(std::string_view body);
  WireResult& no_body();
  /// It has this field, first of its name.
  WireResult& field(std::string_view name, std::string_view value);
  WireResult& field_count(size_t count);
  WireResult& asks_upgrade();
  /// Then comes a refusal with this status, and the connection ends, lingering.
  WireResult& refused(uint16_t status);
  /// Requests before the refusal are no failure (content that turned out malformed).
  WireResult& ignoring_requests();
  /// The connection goes on, or has ended after its answers.
  WireResult& stays_open();
  WireResult& closes();
  WireResult& lingers();
  /// All that was sent to the peer contains, or does not contain, this.
  WireResult& sent(std::string_view text);
  WireResult& never_sent(std::string_view text);

  const WireOutcome& outcome() const { return outcome_; }

 private:
  std::string where() const;
  const SeenRequest* current();

  std::string bytes_;
  std::string place_;
  WireOutcome outcome_;
  size_t seen_ = 0;  ///< requests that the test has named
  bool refusal_named_ = false;
};

/// The positions to split bytes at: all of a short text, a sample of a long one.
std::vector<size_t> split_points(std::string_view bytes);
/// A GET with a Host and these field lines, each ended by CRLF.
std::string get(std::string_view field_lines = {}, std::string_view target = "/");
/// A POST likewise, and its content behind it.
std::string post(std::string_view field_lines, std::string_view content = {});
/// Runs bytes through a codec of their own.
inline WireResult wire(std::string bytes, FlowKind kind = FlowKind::kReadThenAnswer,
                       const RigOptions& options = {},
                       const std::source_location& at = std::source_location::current()) {
  return WireResult(std::move(bytes), kind, options, at);
}
/// Each of the requests is refused with this status, and a good request behind it is never seen.
void each_refused(uint16_t status, std::initializer_list<std::string> requests,
                  const std::source_location& at = std::source_location::current());

}  // namespace perigee::test
