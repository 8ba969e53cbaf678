// A process for which the kernel refuses system calls, as an older one, another file system or a
// failing disk would.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace perigee::test {

/// Which calls fail, and with what errno.
struct RefusedCall {
  long number = 0;        ///< SYS_fallocate
  unsigned argument = 0;  ///< which of its arguments is looked at, from 0
  uint32_t value = 0;     ///< that argument is this
  int error = 0;
};

/// Runs `body` in a child process for which these calls fail. True: it ended, and neither it nor an
/// expectation in it failed.
bool holds_with_refused(const std::vector<RefusedCall>& refused, const std::function<void()>& body);

}  // namespace perigee::test
