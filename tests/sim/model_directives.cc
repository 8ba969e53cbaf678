// Cache-Control and its targeted form as the model reads them.
#include <algorithm>
#include <cctype>

#include "tests/sim/model.h"

namespace perigee::sim {

namespace {

constexpr int64_t kMost = int64_t{1} << 31;

bool is_token_text(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || kMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

struct Argument {
  bool present = false;
  bool valid = false;
  std::string text;
};

Argument argument_of(const std::string& member, size_t equals) {
  Argument argument;
  if (equals == std::string::npos) return argument;
  argument.present = true;
  argument.text = member.substr(equals + 1);
  std::string& text = argument.text;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
    argument.valid = text.find('"') == std::string::npos;
  } else {
    // Digits in single quotes are a token of RFC 9110, and no number.
    argument.valid = is_token_text(text);
  }
  return argument;
}

std::optional<int64_t> seconds(const Argument& argument) {
  if (!argument.valid) return std::nullopt;
  const auto value = number(argument.text);
  return value ? std::optional(std::min(*value, kMost)) : std::nullopt;
}

/// A qualified directive names fields; anything else makes it unqualified.
bool names_fields(const Argument& argument, std::vector<std::string>& named) {
  if (!argument.valid) return false;
  const std::vector<std::string> names = members(argument.text);
  for (const std::string& name : names) {
    if (!is_token_text(name)) return false;
  }
  named.insert(named.end(), names.begin(), names.end());
  return !names.empty();
}

void set_first(std::optional<int64_t>& slot, std::optional<int64_t> value) {
  if (!slot) slot = value;
}

void apply(const std::string& name, const Argument& argument, Directives& out) {
  if (name == "no-store") out.no_store = true;
  if (name == "public") out.is_public = true;
  if (name == "must-revalidate") out.must_revalidate = true;
  if (name == "proxy-revalidate") out.proxy_revalidate = true;
  if (name == "must-understand") out.must_understand = true;
  if (name == "only-if-cached") out.only_if_cached = true;
  if (name == "immutable") out.immutable = true;
  if (name == "no-cache" && !names_fields(argument, out.named)) out.no_cache = true;
  if (name == "private" && !names_fields(argument, out.named)) out.is_private = true;
  // Not a number: stale at once, and no other source is asked.
  if (name == "max-age") set_first(out.max_age, seconds(argument).value_or(0));
  if (name == "s-maxage") set_first(out.s_maxage, seconds(argument).value_or(0));
  if (name == "stale-while-revalidate") set_first(out.stale_while_revalidate, seconds(argument));
  if (name == "stale-if-error") set_first(out.stale_if_error, seconds(argument));
  if (name == "min-fresh") set_first(out.min_fresh, seconds(argument));
  if (name == "max-stale") {
    if (!argument.present) out.any_max_stale = true;
    set_first(out.max_stale, seconds(argument));
  }
}

/// One member of a structured dictionary: key, and integer, string, boolean or something else.
struct Member {
  enum Type : uint8_t { kInteger, kString, kBoolean, kOther } type = kBoolean;
  std::string key;
  std::string text = "1";
};

std::optional<Member> read_member(const std::string& text) {
  Member member;
  const size_t equals = text.find('=');
  member.key = text.substr(0, equals);
  if (member.key.empty() || (std::islower(member.key[0]) == 0 && member.key[0] != '*')) {
    return std::nullopt;
  }
  if (member.key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-.*") !=
      std::string::npos) {
    return std::nullopt;
  }
  if (equals == std::string::npos) return member;
  member.text = text.substr(equals + 1);
  const std::string& value = member.text;
  if (number(value)) {
    member.type = Member::kInteger;
  } else if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    member.type = Member::kString;
    member.text = value.substr(1, value.size() - 2);
  } else if (value == "?0" || value == "?1") {
    member.text = value.substr(1);
  } else if (const size_t dot = value.find('.'); dot != std::string::npos &&
                                                 number(value.substr(0, dot)) &&
                                                 number(value.substr(dot + 1))) {
    member.type = Member::kOther;
  } else {
    return std::nullopt;
  }
  return member;
}

/// False: a directive that we know, of a type that it cannot have.
bool apply_member(const Member& member, Directives& out) {
  static constexpr std::string_view kNumbers[] = {"max-age", "s-maxage", "stale-while-revalidate",
                                                  "stale-if-error"};
  static constexpr std::string_view kFlags[] = {
      "no-store",        "public",       "must-revalidate", "proxy-revalidate",
      "must-understand", "no-transform", "immutable"};
  const std::string& key = member.key;
  const auto is_in = [&](const auto& list) {
    return std::find(std::begin(list), std::end(list), key) != std::end(list);
  };
  if (is_in(kNumbers)) {
    if (member.type != Member::kInteger) return false;
    apply(key, {true, true, member.text}, out);
  } else if (is_in(kFlags)) {
    if (member.type != Member::kBoolean) return false;
    if (member.text == "1") apply(key, {}, out);
  } else if (key == "no-cache" || key == "private") {
    if (member.type == Member::kString) {
      apply(key, {true, true, member.text}, out);
    } else if (member.type == Member::kBoolean) {
      if (member.text == "1") apply(key, {}, out);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

Directives read_cache_control(const Fields& fields) {
  Directives out;
  for (const std::string& member : members(joined(fields, "Cache-Control").value_or(""))) {
    const size_t equals = member.find('=');
    apply(lower(member.substr(0, equals)), argument_of(member, equals), out);
  }
  return out;
}

std::optional<Directives> read_targeted(const Fields& fields) {
  const std::string text = trim(joined(fields, "CDN-Cache-Control").value_or(""));
  if (text.empty() || text.back() == ',') return std::nullopt;
  Directives out;
  for (const std::string& part : members(text)) {
    const std::optional<Member> member = read_member(part);
    if (!member || !apply_member(*member, out)) return std::nullopt;
  }
  return out;
}

}  // namespace perigee::sim
