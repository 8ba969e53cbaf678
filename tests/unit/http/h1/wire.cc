// Runs a case at every split point, and compares what came of it with what a test expects.
#include "tests/unit/http/h1/wire.h"

#include <algorithm>

namespace perigee::test {

using State = http::ServerCodec::State;

namespace {

constexpr size_t kEverySplit = 1024;  ///< longer inputs are split at a sample of positions

}  // namespace

WireResult::WireResult(std::string bytes, FlowKind kind, const RigOptions& options,
                       const std::source_location& at)
    : bytes_(std::move(bytes)),
      place_(std::string(at.file_name()) + ":" + std::to_string(at.line())) {
  const std::string_view text = bytes_;
  outcome_ = run_wire({text}, kind, options);
  std::vector<std::string_view> single;
  for (size_t i = 0; i < text.size(); ++i) single.push_back(text.substr(i, 1));
  const WireOutcome slowly = run_wire(single, kind, options);
  EXPECT_TRUE(slowly == outcome_) << where() << "\nwhole:" << told(outcome_)
                                  << "\nbyte by byte:" << told(slowly);
  for (const size_t cut : split_points(text)) {
    const WireOutcome split = run_wire({text.substr(0, cut), text.substr(cut)}, kind, options);
    if (split == outcome_) continue;
    ADD_FAILURE() << where() << "\nwhole:" << told(outcome_) << "\nsplit at " << cut << ":"
                  << told(split);
    break;
  }
}

WireResult::~WireResult() {
  EXPECT_EQ(outcome_.requests.size(), seen_)
      << where() << "\nnot named by the test:" << told(outcome_);
  if (!refusal_named_) {
    EXPECT_TRUE(outcome_.refusals.empty()) << where() << told(outcome_);
  }
}

std::string WireResult::where() const {
  return place_ + ": \"" + escaped(std::string_view(bytes_).substr(0, 200)) + "\"";
}

const SeenRequest* WireResult::current() {
  if (seen_ == 0 || seen_ > outcome_.requests.size()) return nullptr;
  return &outcome_.requests[seen_ - 1];
}

WireResult& WireResult::request(std::string_view method, std::string_view target) {
  ++seen_;
  const SeenRequest* seen = current();
  if (seen == nullptr) {
    ADD_FAILURE() << where() << "\nno such request: " << method << " " << target << told(outcome_);
    seen_ = outcome_.requests.size();
    return *this;
  }
  EXPECT_EQ(seen->method, method) << where();
  EXPECT_EQ(seen->target, target) << where();
  return *this;
}

WireResult& WireResult::authority(std::string_view authority) {
  if (const SeenRequest* seen = current(); seen != nullptr) {
    EXPECT_EQ(seen->authority, authority) << where();
  }
  return *this;
}

WireResult& WireResult::body(std::string_view body) {
  if (const SeenRequest* seen = current(); seen != nullptr) {
    EXPECT_EQ(seen->body, body) << where();
    EXPECT_TRUE(seen->body_ended) << where();
  }
  return *this;
}

WireResult& WireResult::no_body() {
  if (const SeenRequest* seen = current(); seen != nullptr) {
    EXPECT_EQ(seen->body, std::nullopt) << where();
  }
  return *this;
}

WireResult& WireResult::field(std::string_view name, std::string_view value) {
  if (const SeenRequest* seen = current(); seen != nullptr) {
    const auto found = std::find_if(seen->fields.begin(), seen->fields.end(),
                                    [&](const auto& field) { return field.first == name; });
    if (found == seen->fields.end()) {
      ADD_FAILURE() << where() << "\nno field " << name;
    } else {
      EXPECT_EQ(found->second, value) << where();
    }
  }
  return *this;
}

WireResult& WireResult::field_count(size_t count) {
  if (const SeenRequest* seen = current(); seen != nullptr) {
    EXPECT_EQ(seen->fields.size(), count) << where();
  }
  return *this;
}

WireResult& WireResult::asks_upgrade() {
  if (const SeenRequest* seen = current(); seen != nullptr) {
    EXPECT_TRUE(seen->asks_upgrade) << where();
  }
  return *this;
}

WireResult& WireResult::refused(uint16_t status) {
  refusal_named_ = true;
  EXPECT_EQ(outcome_.refusals, std::vector<uint16_t>{status}) << where() << told(outcome_);
  sent("HTTP/1.1 " + std::to_string(status) + " ");
  sent("Connection: close\r\n");
  // What the flow adds to every answer of our own.
  sent("Cache-Status: rig; fwd=bypass\r\n");
  sent("Date: ");
  return lingers();
}

WireResult& WireResult::ignoring_requests() {
  seen_ = outcome_.requests.size();
  return *this;
}

WireResult& WireResult::stays_open() {
  EXPECT_EQ(outcome_.state, State::kOpen) << where() << told(outcome_);
  return *this;
}

WireResult& WireResult::closes() {
  EXPECT_EQ(outcome_.state, State::kClose) << where() << told(outcome_);
  return *this;
}

WireResult& WireResult::lingers() {
  EXPECT_EQ(outcome_.state, State::kLinger) << where() << told(outcome_);
  return *this;
}

WireResult& WireResult::sent(std::string_view text) {
  EXPECT_NE(outcome_.received.find(text), std::string::npos)
      << where() << "\nnot sent: " << escaped(text) << told(outcome_);
  return *this;
}

WireResult& WireResult::never_sent(std::string_view text) {
  EXPECT_EQ(outcome_.received.find(text), std::string::npos) << where() << told(outcome_);
  return *this;
}

std::vector<size_t> split_points(std::string_view bytes) {
  std::vector<size_t> points;
  for (size_t i = 1; i < bytes.size(); ++i) {
    const bool edge = i < 256 || bytes.size() - i < 256 || bytes[i] == '\n' || bytes[i - 1] == '\n';
    if (bytes.size() <= kEverySplit || edge || i % 1009 == 0) points.push_back(i);
  }
  if (points.size() > kEverySplit) points.resize(kEverySplit);
  return points;
}

std::string get(std::string_view field_lines, std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(field_lines) +
         "\r\n";
}

std::string post(std::string_view field_lines, std::string_view content) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(field_lines) + "\r\n" +
         std::string(content);
}

void each_refused(uint16_t status, std::initializer_list<std::string> requests,
                  const std::source_location& at) {
  for (const std::string& request : requests) {
    WireResult result(request + get({}, "/smuggled"), FlowKind::kReadThenAnswer, {}, at);
    result.ignoring_requests().refused(status);
    for (const SeenRequest& seen : result.outcome().requests) {
      EXPECT_NE(seen.target, "/smuggled") << escaped(request);
    }
  }
}

}  // namespace perigee::test
