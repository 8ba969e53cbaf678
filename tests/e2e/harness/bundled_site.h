// A site as people build one today: tests/e2e/bundled_site, of packages from npm, made by esbuild.
#pragma once

#include <map>
#include <string>

namespace perigee::e2e {

/// Where `tools/bootstrap --tests` put the packages of the site; "": they are not there, or others.
std::string site_packages();

/// One release. Each says its name in all files, so no file of another has the same hash.
struct Release {
  std::string name;
  std::map<std::string, std::string> files;  ///< content by path; "/" is the page
};

/// Builds a release into a folder. Its files are `days` old: a host that tells versions by time and
/// size must be able to.
Release build_release(const std::string& name, const std::string& folder, int days);

}  // namespace perigee::e2e
