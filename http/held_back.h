// Which fields of a client are kept from the origin because of their names: what could make it
// answer another request than the one that is keyed (http-rules 5.1).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "http/headers.h"

namespace perigee::http {

/// A byte of a field name as origins may read it: CGI and WSGI make letters of either case one, and
/// `-`, `_`, `.` and every other byte that is neither letter nor digit too (http-rules 3.14).
constexpr char fold_name_byte(char c) {
  const char lower = base::to_lower(c);
  return (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ? lower : '-';
}
/// Two names are one to an origin that folds them.
bool folded_equal(std::string_view a, std::string_view b);

/// How far a field of a client goes.
enum class Hold : uint8_t {
  kNo,      ///< on to the origin
  kShared,  ///< not where others may get the answer, unless the site or the stored Vary names it
  kFolded,  ///< not where others may get the answer: a folded spelling of a field that we know
  kAlways,  ///< nowhere: what proxies tell of the client's connection, or folded framing
};
/// Judged by the name alone; hop-by-hop fields, conditions and the like are not looked at in their
/// own spelling. Linear in the name.
Hold held_back(const Field& field);

}  // namespace perigee::http
