// Feeds a response whole, byte by byte and in two pieces, and demands one outcome.
#include "tests/unit/http/h1/received.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/http/h1/wire.h"

namespace perigee::test {

Received::Received(std::string bytes, http::Method method, Ending ending,
                   const std::source_location& at)
    : bytes_(std::move(bytes)) {
  const std::string_view text = bytes_;
  place_ = std::string(at.file_name()) + ":" + std::to_string(at.line()) + ": \"" +
           escaped(text.substr(0, 200)) + '"';
  outcome_ = parse_answer({text}, method, ending);
  std::vector<std::string_view> single;
  for (size_t i = 0; i < text.size(); ++i) single.push_back(text.substr(i, 1));
  EXPECT_TRUE(parse_answer(single, method, ending) == outcome_)
      << place_ << "\nbyte by byte it differs";
  for (const size_t cut : split_points(text)) {
    if (parse_answer({text.substr(0, cut), text.substr(cut)}, method, ending) == outcome_) continue;
    ADD_FAILURE() << place_ << "\nsplit at " << cut << " it differs";
    break;
  }
}

Received& Received::status(uint16_t status) {
  EXPECT_EQ(outcome_.status, status) << place_ << "\n" << outcome_.error;
  return *this;
}

Received& Received::reason(std::string_view reason) {
  EXPECT_EQ(outcome_.reason, reason) << place_;
  return *this;
}

Received& Received::field(std::string_view name, std::string_view value) {
  const std::pair<std::string, std::string> wanted(name, value);
  EXPECT_EQ(std::count(outcome_.fields.begin(), outcome_.fields.end(), wanted), 1) << place_;
  return *this;
}

Received& Received::field_count(size_t count) {
  EXPECT_EQ(outcome_.fields.size(), count) << place_;
  return *this;
}

Received& Received::content_length(std::optional<uint64_t> length) {
  EXPECT_EQ(outcome_.content_length, length) << place_;
  return *this;
}

Received& Received::interims(std::vector<uint16_t> statuses) {
  EXPECT_EQ(outcome_.interims, statuses) << place_;
  return *this;
}

Received& Received::body(std::string_view body) {
  EXPECT_TRUE(outcome_.has_body) << place_;
  EXPECT_EQ(outcome_.body, body) << place_;
  return *this;
}

Received& Received::bodiless() {
  EXPECT_FALSE(outcome_.has_body) << place_;
  EXPECT_EQ(outcome_.body, "") << place_;
  return *this;
}

Received& Received::whole(size_t surplus) {
  EXPECT_TRUE(outcome_.ended) << place_ << "\n" << outcome_.error;
  EXPECT_EQ(outcome_.surplus, surplus) << place_;
  return *this;
}

Received& Received::unfinished() {
  EXPECT_FALSE(outcome_.ended) << place_;
  EXPECT_EQ(outcome_.error, "") << place_;
  return *this;
}

Received& Received::is_error() {
  EXPECT_NE(outcome_.error, "") << place_;
  EXPECT_FALSE(outcome_.ended) << place_;
  return *this;
}

Received& Received::reusable() {
  EXPECT_TRUE(outcome_.keep_alive) << place_;
  return *this;
}

Received& Received::not_reusable() {
  EXPECT_FALSE(outcome_.keep_alive) << place_;
  return *this;
}

void each_is_error(std::initializer_list<std::string> answers, const std::source_location& at) {
  for (const std::string& bytes : answers) {
    Received(bytes, http::Method::kGet, Ending::kOpen, at).is_error();
  }
}

}  // namespace perigee::test
