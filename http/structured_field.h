// Structured fields (RFC 9651): dictionaries, as far as a cache reads them.
//
// Everything that a dictionary may hold is parsed, so that what is invalid is seen; of inner lists
// and parameters only the validity is kept.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace perigee::http {

struct SfMember {
  enum Kind : uint8_t { kInteger, kBoolean, kString, kToken, kOtherItem, kInnerList };
  std::string_view key;
  Kind kind = kBoolean;
  int64_t integer = 0;
  bool boolean = true;
  std::string_view text;  ///< of a string (escapes left in) or a token
};

/// Members in the order in which their keys first came; the last value of a repeated key counts.
using SfDictionary = std::vector<SfMember>;

/// Parses one line and merges it into `out`. False: invalid, and so is the whole field. Views into
/// `line`.
bool parse_dictionary(std::string_view line, SfDictionary& out);

}  // namespace perigee::http
