// A response's head in the form in which it is kept and served: ready lines, a table, and what decides
// about reuse.
//
// The head image is built once, when the origin's final head is there, and serves the clients that wait,
// the record in the store, and every later hit. A StoredResponse is a view over it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/response_parser.h"

namespace perigee::http {

/// Wall-clock instants of one exchange with the origin (RFC 9111 §4.2.3), milliseconds since 1970.
struct ResponseTimes {
  int64_t request_ms = 0;   ///< the first byte was sent upstream
  int64_t response_ms = 0;  ///< the final head was parsed
};

/// What the governing directives say, in the form that is kept with the record.
struct StoredPolicy {
  static constexpr int64_t kAbsent = -1;
  enum Flag : uint32_t {
    kNoCache = 1,          ///< unqualified no-cache: never without validation
    kMustRevalidate = 2,
    kProxyRevalidate = 4,
    kSharedMaxAge = 8,     ///< s-maxage: forbids stale like proxy-revalidate (RFC 9111 §5.2.2.10)
    kPublic = 16,
    kHeuristic = 32,       ///< the lifetime was estimated (RFC 9111 §4.2.2)
    kAuthorized = 64,      ///< may answer requests with Authorization though it came for one (§3.5)
    kForAuthorization = 128,  ///< the request that it answered carried Authorization
    kSetCookie = 256,      ///< a Set-Cookie line is among the fields
    kVary = 512,           ///< a Vary line is among the fields
    kVaryStar = 1024,
    kImmutable = 2048,     ///< RFC 8246
    kNoTransform = 4096,
    kHadAge = 8192,        ///< it came with an Age line, kept apart
  };
  int64_t response_time_ms = 0;
  int64_t initial_age_ms = 0;      ///< corrected_initial_age
  int64_t lifetime_ms = kAbsent;   ///< kAbsent: no freshness, only useful with a validator
  int64_t stale_while_revalidate_ms = kAbsent;
  int64_t stale_if_error_ms = kAbsent;
  uint32_t flags = 0;
  uint16_t status = 0;
};

/// A view over a head image and its policy. Valid while the bytes below it are.
struct StoredResponse {
  StoredPolicy policy;
  std::string_view reason;
  FieldBlock block;                 ///< end-to-end fields, Date always among them, Age never
  std::string_view etag;            ///< as it came; empty: none
  std::string_view last_modified;   ///< as it came; empty: none
  std::string_view received_age;    ///< the Age value that came, for the response that is relayed
  int64_t date_ms = 0;              ///< of the Date field
  int64_t last_modified_ms = -1;    ///< -1: absent or unparsable
  std::optional<uint64_t> content_length;  ///< of the Content-Length line
  int64_t stale_since_ms = 0;       ///< wall time of a soft purge, 0: none
};

/// Validates and views; nullopt when the bytes are not a head image. Cheap: no allocation, no parsing of
/// field values (positions and dates are kept in the image).
std::optional<StoredResponse> view_head_image(std::span<const std::byte> image,
                                              const StoredPolicy& policy);

/// Writes an image. `body_size`: what Content-Length shall say; nullopt leaves out the field (a body of
/// unknown length while it streams, and everything without a body of its own but 304 and HEAD answers,
/// where `keep_length` keeps the origin's). Hop-by-hop fields, those Connection names, framing, Age, and
/// `drop_names` (qualified no-cache/private) are left out; a missing or unparsable Date is the time of
/// receipt (RFC 9110 §6.6.1).
struct ImageOptions {
  std::optional<uint64_t> content_length;
  bool drop_alt_svc = true;
  std::span<const std::string_view> drop_names;
  bool drop_set_cookie = false;
};
std::vector<std::byte> make_head_image(const ReceivedResponse& received, const ResponseTimes& times,
                                       const ImageOptions& options);

/// The image of `stored` updated by a 304 (RFC 9111 §3.2, §4.3.4; http-rules: which fields may replace).
std::vector<std::byte> freshen_head_image(const StoredResponse& stored,
                                          const ReceivedResponse& not_modified,
                                          const ResponseTimes& times);

/// The same image with a Content-Length: for a body whose length is known only at its end.
std::vector<std::byte> with_content_length(std::span<const std::byte> image, uint64_t length);

}  // namespace perigee::http
