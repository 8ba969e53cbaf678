#include "edge/waiting.h"

#include <array>
#include <initializer_list>

#include "base/check.h"

namespace perigee::edge {
namespace {

/// One bit per stage.
constexpr uint8_t set_of(std::initializer_list<Waiting::Stage> stages) {
  uint8_t set = 0;
  for (const Waiting::Stage stage : stages)
    set |= static_cast<uint8_t>(1u << static_cast<int>(stage));
  return set;
}

}  // namespace

void Waiting::enter(Stage next) {
  // Where each stage may lead to.
  static constexpr std::array<uint8_t, kStages> kNext = {
      set_of(
          {Stage::kWarming, Stage::kFilling, Stage::kRelaying, Stage::kPurging, Stage::kAnswered}),
      set_of({Stage::kNew}),
      set_of({Stage::kNew, Stage::kAnswered}),
      set_of({Stage::kInvalidating, Stage::kAnswered}),
      set_of({Stage::kAnswered}),
      set_of({Stage::kAnswered}),
      set_of({}),
  };
  CHECK((kNext[static_cast<size_t>(stage_)] & set_of({next})) != 0);
  stage_ = next;
}

}  // namespace perigee::edge
