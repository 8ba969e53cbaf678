// One response through the parser, at every split point:
//
//   answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").status(200).body("hi").whole();
//   answer("HTTP/1.1 200 OK\n").is_error();
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/response_parser.h"

namespace perigee::test {

/// How the connection ends behind the bytes.
enum class Ending : uint8_t { kOpen, kFin, kReset };

class Answer {
 public:
  Answer(std::string bytes, http::Method method, Ending ending, const std::source_location& at);

  Answer& status(uint16_t status);
  Answer& reason(std::string_view reason);
  Answer& field(std::string_view name, std::string_view value);
  Answer& field_count(size_t count);
  Answer& content_length(std::optional<uint64_t> length);
  Answer& interims(std::vector<uint16_t> statuses);
  Answer& body(std::string_view body);
  /// No content follows this head, whatever it says.
  Answer& bodiless();
  /// The message came to its end; so many bytes behind it were left alone.
  Answer& whole(size_t surplus = 0);
  /// More bytes are needed.
  Answer& unfinished();
  Answer& is_error();
  Answer& reusable();
  Answer& not_reusable();

  struct Outcome {
    std::vector<uint16_t> interims;
    std::optional<uint16_t> status;
    std::string reason;
    std::vector<std::pair<std::string, std::string>> fields;
    std::optional<uint64_t> content_length;
    bool has_body = false;
    bool keep_alive = false;
    std::string body;
    bool ended = false;
    std::string error;
    size_t surplus = 0;

    bool operator==(const Outcome&) const = default;
  };

 private:
  std::string bytes_;
  std::string place_;
  Outcome outcome_;
};

/// Runs the bytes of an answer to `method` through a parser of their own.
inline Answer answer(std::string bytes, http::Method method = http::Method::kGet,
                     Ending ending = Ending::kOpen,
                     const std::source_location& at = std::source_location::current()) {
  return Answer(std::move(bytes), method, ending, at);
}
/// Each of these is an error, whatever comes behind it.
void each_is_error(std::initializer_list<std::string> answers,
                   const std::source_location& at = std::source_location::current());

}  // namespace perigee::test
