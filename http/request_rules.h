// What every protocol demands of a request's head before anything acts on it: a method that is
// implemented, one valid Host, a target without tricks, an expectation that can be met (RFC 9110
// §7, §9, §10.1.1).
#pragma once

#include <cstdint>
#include <string_view>

#include "http/connection_options.h"
#include "http/message.h"
#include "http/request_scratch.h"

namespace perigee::http {

/// Why a request is refused; status 0: it is not.
struct Refusal {
  uint16_t status = 0;
  std::string_view why;
  explicit operator bool() const { return status != 0; }
};

/// The field lines that these rules look at, found in one pass over the head. Views into the lines
/// that were added.
struct RequestLines {
  std::string_view host;         ///< of the first Host line
  std::string_view expectation;  ///< of the first Expect line
  size_t hosts = 0;
  size_t expectations = 0;
  bool upgrade = false;  ///< an Upgrade or HTTP2-Settings line is there
  ConnectionOptions connection;

  void add(const Field& field);
};

/// 405 for TRACE, 501 for methods that are not relayed: unknown ones, and those that make tunnels
/// (RFC 9110 §9, §15.6.2).
Refusal judge_method(Method method, std::string_view text);

/// Obeys Connection, Upgrade and Expect. `has_content`: content follows the head.
Refusal take_options(const RequestLines& lines, bool has_content, RequestHead& head);

/// Takes the authority from Host, of which HTTP/1.1 has exactly one (RFC 9112 §3.2).
Refusal take_host(const RequestLines& lines, RequestScratch& scratch, RequestHead& head);

/// Takes path and query, and the authority of an absolute-form, whose scheme must be the head's
/// (RFC 9112 §3.2; http-rules 1.11). "*" is for OPTIONS alone.
Refusal take_target(RequestScratch& scratch, RequestHead& head);

}  // namespace perigee::http
