#include "edge/client_address.h"

#include <cstring>

#include "base/limits.h"
#include "base/text.h"

namespace perigee::edge {
namespace {

using base::Address;
using http::FieldName;

/// A member of X-Forwarded-For: an address, in brackets or with a port too, as proxies write it.
std::optional<Address> parse_member(std::string_view member) {
  if (const std::optional<Address> plain = Address::parse_host(member, 0)) return plain;
  if (member.starts_with('[') && member.ends_with(']')) {
    return Address::parse_host(member.substr(1, member.size() - 2), 0);
  }
  // The parser takes ":80" for every address.
  return member.starts_with(':') ? std::nullopt : Address::parse(member);
}

/// The last member of a list that holds neither quotes nor comments, which is cut off.
std::string_view take_last(std::string_view& list) {
  const size_t comma = list.rfind(',');
  const bool found = comma != std::string_view::npos;
  const std::string_view member = http::trim_ows(found ? list.substr(comma + 1) : list);
  list = found ? list.substr(0, comma) : std::string_view();
  return member;
}

}  // namespace

std::string_view forwarded_scheme(const http::RequestHead& request) {
  const http::Field* field = request.fields.find(FieldName::kXForwardedProto);
  if (field == nullptr || request.fields.count(FieldName::kXForwardedProto) != 1) return {};
  for (const std::string_view scheme : {"http", "https"}) {
    if (base::iequals(field->value, scheme)) return scheme;
  }
  return {};
}

Address client_address(const http::RequestHead& request, const Address& peer,
                       const std::vector<base::Network>& trusted_proxies) {
  if (!contains(trusted_proxies, peer)) return peer;
  Address client = peer;
  const http::HeaderList& fields = request.fields;
  size_t hops = 0;
  for (size_t i = fields.size(); i > 0; --i) {
    if (fields[i - 1].token != FieldName::kXForwardedFor) continue;
    for (std::string_view list = fields[i - 1].value; !list.empty();) {
      const std::string_view member = take_last(list);
      if (member.empty()) continue;
      if (++hops > base::limits::kForwardedHops) return {};
      const std::optional<Address> address = parse_member(member);
      if (!address) return {};
      client = *address;
      if (!contains(trusted_proxies, client)) return client;
    }
  }
  return client;
}

base::Holder client_network(const Address& client) {
  const Address address = client.unmapped();
  uint64_t prefix = 0;
  std::memcpy(&prefix, address.bytes.data(), sizeof prefix);
  // An IPv4 address leaves the upper bytes free to tell the families apart.
  return address.family == Address::Family::kV6 ? prefix | 1 : prefix << 1 | uint64_t{1} << 63;
}

}  // namespace perigee::edge
