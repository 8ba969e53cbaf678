// A mini-language for the caching rules: a response, the request that it answered, and what the
// cache makes of both.
//
//   Answer({"Cache-Control: max-age=60"}).to({"Authorization: x"}).storable()
//   Answer(404, {date(-10)}).under(options).decide({"Cache-Control: max-age=0"}, 70)
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/freshness.h"
#include "http/policy.h"
#include "http/stored_response.h"

namespace perigee::test {

/// When every response is received: Tue, 14 Nov 2023 22:13:20 GMT.
inline constexpr int64_t kReceivedMs = 1'700'000'000'000;

/// The HTTP date this many seconds after kReceivedMs, and field lines with it.
std::string at(int64_t seconds);
std::string date(int64_t seconds);
std::string expires(int64_t seconds);
std::string last_modified(int64_t seconds);

/// Field lines "Name: value", kept with the list that points into them.
class Lines {
 public:
  Lines(std::initializer_list<std::string> lines) : lines_(lines) {}
  /// Valid until the next call, or until this is copied, moved or destroyed.
  const http::HeaderList& fields() const;

 private:
  std::vector<std::string> lines_;
  mutable std::vector<http::Field> storage_;
  mutable http::HeaderList list_;
};

/// A request for /page on http://site.test.
class Request {
 public:
  Request(std::initializer_list<std::string> lines) : lines_(lines) {}
  Request(std::string_view method, std::initializer_list<std::string> lines)
      : lines_(lines), method_(method) {}
  const http::RequestHead& head() const;

 private:
  Lines lines_;
  std::string method_ = "GET";
  mutable http::RequestHead head_;
};

/// A response of the origin at kReceivedMs, to a plain GET sent in the same millisecond unless said
/// otherwise. Times are seconds after that.
class Answer {
 public:
  Answer(std::initializer_list<std::string> lines) : Answer(200, lines) {}
  Answer(uint16_t status, std::initializer_list<std::string> lines)
      : status_(status), lines_(lines), request_({}) {}

  Answer& to(const Request& request);
  Answer& under(const http::PolicyOptions& options);
  /// The request was sent this long before the head was there.
  Answer& took_ms(int64_t delay_ms);
  Answer& purged_softly_at(int64_t seconds);

  http::ReceivedResponse received() const;
  http::ResponseTimes times() const;
  http::Admission admission() const;
  http::Storable storable() const { return admission().storable; }
  /// kAbsent is -1.
  double lifetime_s() const;
  double initial_age_s() const;

  /// As it is stored; a view over image().
  http::StoredResponse stored() const;
  const std::vector<std::byte>& image() const;
  http::Decision decide(const Request& request = {}, double after_s = 0) const;
  bool shared_with(const Request& request, double after_s = 0) const;
  bool stands_in(http::OriginFailure failure, double after_s, const Request& request = {}) const;

 private:
  uint16_t status_;
  Lines lines_;
  Request request_;
  http::PolicyOptions options_;
  int64_t delay_ms_ = 0;
  int64_t stale_since_ms_ = 0;
  mutable std::vector<std::byte> image_;
};

/// The lines of a head, each "Name: value", in order.
std::vector<std::string> lines_of(const http::FieldBlock& block);
std::vector<std::string> lines_of(const http::HeaderList& fields);
/// The lines of a whole response head as they leave: the block, then the fresh ones.
std::vector<std::string> lines_of(const http::ResponseHead& head);

}  // namespace perigee::test

namespace perigee::http {
void PrintTo(Storable storable, std::ostream* out);
void PrintTo(Action action, std::ostream* out);
void PrintTo(Forward forward, std::ostream* out);
}  // namespace perigee::http
