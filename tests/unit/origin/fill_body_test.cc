// Where readers of a fill's body are sent once it is stored.
#include "origin/fill_body.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/origin/fake_store.h"

namespace perigee::origin {
namespace {

TEST(FillBody, IsReadInTheStoreOnceItIsStoredWhateverItIsAPartOf) {
  FakeStore store;
  store.fragmented_most = 4 << 20;
  const std::string text(1'000, 'x');
  const std::span<const std::byte> piece = std::as_bytes(std::span(text));
  cache_store::Draft object;
  object.key = "a";
  object.base = store.digest("a");
  object.body = {&piece, 1};
  object.ticket = store.ticket();
  const cache_store::Found stored = *store.put(object);
  const cache_store::Found fragment =
      *store.put_fragment({{store.draw_rid(), 0}, store.digest("a"), store.ticket(), {&piece, 1}});
  for (const cache_store::Found* found : {&stored, &fragment}) {
    FillBody body;
    body.append(piece);
    body.finish(true);
    EXPECT_EQ(body.take(10, 0).got, FillBody::Got::kHave);
    body.hand_over(*found->head);
    EXPECT_EQ(body.take(10, 0).got, FillBody::Got::kRecord);
  }
}

}  // namespace
}  // namespace perigee::origin
