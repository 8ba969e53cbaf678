// The real store on a file of its own, as a cache that a replay asks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cache_store/store.h"
#include "cache_store/store_io.h"
#include "tools/replay/policies.h"

namespace perigee::tools {

class Stored : public Policy, private cache_store::StoreObserver {
 public:
  /// A file in `folder` whose slabs have about so many bytes in all; it goes with this object.
  Stored(const std::string& folder, uint64_t bytes);
  ~Stored() override;

  /// Why there is no store; empty: there is one.
  const std::string& error() const { return error_; }
  std::string name() const override { return "store"; }
  /// A body that is longer than a record may be is put as a head and fragments. One that is longer
  /// than that is not put. Upkeep is done between the requests.
  bool request(const Request& request) override;

  cache_store::StoreStats stats() const { return store_->stats(); }
  uint64_t slab_area() const { return stats().slabs * stats().slab_bytes; }
  /// Bytes written into slabs by puts and copies, for each byte that was put.
  double write_amplification() const;
  /// What the records that were put take beside their bodies, of all that they take.
  double overhead() const;
  /// What the records that are there take beside their bodies, for each byte of the slabs.
  /// `objects` are all that were asked for. Counts as a use of each.
  double overhead_of_what_stays(const Workload& objects);
  uint64_t bypassed() const { return bypassed_; }
  /// The longest put, in milliseconds.
  double longest_put_ms() const { return longest_put_ns_ / 1e6; }

 private:
  void on_store_event(std::string_view sentence) override;
  uint64_t fragments_there(const cache_store::RecordView& head);
  cache_store::Found look(std::string_view key);
  void put(std::string_view key, const Request& request);
  void put_fragments(const Request& request, cache_store::Draft& draft);
  std::span<const std::byte> body_of(const Request& request) const;

  const std::string path_;
  std::unique_ptr<cache_store::StoreIo> io_;
  std::unique_ptr<cache_store::Store> store_;
  std::string error_;
  std::vector<std::byte> bytes_;
  int64_t wall_ms_ = 1'700'000'000'000;
  uint64_t body_bytes_ = 0;  ///< that were put
  uint64_t bypassed_ = 0;
  double longest_put_ns_ = 0;
};

}  // namespace perigee::tools
