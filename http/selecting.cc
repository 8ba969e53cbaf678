#include "http/selecting.h"

#include <algorithm>

#include "base/limits.h"
#include "base/poison.h"
#include "base/text.h"
#include "http/accept_types.h"
#include "http/held_back.h"

namespace perigee::http {
namespace {

using Names = std::vector<std::string>;

/// A pair begins with this name as origins may read it: in any case, with other bytes for those
/// that are no letters or digits, as an array, or without a value.
bool begins_with_name(std::string_view pair, std::string_view name) {
  if (!folded_equal(pair.substr(0, name.size()), name)) return false;
  const std::string_view rest = trim_ows(pair.substr(name.size()));
  return rest.empty() || std::string_view("=;,[").find(rest.front()) != std::string_view::npos;
}

/// Where the value of a pair ends: at the next semicolon that is not in a quoted value.
size_t pair_end(std::string_view pair) {
  const size_t first_end = std::min(pair.find(';'), pair.size());
  const size_t equals = pair.substr(0, first_end).find('=');
  if (equals == std::string_view::npos) return first_end;
  const size_t value = std::min(pair.find_first_not_of(" \t", equals + 1), pair.size());
  if (value == pair.size() || pair[value] != '"') return first_end;
  const size_t closed = std::min(pair.find('"', value + 1), pair.size());
  return std::min(pair.find(';', closed), pair.size());
}

/// Each pair of a line that an origin could read as this cookie, as it stands, in order. Some
/// separate pairs by commas too.
void append_pairs(std::string_view line, std::string_view name, std::string& out) {
  while (!line.empty()) {
    // Nothing stands between separators that follow one another.
    line.remove_prefix(std::min(line.find_first_not_of(" \t;,"), line.size()));
    if (line.empty()) return;
    size_t end = 0;
    if (begins_with_name(line, name)) {
      end = pair_end(line);
      out.append(trim_ows(line.substr(0, end))).append(";");
    } else {
      while (end < line.size() && line[end] != ';' && line[end] != ',') ++end;
    }
    line.remove_prefix(std::min(end + 1, line.size()));
  }
}

/// More pairs than are looked at one by one.
bool has_many_pairs(const HeaderList& request) {
  size_t separators = 0;
  for (const Field& field : request) {
    if (field.token != FieldName::kCookie) continue;
    separators += 1 + static_cast<size_t>(std::count(field.value.begin(), field.value.end(), ';')) +
                  static_cast<size_t>(std::count(field.value.begin(), field.value.end(), ','));
  }
  return separators > base::limits::kCookiePairs;
}

/// The named cookies that are there, in the order of `names`, all values of each.
void append_cookies(const HeaderList& request, const Names& names, std::string& out) {
  for (const std::string& name : names) {
    for (const Field& field : request) {
      if (field.token == FieldName::kCookie) append_pairs(field.value, name, out);
    }
  }
}

}  // namespace

void SelectingFields::poison() const {
  base::poison(storage_);
  base::poison(text_);
}

void SelectingFields::unpoison() const {
  base::unpoison(storage_);
  base::unpoison(text_);
}

HeaderList SelectingFields::of(const HeaderList& request, const PolicyOptions& policy,
                               VaryNames vary_names) {
  // Room for the two reduced fields.
  storage_.resize(request.size() + 2);
  text_.clear();
  HeaderList out(storage_);
  const HeaderList seen = shared_fields(request, policy, vary_names, storage_);
  if (policy.vary_ignore.empty() && policy.vary_cookies.empty() && policy.vary_accept.empty()) {
    return seen;
  }
  // What is not looked at pair by pair counts as it came.
  const bool cookies = !policy.vary_cookies.empty() && !has_many_pairs(seen);
  if (cookies) append_cookies(seen, policy.vary_cookies, text_);
  const size_t cookies_bytes = text_.size();
  const bool reduces = reduces_accept(policy);
  if (reduces) append_accept_types(seen, policy.vary_accept, text_);
  for (const Field& field : seen) {
    const bool reduced = (field.token == FieldName::kCookie && cookies) ||
                         (field.token == FieldName::kAccept && reduces);
    const bool ignored =
        std::any_of(policy.vary_ignore.begin(), policy.vary_ignore.end(),
                    [&](const std::string& name) { return base::iequals(name, field.name); });
    // In place: never more was written than read.
    if (!reduced && !ignored) out.add(Field(field));
  }
  const std::string_view text(text_);
  const auto add = [&](FieldName token, std::string_view value) {
    if (!value.empty()) out.add(Field{token, field_text(token), value});
  };
  add(FieldName::kCookie, text.substr(0, cookies_bytes));
  add(FieldName::kAccept, text.substr(cookies_bytes));
  return out;
}

}  // namespace perigee::http
