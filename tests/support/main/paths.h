// Where the tests find the source tree and the binary: said by the build, in one object file, so
// that all other objects of the tests are the same wherever the tree lies.
#pragma once

#include <string>

namespace perigee::test {

/// The top of the source tree.
std::string source_dir();
/// A path below it: source_file("conf/perigee.toml").
std::string source_file(const std::string& relative);
/// The perigee that was built with the tests.
std::string perigee_binary();
/// And its perigeectl.
std::string perigeectl_binary();

}  // namespace perigee::test
