#include "tests/sim/ledger.h"

#include <algorithm>

namespace perigee::sim {

Stamp OriginExchange::completed() const {
  if (!sound || head_end == 0) return {};
  if (until_close) return link->reset ? Stamp{} : link->pipes[kToNode].fin_taken;
  return link->pipes[kToNode].taken_at(end - 1);
}

Stamp OriginExchange::over() const {
  Stamp first = completed();
  for (const Stamp& ended : {link->pipes[kToNode].fin_taken, link->reset_taken, link->node_left}) {
    if (ended && (!first || ended.seq < first.seq)) first = ended;
  }
  return first;
}

bool Ledger::is_unusual(const ClientExchange& exchange, bool trusted) {
  // Everyday words of this hop; of proxies, where one is believed, in any spelling.
  static const std::vector<std::string> kOfThisHop = {"proxy-connection", "proxy-authorization"};
  static const std::vector<std::string> kOfProxies = {
      "forwarded",          "front-end-https",  "proxy",
      "x-forwarded",        "x-forwarded-for",  "x-forwarded-host",
      "x-forwarded-port",   "x-forwarded-ssl",  "x-forwarded-prefix",
      "x-forwarded-scheme", "x-real-ip",        "x-forwarded-server",
      "x-url-scheme",       "x-forwarded-proto"};
  static const std::vector<std::string> kFraming = {"content-length", "transfer-encoding",
                                                    "if-none-match", "accept-encoding"};
  size_t bytes = exchange.target.size();
  for (const auto& [name, value] : exchange.fields) {
    bytes += name.size() + value.size() + 4;
    const bool odd = std::any_of(value.begin(), value.end(), [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return byte > 0x7e || (byte < 0x20 && byte != '\t');
    });
    const std::string key = folded(name);
    const auto is_in = [](const auto& names, const std::string& own) {
      return std::find(names.begin(), names.end(), own) != names.end();
    };
    const bool everyday = is_in(kOfThisHop, lower(name)) || (trusted && is_in(kOfProxies, key));
    const bool respelled =
        lower(name) != key && std::find(kFraming.begin(), kFraming.end(), key) != kFraming.end();
    // What is framed by a respelled field reaches no origin either.
    const bool framing = key == "content-length" || key == "transfer-encoding";
    if (odd || (respelled && !(trusted && framing)) || (is_poison(key) && !everyday)) return true;
  }
  return bytes > 2'048;
}

int Ledger::resource_id(const Resource& resource) {
  const auto [it, fresh] = resource_ids_.emplace(resource, static_cast<int>(resources.size()));
  if (fresh) resources.push_back(resource);
  return it->second;
}

bool Ledger::neighbours(int one, int other) const {
  const Resource& a = resource(one);
  const Resource& b = resource(other);
  return a.site == b.site && a.scheme == b.scheme && a.name == b.name;
}

}  // namespace perigee::sim
