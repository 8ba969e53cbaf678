// A callable that owns its capture in place: moved, called, destroyed once.
#include "base/fn.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace perigee::base {
namespace {

/// Counts how many of itself live.
struct Counted {
  explicit Counted(int& count) : living(&count) { ++count; }
  Counted(Counted&& other) noexcept : living(other.living) { ++*living; }
  ~Counted() { --*living; }
  int* living;
};

TEST(Fn, CallsWithItsCaptureAndItsArguments) {
  int sum = 1;
  Fn<int(int, std::unique_ptr<int>)> fn = [&sum](int a, std::unique_ptr<int> b) {
    return sum += a + *b;
  };
  EXPECT_EQ(fn(2, std::make_unique<int>(3)), 6);
  EXPECT_EQ(sum, 6);
}

TEST(Fn, TheCaptureMovesWithItAndDiesOnce) {
  int living = 0;
  {
    Fn<int()> first = [counted = Counted(living)] { return *counted.living; };
    EXPECT_EQ(living, 1);
    Fn<int()> second = std::move(first);
    EXPECT_EQ(living, 1);
    EXPECT_FALSE(first);
    EXPECT_TRUE(second);
    EXPECT_EQ(second(), 1);
    second = [] { return 7; };
    EXPECT_EQ(living, 0) << "assigning destroys what was held";
    EXPECT_EQ(second(), 7);
  }
  EXPECT_EQ(living, 0);
}

TEST(Fn, MayDestroyItselfWhileItRuns) {
  auto holder = std::make_unique<Fn<int()>>();
  *holder = [&holder, kept = std::string("a capture that the heap checker would miss")] {
    const int size = static_cast<int>(kept.size());
    holder.reset();
    return size;
  };
  EXPECT_EQ((*holder)(), 42);
}

TEST(Fn, AssigningItselfKeepsIt) {
  Fn<int()> fn = [] { return 5; };
  Fn<int()>& same = fn;
  fn = std::move(same);
  EXPECT_EQ(fn(), 5);
}

TEST(FnDeathTest, AnEmptyOneMustNotBeCalled) {
  Fn<void()> fn;
  EXPECT_FALSE(fn);
  EXPECT_DEATH(fn(), "CHECK failed");
}

static_assert(sizeof(Fn<void()>) <= Fn<void()>::kCapacityBytes + 2 * sizeof(void*));
static_assert(!std::is_copy_constructible_v<Fn<void()>>);
static_assert(!std::is_constructible_v<Fn<void(int)>, void (*)(std::string)>);

}  // namespace
}  // namespace perigee::base
