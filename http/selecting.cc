#include "http/selecting.h"

#include <algorithm>

#include "base/limits.h"
#include "http/forward.h"

namespace perigee::http {
namespace {

using Names = std::vector<std::string>;

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

/// What was found of the wanted names, in their order; null: not there.
using Values = std::vector<std::string_view>;

/// The first value of each cookie in `names`, in one pass over all pairs. False: there are more
/// pairs than kCookiePairs.
bool find_cookies(const HeaderList& request, const Names& names, Values& values) {
  size_t pairs = 0;
  for (const Field& field : request) {
    if (field.token != FieldName::kCookie) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      if (++pairs > base::limits::kCookiePairs) return false;
      const size_t end = std::min(rest.find(';'), rest.size());
      const std::string_view pair = trim_ows(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      for (size_t i = 0; i < names.size(); ++i) {
        if (values[i].data() == nullptr && pair.substr(0, equals) == names[i]) {
          values[i] = pair.substr(equals + 1);
        }
      }
    }
  }
  return true;
}

/// Which of `types` the client names exactly, in one pass; ranges such as */* say nothing about
/// them. False: there are more members than kAcceptMembers.
bool find_types(const HeaderList& request, const Names& types, Values& values) {
  size_t members = 0;
  for (const Field& field : request) {
    if (field.token != FieldName::kAccept) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (++members > base::limits::kAcceptMembers) return false;
      const size_t end = std::min(member->find(';'), member->size());
      const std::string_view named = trim_ows(member->substr(0, end));
      for (size_t i = 0; i < types.size(); ++i) {
        if (values[i].data() != nullptr || !iequals(named, types[i])) continue;
        if (!is_refused(member->substr(end))) values[i] = types[i];
      }
    }
  }
  return true;
}

}  // namespace

HeaderList SelectingFields::of(const HeaderList& request, const PolicyOptions& policy) {
  // Room for the two reduced fields.
  storage_.resize(request.size() + 2);
  text_.clear();
  HeaderList out(storage_);
  const HeaderList seen = shared_fields(request, policy, storage_);
  if (policy.vary_ignore.empty() && policy.vary_cookies.empty() && policy.vary_accept.empty()) {
    return seen;
  }
  // What is not looked at to its end counts as it came.
  values_.assign(policy.vary_cookies.size(), {});
  const bool cookies =
      !policy.vary_cookies.empty() && find_cookies(seen, policy.vary_cookies, values_);
  for (size_t i = 0; cookies && i < values_.size(); ++i) {
    if (values_[i].data() == nullptr) continue;
    text_.append(policy.vary_cookies[i]).append("=").append(values_[i]).append(";");
  }
  const size_t cookies_bytes = text_.size();
  values_.assign(policy.vary_accept.size(), {});
  const bool types = !policy.vary_accept.empty() && find_types(seen, policy.vary_accept, values_);
  for (size_t i = 0; types && i < values_.size(); ++i) {
    if (values_[i].data() != nullptr) text_.append(policy.vary_accept[i]).append(",");
  }
  for (const Field& field : seen) {
    const bool reduced = (field.token == FieldName::kCookie && cookies) ||
                         (field.token == FieldName::kAccept && types);
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
