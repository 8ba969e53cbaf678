// What the worst heads cost: CPU for each, of everything that Perigee does with a head. For people,
// never for a test, since time decides no test.
//
//   head_cost            a table; exit status 1 when a head costs more than 100 µs
//
// Each row is one head as large as its bound lets it be, filled with what is hardest to read. The
// least of many rounds counts: what else runs on the machine only adds to it.
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "edge/client_address.h"
#include "http/cache_control.h"
#include "http/cache_key.h"
#include "http/forward.h"
#include "http/h1/response_reader.h"
#include "http/h1/server_codec.h"
#include "http/h1/writer.h"
#include "http/head_image.h"
#include "http/origin_lints.h"
#include "http/preflight.h"
#include "http/response.h"
#include "http/selecting.h"
#include "http/vary.h"

namespace perigee::tools {
namespace {

namespace limits = base::limits;
using http::FieldName;

constexpr double kMostMicroseconds = 100;
constexpr int kRounds = 300;
constexpr int64_t kNowMs = 1'767'226'600'000;
constexpr http::ResponseTimes kTimes{kNowMs, kNowMs};
constexpr std::string_view kCacheName = "perigee";

double cpu_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

/// CPU of one call: the least of many.
double cost_of(const std::function<void()>& call) {
  double least = 1e9;
  for (int i = 0; i < kRounds; ++i) {
    const double before = cpu_microseconds();
    call();
    least = std::min(least, cpu_microseconds() - before);
  }
  return least;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string repeated(std::string_view piece, size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

// --- requests ------------------------------------------------------------------------------------

/// A site with everything switched on that costs something, and what is stored for it.
class Site {
 public:
  Site() {
    policy.honour_client_directives = true;
    for (int i = 0; i < 8; ++i) {
      policy.vary_cookies.push_back("cookie" + std::to_string(i));
      policy.vary_accept.push_back("image/type" + std::to_string(i));
      query.strip.push_back("utm" + std::to_string(i) + "*");
    }
    query.sort = true;
    policy.preflight.origins = {"*"};
    networks.push_back(*base::parse_network("10.0.0.0/8"));
    std::vector<std::string> names = {"accept",        "accept-language", "accept-charset",
                                      "cookie",        "x-other",         "user-agent",
                                      "authorization", "cache-control"};
    while (names.size() < limits::kVaryNames) names.push_back("x-" + std::to_string(names.size()));
    spec_text_ = http::encode_vary_spec(names);
    http::decode_vary_spec(spec_text_, spec);
    std::vector<http::Field> storage(3);
    http::ReceivedResponse received;
    received.status = 200;
    received.fields = http::HeaderList(storage);
    received.fields.add("ETag", "\"no such tag\"");
    received.fields.add("Cache-Control", "max-age=600");
    image_ = http::make_head_image(received, kTimes, {.content_length = 1'000'000});
    base::ReuseFacts stored_policy;
    stored_policy.status = 200;
    stored_policy.lifetime_ms = 600'000;
    stored_policy.response_time_ms = kNowMs;
    stored = *http::view_head_image(image_, stored_policy);
  }
  http::PolicyOptions policy;
  http::QueryOptions query;
  std::vector<base::Network> networks;
  http::VarySpec spec;
  http::StoredResponse stored;

 private:
  std::string spec_text_;
  std::vector<std::byte> image_;
};

/// Does with a request what the flow does on a hit, on a fill and on a relay, all of it.
class Everything final : public http::RequestSink {
 public:
  explicit Everything(const Site& site) : site_(site) {}
  void on_request(http::Exchange& exchange) override {
    look_up(exchange.request());
    forward(exchange.request(), true);
    forward(exchange.request(), false);
    answer(exchange);
  }
  void on_cancel(http::Exchange&) override {}
  void on_sent(http::Exchange&, uint64_t, bool) override {}
  void on_refused(const base::Peer&, std::string_view why, http::Arena&,
                  http::ResponseHead&) override {
    refused = why;
  }
  std::string_view refused;

 private:
  void look_up(const http::RequestHead& request) {
    edge::forwarded_scheme(request);
    edge::client_address(request, *base::Address::parse("10.0.0.1:1"), site_.networks);
    http::canonical_authority(request.authority, request.scheme, authority_);
    const std::string_view target = http::normalize_query(request.target, site_.query, query_);
    http::make_cache_key(request.scheme, authority_, target, key_);
    http::loops(request, "perigee");
    http::is_preflight(request);
    http::asks_only_if_cached(request.fields);
    selected_.clear();
    http::append_selected(site_.spec, selecting_.of(request.fields, site_.policy), selected_);
    http::make_variant_key(key_, 1, selected_, variant_key_);
    http::decide(&site_.stored, false, request, kNowMs, site_.policy);
  }
  void forward(const http::RequestHead& request, bool shared) {
    http::Arena arena;
    http::RequestHead head;
    if (!http::copy_head(request, head, arena)) return;
    const auto room = arena.alloc_span<http::Field>(head.fields.size() + http::kForwardedFields);
    http::HeaderList fields(room);
    const http::ForwardOptions options{.site_name = authority_,
                                       .scheme = head.scheme,
                                       .client_address = "10.0.0.1",
                                       .extends_chain = true,
                                       .shared = shared};
    if (!http::forwarded_fields(head, options, site_.policy, arena, fields)) return;
    wire_.clear();
    (void)http::append_request_head(wire_, {head.method_text, head.target, authority_, fields});
  }
  void answer(http::Exchange& exchange) {
    const http::Selection part = http::select(site_.stored, exchange.request(), 1'000'000);
    const auto head = http::make_response(site_.stored, part, 1'000'000, 1, {.hit = true},
                                          {.cache_name = kCacheName}, exchange.arena());
    if (head) exchange.respond(*head, nullptr);
  }

  const Site& site_;
  std::string authority_;
  std::string key_;
  std::string variant_key_;
  std::string selected_;
  std::string wire_;
  http::QueryScratch query_;
  http::SelectingFields selecting_;
};

class NoWaker final : public base::Waker {
 public:
  void wake() override {}
};

/// The codec of one connection and what stands around it.
struct Connection {
  explicit Connection(Everything& flow) : sink(flow) {}
  Everything& sink;  ///< of the loop
  NoWaker waker;
  http::OutBuffers buffers;
  http::OutQueue out{buffers};
  base::Peer peer;
  http::Http1Options options{.request_line_bytes = limits::kRequestLineBytesMost};
  std::unique_ptr<http::RequestScratch> scratch = std::make_unique<http::RequestScratch>();
  std::unique_ptr<http::ServerCodec> codec =
      http::make_http1_codec({out, sink, waker, peer}, options, *scratch);
};

struct Head {
  std::string name;
  std::string text;
};

constexpr size_t kRequestRoom = limits::kRequestHeadBytes - 400;

/// A request with the field, twice as large as one may be, in two lines.
Head request_with(const std::string& name, std::string_view piece, std::string_view method = "GET",
                  std::string_view begin = "") {
  const size_t each = limits::kFieldBytes - limits::kFieldCharge - name.size() - begin.size() - 64;
  std::string text = std::string(method) + " /a HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 2; ++i) {
    text += name + ": " + std::string(begin) + repeated(piece, std::min(each, kRequestRoom / 2));
    text += "\r\n";
    if (begin != "") break;
  }
  return {name + " of '" + std::string(begin) + std::string(piece.substr(0, 24)) + "'",
          text + "\r\n"};
}

std::string many_fields(size_t count, size_t bytes, std::string_view value = "") {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = "x-" + std::to_string(1000 + i);
    const size_t rest = bytes / count > name.size() + 4 ? bytes / count - name.size() - 4 : 0;
    text += name + ": " + (value.empty() ? std::string(rest, 'v') : repeated(value, rest)) + "\r\n";
  }
  return text;
}

std::vector<Head> requests() {
  const std::string get = "GET /a HTTP/1.1\r\nHost: a\r\n";
  std::vector<Head> heads;
  for (const std::string_view piece : {"/", "%41/", "a&", "%2e%2ea/"}) {
    const std::string target = "/" + std::string(piece == "a&" ? "?" : "") +
                               repeated(piece, limits::kRequestLineBytesMost - 40);
    heads.push_back({"a target of '" + std::string(piece) + "'",
                     "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"});
  }
  heads.push_back({"many fields", get + many_fields(98, kRequestRoom) + "\r\n"});
  heads.push_back({"many empty fields", get + many_fields(98, 0) + "\r\n"});
  for (const std::string_view piece : {"a,", ",", "\"", "a;q=1,", "\"a\",", "image/type0;q=0,",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaaa\t;\t,"}) {
    for (const std::string name : {"Accept", "Accept-Language", "X-Other", "CDN-Loop", "Via"}) {
      heads.push_back(request_with(name, piece));
    }
  }
  std::string same;
  for (int i = 0; i < 31; ++i)
    same += std::string(240, 'a') + static_cast<char>('a' + i % 26) + ",";
  heads.push_back({"Accept of members that differ late",
                   get + "Accept: " + same + "\r\nAccept-Language: " + same + "\r\n\r\n"});
  for (const std::string_view piece : {"a=;", ";", "cookie9=1; ", "a"}) {
    heads.push_back(request_with("Cookie", piece));
  }
  for (const std::string name : {"If-None-Match", "If-Match"}) {
    for (const std::string_view piece : {"a,", "\"a\",", "W/\"a\",", "\"", ",", "\"a,"}) {
      heads.push_back(request_with(name, piece));
    }
  }
  for (const std::string_view piece : {"1-1,", "0-,", ",", "-1,", "1-2,9-9,"}) {
    heads.push_back(request_with("Range", piece, "GET", "bytes="));
  }
  std::string scattered = "bytes=";
  for (int i = 0; i < 150; i += 10) scattered += std::to_string(i) + "-" + std::to_string(i) + ",";
  heads.push_back(request_with("Range", "999-999,", "GET", scattered));
  for (const std::string_view piece :
       {"a,", "max-age=1,", "private=\"a,b\",", ",", "=,", "a=\"b\","}) {
    heads.push_back(request_with("Cache-Control", piece));
  }
  for (const std::string_view piece : {"10.0.0.1,", ",", "10.0.0.1:1,", "[::1],", " "}) {
    heads.push_back(request_with("X-Forwarded-For", piece, "OPTIONS"));
  }
  for (const std::string_view piece : {"a,", "close,", ",", "x-1001,", "keep-alive,"}) {
    heads.push_back(request_with("Connection", piece));
    Head both = request_with("Connection", piece, "GET", "a,");
    both.name += " and many fields";
    both.text.insert(both.text.size() - 2, many_fields(90, kRequestRoom - both.text.size() - 200));
    heads.push_back(both);
  }
  return heads;
}

// --- responses -----------------------------------------------------------------------------------

Head response_with(const std::string& name, std::string_view piece, size_t lines = 1,
                   std::string_view status = "200 OK") {
  std::string text = "HTTP/1.1 " + std::string(status) + "\r\n";
  if (!status.starts_with('1')) text += "ETag: \"a\"\r\n";
  const size_t each = (limits::kOriginHeadBytes - 400) / lines - name.size() - 4;
  for (size_t i = 0; i < lines; ++i) text += name + ": " + repeated(piece, each) + "\r\n";
  return {name + " of '" + std::string(piece.substr(0, 24)) + "' in " + std::to_string(lines),
          text + "\r\n"};
}

std::vector<Head> responses() {
  std::vector<Head> heads;
  const std::string ok = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=1\r\n";
  const size_t room = limits::kOriginHeadBytes - 400;
  heads.push_back({"many fields", ok + many_fields(197, room) + "\r\n"});
  heads.push_back({"many empty fields", ok + many_fields(197, 0) + "\r\n"});
  heads.push_back({"one long field", ok + "X: " + std::string(room, 'a') + "\r\n\r\n"});
  std::string names;
  for (int i = 0; i < 9000; ++i) names += "k" + std::to_string(i) + ",";
  for (const size_t lines : {size_t{1}, size_t{190}}) {
    for (const std::string_view piece : {"a,", "max-age=1,", ",", "\"", "a=\"b\",", "=,"}) {
      heads.push_back(response_with("Cache-Control", piece, lines));
    }
    for (const std::string_view piece :
         {"a,", "a=(1 1),", "a;a;a;a,", "a=:aaaa:,", "a=%\"%41\","}) {
      heads.push_back(response_with("CDN-Cache-Control", piece, lines));
    }
    for (const std::string_view piece : {"a,", "Accept-Encoding,", ",", "cookie,"}) {
      heads.push_back(response_with("Vary", piece, lines));
    }
    for (const std::string_view piece : {"a,", "close,", ",", "\"a"}) {
      heads.push_back(response_with("Connection", piece, lines));
    }
  }
  heads.push_back(response_with("CDN-Cache-Control", names, 1));
  heads.push_back(response_with("CDN-Cache-Control", "a=(" + std::string(60'000, ' '), 1));
  heads.push_back(response_with("CDN-Cache-Control", "a=\"" + std::string(60'000, 'b') + "\"", 1));
  heads.push_back(response_with("Vary", names, 1));
  const std::string list = names.substr(0, room / 2);
  heads.push_back({"no-cache of names, and many fields",
                   "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: no-cache=\"" + list +
                       "a\", max-age=1\r\n" + many_fields(190, room / 2 - 100) + "\r\n"});
  return heads;
}

/// All that is done with an origin's final head, as a response to be stored and as a 304.
class Receiver {
 public:
  explicit Receiver(const Site& site) : site_(site), sink_(site) {
    request_.authority = "a";
    request_.target = "/a";
    request_.scheme = "http";
  }
  std::string_view error() const { return parser_.error(); }
  /// False: the head was refused.
  bool store(const Head& head) {
    parser_.begin(http::Method::kGet);
    const http::ResponseReader::Step step = parser_.next(bytes_of(head.text));
    if (step.event != http::ResponseReader::Event::kHead) return false;
    const http::ReceivedResponse& received = parser_.head();
    http::late_date_ms(received, kTimes);
    http::directive_with_semicolon(received.fields);
    const http::Admission admission = http::admit(request_, received, kTimes, site_.policy);
    http::vary_names(received.fields);
    image_ = http::make_head_image(received, kTimes, {.content_length = 5});
    answer(admission.policy);
    return true;
  }
  /// What a 304 with these fields does to what store() left.
  void freshen(const Head& head) {
    parser_.begin(http::Method::kGet);
    parser_.next(bytes_of(head.text));
    const http::ReceivedResponse& received = parser_.head();
    const http::Admission admission = http::admit(request_, received, kTimes, site_.policy);
    if (const auto stored = http::view_head_image(image_, {})) {
      const auto image = http::freshen_head_image(*stored, received, kTimes);
      (void)http::without_fields(image, admission.drop_names);
    }
  }
  size_t image_bytes() const { return image_.size(); }

 private:
  void answer(const base::ReuseFacts& policy) {
    const auto stored = http::view_head_image(image_, policy);
    if (!stored) return;
    http::Arena arena;
    const http::Selection part = http::select(*stored, request_, 5);
    const auto head = http::make_response(*stored, part, 5, 1, {.stored = true},
                                          {.cache_name = kCacheName}, arena);
    if (!head) return;
    out_.assign(head->block.text);
    head->block.is_whole_lines();
  }

  const Site& site_;
  Everything sink_;
  http::ResponseReader parser_;
  http::RequestHead request_;
  std::vector<std::byte> image_;
  std::string out_;
};

// --- the table -----------------------------------------------------------------------------------

/// What costs most stands first.
struct Row {
  double microseconds;
  std::string name;
};

void measure_requests(const Site& site, std::vector<Row>& rows) {
  for (const Head& head : requests()) {
    Everything flow(site);
    const double cost = cost_of([&] {
      Connection connection(flow);
      connection.codec->feed(bytes_of(head.text), base::Tick{1});
    });
    rows.push_back(
        {cost, "request: " + head.name +
                   (flow.refused.empty() ? "" : " (" + std::string(flow.refused) + ")")});
  }
}

void measure_responses(const Site& site, std::vector<Row>& rows) {
  for (const Head& head : responses()) {
    Receiver receiver(site);
    bool stored = false;
    rows.push_back({cost_of([&] { stored = receiver.store(head); }), "response: " + head.name});
    if (!stored) rows.back().name += " (" + std::string(receiver.error()) + ")";
    if (stored && receiver.image_bytes() > 0) {
      rows.push_back({cost_of([&] { receiver.freshen(head); }), "304: " + head.name});
    }
  }
}

void measure_interims(std::vector<Row>& rows) {
  std::vector<Head> heads;
  for (const std::string_view piece : {"a,", "x,close,", "\"a"}) {
    heads.push_back(response_with("Connection", piece, 1, "103 Early Hints"));
  }
  heads.push_back(
      {"many fields", "HTTP/1.1 103 Early Hints\r\n" + many_fields(199, 16'000 - 400) + "\r\n"});
  for (const Head& head : heads) {
    http::ResponseReader parser;
    const double cost = cost_of([&] {
      parser.begin(http::Method::kGet);
      parser.next(bytes_of(head.text));
      http::Arena arena;
      (void)http::make_interim(parser.head(), true, arena);
    });
    rows.push_back({cost, "interim: " + head.name});
  }
}

int run() {
  // Memory that was used stays, as in a process that has run for a while.
  ::mallopt(M_TRIM_THRESHOLD, 1 << 28);
  ::mallopt(M_MMAP_THRESHOLD, 1 << 28);
  const Site site;
  std::vector<Row> rows;
  measure_requests(site, rows);
  measure_responses(site, rows);
  measure_interims(rows);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.microseconds > b.microseconds; });
  for (const Row& row : rows) std::printf("%8.1f us  %s\n", row.microseconds, row.name.c_str());
  return rows.front().microseconds > kMostMicroseconds ? 1 : 0;
}

}  // namespace
}  // namespace perigee::tools

int main() { return perigee::tools::run(); }
