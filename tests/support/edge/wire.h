// HTTP/1 messages as a test's peer reads them: lenient, whole, and independent of the product's
// parsers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perigee::test {

struct WireMessage {
  std::string first_line;
  std::vector<std::pair<std::string, std::string>> lines;
  std::string body;
};

/// How a body ends when the fields do not say: a request has none, an answer to HEAD too.
enum class MessageKind { kRequest, kAnswer, kAnswerToHead };

/// Takes the first whole message off `bytes`; nullopt: it is not all there. A response without a
/// length ends with the connection: `ended` says that it has.
std::optional<WireMessage> take_message(std::string& bytes, MessageKind kind, bool ended = false);

/// One chunk of the chunked coding.
std::string chunk(std::string_view bytes);

}  // namespace perigee::test
