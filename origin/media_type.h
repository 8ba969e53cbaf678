// Content-Type by file name: what the site says, else the web's types from a list of our own, else
// shared-mime-info's table where this machine has it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace perigee::origin {

/// Suffix in lower case, without its dot, to type.
using DesktopTypes = std::unordered_map<std::string, std::string>;

/// The `*.suffix` lines of a globs2 file ("weight:type:glob").
DesktopTypes parse_globs(std::string_view globs2);
/// Those of /usr/share/mime/globs2; none where it is missing. Blocking; at start. Read once a
/// process.
std::shared_ptr<const DesktopTypes> desktop_types();

/// Immutable. Any thread.
class MediaTypes {
 public:
  /// A site's own: suffix without its dot, or a whole file name, to the value of Content-Type. Keys
  /// are in lower case.
  using Own = std::map<std::string, std::string>;

  /// `desktop` may be null.
  MediaTypes(Own own, std::shared_ptr<const DesktopTypes> desktop);
  /// By the longest suffix that is known, in any case. A site's own type is what it says, others
  /// have the charset for text; "application/octet-stream" for what nobody knows.
  std::string type_of(std::string_view file_name) const;
  /// False: the suffix is known on every machine, and not as a page's.
  bool may_be_page(std::string_view file_name) const;

 private:
  /// Empty: the site says nothing of this name (in lower case).
  std::string_view own_type(const std::string& name) const;

  const Own own_;
  const std::shared_ptr<const DesktopTypes> desktop_;
};

}  // namespace perigee::origin
