#include "http/cache_key.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "base/address.h"
#include "base/limits.h"
#include "base/text.h"

namespace perigee::http {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// reg-name bytes (RFC 3986 §3.2.2) that hosts are made of; percent-encoding is refused.
constexpr std::array<bool, 256> make_host_bytes() {
  std::array<bool, 256> table{};
  for (size_t c = 0; c < 128; ++c) {
    const auto letter = static_cast<char>(c);
    table[c] = is_digit(letter) || (base::to_lower(letter) >= 'a' && base::to_lower(letter) <= 'z');
  }
  for (const char c : std::string_view("-._~!$&'()*+;="))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kHostBytes = make_host_bytes();

/// The port's number without leading zeros; empty when it is the default one or not there. nullopt:
/// no port.
std::optional<std::string_view> significant_port(std::string_view port, std::string_view scheme) {
  if (port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit)) return std::nullopt;
  unsigned number = 0;
  for (const char c : port) number = number * 10 + static_cast<unsigned>(c - '0');
  if (number > 65535 || (number == 0 && !port.empty())) return std::nullopt;
  const unsigned default_port = scheme == "https" ? 443 : 80;
  if (port.empty() || number == default_port) return std::string_view();
  return port.substr(port.find_first_not_of('0'));
}

/// The three parts of a key, each with its length before it and nothing behind the last.
std::optional<std::array<std::string_view, 3>> parts_of(std::string_view key) {
  std::array<std::string_view, 3> parts;
  for (std::string_view& part : parts) {
    uint32_t size = 0;
    if (key.size() < sizeof size) return std::nullopt;
    std::memcpy(&size, key.data(), sizeof size);
    key.remove_prefix(sizeof size);
    if (key.size() < size) return std::nullopt;
    part = key.substr(0, size);
    key.remove_prefix(size);
  }
  return key.empty() ? std::optional(parts) : std::nullopt;
}

void append_length_prefixed(std::string& out, std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  char bytes[sizeof size];
  std::memcpy(bytes, &size, sizeof size);
  out.append(bytes, sizeof bytes).append(text);
}

std::string_view name_of(std::string_view parameter) {
  return parameter.substr(0, parameter.find('='));
}

bool stripped(std::string_view parameter, const std::vector<std::string>& names) {
  const std::string_view name = name_of(parameter);
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
    for (const char c : host) {
      if (!kHostBytes[static_cast<unsigned char>(c)]) return false;
    }
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.ends_with('.')) return false;
  }
  const std::optional<std::string_view> listed = significant_port(port, scheme);
  if (host.empty() || host.size() > 253 || !listed) return false;
  out.assign(host);
  std::transform(out.begin(), out.end(), out.begin(), base::to_lower);
  if (!listed->empty()) out.append(":").append(*listed);
  return true;
}

std::string_view host_of(std::string_view canonical) {
  if (canonical.starts_with('[')) return canonical.substr(0, canonical.find(']') + 1);
  return canonical.substr(0, canonical.find(':'));
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

std::optional<KeyText> read_key(std::string_view key) {
  const auto parts = parts_of(key);
  if (!parts) return std::nullopt;
  const auto& [first, second, third] = *parts;
  // A scheme has no key's parts: its first bytes would be a length.
  const auto url = parts_of(first);
  if (!url) return KeyText{std::string(first).append("://").append(second).append(third), ""};
  return KeyText{std::string((*url)[0]).append("://").append((*url)[1]).append((*url)[2]),
                 std::string(third)};
}

std::string_view normalize_query(std::string_view target, const QueryOptions& options,
                                 QueryScratch& scratch) {
  const size_t question = target.find('?');
  if (question == std::string_view::npos) return target;
  if (options.ignore) return target.substr(0, question);
  if (!options.sort && options.strip.empty()) return target;
  std::vector<std::string_view>& parameters = scratch.parameters;
  parameters.clear();
  std::string_view rest = target.substr(question + 1);
  for (size_t count = 1;; ++count) {
    if (count > base::limits::kQueryParameters) return target;
    const size_t ampersand = rest.find('&');
    const std::string_view parameter = rest.substr(0, ampersand);
    if (!stripped(parameter, options.strip)) parameters.push_back(parameter);
    if (ampersand == std::string_view::npos) break;
    rest.remove_prefix(ampersand + 1);
  }
  if (options.sort) {
    // Those of one name keep their order: they lie in it in memory.
    std::sort(parameters.begin(), parameters.end(), [](std::string_view a, std::string_view b) {
      return std::pair(name_of(a), a.data()) < std::pair(name_of(b), b.data());
    });
  }
  scratch.text.assign(target.substr(0, question));
  for (size_t i = 0; i < parameters.size(); ++i) {
    scratch.text.append(i == 0 ? "?" : "&").append(parameters[i]);
  }
  return scratch.text;
}

}  // namespace perigee::http
