#include "http/vary.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"

namespace perigee::http {
namespace {

constexpr uint32_t kAbsent = UINT32_MAX;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

template <typename Integer>
void append_integer(std::string& out, Integer value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

template <typename Integer>
bool take_integer(std::string_view& bytes, Integer& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return true;
}

/// Fields whose members may stand in any order when their weights are equal (http-rules 2.7).
bool is_negotiated(FieldName token) {
  return token == FieldName::kAccept || token == FieldName::kAcceptLanguage ||
         token == FieldName::kAcceptCharset || token == FieldName::kAcceptEncoding;
}

bool compares_bytes(FieldName token) {
  return token == FieldName::kCookie || token == FieldName::kAuthorization ||
         token == FieldName::kUserAgent;
}

/// Thousandths; 1000 when there is no weight, or none that parses.
int weight_of(std::string_view member) {
  size_t at = member.find(';');
  while (at != std::string_view::npos) {
    const std::string_view parameter = trim_ows(member.substr(at + 1));
    if (parameter.size() >= 3 && lower(parameter[0]) == 'q' && parameter[1] == '=') {
      int weight = 0;
      int scale = 1000;
      for (const char c : parameter.substr(2)) {
        if (c == '.') continue;
        if (c < '0' || c > '9') break;
        weight += (c - '0') * scale;
        scale /= 10;
      }
      return weight;
    }
    at = member.find(';', at + 1);
  }
  return 1000;
}

void append_members(const HeaderList& fields, std::string_view name, FieldName token,
                    std::string& out) {
  std::vector<std::string_view> members;
  for (const Field& field : fields) {
    if (!iequals(field.name, name)) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) members.push_back(*member);
  }
  const bool negotiated = is_negotiated(token);
  if (negotiated) {
    std::stable_sort(members.begin(), members.end(), [](std::string_view a, std::string_view b) {
      const int weight_a = weight_of(a);
      const int weight_b = weight_of(b);
      if (weight_a != weight_b) return weight_a > weight_b;
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                          [](char x, char y) { return lower(x) < lower(y); });
    });
  }
  const bool fold = negotiated && token != FieldName::kAccept;
  for (size_t i = 0; i < members.size(); ++i) {
    if (i > 0) out += ',';
    for (const char c : members[i]) {
      if (negotiated && (c == ' ' || c == '\t')) continue;
      out += fold ? lower(c) : c;
    }
  }
}

void append_bytes(const HeaderList& fields, std::string_view name, std::string& out) {
  bool first = true;
  for (const Field& field : fields) {
    if (!iequals(field.name, name)) continue;
    if (!first) out += ", ";
    first = false;
    out.append(field.value);
  }
}

}  // namespace

std::optional<std::vector<std::string>> vary_names(const HeaderList& fields,
                                                   bool accept_encoding_constant) {
  std::vector<std::string> names;
  for (const Field& field : fields) {
    if (field.token != FieldName::kVary) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (*member == "*") return std::nullopt;
      if (accept_encoding_constant && iequals(*member, "Accept-Encoding")) continue;
      std::string name(*member);
      std::transform(name.begin(), name.end(), name.begin(), lower);
      names.push_back(std::move(name));
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.size() > base::limits::kVaryNames) return std::nullopt;
  return names;
}

std::string encode_vary_spec(uint64_t id, const std::vector<std::string>& names) {
  std::string out;
  append_integer(out, id);
  append_integer(out, static_cast<uint32_t>(names.size()));
  for (const std::string& name : names) {
    append_integer(out, static_cast<uint32_t>(name.size()));
    out.append(name);
  }
  return out;
}

bool decode_vary_spec(std::string_view bytes, VarySpec& out) {
  out.names.clear();
  uint32_t count = 0;
  if (!take_integer(bytes, out.id) || !take_integer(bytes, count)) return false;
  if (count > base::limits::kVaryNames) return false;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t size = 0;
    if (!take_integer(bytes, size) || size > bytes.size()) return false;
    out.names.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return bytes.empty();
}

void append_selected(const VarySpec& spec, const HeaderList& request_fields, std::string& out) {
  for (const std::string_view name : spec.names) {
    if (request_fields.find(name) == nullptr) {
      append_integer(out, kAbsent);
      continue;
    }
    const size_t at = out.size();
    append_integer(out, uint32_t{0});
    const FieldName token = field_name(name);
    if (compares_bytes(token)) {
      append_bytes(request_fields, name, out);
    } else {
      append_members(request_fields, name, token, out);
    }
    const auto size = static_cast<uint32_t>(out.size() - at - sizeof(uint32_t));
    std::memcpy(out.data() + at, &size, sizeof size);
  }
}

}  // namespace perigee::http
