// `fake_origin [PORT]`: the fake origin as a program, until it is ended by a signal.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tools/fake_origin.h"

int main(int argc, char** argv) {
  using perigee::tools::FakeOrigin;
  if (argc > 2 || (argc == 2 && std::string_view(argv[1]).starts_with('-'))) {
    std::puts("fake_origin [PORT]   listens on 127.0.0.1; see tools/fake_origin.h\nfaults:");
    for (const auto& mode : perigee::tools::fault_modes()) {
      std::printf("  /fault/%-20s %s\n", mode.name.data(), mode.meaning.data());
    }
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const FakeOrigin origin(static_cast<uint16_t>(argc == 2 ? std::atoi(argv[1]) : 0));
  std::printf("listening on %u\n", origin.port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  return 0;
}
