#include "http/cache_control.h"

#include <algorithm>

#include "http/structured_field.h"

namespace perigee::http {
namespace {

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
  directive.name = text.substr(0, equals);
  if (equals == std::string_view::npos) return directive;
  directive.has_argument = true;
  std::string_view argument = text.substr(equals + 1);
  if (argument.size() >= 2 && argument.front() == '"' && argument.back() == '"') {
    argument = argument.substr(1, argument.size() - 2);
    directive.valid_argument = argument.find('"') == std::string_view::npos;
  } else {
    directive.valid_argument = is_token(argument);
  }
  directive.argument = argument;
  return directive;
}

/// An argument that must be a number: anything else is 0 (stale at once), without falling back.
int64_t seconds_or_zero(const Directive& directive) {
  if (!directive.valid_argument) return 0;
  return parse_delta_seconds(directive.argument).value_or(0);
}

std::optional<int64_t> seconds_or_absent(const Directive& directive) {
  if (!directive.valid_argument) return std::nullopt;
  return parse_delta_seconds(directive.argument);
}

/// Adds the field names of a qualified directive. False: not a list of names, so it is unqualified.
bool add_named_fields(const Directive& directive, std::vector<std::string_view>& names) {
  if (!directive.has_argument || !directive.valid_argument) return false;
  const size_t before = names.size();
  ListCursor cursor(directive.argument);
  while (const auto name = cursor.next()) {
    if (!is_token(*name)) {
      names.resize(before);
      return false;
    }
    names.push_back(*name);
  }
  return names.size() > before;
}

void apply(const Directive& directive, CacheControl& out) {
  const auto is = [&](std::string_view name) { return iequals(directive.name, name); };
  const auto first = [](std::optional<int64_t>& slot, std::optional<int64_t> value) {
    if (!slot) slot = value;
  };
  if (is("max-age")) return first(out.max_age_s, seconds_or_zero(directive));
  if (is("s-maxage")) return first(out.s_maxage_s, seconds_or_zero(directive));
  if (is("no-store")) {
    out.no_store = true;
  } else if (is("no-cache")) {
    out.no_cache = !add_named_fields(directive, out.named_fields) || out.no_cache;
  } else if (is("private")) {
    out.is_private = !add_named_fields(directive, out.named_fields) || out.is_private;
  } else if (is("public")) {
    out.is_public = true;
  } else if (is("must-revalidate")) {
    out.must_revalidate = true;
  } else if (is("proxy-revalidate")) {
    out.proxy_revalidate = true;
  } else if (is("must-understand")) {
    out.must_understand = true;
  } else if (is("no-transform")) {
    out.no_transform = true;
  } else if (is("immutable")) {
    out.immutable = true;
  } else if (is("only-if-cached")) {
    out.only_if_cached = true;
  } else if (is("max-stale")) {
    if (out.max_stale_s || out.max_stale_any) return;
    out.max_stale_any = !directive.has_argument;
    out.max_stale_s = seconds_or_absent(directive);
  } else if (is("min-fresh")) {
    first(out.min_fresh_s, seconds_or_absent(directive));
  } else if (is("stale-while-revalidate")) {
    first(out.stale_while_revalidate_s, seconds_or_absent(directive));
  } else if (is("stale-if-error")) {
    first(out.stale_if_error_s, seconds_or_absent(directive));
  }
}

/// A targeted member that we know, with the type it must have (http-rules 2.6).
bool apply_targeted(const SfMember& member, CacheControl& out) {
  const auto is = [&](std::string_view name) { return member.key == name; };
  const auto number = [&](std::optional<int64_t>& slot) {
    if (member.kind != SfMember::kInteger || member.integer < 0) return false;
    slot = std::min(member.integer, kDeltaMost);
    return true;
  };
  const auto flag = [&](bool& slot) {
    if (member.kind != SfMember::kBoolean) return false;
    slot = member.boolean;
    return true;
  };
  const auto flag_or_names = [&](bool& slot) {
    if (member.kind != SfMember::kString) return flag(slot);
    const Directive directive{member.key, true, true, member.text};
    slot = !add_named_fields(directive, out.named_fields);
    return true;
  };
  if (is("max-age")) return number(out.max_age_s);
  if (is("s-maxage")) return number(out.s_maxage_s);
  if (is("stale-while-revalidate")) return number(out.stale_while_revalidate_s);
  if (is("stale-if-error")) return number(out.stale_if_error_s);
  if (is("no-cache")) return flag_or_names(out.no_cache);
  if (is("private")) return flag_or_names(out.is_private);
  if (is("no-store")) return flag(out.no_store);
  if (is("public")) return flag(out.is_public);
  if (is("must-revalidate")) return flag(out.must_revalidate);
  if (is("proxy-revalidate")) return flag(out.proxy_revalidate);
  if (is("must-understand")) return flag(out.must_understand);
  if (is("no-transform")) return flag(out.no_transform);
  if (is("immutable")) return flag(out.immutable);
  return true;
}

}  // namespace

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
  for (const Field& field : fields) {
    if (field.token != FieldName::kCacheControl) continue;
    result.present = true;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) apply(parse_directive(*member), result);
  }
  return result;
}

bool asks_only_if_cached(const HeaderList& fields) {
  for (const Field& field : fields) {
    if (field.token != FieldName::kCacheControl) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (iequals(parse_directive(*member).name, "only-if-cached")) return true;
    }
  }
  return false;
}

std::optional<CacheControl> parse_targeted(const HeaderList& fields) {
  SfDictionary dictionary;
  bool any = false;
  for (const Field& field : fields) {
    if (field.token != FieldName::kCdnCacheControl) continue;
    // An empty line adds nothing when lines are joined.
    if (trim_ows(field.value).empty()) continue;
    any = true;
    if (!parse_dictionary(field.value, dictionary)) return std::nullopt;
  }
  if (!any || dictionary.empty()) return std::nullopt;
  CacheControl result;
  result.present = true;
  for (const SfMember& member : dictionary) {
    if (!apply_targeted(member, result)) return std::nullopt;
  }
  return result;
}

}  // namespace perigee::http
