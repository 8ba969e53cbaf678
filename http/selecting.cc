#include "http/selecting.h"

#include <algorithm>

namespace perigee::http {
namespace {

using Names = std::vector<std::string>;

/// The value of a cookie in one line; nullopt: it is not among its pairs.
std::optional<std::string_view> cookie_value(std::string_view line, std::string_view name) {
  while (!line.empty()) {
    const size_t end = std::min(line.find(';'), line.size());
    const std::string_view pair = trim_ows(line.substr(0, end));
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      return pair.substr(equals + 1);
    }
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return std::nullopt;
}

/// q=0: the client does not want it (RFC 9110 §12.4.2).
bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    const size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trim_ows(parameters.substr(0, end));
    if (iequals(parameter.substr(0, 2), "q=")) {
      return parameter.find_first_of("123456789") == std::string_view::npos;
    }
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return false;
}

/// An Accept line names exactly this type; ranges such as */* say nothing about it.
bool names_type(std::string_view line, std::string_view type) {
  ListCursor cursor(line);
  while (const auto member = cursor.next()) {
    const size_t end = std::min(member->find(';'), member->size());
    if (!iequals(trim_ows(member->substr(0, end)), type)) continue;
    if (!is_refused(member->substr(end))) return true;
  }
  return false;
}

/// The named cookies that are there, in the order of `names`.
void append_cookies(const HeaderList& request, const Names& names, std::string& out) {
  for (const std::string& name : names) {
    for (const Field& field : request) {
      if (field.token != FieldName::kCookie) continue;
      const std::optional<std::string_view> value = cookie_value(field.value, name);
      if (!value) continue;
      out.append(name).append("=").append(*value).append(";");
      break;
    }
  }
}

/// The listed types that the client names, in the order of `types`.
void append_types(const HeaderList& request, const Names& types, std::string& out) {
  for (const std::string& type : types) {
    const bool named = std::any_of(request.begin(), request.end(), [&](const Field& field) {
      return field.token == FieldName::kAccept && names_type(field.value, type);
    });
    if (named) out.append(type).append(",");
  }
}

}  // namespace

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
  append_cookies(seen, policy.vary_cookies, text_);
  const size_t cookies_bytes = text_.size();
  append_types(seen, policy.vary_accept, text_);
  for (const Field& field : seen) {
    const bool reduced = (field.token == FieldName::kCookie && !policy.vary_cookies.empty()) ||
                         (field.token == FieldName::kAccept && !policy.vary_accept.empty());
    const bool ignored =
        std::any_of(policy.vary_ignore.begin(), policy.vary_ignore.end(),
                    [&](const std::string& name) { return iequals(name, field.name); });
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
