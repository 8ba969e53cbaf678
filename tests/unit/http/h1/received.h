// One response through the parser, at every split point:
//
//   received("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").status(200).body("hi").whole();
//   received("HTTP/1.1 200 OK\n").is_error();
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/parsed_answer.h"

namespace perigee::test {

class Received {
 public:
  Received(std::string bytes, http::Method method, Ending ending, const std::source_location& at);

  Received& status(uint16_t status);
  Received& reason(std::string_view reason);
  Received& field(std::string_view name, std::string_view value);
  Received& field_count(size_t count);
  Received& content_length(std::optional<uint64_t> length);
  Received& interims(std::vector<uint16_t> statuses);
  Received& body(std::string_view body);
  /// No content follows this head, whatever it says.
  Received& bodiless();
  /// The message came to its end; so many bytes behind it were left alone.
  Received& whole(size_t surplus = 0);
  /// More bytes are needed.
  Received& unfinished();
  Received& is_error();
  Received& reusable();
  Received& not_reusable();

 private:
  std::string bytes_;
  std::string place_;
  ParsedAnswer outcome_;
};

/// Runs the bytes of an answer to `method` through a parser of their own.
inline Received received(std::string bytes, http::Method method = http::Method::kGet,
                         Ending ending = Ending::kOpen,
                         const std::source_location& at = std::source_location::current()) {
  return Received(std::move(bytes), method, ending, at);
}
/// Each of these is an error, whatever comes behind it.
void each_is_error(std::initializer_list<std::string> answers,
                   const std::source_location& at = std::source_location::current());

}  // namespace perigee::test
