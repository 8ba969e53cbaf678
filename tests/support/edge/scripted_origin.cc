// The origin's side of each pipe: one request after another, parsed just far enough.
#include "tests/support/edge/scripted_origin.h"

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "http/headers.h"
#include "http/message.h"
#include "http/range.h"
#include "tests/support/edge/wire.h"

namespace perigee::test {

std::string value_of(const Lines& lines, std::string_view name) {
  const auto it = std::find_if(lines.begin(), lines.end(),
                               [&](const auto& line) { return base::iequals(line.first, name); });
  return it == lines.end() ? "" : it->second;
}

Reply& Reply::line(std::string_view name, std::string_view value) {
  lines_.emplace_back(name, value);
  return *this;
}

Reply& Reply::body(std::string text) {
  body_ = std::move(text);
  has_body_ = true;
  return *this;
}

Reply& Reply::chunked(std::string text) {
  chunked_ = true;
  return body(std::move(text));
}

Reply& Reply::stops_after(size_t bytes) {
  sent_ = bytes;
  return *this;
}

Reply& Reply::after_interim(std::string_view head) {
  interim_ += "HTTP/1.1 " + std::string(head) + "\r\n";
  return *this;
}

std::string Reply::wire(std::string_view method) const {
  std::string out = interim_ + "HTTP/1.1 " + std::to_string(status_) + " " +
                    std::string(http::reason_phrase(status_)) + "\r\n";
  for (const auto& [name, value] : lines_) out += name + ": " + value + "\r\n";
  const bool bodiless = status_ < 200 || status_ == 304 || status_ == 204;
  if (chunked_) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (!bodiless) {
    out += "Content-Length: " + std::to_string(body_.size()) + "\r\n";
  }
  out += "\r\n";
  if (bodiless || method == "HEAD" || !has_body_) return out;
  const std::string sent = body_.substr(0, sent_);
  return out + (chunked_ ? chunk(sent) + (sent_ == SIZE_MAX ? "0\r\n\r\n" : "") : sent);
}

Reply RangedFile::operator()(const Asked& asked) const {
  if (!etag.empty() && asked["If-None-Match"] == etag) return Reply(304).cache(cache).etag(etag);
  const std::string condition = asked["If-Range"];
  const http::RangeRequest range = http::parse_range(asked["Range"], text.size());
  const bool whole = range.kind == http::RangeRequest::kNone || range.spans.size() > 1 ||
                     (!condition.empty() && condition != etag);
  const auto reply = [&](uint16_t status) {
    Reply made = Reply(status).cache(cache);
    return etag.empty() ? made : made.etag(etag);
  };
  if (whole) return reply(200).body(text);
  if (range.kind == http::RangeRequest::kUnsatisfiable) {
    return Reply(416).line("Content-Range", "bytes */" + std::to_string(text.size())).body("");
  }
  const http::ByteSpan span = range.spans[0];
  const size_t size = std::min<size_t>(span.size(), most);
  return reply(206)
      .line("Content-Range", "bytes " + std::to_string(span.begin) + "-" +
                                 std::to_string(span.begin + size - 1) + "/" +
                                 std::to_string(text.size()))
      .body(text.substr(span.begin, size));
}

/// One connection to the origin.
class ScriptedOrigin::Caller final : public base::ChannelUser {
 public:
  Caller(ScriptedOrigin& origin, std::unique_ptr<MemoryChannel> far)
      : origin_(origin), far_(std::move(far)) {
    far_->bind(this);
    far_->want(true, false);
  }
  void on_ready(bool, bool) noexcept override {
    bytes += far_->read();
    if (far_->other_gone()) {
      open = false;
      far_->want(false, false);
    }
    origin_.serve(*this);
  }
  MemoryChannel& channel() { return *far_; }
  void close() {
    open = false;
    far_.reset();
  }

  std::string bytes;
  bool open = true;

 private:
  ScriptedOrigin& origin_;
  std::unique_ptr<MemoryChannel> far_;
};

ScriptedOrigin::ScriptedOrigin(FakeEnv& env) : env_(env) {
  env_.on_connect = [this](const base::Endpoint&) -> std::optional<FakeEnv::ConnectResult> {
    if (away_) return base::Error{base::ErrorCode::kConnect, 111, "connection refused"};
    MemoryPipe pipe = make_memory_pipe(env_);
    callers_.push_back(std::make_unique<Caller>(*this, std::move(pipe.far)));
    return std::unique_ptr<base::Channel>(std::move(pipe.near));
  };
}

ScriptedOrigin::~ScriptedOrigin() = default;

void ScriptedOrigin::serve(Caller& caller) {
  while (std::optional<WireMessage> message = take_message(caller.bytes, MessageKind::kRequest)) {
    Asked request;
    const std::string& first = message->first_line;
    request.method = first.substr(0, first.find(' '));
    request.target = first.substr(first.find(' ') + 1);
    request.target.resize(request.target.find(' '));
    request.lines = std::move(message->lines);
    request.body = std::move(message->body);
    asked.push_back(request);
    last_ = &caller;
    if (waits(request)) {
      held_.emplace_back(&caller, std::move(request));
    } else {
      answer(caller, request);
    }
  }
}

bool ScriptedOrigin::waits(const Asked& request) const {
  const bool meant =
      held_method_.empty() || (request.method == held_method_ && request.target == held_target_);
  return holding_ && meant;
}

void ScriptedOrigin::answer(Caller& caller, const Asked& request) {
  const auto script = scripts_.find(request.target);
  const Reply reply = script == scripts_.end() ? otherwise_ : script->second(request);
  caller.channel().write(reply.wire(request.method));
}

void ScriptedOrigin::release() {
  holding_ = false;
  held_method_.clear();
  for (auto& [caller, request] : std::exchange(held_, {})) {
    if (caller->open) answer(*caller, request);
  }
}

void ScriptedOrigin::send(std::string_view bytes) { last_->channel().write(bytes); }
void ScriptedOrigin::finish() { last_->channel().finish(); }
void ScriptedOrigin::reset() { last_->channel().abort(); }

std::string ScriptedOrigin::raw() const { return last_->bytes; }
bool ScriptedOrigin::saw_end() const { return !last_->open; }

void ScriptedOrigin::finish_all() {
  for (const auto& caller : callers_) {
    if (caller->open) caller->channel().finish();
  }
}

size_t ScriptedOrigin::unread() const { return last_->channel().unacked(); }

size_t ScriptedOrigin::open_connections() const {
  return static_cast<size_t>(std::count_if(callers_.begin(), callers_.end(),
                                           [](const auto& caller) { return caller->open; }));
}

size_t ScriptedOrigin::asked_for(std::string_view target) const {
  return static_cast<size_t>(std::count_if(asked.begin(), asked.end(),
                                           [&](const Asked& one) { return one.target == target; }));
}

void ScriptedOrigin::go_away() {
  away_ = true;
  for (const auto& caller : callers_) {
    if (caller->open) caller->close();
  }
}

}  // namespace perigee::test
