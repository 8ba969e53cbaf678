#include "cache_store/lending.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "cache_store/format.h"

namespace perigee::cache_store {

Lending probe_lending(StoreIo& io, const Geometry& geometry, const std::byte* map) {
  if (const std::optional<bool> known = io.keeps_lent_pages()) return {true, *known};
  const uint64_t begin = geometry.scratch;
  const uint64_t length = std::min(geometry.area - begin, geometry.slab_bytes);
  std::array<std::byte, format::kPage> before;
  before.fill(std::byte{0x5a});
  int pair[2] = {-1, -1};
  if (length < before.size() || !io.pwrite(begin, before).ok() ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return {};
  }
  Lending lending;
  auto offset = static_cast<off_t>(begin);
  const ssize_t lent = ::sendfile(pair[0], io.fd(), &offset, before.size());
  lending.can_detach = io.detach(begin, length).ok();
  std::array<std::byte, format::kPage> after;
  after.fill(std::byte{0xa5});
  const bool written = io.pwrite(begin, after).ok();
  std::array<std::byte, format::kPage> received{};
  const ssize_t got = ::recv(pair[1], received.data(), received.size(), MSG_DONTWAIT);
  ::close(pair[0]);
  ::close(pair[1]);
  const bool intact =
      lent == static_cast<ssize_t>(before.size()) && got == lent && received == before;
  const bool mapped = std::memcmp(map + begin, after.data(), after.size()) == 0;
  lending.can_lend = lending.can_detach && written && mapped && intact &&
                     geometry.slab_bytes % largest_folio_bytes() == 0;
  return lending;
}

}  // namespace perigee::cache_store
