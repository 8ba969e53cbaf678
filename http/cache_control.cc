#include "http/cache_control.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "http/structured_field.h"

namespace perigee::http {
namespace {

/// What a directive means and where it is kept. One list for Cache-Control and its targeted forms.
struct Known {
  enum Kind : uint8_t {
    kFlag,
    kFlagOrNames,  ///< an argument names fields
    kLifetime,     ///< seconds; an argument that is not a number is 0, without falling back
    kSeconds,      ///< seconds; an argument that is not a number is none
    kMaxStale,     ///< seconds; without an argument any
  };
  std::string_view name;
  Kind kind;
  bool CacheControl::*flag = nullptr;
  std::optional<int64_t> CacheControl::*seconds = nullptr;
  bool for_requests = false;  ///< means nothing in a response, targeted or not
};

constexpr Known kKnown[] = {
    {"max-age", Known::kLifetime, nullptr, &CacheControl::max_age_s},
    {"s-maxage", Known::kLifetime, nullptr, &CacheControl::s_maxage_s},
    {"stale-while-revalidate", Known::kSeconds, nullptr, &CacheControl::stale_while_revalidate_s},
    {"stale-if-error", Known::kSeconds, nullptr, &CacheControl::stale_if_error_s},
    {"no-cache", Known::kFlagOrNames, &CacheControl::no_cache},
    {"private", Known::kFlagOrNames, &CacheControl::is_private},
    {"no-store", Known::kFlag, &CacheControl::no_store},
    {"public", Known::kFlag, &CacheControl::is_public},
    {"must-revalidate", Known::kFlag, &CacheControl::must_revalidate},
    {"proxy-revalidate", Known::kFlag, &CacheControl::proxy_revalidate},
    {"must-understand", Known::kFlag, &CacheControl::must_understand},
    {"no-transform", Known::kFlag, &CacheControl::no_transform},
    {"immutable", Known::kFlag, &CacheControl::immutable},
    {"only-if-cached", Known::kFlag, &CacheControl::only_if_cached, nullptr, true},
    {"max-stale", Known::kMaxStale, &CacheControl::max_stale_any, &CacheControl::max_stale_s, true},
    {"min-fresh", Known::kSeconds, nullptr, &CacheControl::min_fresh_s, true},
};

constexpr size_t kNameLeast = 6;  ///< of the names above: "public"

const Known* find_known(std::string_view name) {
  if (name.size() < kNameLeast) return nullptr;
  const auto* const known =
      std::find_if(std::begin(kKnown), std::end(kKnown),
                   [&](const Known& candidate) { return base::iequals(candidate.name, name); });
  return known == std::end(kKnown) ? nullptr : known;
}

/// Calls `take` with each directive of all lines until it returns false. False: there are more than
/// kDirectives, and the rest was not looked at.
template <typename Take>
bool for_each_directive(const HeaderList& fields, Take take) {
  size_t count = 0;
  for (const Field& field : fields) {
    if (field.token != FieldName::kCacheControl) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (++count > base::limits::kDirectives) return false;
      if (!take(*member)) return true;
    }
  }
  return true;
}

/// One directive as it stands: name, and the argument as token or quoted-string.
struct Directive {
  std::string_view name;
  bool has_argument = false;
  bool valid_argument = false;
  std::string_view argument;  ///< unquoted; escapes are left in, no directive needs them
};

Directive parse_directive(std::string_view text) {
  Directive directive;
  const size_t equals = text.find('=');
  directive.name = trim_ows(text.substr(0, equals));
  if (equals == std::string_view::npos) return directive;
  directive.has_argument = true;
  // Whitespace around the equals sign is no way to write an argument, but the directive is meant.
  const bool spaced = directive.name.size() != equals;
  std::string_view argument = text.substr(equals + 1);
  if (argument.size() >= 2 && argument.front() == '"' && argument.back() == '"') {
    argument = argument.substr(1, argument.size() - 2);
    directive.valid_argument = !spaced && argument.find('"') == std::string_view::npos;
  } else {
    directive.valid_argument = !spaced && is_token(argument);
  }
  directive.argument = argument;
  return directive;
}

std::optional<int64_t> seconds_of(const Directive& directive) {
  if (!directive.valid_argument) return std::nullopt;
  return parse_delta_seconds(directive.argument);
}

/// Adds the field names of a qualified directive. False: not a list of names, or more than
/// kNamedFields in all, so it is unqualified.
bool add_named_fields(const Directive& directive, std::vector<std::string_view>& names) {
  if (!directive.has_argument || !directive.valid_argument) return false;
  const size_t before = names.size();
  ListCursor cursor(directive.argument);
  while (const auto name = cursor.next()) {
    if (!is_token(*name) || names.size() == base::limits::kNamedFields) {
      names.resize(before);
      return false;
    }
    names.push_back(*name);
  }
  return names.size() > before;
}

/// `again`: the directive stood there before. The most restrictive of two flags holds, the first of
/// two numbers.
void apply(const Known& known, const Directive& directive, bool again, CacheControl& out) {
  if (known.kind == Known::kFlag) out.*known.flag = true;
  if (known.kind == Known::kFlagOrNames && !add_named_fields(directive, out.named_fields)) {
    out.*known.flag = true;
  }
  if (known.seconds == nullptr || again) return;
  out.*known.seconds = seconds_of(directive);
  if (known.kind == Known::kLifetime && !(out.*known.seconds)) out.*known.seconds = 0;
  if (known.kind == Known::kMaxStale) out.*known.flag = !directive.has_argument;
}

/// False: a member that we know, with another type than it must have (http-rules 2.6).
bool apply_targeted(const Known& known, const SfMember& member, CacheControl& out) {
  if (known.seconds != nullptr) {
    if (member.kind != SfMember::kInteger || member.integer < 0) return false;
    out.*known.seconds = std::min(member.integer, kDeltaMost);
    return true;
  }
  if (known.kind == Known::kFlagOrNames && member.kind == SfMember::kString) {
    const Directive directive{member.key, true, true, member.text};
    out.*known.flag = !add_named_fields(directive, out.named_fields);
    return true;
  }
  if (member.kind != SfMember::kBoolean) return false;
  out.*known.flag = member.boolean;
  return true;
}

/// `max-age=60+30` of Surrogate-Control: the lifetime, and how long it may be stale then.
void apply_surrogate_lifetime(std::string_view argument, CacheControl& out) {
  const size_t plus = std::min(argument.find('+'), argument.size());
  out.max_age_s = parse_delta_seconds(argument.substr(0, plus)).value_or(0);
  if (plus == argument.size()) return;
  out.stale_while_revalidate_s = parse_delta_seconds(argument.substr(plus + 1));
  out.stale_if_error_s = out.stale_while_revalidate_s;
}

/// One directive of Surrogate-Control. False: it means nothing here.
bool apply_surrogate(std::string_view member, CacheControl& out) {
  // A target behind a semicolon names one cache of several. Which one is ours, nobody can know.
  if (member.find(';') != std::string_view::npos) return false;
  const Directive directive = parse_directive(member);
  if (base::iequals(directive.name, "no-store") ||
      base::iequals(directive.name, "no-store-remote")) {
    out.no_store = true;
    return true;
  }
  if (base::iequals(directive.name, "max-age")) {
    if (!out.max_age_s) apply_surrogate_lifetime(directive.argument, out);
    return true;
  }
  return false;
}

std::optional<CacheControl> parse_accel_expires(std::string_view value, int64_t now_ms) {
  const bool absolute = value.starts_with('@');
  const std::optional<int64_t> seconds = parse_delta_seconds(value.substr(absolute ? 1 : 0));
  if (!seconds) return std::nullopt;
  CacheControl result;
  result.max_age_s = absolute ? std::max<int64_t>(*seconds - now_ms / 1000, 0) : *seconds;
  result.no_store = !absolute && *seconds == 0;
  return result;
}

/// A Cache-Control of the request names it.
bool holds_directive(const HeaderList& fields, std::string_view name) {
  bool holds = false;
  for_each_directive(fields, [&](std::string_view member) {
    holds = base::iequals(parse_directive(member).name, name);
    return !holds;
  });
  return holds;
}

}  // namespace

std::optional<CacheControl> parse_surrogate(const HeaderList& fields, int64_t now_ms) {
  CacheControl result;
  size_t members = 0;
  for (const Field& field : fields) {
    if (!base::iequals(field.name, kSurrogateControl)) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      // As of Cache-Control: the rest may say anything.
      if (++members > base::limits::kDirectives) result.no_store = true;
      if (members > base::limits::kDirectives) break;
      if (apply_surrogate(*member, result)) result.present = true;
    }
  }
  if (result.present) return result;
  const Field* accel = fields.find(kXAccelExpires);
  return accel != nullptr ? parse_accel_expires(accel->value, now_ms) : std::nullopt;
}

std::optional<int64_t> parse_delta_seconds(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = std::min<int64_t>(value * 10 + (c - '0'), kDeltaMost);
  }
  return value;
}

CacheControl parse_cache_control(const HeaderList& fields) {
  CacheControl result;
  uint32_t seen = 0;
  static_assert(std::size(kKnown) <= 32);
  const bool whole = for_each_directive(fields, [&](std::string_view member) {
    const Directive directive = parse_directive(member);
    const Known* const known = find_known(directive.name);
    if (known == nullptr) return true;
    const uint32_t bit = uint32_t{1} << (known - kKnown);
    apply(*known, directive, (seen & bit) != 0, result);
    seen |= bit;
    return true;
  });
  result.present = fields.find(FieldName::kCacheControl) != nullptr;
  // The rest may say anything.
  if (!whole) result.no_store = result.no_cache = true;
  return result;
}

bool asks_only_if_cached(const HeaderList& fields) {
  return holds_directive(fields, "only-if-cached");
}

bool asks_no_transform(const HeaderList& fields) { return holds_directive(fields, "no-transform"); }

std::optional<CacheControl> parse_targeted(const HeaderList& fields) {
  SfDictionary dictionary;
  for (const Field& field : fields) {
    if (field.token != FieldName::kCdnCacheControl) continue;
    // Lines are joined with commas, between which an empty one would be no member.
    if (field.value.empty() || !parse_dictionary(field.value, dictionary)) return std::nullopt;
  }
  if (dictionary.empty()) return std::nullopt;
  CacheControl result;
  result.present = true;
  for (const SfMember& member : dictionary) {
    const Known* const known = find_known(member.key);
    if (known == nullptr || known->for_requests) continue;
    if (!apply_targeted(*known, member, result)) return std::nullopt;
  }
  return result;
}

}  // namespace perigee::http
