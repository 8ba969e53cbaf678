// What of a request chooses among variants (RFC 9111 §4.1): the fields that the origin saw, reduced
// to what the site says that it looks at (http-rules 1.8, 4.7).
#pragma once

#include <string>
#include <vector>

#include "http/forward.h"
#include "http/headers.h"
#include "http/policy.h"

namespace perigee::http {

/// Memory that is reused from request to request, so that a lookup allocates nothing.
class SelectingFields {
 public:
  /// As `request` is forwarded when the Vary that is stored for its URL holds `vary_names`. Views
  /// into `request` and into this; valid until the next call.
  HeaderList of(const HeaderList& request, const PolicyOptions& policy, VaryNames vary_names = {});
  /// What of() gave must not be read from now on; unpoison() before the next call.
  void poison() const;
  void unpoison() const;

 private:
  std::vector<Field> storage_;
  std::string text_;  ///< reduced values
};

}  // namespace perigee::http
