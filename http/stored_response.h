// A response as it is kept and served: which fields of what the origin sent are kept, how a later
// response updates them, and what decides about reuse.
//
// The head image (http/head_image.h) is built once, when the origin's final head is there, and
// serves the clients that wait, the record in the store, and every later hit. A StoredResponse is a
// view over it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/reuse_facts.h"
#include "http/message.h"

namespace perigee::http {

/// Wall-clock instants of one exchange with the origin (RFC 9111 §4.2.3), milliseconds since 1970.
struct ResponseTimes {
  int64_t request_ms = 0;   ///< the first byte was sent upstream
  int64_t response_ms = 0;  ///< the final head was parsed
};

/// The bits of base::ReuseFacts::flags: what the governing directives and the fields say. Stores on
/// disk hold them, so no value changes its meaning.
struct ReuseFlag {
  enum Bit : uint32_t {
    kNoCache = 1,  ///< unqualified no-cache: never without validation
    kMustRevalidate = 2,
    kProxyRevalidate = 4,
    kSharedMaxAge = 8,  ///< s-maxage: forbids stale like proxy-revalidate (RFC 9111 §5.2.2.10)
    kPublic = 16,
    kHeuristic = 32,   ///< the lifetime was estimated (RFC 9111 §4.2.2)
    kAuthorized = 64,  ///< may answer requests with Authorization though it came for one (§3.5)
    kForAuthorization = 128,  ///< the request that it answered carried Authorization
    kSetCookie = 256,         ///< a Set-Cookie line is among the fields
    kVary = 512,              ///< a Vary line is among the fields
    kVaryStar = 1024,
    kImmutable = 2048,  ///< RFC 8246
    kNoTransform = 4096,
    kHadAge = 8192,         ///< it came with an Age line, kept apart
    kCodable = 16'384,      ///< its Vary names Accept-Encoding, for it may be sent coded by us
    kSentCoding = 3 << 15,  ///< of these: the number of the http::Coding that it came in; 0: none
  };
  static constexpr unsigned kSentCodingShift = 15;
};

/// A view over a head image and its policy. Valid while the bytes below it are.
struct StoredResponse {
  base::ReuseFacts policy;
  std::string_view reason;
  FieldBlock block;  ///< end-to-end fields, Date always among them, Age never
  /// The lines that go with bytes which were coded here: those of `block` that describe any bytes
  /// of the response, and the ETag in its weak form (RFC 9110 §8.8.1).
  FieldBlock coded_block;
  std::string_view etag;           ///< as it came; empty: none
  std::string_view last_modified;  ///< as it came; empty: none
  std::string_view received_age;   ///< the Age value that came, for the response that is relayed
  int64_t date_ms = 0;             ///< of the Date field
  int64_t last_modified_ms = -1;   ///< -1: absent or unparsable
  std::optional<uint64_t> content_length;  ///< of the Content-Length line
  int64_t stale_since_ms = 0;              ///< wall time of a soft purge, 0: none
};

struct ImageOptions {
  /// What Content-Length shall say: of the content that follows, or of the GET's for an answer to
  /// HEAD. nullopt leaves the field out. 1xx, 204 and 304 never carry one (RFC 9110 §8.6,
  /// http-rules 2.9).
  std::optional<uint64_t> content_length;
  /// Names to leave out of what is stored (qualified no-cache and private).
  std::span<const std::string_view> drop_names;
  bool drop_set_cookie = false;
  /// Ranges of it are answered from what is stored, whatever the origin itself can do
  /// (RFC 9110 §14.3).
  bool accepts_ranges = false;
  /// It may be sent coded here, so its Vary names Accept-Encoding (RFC 9110 §12.5.5).
  bool codable = false;
};

/// Writes an image: the end-to-end fields without framing, Age and Alt-Svc. A missing or unparsable
/// Date becomes the time of receipt (RFC 9110 §6.6.1). Empty when it is larger than a head may be.
std::vector<std::byte> make_head_image(const ReceivedResponse& received, const ResponseTimes& times,
                                       const ImageOptions& options);

/// The image of `stored` updated by a 304, or by a 200 to HEAD that agrees with it (RFC 9111 §3.2,
/// §4.3.4, §4.3.5; http-rules 2.9 says which fields may replace). Empty when it would be too large.
std::vector<std::byte> freshen_head_image(const StoredResponse& stored,
                                          const ReceivedResponse& update,
                                          const ResponseTimes& times);

/// The image without the fields of these names.
std::vector<std::byte> without_fields(std::span<const std::byte> image,
                                      std::span<const std::string_view> names);

/// The same image with what is known only at the end of the body: its Content-Length, and in
/// Repr-Digest its SHA-256 in base64, unless it says one or `sha256` is empty.
std::vector<std::byte> with_whole_body(std::span<const std::byte> image, uint64_t length,
                                       std::string_view sha256);

}  // namespace perigee::http
