// The site that a fill belongs to, as the fill's loop uses it.
#pragma once

#include <memory>
#include <string_view>

#include "base/budget.h"
#include "http/policy.h"
#include "http/stand_in.h"
#include "http/stored_response.h"
#include "origin/fetch.h"
#include "origin/precoded.h"

namespace perigee::origin {

/// Held by each fill: it stays as long as one needs it, whatever configuration has come since. Used
/// and let go of on its loop.
class FillSite {
 public:
  virtual ~FillSite() = default;
  /// Of this loop.
  virtual Origin& origin() = 0;
  /// What the origin has ready in codings; null: nothing.
  virtual const PrecodedPtr& precoded() const = 0;
  /// The site's fills that may ask its origin at once, of all loops: sites do not take them from
  /// one another.
  virtual base::Budget& fills() = 0;
  /// The origin answered.
  virtual void on_head(const http::ReceivedResponse& head, const http::ResponseTimes& times,
                       const http::PolicyOptions& policy) = 0;
  /// What the origin answered for `target` is not served as it is: what is stored stands in, or,
  /// if nothing is, a page in place of an asset goes on unstored.
  virtual void on_stand_in(http::StandIn why, std::string_view target) = 0;
  /// What the origin sent for `target` is not what it says of it in Repr-Digest or Content-Digest;
  /// it is not stored.
  virtual void on_wrong_digest(std::string_view target) = 0;
  /// No whole response came.
  virtual void on_failure(const FetchError& error, base::Tick now) = 0;
};

}  // namespace perigee::origin
