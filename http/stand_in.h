// When a stored response goes on being served although the origin answered: so that a deployment
// does not break the pages that are open.
//
// A deployment deletes the scripts of the release before it, which open pages still ask for; and an
// origin that lacks a file often answers with a page. Neither replaces what is stored.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.h"
#include "http/policy.h"
#include "http/stored_response.h"

namespace perigee::http {

/// Why a stored response answers, and not what the origin said.
enum class StandIn : uint8_t {
  kNone,
  kRetained,  ///< the origin deleted it
  kShape,     ///< the origin sent a page where the path promises something else
};
/// As Cache-Status tells it; empty for kNone.
std::string_view stand_in_text(StandIn why);

/// A 200 whose Content-Type contradicts the request's path, where the site guards against that.
bool is_misshapen(const RequestHead& request, const ReceivedResponse& received,
                  const PolicyOptions& options);

/// A script, a font or the like, of which the origin says that it is not there.
bool is_missing_asset(const RequestHead& request, uint16_t status);

/// The last segment of the path holds what bundlers write into names: eight or more letters and
/// digits that are no word.
bool has_content_hash(std::string_view path);

/// What the origin said, and when.
struct OriginAnswer {
  const ReceivedResponse& head;
  int64_t now_ms = 0;  ///< wall time
};
/// Whether `stored`, which is of the request's URL and variant, answers instead of `answer`. Within
/// PolicyOptions::retain_s of the time when it became stale, and only if no directive of its own
/// forbids stale responses (RFC 9111 §4.2.4).
StandIn stands_in(const StoredResponse& stored, const RequestHead& request,
                  const OriginAnswer& answer, const PolicyOptions& options);

}  // namespace perigee::http
