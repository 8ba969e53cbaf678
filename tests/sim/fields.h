// Field lines as the simulator's own actors and oracles see them: plain pairs, no tokens, nothing
// shared with the product.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perigee::sim {

using Fields = std::vector<std::pair<std::string, std::string>>;

std::string lower(std::string_view text);
std::string trim(std::string_view text);
/// A field's name as programs behind an origin read it: lower case, and `-` for all that is neither
/// letter nor digit.
std::string folded(std::string_view name);
/// Strangers hope that an origin, or a framework on it, believes such a field. By its folded name.
bool is_poison(const std::string& folded_name);
bool same_name(std::string_view a, std::string_view b);
/// The first line of that name.
std::optional<std::string> first_of(const Fields& fields, std::string_view name);
bool has(const Fields& fields, std::string_view name);
/// All lines of that name joined with ", "; nullopt: none.
std::optional<std::string> joined(const Fields& fields, std::string_view name);
void remove_all(Fields& fields, std::string_view name);
/// The members of a comma-separated list, trimmed, commas in quotes respected, empty ones dropped.
std::vector<std::string> members(std::string_view list);
/// Digits only.
std::optional<int64_t> number(std::string_view digits);

/// One HTTP/1 message as it comes: strict, and with no ambition beyond what the simulator's actors
/// send.
class MessageReader {
 public:
  enum class Kind : uint8_t { kRequest, kResponse };
  enum class State : uint8_t { kHead, kBody, kDone, kBroken };
  explicit MessageReader(Kind kind) : kind_(kind) {}

  /// Starts on the next message. `method`: of the request that a response answers.
  void begin(std::string_view method = {});
  /// Consumes what belongs to this message; the number of bytes taken.
  size_t read(std::string_view bytes);
  /// The peer ended in order. True: that ends the message.
  bool end();

  State state() const { return state_; }
  bool started() const { return consumed_ > 0; }
  /// Why it is broken.
  const std::string& error() const { return error_; }

  // From kBody on.
  std::string method;   ///< of a request
  std::string target;   ///< of a request
  int status = 0;       ///< of a response
  std::string version;  ///< "HTTP/1.1"
  Fields fields;
  std::string body;
  uint64_t head_bytes = 0;
  bool until_close = false;  ///< the body ends with the connection

 private:
  bool read_head();
  bool choose_framing();
  size_t read_chunked(std::string_view bytes);
  bool broken(std::string why);

  Kind kind_;
  State state_ = State::kHead;
  std::string asked_method_;
  std::string head_;
  std::string line_;
  std::string error_;
  uint64_t consumed_ = 0;
  uint64_t left_ = 0;
  bool chunked_ = false;
  enum class Chunk : uint8_t { kSize, kData, kDataEnd, kTrailer } chunk_ = Chunk::kSize;
};

}  // namespace perigee::sim
