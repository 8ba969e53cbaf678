// What of a request chooses among variants (RFC 9111 §4.1): the fields that the origin saw, reduced
// to what the site says that it looks at (http-rules 1.8, 4.7).
#pragma once

#include <string>
#include <vector>

#include "http/headers.h"
#include "http/policy.h"

namespace perigee::http {

/// Memory that is reused from request to request, so that a lookup allocates nothing.
class SelectingFields {
 public:
  /// Views into `request` and into this; valid until the next call.
  HeaderList of(const HeaderList& request, const PolicyOptions& policy);

 private:
  std::vector<Field> storage_;
  std::string text_;                      ///< reduced values
  std::vector<std::string_view> values_;  ///< found of the names that a site lists
};

}  // namespace perigee::http
