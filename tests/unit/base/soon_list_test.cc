// The list of what runs next, where no Env shows it: what ends first, and two lists.
#include "base/soon_list.h"

#include <gtest/gtest.h>

#include <optional>

namespace perigee::base {
namespace {

TEST(SoonList, OneThatEndsDisarmsAndRunsNothing) {
  int ran = 0;
  Soon first([&] { ++ran; });
  Soon second([&] { ++ran; });
  std::optional<SoonList> list(std::in_place);
  list->arm(first);
  list->arm(second);
  EXPECT_FALSE(list->empty());
  list.reset();
  EXPECT_FALSE(first.armed());
  EXPECT_FALSE(second.armed());
  EXPECT_EQ(ran, 0);
}

TEST(SoonList, IsEmptyWhenNothingIsArmed) {
  SoonList list;
  Soon first([] {});
  Soon second([] {});
  EXPECT_TRUE(list.empty());
  list.arm(first);
  list.arm(second);
  first.disarm();
  EXPECT_FALSE(list.empty());
  list.run();
  EXPECT_TRUE(list.empty());
}

TEST(SoonListDeathTest, WorkOfTwoLoopsIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  SoonList list;
  SoonList other;
  Soon work([] {});
  list.arm(work);
  EXPECT_DEATH(other.arm(work), "CHECK failed");
}

}  // namespace
}  // namespace perigee::base
