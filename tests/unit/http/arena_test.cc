// The memory of an exchange: aligned, bounded, used again.
#include "http/arena.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

namespace perigee::http {
namespace {

constexpr size_t kBlock = base::limits::kArenaBlockBytes;

bool aligned(const void* at, size_t alignment) {
  return reinterpret_cast<uintptr_t>(at) % alignment == 0;
}

TEST(Arena, UsesTheFirstMemoryBeforeTheHeap) {
  alignas(16) std::array<std::byte, 64> first;
  Arena arena(first);
  void* a = arena.alloc(40);
  EXPECT_EQ(a, first.data());
  EXPECT_EQ(arena.heap_bytes(), 0u);
  void* b = arena.alloc(40);
  EXPECT_NE(b, nullptr);
  EXPECT_EQ(arena.heap_bytes(), kBlock);
  arena.reset();
  EXPECT_EQ(arena.heap_bytes(), 0u);
  EXPECT_EQ(arena.alloc(40), first.data());
}

TEST(Arena, AlignsWhatItGives) {
  Arena arena;
  for (const size_t alignment : {1, 2, 4, 8, 16}) {
    arena.alloc(1, 1);
    EXPECT_TRUE(aligned(arena.alloc(3, alignment), alignment)) << alignment;
  }
  EXPECT_TRUE(aligned(arena.alloc(kBlock, 16), 16));
}

TEST(Arena, GivesPiecesThatDoNotOverlap) {
  Arena arena;
  std::string_view texts[200];
  for (int i = 0; i < 200; ++i)
    texts[i] = arena.copy(std::string(static_cast<size_t>(i), 'a' + i % 26));
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(texts[i], std::string(static_cast<size_t>(i), 'a' + i % 26));
  }
}

TEST(Arena, IsBounded) {
  Arena arena({}, 3 * kBlock);
  size_t given = 0;
  while (arena.alloc(100) != nullptr) ++given;
  EXPECT_GE(given, 3 * (kBlock / 112));
  EXPECT_LE(arena.heap_bytes(), 3 * kBlock);
  EXPECT_EQ(arena.copy("x").data() == nullptr, arena.alloc(1, 1) == nullptr);
  EXPECT_EQ(arena.copy(std::string(kBlock, 'x')).data(), nullptr);
  EXPECT_TRUE(arena.alloc_span<uint64_t>(kBlock).empty());
  arena.reset();
  EXPECT_NE(arena.alloc(100), nullptr);
}

TEST(Arena, GivesLargePiecesABlockOfTheirOwn) {
  Arena arena({}, 20 * kBlock);
  void* small = arena.alloc(8, 8);
  void* large = arena.alloc(10 * kBlock);
  ASSERT_NE(large, nullptr);
  void* next = arena.alloc(8, 8);
  EXPECT_EQ(static_cast<std::byte*>(next) - static_cast<std::byte*>(small), 8)
      << "the block that was begun goes on";
}

TEST(Arena, CopiesEmptyTextsToo) {
  Arena arena;
  EXPECT_NE(arena.copy("").data(), nullptr);
  EXPECT_EQ(arena.copy("").size(), 0u);
}

TEST(Arena, ClearsWhatItGivesAsASpan) {
  alignas(16) std::array<std::byte, 64> first;
  first.fill(std::byte{0xff});
  Arena arena(first);
  for (const uint32_t value : arena.alloc_span<uint32_t>(8)) EXPECT_EQ(value, 0u);
}

}  // namespace
}  // namespace perigee::http
