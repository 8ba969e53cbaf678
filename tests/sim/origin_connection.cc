#include "tests/sim/origin_connection.h"

#include <algorithm>
#include <utility>

#include "tests/sim/content.h"

namespace perigee::sim {

namespace {

/// What an origin with many names takes a request for. What names nothing is a resource too.
Resource resource_of(int site, const std::string& target, const Fields& fields) {
  const auto name = first_of(fields, "X-Forwarded-Host");
  return {site, first_of(fields, "X-Forwarded-Proto").value_or(""),
          name ? *name : first_of(fields, "Host").value_or(""), target};
}

}  // namespace

OriginConnection::OriginConnection(World& world, Catalogue& catalogue, int site, LinkPtr link)
    : world_(world), catalogue_(catalogue), site_(site), link_(std::move(link)) {
  slow_ = world_.fault(world_.options.slow);
  world_.scheduler.add(*this);
}

OriginConnection::~OriginConnection() { world_.scheduler.remove(*this); }

int64_t OriginConnection::due() const {
  if (over_) return kNever;
  const bool ended = link_->peer_sees_end();
  const bool can_read = link_->pipes[kFromNode].waiting() > 0 && !answering_;
  const bool can_write = !out_.empty() && link_->pipes[kToNode].room() > 0;
  const bool ending = answering_ && out_.empty();
  if (hung_) return ended ? next_ms_ : kNever;
  if (ended || can_read || can_write || ending) return next_ms_;
  return idle_until_ms_;
}

int64_t OriginConnection::pause() {
  Random& random = world_.random;
  if (slow_ && !world_.calm) return random.between(0, 4'000);
  return random.below(4) == 0 ? random.between(1, 40) : 0;
}

void OriginConnection::act() {
  next_ms_ = world_.scheduler.now_ms() + pause();
  if (link_->peer_sees_end()) return close();
  // The node never says more than its request before it is answered: the judge looks at it.
  if (answering_) note(link_->pipes[kFromNode].take(SIZE_MAX, world_.scheduler.stamp()));
  if (answering_) return write();
  if (world_.scheduler.now_ms() >= idle_until_ms_) return close();
  read();
}

void OriginConnection::break_off() {
  if (over_) return;
  link_->peer_reset();
  over_ = true;
}

void OriginConnection::close() {
  if (!over_) {
    world_.ledger.failures.push_back({world_.scheduler.stamp(), site_, -1, true});
    link_->peer_close();
  }
  over_ = true;
}

void OriginConnection::note_failure(const OriginExchange& exchange) {
  world_.ledger.failures.push_back({world_.scheduler.stamp(), site_, exchange.resource, false});
}

void OriginConnection::note(std::string_view bytes) { asked_->raw += bytes; }

void OriginConnection::read() {
  Pipe& pipe = link_->pipes[kFromNode];
  if (!reader_.started()) {
    asked_ = &world_.ledger.asked.emplace_back(AskedBytes{link_, site_, pipe.taken(), "", false});
  }
  const size_t most = static_cast<size_t>(world_.random.between(1, 3'000));
  const std::string bytes = pipe.take(most, world_.scheduler.stamp());
  note(bytes);
  reader_.read(bytes);
  idle_until_ms_ = kNever;
  // The judge finds what is wrong with it.
  if (reader_.state() == MessageReader::State::kBroken) return break_off();
  if (reader_.state() == MessageReader::State::kDone) take_request();
}

void OriginConnection::take_request() {
  asked_->ended = true;
  OriginExchange& exchange = world_.ledger.new_origin_exchange();
  exchange.link = link_;
  exchange.site = site_;
  exchange.method = reader_.method;
  exchange.target = reader_.target;
  exchange.request = reader_.fields;
  exchange.resource =
      world_.ledger.resource_id(resource_of(site_, exchange.target, exchange.request));
  exchange.request_begin = asked_->begin;
  const SiteOptions& site = world_.options.sites[static_cast<size_t>(site_)];
  exchange.policy = &site.policy_of(exchange.target);
  const auto client = number(first_of(reader_.fields, "X-Client").value_or(""));
  if (client && *client < static_cast<int64_t>(world_.ledger.clients.size())) {
    const ClientExchange& asker = world_.ledger.clients[static_cast<size_t>(*client)];
    exchange.asked_by = asker.id;
    exchange.asked = asker.fields;
    exchange.unusual = Ledger::is_unusual(asker, world_.options.trusted);
  }
  reader_.begin();
  if (world_.fault(world_.options.hangs)) {
    world_.trace("origin hangs on #", exchange.id, " ", exchange.method, " ", exchange.target);
    note_failure(exchange);
    hung_ = true;
    return;
  }
  if (world_.fault(world_.options.drops)) {
    world_.trace("origin drops #", exchange.id, " ", exchange.method, " ", exchange.target);
    note_failure(exchange);
    return world_.random.chance(500) ? close() : break_off();
  }
  write_answer(catalogue_.answer(exchange), exchange);
}

std::string OriginConnection::frame(const Answer& answer, OriginExchange& exchange,
                                    std::string& head) {
  Random& random = world_.random;
  const bool bodiless = exchange.method == "HEAD" || answer.status == 204 || answer.status == 304;
  const http::ByteSpan sent = answer.part.value_or(http::ByteSpan{0, answer.size});
  const std::string content = content_bytes(answer.content, sent.begin, sent.end);
  std::string body;
  ending_ = Ending::kKeep;
  if (world_.random.chance(world_.options.closes)) {
    ending_ = Ending::kFin;
    if (random.chance(700)) head += "Connection: close\r\n";
  }
  if (bodiless) {
    if (answer.status == 200) head += "Content-Length: " + std::to_string(answer.size) + "\r\n";
  } else if (answer.until_close) {
    exchange.until_close = true;
    ending_ = Ending::kFin;
    body = content;
  } else if (random.chance(300)) {
    head += "Transfer-Encoding: chunked\r\n";
    for (size_t at = 0; at < content.size();) {
      const size_t n =
          std::min<size_t>(content.size() - at, static_cast<size_t>(random.between(1, 9'000)));
      char size[32];
      std::snprintf(size, sizeof size, "%zx\r\n", n);
      body += size + content.substr(at, n) + "\r\n";
      at += n;
    }
    body += "0\r\n\r\n";
  } else {
    exchange.has_length = true;
    head += "Content-Length: " + std::to_string(content.size()) + "\r\n";
    body = content;
  }
  head += "\r\n";
  return body;
}

void OriginConnection::write_answer(const Answer& answer, OriginExchange& exchange) {
  std::string interim;
  if (world_.fault(world_.options.interim)) {
    interim = world_.random.chance(500) ? "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
                                        : "HTTP/1.1 100 Continue\r\n\r\n";
  }
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " Fine\r\n";
  for (const auto& [name, value] : answer.fields) head += name + ": " + value + "\r\n";
  const std::string body = frame(answer, exchange, head);
  exchange.status = answer.status;
  exchange.fields = answer.fields;
  exchange.content = answer.content;
  exchange.size = answer.size;
  exchange.part = answer.part;
  exchange.sound = exchange.head_sound = true;
  exchange.head_end = link_->pipes[kToNode].sent() + interim.size() + head.size();
  exchange.end = exchange.head_end + body.size();
  out_ = interim + head + body;
  answering_ = true;
  world_.trace("origin #", exchange.id, " for client ", exchange.asked_by, ": ", exchange.method,
               " ", world_.ledger.resource(exchange.resource).text(),
               " inm=", joined(exchange.request, "If-None-Match").value_or("-"), " -> ",
               answer.status, " content ", answer.content, " size ", answer.size,
               " cc=", joined(answer.fields, "Cache-Control").value_or("-"),
               " cdn=", joined(answer.fields, "CDN-Cache-Control").value_or("-"),
               " vary=", joined(answer.fields, "Vary").value_or("-"));
  spoil(out_, interim.size() + head.size(), exchange);
}

/// Faults: what is sent is less, more, or something else than what the head promises.
void OriginConnection::spoil(std::string& bytes, size_t head_size, OriginExchange& exchange) {
  Random& random = world_.random;
  const Options& options = world_.options;
  if (world_.fault(options.surplus) && !exchange.until_close) {
    // With the last bytes of the answer: what comes later, nobody can tell from the next answer.
    surplus_ = "HTTP/1.1 200 Surplus\r\n\r\n";
    return;
  }
  const bool resets = world_.fault(options.reset);
  if (resets || world_.fault(options.short_body)) {
    // Often before the first byte, when the node may ask once more.
    const size_t cut = random.chance(300) ? 0 : static_cast<size_t>(random.below(bytes.size()));
    ending_ = resets ? Ending::kReset : Ending::kFin;
    // A body that ends with the connection is whole wherever it ends in order.
    const bool whole_anyway = exchange.until_close && !resets && cut >= head_size;
    exchange.sound = false;
    exchange.head_sound = cut >= head_size;
    if (whole_anyway) {
      exchange.sound = true;
      exchange.size = cut - head_size;
      exchange.end = exchange.head_end + exchange.size;
    } else {
      note_failure(exchange);
    }
    bytes.resize(cut);
    world_.trace("origin breaks off #", exchange.id, " after ", cut, resets ? " (reset)" : "");
  } else if (world_.fault(options.malformed)) {
    static constexpr const char* kBad[] = {"HTP/1.1 200 OK\r\n\r\n", "\x16\x03\x01\x02garbage",
                                           "HTTP/1.1 200 OK\r\nA B: c\r\n\r\n",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                                           "Content-Length: 6\r\n\r\nhello"};
    // Lengths mean nothing to a HEAD.
    const size_t kinds = std::size(kBad) - (exchange.method == "HEAD" ? 1 : 0);
    bytes = kBad[random.below(kinds)];
    exchange.sound = exchange.head_sound = false;
    exchange.status = 0;
    exchange.head_end = 0;
    ending_ = Ending::kFin;
    note_failure(exchange);
    world_.trace("origin answers garbage to #", exchange.id);
  }
}

void OriginConnection::write() {
  Pipe& pipe = link_->pipes[kToNode];
  const size_t room = std::min(pipe.room(), out_.size());
  const size_t most = world_.random.chance(300) ? static_cast<size_t>(world_.random.between(1, 400))
                                                : static_cast<size_t>(40'000);
  const size_t n = std::min(room, most);
  std::string bytes = out_.substr(0, n);
  out_.erase(0, n);
  if (out_.empty()) bytes += std::exchange(surplus_, {});
  link_->peer_write(bytes, world_.scheduler);
  if (out_.empty()) finish_answer();
}

void OriginConnection::finish_answer() {
  answering_ = false;
  if (ending_ == Ending::kReset) return break_off();
  if (ending_ == Ending::kFin) return close();
  // Servers forget idle connections, and just then a request may be on its way.
  idle_until_ms_ = world_.scheduler.now_ms() + world_.random.between(500, 8'000);
}

}  // namespace perigee::sim
