// Memory that a request's head and the code that answers it at once live in, one per loop.
//
// All of it is dead when RequestSink::on_request() returns; what must stay is copied by
// Exchange::promote(). Under AddressSanitizer a view that was kept too long is a report.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "http/arena.h"
#include "http/headers.h"

namespace perigee::http {

class RequestScratch {
 public:
  RequestScratch() : arena_(memory_) {}
  ~RequestScratch() { unpoison(); }
  RequestScratch(const RequestScratch&) = delete;
  RequestScratch& operator=(const RequestScratch&) = delete;

  HeaderList fields() { return HeaderList(storage_); }
  /// For what answers a request at once. Reset for each request.
  Arena& arena() { return arena_; }
  /// True when `authority` is a valid Host (canonical_authority()).
  bool valid_authority(std::string_view authority, std::string_view scheme);
  /// "/?x" for the "?x" behind the authority of an absolute-form.
  std::string_view with_slash(std::string_view query);
  /// The target as it is keyed and forwarded (http/target.h). nullopt: malformed.
  std::optional<std::string_view> normal_target(std::string_view target);
  /// Memory for a head that is not read as it came.
  std::string& rewritten_head() { return head_; }
  /// Marks the memory as unreadable until unpoison(), which the next request's reader calls.
  void poison();
  void unpoison();

 private:
  std::array<Field, base::limits::kRequestFields> storage_;
  alignas(std::max_align_t) std::array<std::byte, 32 * base::limits::kKiB> memory_{};
  Arena arena_;
  std::string authority_;  ///< kept for its memory
  std::string target_;
  std::string normal_target_;
  std::string head_;
};

}  // namespace perigee::http
