// Cache-Control, parsed once (RFC 9111 §5.2): directives as optionals, unknown ones ignored, never
// guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace perigee::http {

/// delta-seconds beyond this are this (RFC 9111 §1.2.2).
inline constexpr int64_t kDeltaMost = int64_t{1} << 31;

struct CacheControl {
  bool present = false;  ///< a Cache-Control line was there, whatever it said
  bool no_store = false;
  bool no_cache = false;    ///< unqualified, or with an argument that does not parse
  bool is_private = false;  ///< unqualified, or with an argument that does not parse
  bool is_public = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  bool no_transform = false;
  bool immutable = false;
  bool only_if_cached = false;
  bool max_stale_any = false;         ///< max-stale without an argument
  std::optional<int64_t> max_age_s;   ///< an invalid or missing argument is 0
  std::optional<int64_t> s_maxage_s;  ///< an invalid or missing argument is 0
  std::optional<int64_t> max_stale_s;
  std::optional<int64_t> min_fresh_s;
  std::optional<int64_t> stale_while_revalidate_s;  ///< an invalid argument: absent
  std::optional<int64_t> stale_if_error_s;          ///< an invalid argument: absent
  /// Names in qualified no-cache and private; views into the fields.
  std::vector<std::string_view> named_fields;
};

/// All lines of the field joined, in order. The first of a repeated directive counts. Beyond
/// kDirectives it is no-store and no-cache besides what the first ones say.
CacheControl parse_cache_control(const HeaderList& fields);

/// A request's only-if-cached, found without parsing anything else: looked for on every hit.
bool asks_only_if_cached(const HeaderList& fields);
/// The request holds no-transform: its client wants what the origin sent (RFC 9111 §5.2.1.6).
bool asks_no_transform(const HeaderList& fields);

/// RFC 9213: CDN-Cache-Control as a structured field. nullopt: absent, empty or invalid, so that it
/// counts as absent (http-rules 2.6).
std::optional<CacheControl> parse_targeted(const HeaderList& fields);

/// Fields that some origins write for the cache before them.
inline constexpr std::string_view kSurrogateControl = "Surrogate-Control";
inline constexpr std::string_view kXAccelExpires = "X-Accel-Expires";

/// Surrogate-Control (Edge Architecture 1.0: `max-age=60+30` may be served stale for 30 s more), or
/// else X-Accel-Expires of nginx (seconds, 0 for no-store, or `@` and a time). For sites that read
/// them; `now_ms` is wall time. nullopt: they are absent or say nothing that we know.
std::optional<CacheControl> parse_surrogate(const HeaderList& fields, int64_t now_ms);

/// One or more digits, nothing else; saturates at kDeltaMost.
std::optional<int64_t> parse_delta_seconds(std::string_view text);

}  // namespace perigee::http
