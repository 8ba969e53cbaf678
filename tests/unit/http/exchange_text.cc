#include "tests/unit/http/exchange_text.h"

#include <ostream>

#include "base/check.h"
#include "http/date.h"
#include "http/head_image.h"

namespace perigee::test {
namespace {

std::string line_of(const http::Field& field) {
  return std::string(field.name) + ": " + std::string(field.value);
}

int64_t wall_ms(double after_s) { return kReceivedMs + static_cast<int64_t>(after_s * 1000); }

}  // namespace

std::string at(int64_t seconds) {
  char text[http::kDateSize];
  return std::string(http::format_date(kReceivedMs + seconds * 1000, text));
}
std::string date(int64_t seconds) { return "Date: " + at(seconds); }
std::string expires(int64_t seconds) { return "Expires: " + at(seconds); }
std::string last_modified(int64_t seconds) { return "Last-Modified: " + at(seconds); }

const http::HeaderList& Lines::fields() const {
  storage_.assign(lines_.size(), {});
  list_ = http::HeaderList(storage_);
  for (const std::string_view line : lines_) {
    const size_t colon = line.find(':');
    CHECK(colon != std::string_view::npos);
    CHECK(list_.add(line.substr(0, colon), http::trim_ows(line.substr(colon + 1))));
  }
  return list_;
}

const http::RequestHead& Request::head() const {
  head_.method_text = method_;
  head_.method = http::method_of(method_);
  head_.scheme = "http";
  head_.authority = "site.test";
  head_.target = "/page";
  head_.fields = lines_.fields();
  return head_;
}

Answer& Answer::to(const Request& request) {
  request_ = request;
  return *this;
}

Answer& Answer::under(const http::PolicyOptions& options) {
  options_ = options;
  return *this;
}

Answer& Answer::took_ms(int64_t delay_ms) {
  delay_ms_ = delay_ms;
  return *this;
}

Answer& Answer::purged_softly_at(int64_t seconds) {
  stale_since_ms_ = kReceivedMs + seconds * 1000;
  return *this;
}

http::ReceivedResponse Answer::received() const {
  http::ReceivedResponse response;
  response.status = status_;
  response.fields = lines_.fields();
  response.has_body = !http::never_has_body(request_.head().method, status_);
  if (const auto* length = response.fields.find(http::FieldName::kContentLength)) {
    response.content_length = std::stoull(std::string(length->value));
  }
  return response;
}

http::ResponseTimes Answer::times() const { return {kReceivedMs - delay_ms_, kReceivedMs}; }

http::Admission Answer::admission() const {
  return http::admit(request_.head(), received(), times(), options_);
}

double Answer::lifetime_s() const {
  const int64_t ms = admission().policy.lifetime_ms;
  return ms == base::ReuseFacts::kAbsent ? -1 : static_cast<double>(ms) / 1000;
}

double Answer::initial_age_s() const {
  return static_cast<double>(admission().policy.initial_age_ms) / 1000;
}

const std::vector<std::byte>& Answer::image() const {
  const http::ReceivedResponse response = received();
  const http::Admission admission = http::admit(request_.head(), response, times(), options_);
  image_ = http::make_head_image(response, times(),
                                 {.content_length = response.content_length,
                                  .drop_names = admission.drop_names,
                                  .drop_set_cookie = admission.drop_set_cookie});
  return image_;
}

http::StoredResponse Answer::stored() const {
  std::optional<http::StoredResponse> view = http::view_head_image(image(), admission().policy);
  CHECK(view);
  view->stale_since_ms = stale_since_ms_;
  return *view;
}

http::Decision Answer::decide(const Request& request, double after_s) const {
  const http::StoredResponse response = stored();
  return http::decide(&response, false, request.head(), wall_ms(after_s), options_);
}

bool Answer::shared_with(const Request& request, double after_s) const {
  return http::may_share(stored(), request.head(), wall_ms(after_s), options_);
}

bool Answer::stands_in(http::OriginFailure failure, double after_s, const Request& request) const {
  return http::may_serve_stale(stored(), request.head(), failure, wall_ms(after_s), options_);
}

std::vector<std::string> lines_of(const http::FieldBlock& block) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < block.size(); ++i) lines.push_back(line_of(block.at(i)));
  return lines;
}

std::vector<std::string> lines_of(const http::HeaderList& fields) {
  std::vector<std::string> lines;
  for (const http::Field& field : fields) lines.push_back(line_of(field));
  return lines;
}

std::vector<std::string> lines_of(const http::ResponseHead& head) {
  std::vector<std::string> lines = lines_of(head.block);
  for (size_t i = 0; i < head.fresh_count; ++i) lines.push_back(line_of(head.fresh[i]));
  return lines;
}

}  // namespace perigee::test

namespace perigee::http {

void PrintTo(Storable storable, std::ostream* out) {
  static constexpr const char* kNames[] = {
      "storable",        "method",    "status",           "no-store",   "private",
      "authorization",   "vary-star", "vary-cookie",      "set-cookie", "no-freshness-no-validator",
      "must-understand", "partial",   "connection-named", "configured", "unusual-request"};
  *out << kNames[static_cast<size_t>(storable)];
}

void PrintTo(Action action, std::ostream* out) {
  static constexpr const char* kNames[] = {"serve", "serve-stale",     "revalidate", "fetch",
                                           "pass",  "gateway-timeout", "answer"};
  *out << kNames[static_cast<size_t>(action)];
}

void PrintTo(Forward forward, std::ostream* out) {
  *out << (forward == Forward::kNone ? "none" : forward_text(forward));
}

}  // namespace perigee::http
