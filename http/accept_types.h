// Accept reduced to the types that a site looks at: what is forwarded on a shared request is what
// is keyed (http-rules 4.7).
#pragma once

#include <string>
#include <vector>

#include "http/headers.h"
#include "http/policy.h"

namespace perigee::http {

/// Shared requests carry a reduced Accept: the site names types, and lets Accept reach the origin.
bool reduces_accept(const PolicyOptions& policy);

/// Appends the Accept that stands for all Accept lines of `fields` that say the same of `types`: of
/// each type in their order whether it is wanted, refused (`;q=0`) or not named, then `*/*`. What
/// is both wanted and refused is refused. Linear in the lines.
void append_accept_types(const HeaderList& fields, const std::vector<std::string>& types,
                         std::string& out);

}  // namespace perigee::http
