#include "http/cache_key.h"

#include <algorithm>
#include <cstring>

#include "base/address.h"

namespace perigee::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// reg-name bytes (RFC 3986 §3.2.2) that hosts are made of; percent-encoding is refused.
bool is_host_byte(char c) {
  const char l = lower(c);
  return (l >= 'a' && l <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
         c == '!' || c == '$' || c == '&' || c == '\'' || c == '(' || c == ')' || c == '*' ||
         c == '+' || c == ';' || c == '=';
}

bool valid_port(std::string_view port) {
  if (port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit)) return false;
  int value = 0;
  for (const char c : port) value = value * 10 + (c - '0');
  return value <= 65535;
}

void append_length_prefixed(std::string& out, std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  char bytes[sizeof size];
  std::memcpy(bytes, &size, sizeof size);
  out.append(bytes, sizeof bytes).append(text);
}

/// The byte that "%xx" at `at` stands for, when it is a dot, a slash, a backslash or NUL; else nothing.
int decoded_delimiter(std::string_view path, size_t at) {
  if (at + 2 >= path.size() || path[at] != '%') return -1;
  const char high = lower(path[at + 1]);
  const char low = lower(path[at + 2]);
  if (high == '2' && low == 'e') return '.';
  if (high == '2' && low == 'f') return '/';
  if (high == '5' && low == 'c') return '\\';
  if (high == '0' && low == '0') return 0;
  return -1;
}

/// No segment is `.` or `..` once dots and slashes are decoded for the test; no backslash, no %00.
bool valid_path(std::string_view path) {
  size_t dots = 0;
  size_t others = 0;
  const auto segment_is_dots = [&] { return others == 0 && (dots == 1 || dots == 2); };
  for (size_t i = 0; i < path.size(); ++i) {
    int c = static_cast<unsigned char>(path[i]);
    if (c == '\\') return false;
    if (c == '%') {
      const int decoded = decoded_delimiter(path, i);
      if (decoded == 0) return false;
      if (decoded > 0) {
        c = decoded;
        i += 2;
      }
    }
    if (c == '/' || c == '\\') {
      if (segment_is_dots()) return false;
      dots = others = 0;
    } else if (c == '.') {
      ++dots;
    } else {
      ++others;
    }
  }
  return !segment_is_dots();
}

bool stripped(std::string_view parameter, const std::vector<std::string>& names) {
  const std::string_view name = parameter.substr(0, parameter.find('='));
  return std::any_of(names.begin(), names.end(), [&](std::string_view wanted) {
    if (wanted.ends_with('*')) return name.starts_with(wanted.substr(0, wanted.size() - 1));
    return name == wanted;
  });
}

}  // namespace

bool canonical_authority(std::string_view authority, std::string_view scheme, std::string& out) {
  out.clear();
  std::string_view host = authority;
  std::string_view port;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return false;
    host = authority.substr(0, end + 1);
    const std::string_view rest = authority.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return false;
    port = rest.empty() ? rest : rest.substr(1);
    const auto address = base::Address::parse_host(host.substr(1, host.size() - 2), 0);
    if (!address || address->family != base::Address::Family::kV6) return false;
  } else {
    const size_t colon = authority.find(':');
    if (colon != std::string_view::npos) {
      host = authority.substr(0, colon);
      port = authority.substr(colon + 1);
    }
    if (!std::all_of(host.begin(), host.end(), is_host_byte)) return false;
    if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  }
  if (host.empty() || host.size() > 253 || !valid_port(port)) return false;
  for (const char c : host) out += lower(c);
  const std::string_view default_port = scheme == "https" ? "443" : "80";
  if (!port.empty() && port != default_port) out.append(":").append(port);
  return true;
}

std::string_view host_of(std::string_view canonical) {
  if (canonical.starts_with('[')) return canonical.substr(0, canonical.find(']') + 1);
  return canonical.substr(0, canonical.find(':'));
}

bool valid_target(std::string_view target) {
  if (target.empty() || target.front() != '/') return false;
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x21 || byte > 0x7e || c == '#') return false;
  }
  return valid_path(target.substr(0, target.find('?')));
}

std::string_view make_cache_key(std::string_view scheme, std::string_view site,
                                std::string_view target, std::string& out) {
  out.clear();
  append_length_prefixed(out, scheme);
  append_length_prefixed(out, site);
  append_length_prefixed(out, target);
  return out;
}

std::string_view make_variant_key(std::string_view url_key, uint64_t spec_id,
                                  std::string_view selected, std::string& out) {
  out.clear();
  append_length_prefixed(out, url_key);
  char id[sizeof spec_id];
  std::memcpy(id, &spec_id, sizeof spec_id);
  append_length_prefixed(out, {id, sizeof id});
  append_length_prefixed(out, selected);
  return out;
}

std::string_view normalize_query(std::string_view target, const QueryOptions& options,
                                 std::string& out) {
  const size_t question = target.find('?');
  if (question == std::string_view::npos) return target;
  if (options.ignore) return target.substr(0, question);
  if (!options.sort && options.strip.empty()) return target;
  std::vector<std::string_view> parameters;
  std::string_view rest = target.substr(question + 1);
  while (true) {
    const size_t ampersand = rest.find('&');
    const std::string_view parameter = rest.substr(0, ampersand);
    if (!stripped(parameter, options.strip)) parameters.push_back(parameter);
    if (ampersand == std::string_view::npos) break;
    rest.remove_prefix(ampersand + 1);
  }
  if (options.sort) {
    std::stable_sort(parameters.begin(), parameters.end(),
                     [](std::string_view a, std::string_view b) {
                       return a.substr(0, a.find('=')) < b.substr(0, b.find('='));
                     });
  }
  out.assign(target.substr(0, question));
  for (size_t i = 0; i < parameters.size(); ++i) {
    out.append(i == 0 ? "?" : "&").append(parameters[i]);
  }
  return out;
}

}  // namespace perigee::http
