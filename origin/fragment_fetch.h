// One fragment of a stored object, asked of the origin by range since it is not in the store (any
// more): under the object's strong ETag, so that two versions are never mixed.
//
// Its Fill is joined under the fragment's own digest: whoever reads the same place at the same time
// reads the same bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "http/arena.h"
#include "http/content_range.h"
#include "origin/body_digest.h"
#include "origin/fill_producer.h"
#include "origin/missing_fragments.h"

namespace perigee::origin {

/// A fetch that was begun for somebody else, and brings a fragment.
struct BegunFragment {
  uint64_t number = 0;
  uint64_t skipped = 0;  ///< bytes that come before the fragment's
  std::unique_ptr<Fetch> fetch;
  base::Share permit;
  std::optional<http::AnnouncedDigest> digest;  ///< of all that comes
};

class FragmentFetch final : public FillProducer {
 public:
  FragmentFetch(Fills& fills, RefetchablePtr object, uint64_t number, std::shared_ptr<Fill> fill,
                bool keep);

  /// Instead of start(): the head of the answer has come.
  void go_on_with(BegunFragment&& begun);

  // FetchUser
  void on_fetch_interim(const http::ReceivedResponse&) override {}
  void on_fetch_head(const http::ReceivedResponse& head, const http::ResponseTimes& times) override;

 private:
  void fetch() override;
  void begin_body() override;
  void pump() override;
  bool storing() const override { return true; }
  uint64_t most_record_bytes() const override { return span_.size(); }
  void abandon_put() override { pending_.abandon(); }
  /// What is still to come.
  http::Part rest() const;
  void refuse(const http::ReceivedResponse& head);
  void give_up();
  /// `whole`: the answer ended as it should.
  void go_on(bool whole);
  void watch(std::optional<http::AnnouncedDigest> digest);
  void take(const base::Piece& piece);
  void store();
  void on_stored(const base::Result<cache_store::Found>& record);

  const RefetchablePtr object_;
  const cache_store::FragmentId id_;
  const http::ByteSpan span_;  ///< of the object's body
  http::Arena arena_;
  std::vector<http::Field> storage_;
  uint64_t skipped_ = 0;  ///< bytes of the present answer that come before the fragment's
  uint64_t brought_ = 0;  ///< bytes of the present answer that are still to come
  std::optional<BodyDigest> digest_;  ///< of the present answer, where it says one
  bool sound_ = true;                 ///< no answer was another one than it said
  int asked_ = 0;
  base::Pending pending_;
};

}  // namespace perigee::origin
