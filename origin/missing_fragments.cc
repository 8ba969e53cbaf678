#include "origin/missing_fragments.h"

#include <utility>

#include "http/preconditions.h"
#include "origin/fills.h"

namespace perigee::origin {

bool is_refetchable(const http::StoredResponse& response) {
  return response.policy.status == 200 && http::strongly_equal(response.etag, response.etag);
}

const RefetchablePtr& MissingFragments::refetchable() {
  if (refetchable_ != nullptr) return refetchable_;
  auto request = std::make_shared<FillRequest>();
  if (!maker_.make_request(*request)) return refetchable_;
  // Nothing is validated, and no slab is held for as long as somebody reads.
  request->stored = {};
  refetchable_ = std::make_shared<const RefetchableObject>(
      RefetchableObject{object_, etag_, std::move(request)});
  return refetchable_;
}

void MissingFragments::fetch_ahead(uint64_t number) {
  const uint64_t begin = number * fills_.table().shared().store.fragment_bytes();
  if (begin < object_.size && refetchable() != nullptr) {
    (void)fills_.fetch_fragment(refetchable_, number, Fills::Fetched::kAhead);
  }
}

}  // namespace perigee::origin
