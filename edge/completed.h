// A request for a stored object of which fragments are missing: the first of them is asked for
// before the answer begins. So an origin that has another version by now, or takes no ranges, is
// noticed while there is still time to answer with what it has.
#pragma once

#include <cstdint>
#include <memory>

#include "http/response.h"
#include "origin/fills.h"
#include "origin/missing_fragments.h"

namespace perigee::edge {

class Waiting;

class Completed final : public origin::FillWaiter {
 public:
  explicit Completed(Waiting& waiting) : waiting_(waiting) {}

  /// Asks for a fragment of `missing.object()`.
  void begin(origin::MissingFragments& missing, uint64_t number);
  /// The origin has the object `rid` still: what is missing of it comes as it is read.
  bool confirmed(uint64_t rid) const { return confirmed_rid_ == rid; }

  // FillWaiter
  const http::RequestHead& fill_head() const override;
  void on_fill_interim(const http::ResponseHead&) override {}
  void on_fill_head(std::shared_ptr<origin::Fill> fill, bool own) override;
  void on_fill_stored() override;
  void on_fill_released() override;
  void on_fill_failed(const origin::FetchError& error) override;

 private:
  Waiting& waiting_;
  uint64_t asked_rid_ = 0;
  uint64_t confirmed_rid_ = 0;
};

}  // namespace perigee::edge
