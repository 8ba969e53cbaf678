// What a record's header says, and that nothing is lost or swapped on the way to it and back.
#include "cache_store/record.h"

#include <gtest/gtest.h>

namespace perigee::cache_store {
namespace {

TEST(RecordTest, EachFactHasItsOwnFieldOfTheHeader) {
  const base::ReuseFacts facts{.response_time_ms = 1,
                               .initial_age_ms = 2,
                               .lifetime_ms = 3,
                               .stale_while_revalidate_ms = 4,
                               .stale_if_error_ms = 5,
                               .flags = 6,
                               .status = 7};
  format::RecordHeader header{};
  put_facts(facts, header);
  EXPECT_EQ(header.response_time_ms, 1);
  EXPECT_EQ(header.initial_age_ms, 2);
  EXPECT_EQ(header.lifetime_ms, 3);
  EXPECT_EQ(header.stale_while_revalidate_ms, 4);
  EXPECT_EQ(header.stale_if_error_ms, 5);
  EXPECT_EQ(header.flags, 6u);
  EXPECT_EQ(header.status, 7u);
  EXPECT_EQ(facts_of(header), facts);
}

TEST(RecordTest, WhatIsAbsentStaysAbsent) {
  format::RecordHeader header{};
  put_facts({}, header);
  EXPECT_EQ(facts_of(header), base::ReuseFacts());
  EXPECT_EQ(facts_of(header).lifetime_ms, base::ReuseFacts::kAbsent);
}

TEST(RecordTest, ItsTableEntrySaysInWhichSecondItBecomesStale) {
  const auto expiry_s = [](int64_t lifetime_ms, int64_t age_ms) {
    format::RecordHeader header{};
    put_facts({.response_time_ms = 1'000'900, .initial_age_ms = age_ms, .lifetime_ms = lifetime_ms},
              header);
    return table_entry(header, 0).expiry_s;
  };
  EXPECT_EQ(expiry_s(60'000, 0), 1060u);
  EXPECT_EQ(expiry_s(60'000, 20'000), 1040u);
  EXPECT_EQ(expiry_s(60'000, 90'000), 1000u) << "stale when it came";
  EXPECT_EQ(expiry_s(INT64_MAX, 0), UINT32_MAX);
}

}  // namespace
}  // namespace perigee::cache_store
