#include "tests/support/refused_calls.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace perigee::test {
namespace {

constexpr unsigned kSecondsMost = 60;

sock_filter load(size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
}

/// For each: another call, or another argument, skips the refusal.
std::vector<sock_filter> program(const std::vector<RefusedCall>& refused) {
  std::vector<sock_filter> steps;
  for (const RefusedCall& call : refused) {
    const size_t argument = offsetof(seccomp_data, args) + call.argument * sizeof(uint64_t);
    steps.push_back(load(offsetof(seccomp_data, nr)));
    steps.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call.number), 0, 3));
    steps.push_back(load(argument));
    steps.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.value, 0, 1));
    steps.push_back(BPF_STMT(BPF_RET | BPF_K,
                             SECCOMP_RET_ERRNO | (static_cast<uint32_t>(call.error) & 0xffff)));
  }
  steps.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return steps;
}

[[noreturn]] void run(const std::vector<RefusedCall>& refused, const std::function<void()>& body) {
  ::alarm(kSecondsMost);
  std::vector<sock_filter> steps = program(refused);
  const sock_fprog filter{static_cast<unsigned short>(steps.size()), steps.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    std::perror("seccomp");
    ::_exit(1);
  }
  body();
  std::fflush(nullptr);
  ::_exit(testing::Test::HasFailure() ? 1 : 0);
}

}  // namespace

bool holds_with_refused(const std::vector<RefusedCall>& refused,
                        const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) run(refused, body);
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

}  // namespace perigee::test
