#include "http/request_scratch.h"

#include "base/poison.h"
#include "http/cache_key.h"
#include "http/target.h"

namespace perigee::http {

void RequestScratch::poison() {
  base::poison(storage_.data(), sizeof storage_);
  base::poison(memory_.data(), memory_.size());
  for (const std::string* text : {&target_, &normal_target_, &head_}) base::poison(*text);
}

void RequestScratch::unpoison() {
  base::unpoison(storage_.data(), sizeof storage_);
  base::unpoison(memory_.data(), memory_.size());
  for (const std::string* text : {&target_, &normal_target_, &head_}) base::unpoison(*text);
  arena_.reset();
}

bool RequestScratch::valid_authority(std::string_view authority, std::string_view scheme) {
  return canonical_authority(authority, scheme, authority_);
}

std::string_view RequestScratch::with_slash(std::string_view query) {
  target_.assign("/").append(query);
  return target_;
}

std::optional<std::string_view> RequestScratch::normal_target(std::string_view target) {
  return http::normal_target(target, normal_target_);
}

}  // namespace perigee::http
