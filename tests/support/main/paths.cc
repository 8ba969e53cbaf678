#include "tests/support/main/paths.h"

namespace perigee::test {

std::string source_dir() { return PERIGEE_SOURCE_DIR; }
std::string source_file(const std::string& relative) { return source_dir() + "/" + relative; }
std::string perigee_binary() { return PERIGEE_BINARY; }
std::string perigeectl_binary() { return PERIGEECTL_BINARY; }

}  // namespace perigee::test
