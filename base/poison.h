// Memory that nobody may read for a while: under AddressSanitizer a read of it is a report, else
// nothing happens.
//
// For memory that is reused from turn to turn: a view that was kept too long shows at once instead
// of reading somebody else's bytes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

// GCC says so by a macro, clang by a feature.
#if defined(__SANITIZE_ADDRESS__)
#define PERIGEE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PERIGEE_ASAN 1
#endif
#endif
#if defined(PERIGEE_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace perigee::base {

#if defined(PERIGEE_ASAN)
inline constexpr bool kPoisons = true;
inline void poison(const void* memory, size_t size) { ASAN_POISON_MEMORY_REGION(memory, size); }
inline void unpoison(const void* memory, size_t size) { ASAN_UNPOISON_MEMORY_REGION(memory, size); }
inline bool is_poisoned(const void* memory) { return __asan_address_is_poisoned(memory) != 0; }
#else
inline constexpr bool kPoisons = false;
inline void poison(const void*, size_t) {}
inline void unpoison(const void*, size_t) {}
inline bool is_poisoned(const void*) { return false; }
#endif

/// All that a string holds or could hold without allocating; its own members stay usable.
inline void poison(const std::string& text) { poison(text.data(), text.capacity() + 1); }
inline void unpoison(const std::string& text) { unpoison(text.data(), text.capacity() + 1); }
template <typename T>
void poison(const std::vector<T>& items) {
  poison(items.data(), items.capacity() * sizeof(T));
}
template <typename T>
void unpoison(const std::vector<T>& items) {
  unpoison(items.data(), items.capacity() * sizeof(T));
}

}  // namespace perigee::base
