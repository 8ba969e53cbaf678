#include "tests/sim/judge.h"

#include <algorithm>
#include <cstdio>

#include "tests/sim/coding_model.h"
#include "tests/sim/content.h"

namespace perigee::sim {

void Judge::fail(const ClientExchange& exchange, const std::string& why) {
  violations_->push_back("@" + std::to_string(exchange.id) + " " + exchange.method + " " +
                         ledger_.resource(exchange.resource).text() + ": " + why);
}

Told read_cache_status(const Fields& response) {
  Told told;
  for (const std::string& member : members(joined(response, "Cache-Status").value_or(""))) {
    if (!member.starts_with("perigee")) continue;
    if (told.present) told.error = "two members of ours";
    told.present = true;
    for (size_t at = member.find(';'); at != std::string::npos;) {
      const size_t next = member.find(';', at + 1);
      const std::string text = trim(member.substr(at + 1, next - at - 1));
      at = next;
      const size_t equals = text.find('=');
      const std::string key = text.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
      if (key == "hit")
        told.hit = true;
      else if (key == "fwd")
        told.forward = value;
      else if (key == "fwd-status")
        told.forward_status = std::stoi(value);
      else if (key == "stored")
        told.stored = true;
      else if (key == "collapsed")
        told.collapsed = true;
      else if (key == "detail")
        told.detail = value;
      else if (key != "ttl")
        told.error = "unknown parameter " + key;
    }
    if (told.hit == !told.forward.empty()) told.error = "neither or both of hit and fwd";
    if (told.hit && (told.stored || told.collapsed))
      told.error = "a hit that is stored or collapsed";
  }
  return told;
}

void Judge::run(std::vector<std::string>& violations) {
  violations_ = &violations;
  learn_chains();
  for (const ClientExchange& exchange : ledger_.clients) {
    if (!exchange.protocol_error.empty()) fail(exchange, exchange.protocol_error);
    if (exchange.starved) fail(exchange, "was never answered, though nothing was wrong");
    for (const int interim : exchange.interim) {
      const bool asked = has(exchange.fields, "Expect");
      if (exchange.version == "HTTP/1.0" || (interim == 100 && !asked)) {
        fail(exchange, "an interim response that it cannot want");
      }
    }
    if (exchange.status == 0) continue;
    judge_body(exchange);
    judge_answer(exchange);
    judge_refresh(exchange);
  }
  judge_relays(violations);
  // Lanes without room drop records, and nobody tells.
  if (options_.full_lanes != 0) return;
  std::set<int> asked_for;
  for (const ClientExchange& exchange : ledger_.clients) asked_for.insert(exchange.resource);
  for (const int resource : asked_for) {
    if (ledger_.resource(resource).site >= 0) judge_needs(resource);
  }
}

const SiteOptions& Judge::site_of(int resource) const {
  return options_.sites[static_cast<size_t>(ledger_.resource(resource).site)];
}

const SitePolicy& Judge::policy_of(int resource) const {
  return site_of(resource).policy_of(ledger_.resource(resource).target);
}

/// The response of the origin that an answer is made of; -1: none, it is the node's own.
int Judge::base_of(const Fields& response) const {
  if (const auto id = first_of(response, "X-Sim")) return std::stoi(*id);
  // The heads of 304 and 416 are reduced.
  const std::string status = joined(response, "Cache-Status").value_or("");
  const size_t key = status.find("sim; key=\"");
  return key == std::string::npos ? -1 : std::stoi(status.substr(key + 10));
}

Judge::Chain Judge::chain_of(const Fields& response) {
  Chain chain;
  for (const auto& [name, value] : response) {
    if (lower(name).starts_with("x-sim-304-")) chain.push_back(std::stoi(name.substr(10)));
  }
  return chain;
}

StoredModel Judge::state_of(int base, const Chain& chain) const {
  std::vector<const OriginExchange*> freshened;
  for (const int id : chain) freshened.push_back(&ledger_.origin[static_cast<size_t>(id)]);
  return {ledger_.origin[static_cast<size_t>(base)], freshened};
}

void Judge::learn_chains() {
  for (const ClientExchange& exchange : ledger_.clients) {
    if (!has(exchange.response, "X-Sim")) continue;
    Chain chain = chain_of(exchange.response);
    std::set<Chain>& known = chains_[base_of(exchange.response)];
    for (; !chain.empty(); chain.pop_back()) known.insert(chain);
  }
}

void Judge::judge_answer(const ClientExchange& exchange) {
  Case asked{exchange, read_cache_status(exchange.response), {}, false};
  const Stamp taken = exchange.taken();
  const Stamp answered = exchange.answered();
  asked.wall = {std::min(taken.wall_ms, answered.wall_ms),
                std::max(taken.wall_ms, answered.wall_ms)};
  asked.clock_stepped = between(ledger_.wall_steps, taken.seq, answered.seq);
  if (!asked.told.error.empty()) return fail(exchange, "Cache-Status: " + asked.told.error);
  const int base = base_of(exchange.response);
  if (base < 0) return judge_own_answer(asked);
  if (!asked.told.present) return fail(exchange, "no Cache-Status of ours");
  if (is_loop(exchange)) return fail(exchange, "a loop that is not seen");
  if (exchange.own_options) return fail(exchange, "not answered by the node itself");
  if (has(exchange.response, "X-Sim")) {
    const std::string why = why_not(asked, state_of(base, chain_of(exchange.response)), true);
    if (!why.empty()) fail(exchange, why + " (of #" + std::to_string(base) + ")");
    return;
  }
  // Of a reduced head only the base and the last 304 are seen; any history that was seen elsewhere
  // will do.
  std::set<Chain> chains = chains_[base];
  chains.insert(Chain{});
  const std::string last = first_of(exchange.response, "Content-Location").value_or("");
  std::string why;
  for (const Chain& chain : chains) {
    const std::string chain_end = chain.empty() ? "" : "/freshened/" + std::to_string(chain.back());
    if (exchange.status == 304 && chain_end != last) continue;
    why = why_not(asked, state_of(base, chain), false);
    if (why.empty()) return;
  }
  if (!may_be_unseen(exchange, base, last)) {
    fail(exchange, why + " (of #" + std::to_string(base) + ")");
  }
}

/// Something freshened the base, and no answer shows it.
bool Judge::may_be_unseen(const ClientExchange& exchange, int base, const std::string& last) const {
  const auto known = chains_.find(base);
  const auto is_seen = [&](int id) {
    return known != chains_.end() &&
           std::any_of(known->second.begin(), known->second.end(), [&](const Chain& chain) {
             return std::find(chain.begin(), chain.end(), id) != chain.end();
           });
  };
  if (exchange.status == 304 && last.empty()) return false;
  const int resource = ledger_.origin[static_cast<size_t>(base)].resource;
  return std::any_of(ledger_.origin.begin(), ledger_.origin.end(), [&](const auto& other) {
    const bool freshens = other.status == 304 || other.method == "HEAD";
    return freshens && other.resource == resource && other.head_taken() && !is_seen(other.id);
  });
}

/// One part of a version's content, as its Content-Range says. Empty: it is right.
std::string Judge::wrong_part(const OriginExchange& version, const std::string& range,
                              std::string_view bytes, bool whole) {
  unsigned long long first = 0;
  unsigned long long last = 0;
  unsigned long long size = 0;
  if (std::sscanf(range.c_str(), "bytes %llu-%llu/%llu", &first, &last, &size) != 3 ||
      size != version.size || last < first || last >= size) {
    return "wrong Content-Range: " + range;
  }
  if (!is_content(version.content, first, bytes)) return "wrong bytes for " + range;
  return whole && bytes.size() != last + 1 - first ? "wrong length for " + range : "";
}

/// RFC 9110 §14.6. Empty: it is right.
std::string Judge::wrong_multipart(const OriginExchange& version, const std::string& type,
                                   std::string_view body) {
  const size_t equals = type.find("boundary=");
  if (equals == std::string::npos) return "no boundary in " + type;
  std::string boundary = type.substr(equals + 9);
  std::erase(boundary, '"');
  const std::string line = "--" + boundary;
  size_t at = body.find(line);
  while (at != std::string_view::npos) {
    at += line.size();
    if (body.substr(at, 2) == "--") return "";
    const size_t head_end = body.find("\r\n\r\n", at);
    const size_t next = body.find("\r\n" + line, at);
    if (head_end == std::string_view::npos || next == std::string_view::npos) break;
    const std::string head = lower(body.substr(at, head_end - at));
    const size_t range = head.find("content-range: ");
    if (range == std::string::npos) return "a part without Content-Range";
    const std::string value = head.substr(range + 15, head.find("\r\n", range) - range - 15);
    const std::string_view part = body.substr(head_end + 4, next - head_end - 4);
    if (std::string why = wrong_part(version, value, part, true); !why.empty()) return why;
    at = next + 2;
  }
  return "a multipart body without its end";
}

/// Every byte is of the one content that the head names, and whole is whole.
void Judge::judge_body(const ClientExchange& exchange) {
  const auto id = first_of(exchange.response, "X-Sim");
  if (!id || exchange.body.empty()) return;
  const OriginExchange& version = ledger_.origin[std::stoul(*id)];
  if (exchange.status == 206 && (version.status != 206 || version.part)) {
    const auto range = first_of(exchange.response, "Content-Range");
    const std::string type = first_of(exchange.response, "Content-Type").value_or("");
    std::string why;
    if (range) {
      why = wrong_part(version, *range, exchange.body, exchange.whole);
    } else if (exchange.whole) {
      why = wrong_multipart(version, type, exchange.body);
    }
    if (!why.empty()) fail(exchange, why);
    return;
  }
  std::string bytes = exchange.body;
  if (const auto coding = first_of(exchange.response, "Content-Encoding")) {
    const std::optional<DecodedBody> decoded = decode_body(*coding, bytes);
    if (!decoded) return fail(exchange, "a body that is not in " + *coding);
    if (exchange.whole && !exchange.ended_by_close && !decoded->ended) {
      return fail(exchange, "a coded body that looks whole, and is not");
    }
    bytes = decoded->text;
  }
  if (!is_content(version.content, 0, bytes)) {
    return fail(exchange, "bytes that are not of its version #" + *id);
  }
  // A process that is killed has its connections ended in order by the kernel.
  const bool kernel_ended = exchange.ended_by_close && exchange.link->killed;
  if (exchange.whole && !kernel_ended && bytes.size() != version.size) {
    fail(exchange, "looks whole with " + std::to_string(bytes.size()) + " of " +
                       std::to_string(version.size) + " bytes");
  }
}

}  // namespace perigee::sim
