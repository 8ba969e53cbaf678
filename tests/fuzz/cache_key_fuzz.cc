// Hosts, targets, queries and references: four lines of input; the fifth names parameters to strip.
#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "http/cache_key.h"
#include "http/headers.h"
#include "http/location.h"
#include "http/target.h"
#include "tests/fuzz/fuzz_text.h"

using namespace perigee;

namespace {

void check_authority(std::string_view text, std::string& canonical) {
  for (const std::string_view scheme : {"http", "https"}) {
    std::string out;
    if (!http::canonical_authority(text, scheme, out)) continue;
    CHECK(!out.empty() && out.size() <= 253 + 6);
    for (const char c : out) CHECK(c > 0x20 && c < 0x7f && base::to_lower(c) == c);
    std::string again;
    CHECK(http::canonical_authority(out, scheme, again) && again == out);
    const std::string_view host = http::host_of(out);
    CHECK(!host.empty() && out.starts_with(host));
    if (scheme == "http") canonical = out;
  }
}

std::vector<std::string> parameters_of(std::string_view target) {
  std::vector<std::string> all;
  std::string_view rest = target.substr(std::min(target.find('?') + 1, target.size()));
  for (size_t at = 0; at <= rest.size();) {
    const size_t end = std::min(rest.find('&', at), rest.size());
    all.emplace_back(rest.substr(at, end - at));
    at = end + 1;
  }
  std::sort(all.begin(), all.end());
  return all;
}

bool is_valid(std::string_view target) {
  std::string memory;
  return http::normal_target(target, memory).has_value();
}

void check_query(std::string_view target, std::string_view strip) {
  http::QueryScratch scratch;
  http::QueryOptions sort{.ignore = false, .sort = true, .strip = {}};
  const std::string sorted(http::normalize_query(target, sort, scratch));
  CHECK(parameters_of(sorted) == parameters_of(target));
  CHECK(http::normalize_query(sorted, sort, scratch) == sorted);
  if (!strip.empty()) sort.strip = {std::string(strip)};
  const std::string stripped(http::normalize_query(target, sort, scratch));
  CHECK(http::normalize_query(stripped, sort, scratch) == stripped);
  CHECK(stripped.size() <= target.size());
  const std::string ignored(
      http::normalize_query(target, {.ignore = true, .sort = false, .strip = {}}, scratch));
  CHECK(ignored == target.substr(0, target.find('?')));
  const bool valid = is_valid(target);
  CHECK(is_valid(sorted) == valid);
  CHECK(!valid || (is_valid(stripped) && is_valid(ignored)));
}

void check_target(std::string_view target, std::string_view authority) {
  std::string memory;
  const auto normal = http::normal_target(target, memory);
  if (!normal) return;
  CHECK(normal->size() <= 3 * target.size());
  std::string again;
  CHECK(http::normal_target(*normal, again) == normal);
  target = *normal;
  for (const char c : target) CHECK(c > 0x20 && c < 0x7f && c != '#');
  const std::string_view path = target.substr(0, target.find('?'));
  CHECK(path.find("/../") == std::string_view::npos && !path.ends_with("/.."));
  // What is valid as a target is itself as a reference, unless it names a host.
  if (target.starts_with("//")) return;
  CHECK(http::same_origin_target(target, "http", authority, "/x/y?z") == target);
}

void check_reference(std::string_view reference, std::string_view authority,
                     std::string_view target) {
  if (!is_valid(target)) return;
  const auto resolved = http::same_origin_target(reference, "http", authority, target);
  if (!resolved) return;
  std::string memory;
  CHECK(http::normal_target(*resolved, memory) == *resolved);
  if (!resolved->starts_with("//")) {
    CHECK(http::same_origin_target(*resolved, "http", authority, target) == resolved);
  }
  CHECK(http::same_origin_target("http://" + std::string(authority) + *resolved, "http", authority,
                                 target) == resolved);
}

/// Two URLs have one key only if they are one.
void check_keys(std::string_view scheme, std::string_view site, std::string_view target) {
  std::string key;
  std::string other;
  http::make_cache_key(scheme, site, target, key);
  CHECK(key.size() <= target.size() + 300 || site.size() > 253 || scheme.size() > 8);
  if (!site.empty()) {
    const std::string moved = std::string(1, site.back()) + std::string(target);
    http::make_cache_key(scheme, site.substr(0, site.size() - 1), moved, other);
    CHECK(key != other);
  }
  std::string variant;
  http::make_variant_key(key, 1, target, variant);
  CHECK(variant != key);
  http::make_variant_key(key, 2, target, other);
  CHECK(variant != other);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = fuzz::text_of(data, size);
  const std::string_view host = fuzz::take_line(rest);
  const std::string_view target = fuzz::take_line(rest);
  const std::string_view reference = fuzz::take_line(rest);
  const std::string_view strip = fuzz::take_line(rest);
  std::string authority = "h.example";
  check_authority(host, authority);
  check_target(target, authority);
  check_query(target, strip);
  check_reference(reference, authority, target);
  check_keys("http", host, target);
  return 0;
}
