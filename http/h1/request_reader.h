// One HTTP/1 request from bytes: finds its whole head, has it parsed and judged, decodes its
// content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/h1/head_scanner.h"
#include "http/h1/message_parser.h"
#include "http/h1/server_codec.h"
#include "http/message.h"
#include "http/request_rules.h"
#include "http/request_scratch.h"

namespace perigee::http {

class Http1RequestReader {
 public:
  /// `scheme` lives as long as the program.
  Http1RequestReader(const Http1Options& options, std::string_view scheme);

  enum class Progress : uint8_t { kNeedMore, kHead, kRefused };
  /// Looks for a whole head at the start of `bytes`, continuing where the last call stopped when
  /// the bytes before are the same. kHead: `head` is filled and head_bytes() were used.
  Progress read_head(std::span<const std::byte> bytes, RequestScratch& scratch, RequestHead& head);
  size_t head_bytes() const { return scanner_.bytes(); }
  /// Some byte of a head was seen, other than an empty line before it.
  bool started() const { return scanner_.started(); }
  /// The head that was refused asked for HEAD: the refusal has no content.
  bool is_head_request() const { return is_head_request_; }
  const Refusal& refusal() const { return refusal_; }
  bool keep_alive() const { return keep_alive_; }
  Framing framing() const { return framing_; }

  /// Decodes content, appending it to `content`. The number of input bytes used; look at refusal().
  size_t read_body(std::span<const std::byte> bytes, std::string& content);
  bool body_done() const { return body_done_; }
  /// The client speaks another protocol from here on: all that comes is content, to the end that
  /// end_tunnel() tells of.
  void begin_tunnel();
  void end_tunnel() { body_done_ = true; }
  /// Ready for the next request.
  void reset();

 private:
  Refusal encode_target(std::string_view& text, RequestScratch& scratch) const;
  Refusal parse(std::string_view text, RequestScratch& scratch, RequestHead& head);
  Refusal take_framing(const FramingLines& lines, RequestHead& head);
  size_t read_chunked(std::span<const std::byte> bytes, std::string& content);

  const std::string_view scheme_;
  const size_t request_line_bytes_;
  HeadScanner scanner_;
  MessageParser parser_;
  uint64_t left_ = 0;  ///< of a declared Content-Length
  bool body_done_ = false;
  bool keep_alive_ = true;
  bool is_head_request_ = false;
  Framing framing_ = Framing::kNone;
  Refusal refusal_;
};

}  // namespace perigee::http
