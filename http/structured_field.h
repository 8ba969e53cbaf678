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
  enum Kind : uint8_t { kInteger, kBoolean, kString, kToken, kBytes, kOtherItem, kInnerList };
  std::string_view key;
  Kind kind = kBoolean;
  int64_t integer = 0;
  bool boolean = true;
  std::string_view text;  ///< of a string (escapes left in), a token or bytes (in base64)
};

/// Members in the order in which their keys first came; the last value of a repeated key counts.
class SfDictionary {
 public:
  /// A member as it came, in constant time. False: kDictionaryMembers came before, repeated keys
  /// among them, or keys that were made to collide.
  bool merge(const SfMember& member);
  size_t size() const { return members_.size(); }
  bool empty() const { return members_.empty(); }
  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }
  const SfMember& operator[](size_t i) const { return members_[i]; }

 private:
  std::vector<SfMember> members_;
  std::vector<uint16_t> slots_;  ///< by the key's hash: 1 + the place in `members_`; 0: free
  size_t merged_ = 0;
};

/// Parses one line and merges it into `out`. False: invalid or beyond kDictionaryMembers, and so is
/// the whole field. Views into `line`.
bool parse_dictionary(std::string_view line, SfDictionary& out);

}  // namespace perigee::http
