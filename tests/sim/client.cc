#include "tests/sim/client.h"

#include <algorithm>

#include "tests/sim/origins.h"

namespace perigee::sim {

namespace {
constexpr int64_t kPatienceMs = 300'000;
constexpr size_t kMuch = 60'000;
}  // namespace

Client::Client(World& world, RequestMaker& maker, Acceptor& acceptor, unsigned& requests_left)
    : world_(world), maker_(maker), acceptor_(acceptor), requests_left_(requests_left) {
  next_ms_ = world_.scheduler.now_ms();
  world_.scheduler.add(*this);
}

Client::~Client() { world_.scheduler.remove(*this); }

int64_t Client::due() const {
  if (link_ == nullptr) return requests_left_ > 0 ? next_ms_ : kNever;
  const bool can_read = link_->pipes[kFromNode].waiting() > 0 || link_->peer_sees_end();
  const bool can_write = !out_.empty() && link_->pipes[kToNode].room() > 0;
  const bool can_ask = out_.empty() && asked_.empty();
  if (can_read || can_write || can_ask) return next_ms_;
  return patience_ms_;
}

void Client::act() {
  Random& random = world_.random;
  const int64_t now = world_.scheduler.now_ms();
  next_ms_ = now + (random.below(5) == 0 ? random.between(0, 30) : 0);
  if (link_ == nullptr) return connect();
  if (now >= patience_ms_) return give_up();
  if (!asked_.empty() && world_.fault(world_.options.abort)) return give_up();
  if (link_->peer_sees_end()) return on_end();
  if (!out_.empty() && link_->pipes[kToNode].room() > 0 && random.chance(700)) return write();
  if (link_->pipes[kFromNode].waiting() > 0) return read();
  if (!out_.empty()) return write();
  if (asked_.empty()) ask();
}

void Client::connect() {
  LinkPtr link = make_link(world_);
  if (!acceptor_.accept(link)) {
    next_ms_ = world_.scheduler.now_ms() + world_.random.between(10, 2'000);
    return;
  }
  link_ = std::move(link);
  reader_.begin();
  plan();
}

void Client::plan() {
  Random& random = world_.random;
  planned_ = std::min(requests_left_, static_cast<unsigned>(random.between(1, 8)));
  requests_left_ -= planned_;
  pipelined_ = random.chance(world_.options.pipelined);
  slow_ = world_.fault(world_.options.slow_client);
  pauses_ = world_.fault(world_.options.pausing_client);
  half_close_ = random.chance(world_.options.half_close);
  finished_ = last_asked_ = false;
  patience_ms_ = world_.scheduler.now_ms() + kPatienceMs;
}

/// The next request, or all that are left.
void Client::ask() {
  if (planned_ == 0 || last_asked_) return leave();
  do {
    --planned_;
    ClientExchange& exchange = world_.ledger.new_client_exchange();
    Request request = maker_.make(exchange.id);
    request.fields.emplace_back("X-Client", std::to_string(exchange.id));
    if (planned_ == 0 && world_.random.chance(300) && !has(request.fields, "Connection")) {
      request.fields.emplace_back("Connection", "close");
    }
    std::string head = request.method + " " + request.target + " " + request.version + "\r\n";
    for (const auto& [name, value] : request.fields) head += name + ": " + value + "\r\n";
    head += "\r\n";
    exchange.link = link_;
    exchange.method = request.method;
    exchange.resource = request.resource;
    exchange.target = world_.ledger.resource(request.resource).target;
    exchange.version = request.version;
    exchange.fields = request.fields;
    exchange.content = request.content;
    exchange.own_options = request.own_options;
    exchange.request_begin = link_->pipes[kToNode].sent() + out_.size();
    exchange.head_end = exchange.request_begin + head.size();
    out_ += head;
    if (!request.body.empty() && world_.fault(world_.options.abort)) {
      request.body.resize(request.body.size() / 2);
      exchange.broken_off = true;
      half_close_ = true;
      planned_ = 0;
    }
    out_ += request.body;
    asked_.push_back(exchange.id);
    const auto connection = first_of(request.fields, "Connection");
    last_asked_ = connection == "close" || (request.version == "HTTP/1.0" && !connection);
    world_.trace("client asks @", exchange.id, " for ",
                 world_.ledger.resource(request.resource).text(), ": ", head);
  } while (pipelined_ && planned_ > 0 && !last_asked_);
  patience_ms_ = world_.scheduler.now_ms() + kPatienceMs;
  if (asked_.size() > 0 && !reader_.started()) reader_.begin(current().method);
}

ClientExchange& Client::current() {
  return world_.ledger.clients[static_cast<size_t>(asked_.front())];
}

void Client::write() {
  const size_t room = std::min(link_->pipes[kToNode].room(), out_.size());
  size_t n = world_.random.chance(300)
                 ? std::min(room, static_cast<size_t>(world_.random.between(1, 60)))
                 : room;
  if (slow_ && !world_.calm) {
    n = std::min(room, static_cast<size_t>(world_.random.between(500, 4'000)));
    next_ms_ = world_.scheduler.now_ms() + world_.random.between(0, 1'500);
  }
  link_->peer_write(out_.substr(0, n), world_.scheduler);
  out_.erase(0, n);
  if (!out_.empty() || !half_close_ || finished_) return;
  if (planned_ > 0) return;
  finished_ = true;
  link_->peer_finish();
}

void Client::read() {
  Random& random = world_.random;
  Pipe& pipe = link_->pipes[kFromNode];
  if (pauses_ && pipe.waiting() > kMuch && !world_.calm) {
    pauses_ = false;
    next_ms_ = world_.scheduler.now_ms() + random.between(1'000, 25'000);
    return;
  }
  size_t most = random.chance(300) ? static_cast<size_t>(random.between(1, 300)) : 40'000;
  if (slow_ && !world_.calm) {
    most = static_cast<size_t>(random.between(50, 2'000));
    next_ms_ = world_.scheduler.now_ms() + random.between(0, 1'500);
  }
  patience_ms_ = world_.scheduler.now_ms() + kPatienceMs;
  if (asked_.empty()) {
    // Nothing was asked: whatever comes is too much. A 408 on an idle connection is not sent
    // either.
    world_.ledger.clients.back().protocol_error =
        "bytes that nobody asked for: " + pipe.take(200, world_.scheduler.stamp());
    return leave();
  }
  if (!reader_.started()) response_begin_ = pipe.taken();
  // Byte-exact: what belongs to the next response stays in the pipe.
  const std::string_view arrived = pipe.bytes().substr(0, most);
  const size_t used = reader_.read(arrived);
  pipe.take(used, world_.scheduler.stamp());
  if (reader_.state() == MessageReader::State::kBroken) {
    current().protocol_error = reader_.error();
    return leave();
  }
  if (reader_.state() == MessageReader::State::kDone) take_response();
}

/// The whole of a message is there.
void Client::take_response() {
  ClientExchange& exchange = current();
  if (reader_.status < 200) {
    exchange.interim.push_back(reader_.status);
    return reader_.begin(exchange.method);
  }
  exchange.status = reader_.status;
  exchange.response = reader_.fields;
  exchange.body = reader_.body;
  exchange.response_begin = response_begin_;
  exchange.whole = true;
  exchange.ended_by_close = reader_.until_close;
  maker_.learn(exchange.resource, exchange.response);
  world_.trace("client got @", exchange.id, " ", exchange.status, " ", exchange.body.size(),
               " bytes sim=", first_of(exchange.response, "X-Sim").value_or("-"),
               " age=", first_of(exchange.response, "Age").value_or("-"), " ",
               joined(exchange.response, "Cache-Status").value_or("-"));
  asked_.pop_front();
  const bool promises = exchange.method != "GET" && exchange.method != "HEAD";
  if (promises && world_.options.crashes > 0 && world_.fault(150)) world_.strikes = true;
  // The node does not know the method of a head that came too slowly, and so sends content to HEAD
  // too.
  if (exchange.status == 408) return leave();
  const auto connection = first_of(exchange.response, "Connection");
  if (connection && lower(*connection) == "close") last_asked_ = true;
  reader_.begin(asked_.empty() ? std::string() : current().method);
  if (asked_.empty() && !world_.calm) {
    next_ms_ = world_.scheduler.now_ms() + world_.random.between(0, world_.options.think_ms);
  }
}

void Client::on_end() {
  // What only its end delimits cannot be told from what a killed process had sent by then.
  const bool died_in_it = link_->killed && reader_.until_close;
  const bool in_order = link_->pipes[kFromNode].fin && !link_->reset && !died_in_it;
  if (!asked_.empty() && reader_.started()) {
    if (in_order && reader_.end()) {
      take_response();
    } else if (reader_.state() == MessageReader::State::kBody) {
      ClientExchange& exchange = current();
      exchange.status = reader_.status;
      exchange.response = reader_.fields;
      exchange.body = reader_.body;
      exchange.response_begin = response_begin_;
      world_.trace("client saw @", exchange.id, " ", exchange.status, " cut after ",
                   exchange.body.size(),
                   " bytes, sim=", first_of(exchange.response, "X-Sim").value_or("-"));
    }
  }
  leave();
}

void Client::give_up() {
  world_.trace("client gives up", asked_.empty() ? "" : " @" + std::to_string(asked_.front()));
  for (const int id : asked_) {
    ClientExchange& exchange = world_.ledger.clients[static_cast<size_t>(id)];
    exchange.broken_off = true;
    exchange.starved = world_.calm;
  }
  link_->peer_reset();
  leave();
}

void Client::leave() {
  link_->peer_close();
  link_.reset();
  asked_.clear();
  out_.clear();
  planned_ = 0;
  reader_.begin();
  patience_ms_ = kNever;
  next_ms_ = world_.scheduler.now_ms() +
             (world_.calm ? 0 : world_.random.between(0, world_.options.think_ms));
}

}  // namespace perigee::sim
