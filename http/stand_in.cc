#include "http/stand_in.h"

#include <algorithm>

#include "http/asset_shape.h"
#include "http/freshness.h"

namespace perigee::http {
namespace {

using Flag = ReuseFlag::Bit;

constexpr size_t kHashBytes = 8;

std::string_view path_of(const RequestHead& request) {
  return request.target.substr(0, request.target.find('?'));
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
bool is_dash(char c) { return c == '-' || c == '_'; }

/// Letters and digits beside one another, or many capitals inside: no word of a language.
bool is_hash(std::string_view piece) {
  if (piece.size() < kHashBytes) return false;
  const auto count = [&](auto is) { return std::count_if(piece.begin(), piece.end(), is); };
  const auto letters = count(is_letter);
  const auto digits = count(is_digit);
  if (letters + digits != static_cast<ptrdiff_t>(piece.size())) return false;
  const auto capitals = count(is_capital);
  if (letters > 0 && digits > 0) return true;
  // A hash in base64 need not hold a digit; words in camel case have fewer capitals.
  return piece.size() == kHashBytes && capitals > 2 && capitals < letters;
}

/// A name, without its suffix, whose end is a hash that taken by itself could be a word or several:
/// esbuild writes capitals, often without a digit; rollup has dashes among its letters.
bool ends_in_hash(std::string_view name) {
  if (name.size() <= kHashBytes || !is_dash(name[name.size() - kHashBytes - 1])) return false;
  const std::string_view end = name.substr(name.size() - kHashBytes);
  const auto count = [&](auto is) { return std::count_if(end.begin(), end.end(), is); };
  const auto capitals = count(is_capital);
  if (capitals == static_cast<ptrdiff_t>(kHashBytes)) return true;
  const auto digits = count(is_digit);
  const auto dashes = count(is_dash);
  const bool words = capitals == 0 || (digits == 0 && capitals < 3);
  return dashes > 0 && count(is_letter) > capitals && !words &&
         count(is_letter) + digits + dashes == static_cast<ptrdiff_t>(kHashBytes);
}

bool is_gone(uint16_t status) { return status == 404 || status == 410; }

}  // namespace

std::string_view stand_in_text(StandIn why) {
  switch (why) {
    case StandIn::kNone:
      return "";
    case StandIn::kRetained:
      return "retained";
    case StandIn::kShape:
      return "shape";
  }
  return "";
}

bool is_misshapen(const RequestHead& request, const ReceivedResponse& received,
                  const PolicyOptions& options) {
  return options.shape_guard && received.status == 200 &&
         contradicts_shape(path_of(request), received.fields.value(FieldName::kContentType));
}

bool is_missing_asset(const RequestHead& request, uint16_t status) {
  return is_gone(status) && is_asset_shaped(path_of(request));
}

bool has_content_hash(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  size_t begin = 0;
  for (size_t at = 0; at <= name.size(); ++at) {
    const bool over = at == name.size();
    if (!over && name[at] != '.' && !is_dash(name[at])) continue;
    if (is_hash(name.substr(begin, at - begin))) return true;
    if (!over && name[at] == '.' && ends_in_hash(name.substr(0, at))) return true;
    begin = at + 1;
  }
  return false;
}

StandIn stands_in(const StoredResponse& stored, const RequestHead& request,
                  const OriginAnswer& answer, const PolicyOptions& options) {
  constexpr uint32_t kForbidding =
      Flag::kNoCache | Flag::kMustRevalidate | Flag::kProxyRevalidate | Flag::kSharedMaxAge;
  const uint32_t flags = stored.policy.flags;
  if (stored.policy.status != 200 || options.bypass) return StandIn::kNone;
  const Freshness age = freshness(stored, answer.now_ms);
  const bool kept = age.fresh() || ((flags & kForbidding) == 0 && options.retain_s > 0 &&
                                    age.stale_ms <= options.retain_s * 1000);
  if (!kept) return StandIn::kNone;
  if (is_misshapen(request, answer.head, options)) return StandIn::kShape;
  const bool promised = (flags & Flag::kImmutable) != 0 ||
                        (options.retain_hashed && has_content_hash(path_of(request)));
  return is_gone(answer.head.status) && promised && options.retain_s > 0 ? StandIn::kRetained
                                                                         : StandIn::kNone;
}

}  // namespace perigee::http
