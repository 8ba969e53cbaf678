// Stores what a fill brought: a record, and before it the Vary spec of its URL where it varies.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "cache_store/store.h"
#include "origin/fill_progress.h"

namespace perigee::origin {

class FillProduction;

/// Owns all it touches; the production is for done() alone.
class PutJob final : public base::Job {
 public:
  PutJob(cache_store::Store& store, std::shared_ptr<FillProgress> progress,
         FillProduction& production)
      : store_(store), progress_(std::move(progress)), production_(production) {}

  void work(const std::atomic<bool>& stop) noexcept override;
  void done() noexcept override;

  std::string key;               ///< of the URL
  std::vector<std::byte> image;  ///< empty: the progress's own
  std::vector<ChunkRef> chunks;  ///< the body; empty after a 304, whose body is the stored one
  base::ReuseFacts policy;

 private:
  bool put_spec(std::string& variant_key);

  cache_store::Store& store_;
  std::shared_ptr<FillProgress> progress_;
  FillProduction& production_;
  std::shared_ptr<const cache_store::Found> record_;
};

}  // namespace perigee::origin
