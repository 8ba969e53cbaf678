#include "http/request_scratch.h"

#include "base/poison.h"
#include "http/cache_key.h"

namespace perigee::http {

void RequestScratch::poison() {
  base::poison(storage_.data(), sizeof storage_);
  base::poison(memory_.data(), memory_.size());
  base::poison(target_);
}

void RequestScratch::unpoison() {
  base::unpoison(storage_.data(), sizeof storage_);
  base::unpoison(memory_.data(), memory_.size());
  base::unpoison(target_);
  arena_.reset();
}

bool RequestScratch::valid_authority(std::string_view authority, std::string_view scheme) {
  return canonical_authority(authority, scheme, authority_);
}

std::string_view RequestScratch::with_slash(std::string_view query) {
  target_.assign("/").append(query);
  return target_;
}

}  // namespace perigee::http
