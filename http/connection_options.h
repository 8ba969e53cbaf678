// What the Connection lines of one head say (RFC 9110 §7.6.1), parsed once and bounded, and which
// fields therefore end at this hop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.h"
#include "http/headers.h"

namespace perigee::http {

/// A field that Connection must not name, since without it the message means something else.
bool is_critical_field(FieldName token, bool response);

/// Views into the lines that were added.
class ConnectionOptions {
 public:
  ConnectionOptions() = default;
  /// All Connection lines of `fields`.
  explicit ConnectionOptions(const HeaderList& fields);

  /// Takes one line into account. Linear in it.
  void add(std::string_view value);
  /// More names than limits::kConnectionMembers that are not hop-by-hop anyway, or than
  /// kConnectionWords in all: the message is malformed. Each field of it counts as named.
  bool too_many() const {
    return count_ > names_.size() || words_ > base::limits::kConnectionWords;
  }
  /// It names Upgrade: that field is meant for this hop (RFC 9110 §7.8).
  bool upgrades() const { return upgrades_; }
  /// Connection names this field.
  bool names(std::string_view name) const;
  /// The field ends at this hop: of the fixed list, or named.
  bool ends_here(const Field& field) const;
  /// It names a field without which the message means something else: 400 (request), unstorable
  /// (response).
  bool names_critical(bool response) const {
    return response ? critical_in_response_ : critical_in_request_;
  }
  /// RFC 9112 §9.3: close wins, and HTTP/1.0 must ask to go on.
  bool persists(uint8_t version_minor) const {
    return !close_ && (version_minor > 0 || keep_alive_);
  }

 private:
  std::array<std::string_view, base::limits::kConnectionMembers> names_;
  size_t count_ = 0;  ///< beyond the array: too many
  size_t words_ = 0;  ///< members seen, of any kind
  bool close_ = false;
  bool keep_alive_ = false;
  bool upgrades_ = false;
  bool critical_in_request_ = false;
  bool critical_in_response_ = false;
};

}  // namespace perigee::http
