// Pulls events out of a parser until it wants more, has ended or has failed.
#include "tests/support/parsed_answer.h"

#include "base/check.h"

namespace perigee::test {

using http::ResponseReader;
using Event = ResponseReader::Event;

namespace {

void copy_head(const http::ReceivedResponse& head, ParsedAnswer& outcome) {
  outcome.status = head.status;
  outcome.reason = head.reason;
  for (const http::Field& field : head.fields) outcome.fields.emplace_back(field.name, field.value);
  outcome.content_length = head.content_length;
  outcome.has_body = head.has_body;
  outcome.keep_alive = head.keep_alive;
}

/// Gives one piece to the parser, as OriginStream does. False: the message is over.
bool feed(ResponseReader& parser, std::string_view piece, ParsedAnswer& outcome) {
  std::span<const std::byte> input{reinterpret_cast<const std::byte*>(piece.data()), piece.size()};
  while (true) {
    const ResponseReader::Step step = parser.next(input);
    CHECK(step.consumed <= input.size());
    input = input.subspan(step.consumed);
    switch (step.event) {
      case Event::kNeedMore:
        CHECK(input.empty());  // no bytes are left without a reason
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

}  // namespace

ParsedAnswer parse_answer(const std::vector<std::string_view>& pieces, http::Method method,
                          Ending ending) {
  ResponseReader parser;
  parser.begin(method);
  ParsedAnswer outcome;
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
    CHECK((event == Event::kError) == !outcome.error.empty());
  }
  return outcome;
}

}  // namespace perigee::test
