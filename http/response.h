// The heads that clients get: from a stored or arriving response, and our own short answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/content_coding.h"
#include "http/message.h"
#include "http/multipart.h"
#include "http/policy.h"
#include "http/range.h"
#include "http/stored_response.h"

namespace perigee::http {

/// RFC 9211 members for one answer.
struct CacheStatus {
  bool hit = false;
  Forward forward = Forward::kNone;
  std::optional<uint16_t> forward_status;
  std::optional<int64_t> ttl_s;
  bool stored = false;
  bool collapsed = false;
  std::string_view detail;
};
/// Formats "perigee; hit; ttl=30" into memory of the arena. Empty when there is no room.
std::string_view format_cache_status(const CacheStatus& status, std::string_view cache_name,
                                     Arena& arena);

/// What a stored response gives this request once its preconditions and its Range were judged.
struct Selection {
  uint16_t status = 200;  ///< the stored status, 304, 206 or 416
  bool body = true;       ///< false for HEAD and 304
  uint64_t begin = 0;     ///< the span of the stored body to send, unless there are `parts`
  uint64_t end = 0;
  bool conditions_failed = false;  ///< If-Match or If-Unmodified-Since did not hold: 412
  /// The body that is sent, or would be, was made here, in this coding; never with parts, nor with
  /// 206 and 416.
  std::optional<Coding> made;
  std::string_view made_sha256;  ///< of that, in base64; empty: not known
  ByteSpans parts;               ///< at least two of them: a multipart/byteranges answer
  uint64_t boundary = 0;         ///< of the parts; chance, filled in by whoever answers
};
/// How the body can be read.
enum class BodyAccess : uint8_t {
  kAnywhere,
  kForward,  ///< only once from front to back: parts in another order are not cut (RFC 9110 §14.2)
};
/// RFC 9110 §13.2.2 and §14.2; `body_size` nullopt: not known yet (ranges are then ignored).
Selection select(const StoredResponse& stored, const RequestHead& request,
                 std::optional<uint64_t> body_size, BodyAccess access = BodyAccess::kAnywhere);

/// The body of a selection with parts, of a stored body of `body_size` bytes.
MultipartPlan multipart_plan(const StoredResponse& stored, const Selection& selection,
                             uint64_t body_size);

/// What is said in Repr-Digest (RFC 9530 §3).
enum class ReprDigest : uint8_t {
  kAsStored,  ///< what the origin says of what it sent; nothing of what was coded here
  kTold,      ///< of what was coded here its own, too
  kRefused,   ///< nothing: the client does not accept the algorithm (§4)
};

/// What a site adds to and takes from every response.
struct Presentation {
  std::string_view cache_name;  ///< in Cache-Status
  std::string_view alt_svc;     ///< sent as Alt-Svc; the origin's never is (http-rules 4.14)
  bool remove_cdn_cache_control = false;  ///< no other CDN cache stands downstream (http-rules 2.6)
  bool remove_surrogate = false;          ///< Surrogate-Control and X-Accel-Expires end here
  ReprDigest repr_digest = ReprDigest::kAsStored;
  bool no_store = false;  ///< whatever it says of caching: nobody may keep it
};

/// The head for a hit, a stale hit or a collapsed waiter: Age is written from `age_s` when given,
/// else the Age line that came is kept (a relayed response). Memory for lines comes from `arena`;
/// the views last as long as `stored` and the arena. nullopt: no room (503).
std::optional<ResponseHead> make_response(const StoredResponse& stored, const Selection& selection,
                                          std::optional<uint64_t> body_size,
                                          std::optional<int64_t> age_s,
                                          const CacheStatus& cache_status,
                                          const Presentation& presentation, Arena& arena);

/// What of a 1xx goes on to clients (RFC 9110 §15.2): its end-to-end fields but Content-Length,
/// which has no meaning there, and Set-Cookie where `shared` with clients that did not ask for it.
/// Memory comes from `arena`. nullopt: no room, or more than kInterimBytes.
std::optional<ResponseHead> make_interim(const ReceivedResponse& interim, bool shared,
                                         Arena& arena);

/// Date and Cache-Status: what every answer of our own carries, besides what its caller puts there.
/// What has no room in the arena is left out.
void add_own_fields(int64_t now_ms, const CacheStatus& cache_status, std::string_view cache_name,
                    Arena& arena, ResponseHead& head);

/// The methods that a site takes, as Allow lists them (RFC 9110 §10.2.1).
inline constexpr std::string_view kAllowedMethods =
    "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, PURGE";

/// An error of our own, to which add_own_fields() is still to be called: `Cache-Control: no-store`,
/// Allow with a 405, a short text/plain body of the status and `why`. `body` is set to the text
/// (arena); what has no room is left out, so that there is always an answer.
ResponseHead make_error(uint16_t status, std::string_view why, Arena& arena,
                        std::string_view& body);

}  // namespace perigee::http
