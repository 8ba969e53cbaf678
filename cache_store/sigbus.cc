#include "cache_store/sigbus.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "base/mutex.h"

namespace perigee::cache_store {
namespace {

constexpr size_t kMaps = 16;

/// Read by the handler, so plain atomics: a slot is in use when `begin` is set, which is written
/// last.
struct Slot {
  std::atomic<const std::byte*> begin{nullptr};
  GuardedMap map;
};
std::array<Slot, kMaps> g_maps;
base::Mutex g_mutex{base::LockRank::kGuardedMaps};
struct sigaction g_before;

uintptr_t g_page_size;

bool patch(const std::byte* address) {
  for (Slot& slot : g_maps) {
    const std::byte* begin = slot.begin.load(std::memory_order_acquire);
    if (begin == nullptr || address < begin || address >= begin + slot.map.size) continue;
    const auto offset = static_cast<uint64_t>(address - begin);
    if (offset >= slot.map.area) {
      const uint64_t slab = (offset - slot.map.area) / slot.map.slab_bytes;
      // Before the page: whoever reads zeros without a signal finds the mark.
      slot.map.words[slab].poisoned.store(true, std::memory_order_seq_cst);
    }
    const auto within_page = reinterpret_cast<uintptr_t>(address) & (g_page_size - 1);
    auto* page = const_cast<std::byte*>(address - within_page);
    return mmap(page, g_page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
           MAP_FAILED;
  }
  return false;
}

void on_sigbus(int signal, siginfo_t* info, void* context) {
  // Of what a process sends, other things stand where the kernel writes an address.
  const bool by_kernel = info->si_code > 0;
  if (by_kernel && patch(static_cast<const std::byte*>(info->si_addr))) return;
  // Not ours: as if this handler did not stand.
  if ((g_before.sa_flags & SA_SIGINFO) != 0 && g_before.sa_sigaction != nullptr) {
    return g_before.sa_sigaction(signal, info, context);
  }
  ::signal(signal, SIG_DFL);
  raise(signal);
}

}  // namespace

bool guard_map(const GuardedMap& map) {
  const base::MutexLock lock(g_mutex);
  static const bool installed = [] {
    g_page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    struct sigaction action {};
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, &g_before) == 0;
  }();
  if (!installed) return false;
  for (Slot& slot : g_maps) {
    if (slot.begin.load(std::memory_order_relaxed) != nullptr) continue;
    slot.map = map;
    slot.begin.store(map.begin, std::memory_order_release);
    return true;
  }
  return false;
}

void unguard_map(const std::byte* begin) {
  const base::MutexLock lock(g_mutex);
  for (Slot& slot : g_maps) {
    if (slot.begin.load(std::memory_order_relaxed) == begin) slot.begin.store(nullptr);
  }
}

}  // namespace perigee::cache_store
