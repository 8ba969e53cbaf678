// What every Env promises of work that is put off: one suite of tests for all of them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "base/env.h"

namespace perigee::test {

/// A `Turned` has an Env, `env`, and turn(), which is one turn of it.
template <typename Turned>
class PutOff : public testing::Test {
 protected:
  /// Appends `letter` to what was said.
  base::Task says(char letter) {
    return [this, letter] { said_ += letter; };
  }
  void put_off(base::Soon& work) { turned_.env.soon(work); }
  /// What one turn says.
  std::string turn() {
    said_.clear();
    turned_.turn();
    return said_;
  }

  std::string said_;
  Turned turned_;
};
TYPED_TEST_SUITE_P(PutOff);

TYPED_TEST_P(PutOff, RunsOnceInTheNextTurnAndNeverInline) {
  base::Soon work(this->says('a'));
  EXPECT_FALSE(work.armed());
  this->put_off(work);
  EXPECT_TRUE(work.armed());
  EXPECT_EQ(this->said_, "");
  EXPECT_EQ(this->turn(), "a");
  EXPECT_FALSE(work.armed());
  EXPECT_EQ(this->turn(), "");
}

TYPED_TEST_P(PutOff, RunsInTheOrderOfArmingAndKeepsItsPlace) {
  base::Soon first(this->says('a'));
  base::Soon second(this->says('b'));
  base::Soon third(this->says('c'));
  for (base::Soon* work : {&second, &first, &third, &second}) this->put_off(*work);
  EXPECT_EQ(this->turn(), "bac");
}

TYPED_TEST_P(PutOff, WhatIsArmedMeanwhileRunsInTheTurnAfter) {
  std::optional<base::Soon> other;
  std::optional<base::Soon> again;
  again.emplace([&] {
    this->said_ += 'a';
    if (this->said_.size() < 8) this->put_off(*again);
    this->put_off(*other);
  });
  other.emplace(this->says('b'));
  this->put_off(*again);
  EXPECT_EQ(this->turn(), "a");
  EXPECT_EQ(this->turn(), "ab");
  this->put_off(*other);
  EXPECT_EQ(this->turn(), "ab") << "it was armed already";
}

TYPED_TEST_P(PutOff, WorkThatIsGoneOrDisarmedNeverRuns) {
  base::Soon disarmed(this->says('a'));
  auto gone = std::make_unique<base::Soon>(this->says('b'));
  base::Soon stays(this->says('c'));
  for (base::Soon* work : {&disarmed, gone.get(), &stays}) this->put_off(*work);
  gone.reset();
  disarmed.disarm();
  EXPECT_FALSE(disarmed.armed());
  EXPECT_EQ(this->turn(), "c");
  disarmed.disarm();
  this->put_off(disarmed);
  EXPECT_EQ(this->turn(), "a") << "it may be armed again";
}

TYPED_TEST_P(PutOff, MayDestroyWhatItServesAndWhatRunsNext) {
  std::unique_ptr<base::Soon> first;
  auto next = std::make_unique<base::Soon>(this->says('b'));
  base::Soon stays(this->says('c'));
  auto last = std::make_unique<base::Soon>(this->says('d'));
  first = std::make_unique<base::Soon>([&] {
    this->said_ += 'a';
    next.reset();
    last.reset();
    first.reset();
  });
  for (base::Soon* work : {first.get(), next.get(), &stays, last.get()}) this->put_off(*work);
  EXPECT_EQ(this->turn(), "ac");
}

TYPED_TEST_P(PutOff, ArmedAnewWhileOthersRunItWaitsForTheTurnAfter) {
  std::optional<base::Soon> next;
  base::Soon first([&] {
    this->said_ += 'a';
    next->disarm();
    this->put_off(*next);
  });
  next.emplace(this->says('b'));
  this->put_off(first);
  this->put_off(*next);
  EXPECT_EQ(this->turn(), "a");
  EXPECT_EQ(this->turn(), "b");
}

TYPED_TEST_P(PutOff, RunsBehindTheTasksThatWerePosted) {
  base::Soon work(this->says('b'));
  this->put_off(work);
  this->turned_.env.post(this->says('a'));
  EXPECT_EQ(this->turn(), "ab");
  this->turned_.env.post([&] {
    this->said_ += 'a';
    this->put_off(work);
  });
  EXPECT_EQ(this->turn(), "ab") << "in the same turn, when a task has armed it";
}

REGISTER_TYPED_TEST_SUITE_P(PutOff, RunsOnceInTheNextTurnAndNeverInline,
                            RunsInTheOrderOfArmingAndKeepsItsPlace,
                            WhatIsArmedMeanwhileRunsInTheTurnAfter,
                            WorkThatIsGoneOrDisarmedNeverRuns,
                            MayDestroyWhatItServesAndWhatRunsNext,
                            ArmedAnewWhileOthersRunItWaitsForTheTurnAfter,
                            RunsBehindTheTasksThatWerePosted);

}  // namespace perigee::test
