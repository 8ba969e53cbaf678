#include "http/accept_types.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"

namespace perigee::http {
namespace {

enum class Wish : uint8_t { kNotNamed, kWanted, kRefused };

/// q=0: the client does not want it (RFC 9110 §12.4.2).
bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    const size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trim_ows(parameters.substr(0, end));
    if (base::iequals(parameter.substr(0, 2), "q=")) {
      return parameter.find_first_of("123456789") == std::string_view::npos;
    }
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return false;
}

/// What a client says of exactly this type; ranges such as */* say nothing about it.
Wish wish_of(const HeaderList& fields, std::string_view type) {
  Wish wish = Wish::kNotNamed;
  for (const Field& field : fields) {
    if (field.token != FieldName::kAccept) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      const size_t end = std::min(member->find(';'), member->size());
      if (!base::iequals(trim_ows(member->substr(0, end)), type)) continue;
      if (is_refused(member->substr(end))) return Wish::kRefused;
      wish = Wish::kWanted;
    }
  }
  return wish;
}

/// More members than are looked at one by one.
bool has_many_members(const HeaderList& fields) {
  size_t members = 0;
  for (const Field& field : fields) {
    if (field.token != FieldName::kAccept) continue;
    members += 1 + static_cast<size_t>(std::count(field.value.begin(), field.value.end(), ','));
  }
  return members > base::limits::kAcceptMembers;
}

}  // namespace

bool reduces_accept(const PolicyOptions& policy) {
  const auto& listed = policy.forward_headers;
  return !policy.vary_accept.empty() &&
         (listed.empty() || std::any_of(listed.begin(), listed.end(), [](const std::string& name) {
            return base::iequals(name, "accept");
          }));
}

void append_accept_types(const HeaderList& fields, const std::vector<std::string>& types,
                         std::string& out) {
  bool any = false;
  const bool many = has_many_members(fields);
  for (const std::string& type : types) {
    const Wish wish = many ? Wish::kNotNamed : wish_of(fields, type);
    if (wish == Wish::kNotNamed) continue;
    out.append(type).append(wish == Wish::kRefused ? ";q=0, " : ", ");
    any = true;
  }
  // What stands beside the named types is wanted less, as browsers say.
  out.append(any ? "*/*;q=0.8" : "*/*");
}

}  // namespace perigee::http
