// A request that waits, without what it waits for: the step it is at, and room for a short answer.
#pragma once

#include <optional>

#include "edge/served.h"

namespace perigee::edge {

class Waiting : public Served {
 public:
  /// What it waits for.
  enum class Stage : uint8_t {
    kNew,
    kWarming,
    kFilling,
    kRelaying,
    kInvalidating,
    kPurging,
    kAnswered
  };
  static constexpr size_t kStages = 7;

  /// From one stage to the next; CHECKs that it may follow.
  void enter(Stage next);
  Stage stage() const { return stage_; }
  /// The body of an answer of our own.
  http::BodySource& keep_text(std::string_view text) { return text_.emplace(text); }

 private:
  Stage stage_ = Stage::kNew;
  std::optional<TextBody> text_;
};

}  // namespace perigee::edge
