// Drives a codec as a connection drives it.
#include "tests/support/codec_rig.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "http/response.h"

namespace perigee::test {

using http::Chunk;
using State = http::ServerCodec::State;

namespace {

std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

/// A body of a test's that is there at once.
class CodecRig::TextBody final : public http::BodySource {
 public:
  explicit TextBody(std::string_view text) : text_(text) {}
  Chunk peek(size_t max) override {
    const size_t n = std::min(max, text_.size() - at_);
    const auto* data = reinterpret_cast<const std::byte*>(text_.data() + at_);
    return {{data, n}, at_ + n == text_.size() ? Chunk::kEnd : Chunk::kMore};
  }
  void advance(size_t n) override { at_ += n; }
  std::optional<uint64_t> size() const override { return text_.size(); }

 private:
  std::string text_;
  size_t at_ = 0;
};

CodecRig::CodecRig(FlowKind kind, RigOptions options)
    : pipe_(make_memory_pipe(env_)),
      options_(options),
      kind_(kind),
      scratch_(std::make_unique<http::RequestScratch>()) {
  pipe_.far->in_rules().capacity = SIZE_MAX;
  pipe_.near->mutable_peer().secure = options_.secure;
  const http::CodecContext context{out_, *this, *this, pipe_.near->peer()};
  codec_ = http::make_http1_codec(context, options_, *scratch_);
}

CodecRig::~CodecRig() {
  codec_->cancel();
  CHECK(exchange_ == nullptr);  // every exchange is sent or cancelled, once
}

void CodecRig::send(std::string_view bytes) {
  pending_ += bytes;
  pending_.erase(0, codec_->feed(as_bytes(pending_), now()));
  settle();
}

void CodecRig::send_end() {
  peer_ended_ = true;
  codec_->feed_end();
  settle();
}

void CodecRig::advance(int64_t ms) {
  const base::Tick end = now() + ms;
  while (codec_->deadline() <= end) {
    if (codec_->deadline() > now()) env_.advance(codec_->deadline() - now());
    codec_->on_deadline(now());
    settle();
    if (state() != State::kOpen) return;
  }
  env_.advance(end - now());
}

void CodecRig::settle() {
  bool again = true;
  for (int rounds = 0; again; ++rounds) {
    CHECK(rounds < 100'000);  // it settles
    again = codec_->pump(now());
    if (state() == State::kAbort) return;
    if (!out_.empty()) {
      const http::OutQueue::Flushed flushed = out_.flush(*pipe_.near);
      again = flushed.state == base::Io::kOk;
      again = codec_->pump(now()) && again;
    }
    if (exchange_ != nullptr && kind_ == FlowKind::kReadThenAnswer && !on_request_hook &&
        exchange_->request_body() != nullptr && !requests.back().body_ended && read_body()) {
      answer(200, "ok\n");
      again = true;
    }
    if (state() == State::kOpen && codec_->wants_read() && !pending_.empty()) {
      const size_t used = codec_->feed(as_bytes(pending_), now());
      pending_.erase(0, used);
      again = again || used > 0;
    }
  }
  out_.withdraw();
}

const std::string& CodecRig::received() {
  received_ += pipe_.far->read();
  return received_;
}

std::string CodecRig::take_received() {
  received();
  return std::exchange(received_, {});
}

bool CodecRig::read_body() {
  SeenRequest& seen = requests.back();
  http::BodySource* source = exchange_->request_body();
  while (!seen.body_ended) {
    const Chunk chunk = source->peek(1000);
    if (chunk.state == Chunk::kLater || chunk.state == Chunk::kFail) return false;
    seen.body->append(reinterpret_cast<const char*>(chunk.piece.data), chunk.piece.size);
    seen.body_ended = chunk.state == Chunk::kEnd;
    if (chunk.piece.size > 0) source->advance(chunk.piece.size);
  }
  return true;
}

void CodecRig::on_request(http::Exchange& exchange) {
  CHECK(exchange_ == nullptr);  // one request at a time
  exchange_ = &exchange;
  const http::RequestHead& head = exchange.request();
  SeenRequest seen;
  seen.method = head.method_text;
  seen.target = head.target;
  seen.scheme = head.scheme;
  seen.authority = head.authority;
  seen.version_minor = head.version_minor;
  seen.asks_upgrade = head.asks_upgrade;
  for (const http::Field& field : head.fields) seen.fields.emplace_back(field.name, field.value);
  if (exchange.request_body() != nullptr) seen.body.emplace();
  requests.push_back(std::move(seen));
  if (on_request_hook) return on_request_hook(exchange);
  const bool wait = kind_ == FlowKind::kHold ||
                    (kind_ == FlowKind::kReadThenAnswer && exchange.request_body() != nullptr);
  if (!wait) return answer(200, "ok\n");
  CHECK(exchange.promote());
  if (kind_ == FlowKind::kReadThenAnswer && read_body()) answer(200, "ok\n");
}

void CodecRig::answer(uint16_t status, std::string_view body) {
  CHECK(exchange_ != nullptr);
  body_ = std::make_unique<TextBody>(body);
  const std::string length = std::to_string(body.size());
  http::ResponseHead head;
  head.status = status;
  head.content_length = body.size();
  head.add_fresh(http::FieldName::kContentLength, length);
  exchange_->respond(head, body_.get());
}

void CodecRig::answer(const http::ResponseHead& head, http::BodySource* body) {
  CHECK(exchange_ != nullptr);
  exchange_->respond(head, body);
  settle();
}

void CodecRig::inform(uint16_t status, std::string_view name, std::string_view value) {
  CHECK(exchange_ != nullptr);
  http::Arena arena;
  http::FieldBlockBuilder lines(arena, name.size() + value.size() + 4, 1);
  if (!name.empty()) lines.add(name, value);
  http::ResponseHead head;
  head.status = status;
  head.block = lines.block();
  exchange_->inform(head);
  settle();
}

void CodecRig::on_cancel(http::Exchange& exchange) {
  CHECK(exchange_ == &exchange);
  exchange_ = nullptr;
  requests.back().cancelled = true;
}

void CodecRig::on_sent(http::Exchange& exchange, uint64_t body_bytes, bool whole) {
  CHECK(exchange_ == &exchange);
  exchange_ = nullptr;
  requests.back().sent_bytes = body_bytes;
  requests.back().sent_whole = whole;
}

void CodecRig::on_refused(const base::Peer&, std::string_view why, http::Arena& arena,
                          http::ResponseHead& answer) {
  refusals.push_back(answer.status);
  reasons.emplace_back(why);
  http::add_own_fields(env_.wall().ms, {.forward = http::Forward::kBypass}, "rig", arena, answer);
}

WireOutcome run_wire(const std::vector<std::string_view>& pieces, FlowKind kind,
                     const RigOptions& options) {
  CodecRig rig(kind, options);
  for (const std::string_view piece : pieces) rig.send(piece);
  // What is still open is cancelled, so that an unfinished request tells the same as well.
  WireOutcome outcome;
  outcome.state = rig.state();
  rig.codec().cancel();
  outcome.requests = rig.requests;
  // How much was read of content that turned out malformed depends on the splits, by nature.
  for (SeenRequest& seen : outcome.requests) {
    if (seen.cancelled && !seen.body_ended) seen.body.reset();
  }
  outcome.refusals = rig.refusals;
  outcome.reasons = rig.reasons;
  outcome.received = rig.received();
  return outcome;
}

std::string told(const WireOutcome& outcome) {
  std::string text;
  for (const SeenRequest& seen : outcome.requests) {
    text +=
        "\n  request " + seen.method + " " + seen.target.substr(0, 80) + " of " + seen.authority;
    if (seen.body) text += " body \"" + escaped(*seen.body) + (seen.body_ended ? "\"" : "\"...");
  }
  for (size_t i = 0; i < outcome.refusals.size(); ++i) {
    text += "\n  refused " + std::to_string(outcome.refusals[i]) + ": " + outcome.reasons[i];
  }
  return text + "\n  sent \"" + escaped(std::string_view(outcome.received).substr(0, 600)) +
         "\"\n  state " + std::to_string(static_cast<int>(outcome.state));
}

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    char code[8];
    if (c == '\r' || c == '\n' || c == '\t') {
      text += c == '\r' ? "\\r" : c == '\n' ? "\\n" : "\\t";
    } else if (byte < 0x20 || byte > 0x7e) {
      std::snprintf(code, sizeof code, "\\x%02x", unsigned{byte});
      text += code;
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace perigee::test
