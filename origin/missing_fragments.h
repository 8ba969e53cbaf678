// Where a reader of a stored object gets the fragments that the store has not (any more): from the
// origin, by range.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/stored_response.h"
#include "origin/fill_request.h"
#include "origin/fragmented_object.h"

namespace perigee::origin {

class Fills;

/// A stored object whose fragments the origin can be asked for. Immutable; shared by the fetches
/// of all its fragments.
struct RefetchableObject {
  FragmentedObject object;
  std::string etag;  ///< strong
  std::shared_ptr<const FillRequest> request;
};
using RefetchablePtr = std::shared_ptr<const RefetchableObject>;

/// Parts of this response's body can be asked for again, one by one (RFC 9110 §13.1.5).
bool is_refetchable(const http::StoredResponse& response);

/// Makes the request that fetches what a reader's object is part of.
class RequestMaker {
 public:
  virtual ~RequestMaker() = default;
  /// False: it cannot be made now.
  virtual bool make_request(FillRequest& out) = 0;
};

/// Of one reader, on its loop. The request is made when something is missing, and then kept.
class MissingFragments {
 public:
  /// `etag`: strong, of the object.
  MissingFragments(Fills& fills, RequestMaker& maker, const FragmentedObject& object,
                   std::string_view etag)
      : fills_(fills), maker_(maker), object_(object), etag_(etag) {}

  const FragmentedObject& object() const { return object_; }
  Fills& fills() { return fills_; }
  /// The object, for Fills; null: no request can be made.
  const RefetchablePtr& refetchable();
  /// Begins to fetch what will be read next, if nothing stands in the way of it.
  void fetch_ahead(uint64_t number);

 private:
  Fills& fills_;
  RequestMaker& maker_;
  const FragmentedObject object_;
  const std::string etag_;
  RefetchablePtr refetchable_;
};

}  // namespace perigee::origin
