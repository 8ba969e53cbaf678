// Feeds a response whole, byte by byte and in two pieces, and demands one outcome.
#include "tests/unit/http/answer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/http/wire.h"

namespace perigee::test {

using http::ResponseParser;
using Event = ResponseParser::Event;

namespace {

void copy_head(const http::ReceivedResponse& head, Answer::Outcome& outcome) {
  outcome.status = head.status;
  outcome.reason = head.reason;
  for (const http::Field& field : head.fields) outcome.fields.emplace_back(field.name, field.value);
  outcome.content_length = head.content_length;
  outcome.has_body = head.has_body;
  outcome.keep_alive = head.keep_alive;
}

/// Gives one piece to the parser, as OriginStream does. False: the message is over.
bool feed(ResponseParser& parser, std::string_view piece, Answer::Outcome& outcome) {
  std::span<const std::byte> input{reinterpret_cast<const std::byte*>(piece.data()), piece.size()};
  while (true) {
    const ResponseParser::Step step = parser.next(input);
    EXPECT_LE(step.consumed, input.size());
    input = input.subspan(step.consumed);
    switch (step.event) {
      case Event::kNeedMore:
        EXPECT_TRUE(input.empty()) << "bytes were left without a reason";
        return true;
      case Event::kInterim:
        outcome.interims.push_back(parser.head().status);
        break;
      case Event::kHead:
        copy_head(parser.head(), outcome);
        break;
      case Event::kBody:
        outcome.body.append(reinterpret_cast<const char*>(step.body.data()), step.body.size());
        break;
      case Event::kEnd:
        outcome.ended = true;
        outcome.surplus += input.size();
        return false;
      case Event::kError:
        outcome.error = parser.error();
        return false;
    }
  }
}

Answer::Outcome run(const std::vector<std::string_view>& pieces, http::Method method,
                    Ending ending) {
  ResponseParser parser;
  parser.begin(method);
  Answer::Outcome outcome;
  bool open = true;
  for (const std::string_view piece : pieces) {
    if (open) {
      open = feed(parser, piece, outcome);
    } else if (outcome.ended) {
      outcome.surplus += piece.size();
    }
  }
  if (open && ending != Ending::kOpen) {
    const Event event = parser.next_eof(ending == Ending::kFin);
    outcome.ended = event == Event::kEnd;
    outcome.error = parser.error();
    EXPECT_EQ(event == Event::kError, !outcome.error.empty());
  }
  return outcome;
}

}  // namespace

Answer::Answer(std::string bytes, http::Method method, Ending ending,
               const std::source_location& at)
    : bytes_(std::move(bytes)) {
  const std::string_view text = bytes_;
  place_ = std::string(at.file_name()) + ":" + std::to_string(at.line()) + ": \"" +
           escaped(text.substr(0, 200)) + '"';
  outcome_ = run({text}, method, ending);
  std::vector<std::string_view> single;
  for (size_t i = 0; i < text.size(); ++i) single.push_back(text.substr(i, 1));
  EXPECT_TRUE(run(single, method, ending) == outcome_) << place_ << "\nbyte by byte it differs";
  for (const size_t cut : split_points(text)) {
    if (run({text.substr(0, cut), text.substr(cut)}, method, ending) == outcome_) continue;
    ADD_FAILURE() << place_ << "\nsplit at " << cut << " it differs";
    break;
  }
}

Answer& Answer::status(uint16_t status) {
  EXPECT_EQ(outcome_.status, status) << place_ << "\n" << outcome_.error;
  return *this;
}

Answer& Answer::reason(std::string_view reason) {
  EXPECT_EQ(outcome_.reason, reason) << place_;
  return *this;
}

Answer& Answer::field(std::string_view name, std::string_view value) {
  const std::pair<std::string, std::string> wanted(name, value);
  EXPECT_EQ(std::count(outcome_.fields.begin(), outcome_.fields.end(), wanted), 1) << place_;
  return *this;
}

Answer& Answer::field_count(size_t count) {
  EXPECT_EQ(outcome_.fields.size(), count) << place_;
  return *this;
}

Answer& Answer::content_length(std::optional<uint64_t> length) {
  EXPECT_EQ(outcome_.content_length, length) << place_;
  return *this;
}

Answer& Answer::interims(std::vector<uint16_t> statuses) {
  EXPECT_EQ(outcome_.interims, statuses) << place_;
  return *this;
}

Answer& Answer::body(std::string_view body) {
  EXPECT_TRUE(outcome_.has_body) << place_;
  EXPECT_EQ(outcome_.body, body) << place_;
  return *this;
}

Answer& Answer::bodiless() {
  EXPECT_FALSE(outcome_.has_body) << place_;
  EXPECT_EQ(outcome_.body, "") << place_;
  return *this;
}

Answer& Answer::whole(size_t surplus) {
  EXPECT_TRUE(outcome_.ended) << place_ << "\n" << outcome_.error;
  EXPECT_EQ(outcome_.surplus, surplus) << place_;
  return *this;
}

Answer& Answer::unfinished() {
  EXPECT_FALSE(outcome_.ended) << place_;
  EXPECT_EQ(outcome_.error, "") << place_;
  return *this;
}

Answer& Answer::is_error() {
  EXPECT_NE(outcome_.error, "") << place_;
  EXPECT_FALSE(outcome_.ended) << place_;
  return *this;
}

Answer& Answer::reusable() {
  EXPECT_TRUE(outcome_.keep_alive) << place_;
  return *this;
}

Answer& Answer::not_reusable() {
  EXPECT_FALSE(outcome_.keep_alive) << place_;
  return *this;
}

void each_is_error(std::initializer_list<std::string> answers, const std::source_location& at) {
  for (const std::string& bytes : answers) {
    Answer(bytes, http::Method::kGet, Ending::kOpen, at).is_error();
  }
}

}  // namespace perigee::test
