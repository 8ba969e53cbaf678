// A value or an error, never both and never unasked.
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace perigee::base {
namespace {

Result<std::unique_ptr<int>> make(bool good) {
  if (!good) return Error{ErrorCode::kIo, 5, "the disk is gone"};
  return std::make_unique<int>(7);
}

TEST(Result, HoldsAValueThatCanBeMovedOut) {
  Result<std::unique_ptr<int>> result = make(true);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(**result, 7);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
  EXPECT_EQ(*make(true).value(), 7);
}

TEST(Result, HoldsAnErrorWithItsCause) {
  const Result<std::unique_ptr<int>> result = make(false);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kIo);
  EXPECT_EQ(result.error().os_error, 5);
  EXPECT_EQ(result.error().message, "the disk is gone");
}

TEST(Result, AStatusIsSuccessWithoutAValue) {
  const Status done = Done{};
  EXPECT_TRUE(done.ok());
  EXPECT_FALSE(Status(Error{}).ok());
}

TEST(ResultDeathTest, ReadingWhatIsNotThereIsABug) {
  const Result<std::unique_ptr<int>> bad = make(false);
  EXPECT_DEATH((void)bad.value(), "CHECK failed");
  const Result<std::unique_ptr<int>> good = make(true);
  EXPECT_DEATH((void)good.error(), "CHECK failed");
}

}  // namespace
}  // namespace perigee::base
