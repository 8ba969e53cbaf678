// The head image: the bytes in which a response's head is kept, in memory and in the store, ready
// to send.
//
// Its lines stand in three groups, so that each answer sends one run of them: those for coded bytes
// alone (the ETag in its weak form), the common ones, and those for the very bytes that the origin
// sent (the ETag as it came, Content-Length, digests). Layout and version: cache_store/FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/reuse_facts.h"
#include "base/text.h"
#include "http/date.h"
#include "http/message.h"
#include "http/stored_response.h"

namespace perigee::http {

/// Collects the lines of one image. What fields point to must live until write().
class HeadImageWriter {
 public:
  void add(const Field& field);
  void add_content_length(uint64_t length);
  /// A Date of our own.
  void add_date(int64_t ms);
  /// The image; dates are read as received at `now_ms`. Empty when it would be larger than a head
  /// may be.
  std::vector<std::byte> write(std::string_view reason, std::string_view age, int64_t now_ms);

 private:
  struct Draft;

  std::vector<Field> common_;
  std::vector<Field> identity_;
  std::string weak_etag_;
  base::Decimal length_text_{0};
  char date_text_[kDateSize];
  int64_t content_length_ = -1;
  int64_t date_ms_ = -1;
};

/// Validates and views; nullopt when the bytes are not a head image of this version: its text is
/// exactly the lines of its table. Cheap: no allocation, no parsing of field values (positions and
/// dates are kept in the image), whose bytes are looked at only where they are sent.
std::optional<StoredResponse> view_head_image(std::span<const std::byte> image,
                                              const base::ReuseFacts& policy);

}  // namespace perigee::http
