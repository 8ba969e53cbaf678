// Puts one fragment into the store, from the chunks of the fill that brought it.
#pragma once

#include <memory>
#include <optional>

#include "base/env.h"
#include "base/fn.h"
#include "base/result.h"
#include "cache_store/store.h"
#include "origin/fill.h"

namespace perigee::origin {

/// A job of the store's lane. Owns all it touches.
class FragmentJob final : public base::Job {
 public:
  /// What was stored, or why nothing was: as put_fragment(). On the loop.
  using OnStored = base::Fn<void(const base::Result<cache_store::Found>& record)>;

  /// `id.rid` 0: the object's first fragment, which draws one. `cut` holds the fragment's bytes.
  FragmentJob(cache_store::Store& store, std::shared_ptr<Fill> fill,
              const cache_store::FragmentId& id, FillBody::Cut cut, OnStored done);

  void work(const std::atomic<bool>& stop) noexcept override;
  void done() noexcept override { done_(*stored_); }

 private:
  cache_store::Store& store_;
  const std::shared_ptr<Fill> fill_;
  cache_store::FragmentId id_;
  const FillBody::Cut cut_;
  OnStored done_;
  std::optional<base::Result<cache_store::Found>> stored_;
};

}  // namespace perigee::origin
