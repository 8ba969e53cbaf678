#include "tests/sim/request_maker.h"

#include "tests/sim/content.h"
#include "tests/sim/http_date.h"

namespace perigee::sim {

namespace {
constexpr const char* kLanguages[] = {"en",    "de",           "EN",     "en, de",
                                      "de,en", "en;q=0.5, de", "en,  de"};
constexpr const char* kTags[] = {"a", "b", "A", "a, b", "a,b", ""};
constexpr const char* kAccepts[] = {"text/html", "text/html,image/webp", "image/webp, text/html",
                                    "*/*"};
constexpr const char* kRanges[] = {"bytes=0-9", "bytes=5-",       "bytes=-5",  "bytes=9-5",
                                   "bytes=0-0", "bytes=0-1,4-5",  "lines=1-2", "bytes=999999-",
                                   "bytes=-0",  "bytes=100-4000", "bytes=x-1", "BYTES=1-2"};
constexpr const char* kDirectives[] = {"no-cache",       "max-age=0",
                                       "only-if-cached", "no-store",
                                       "max-stale",      "max-stale=10",
                                       "min-fresh=5",    "max-age=20",
                                       "no-transform",   "only-if-cached, max-stale=60"};
}  // namespace

Request RequestMaker::make() {
  Random& random = world_.random;
  const Options& options = world_.options;
  Request request;
  request.target = world_.any_target();
  request.fields.emplace_back("Host", "site.test");
  if (world_.fault(options.purge)) {
    request.method = "PURGE";
    if (random.chance(options.soft_purge)) request.fields.emplace_back("Soft-Purge", "1");
    return request;
  }
  if (random.chance(options.http10)) {
    request.version = "HTTP/1.0";
    if (random.chance(500)) request.fields.emplace_back("Connection", "keep-alive");
  }
  add_selectors(request);
  if (world_.fault(options.unsafe)) {
    request.method = random.pick(std::vector<std::string>{"POST", "POST", "PUT", "DELETE"});
    add_content(request);
    return request;
  }
  if (random.chance(options.head)) request.method = "HEAD";
  if (random.chance(options.directives)) add_directives(request);
  if (random.chance(options.conditional)) add_conditions(request);
  if (random.chance(options.range)) add_range(request);
  return request;
}

void RequestMaker::add_selectors(Request& request) {
  Random& random = world_.random;
  const unsigned chance = world_.options.selecting;
  if (random.chance(chance))
    request.fields.emplace_back("Accept-Language", random.pick(kLanguages));
  if (random.chance(chance)) request.fields.emplace_back("X-Tag", random.pick(kTags));
  if (random.chance(chance / 8)) request.fields.emplace_back("x-tag", random.pick(kTags));
  if (random.chance(chance)) request.fields.emplace_back("Accept", random.pick(kAccepts));
  if (random.chance(chance / 3)) {
    request.fields.emplace_back("Cookie", random.chance(500) ? "s=1" : "s=2");
  }
  if (random.chance(world_.options.authorization)) {
    request.fields.emplace_back("Authorization", random.chance(500) ? "Basic QTpB" : "Basic QjpC");
  }
}

void RequestMaker::add_directives(Request& request) {
  request.fields.emplace_back("Cache-Control", world_.random.pick(kDirectives));
}

std::string RequestMaker::tag(const std::string& target) {
  const auto& seen = tags_[target];
  return seen.empty() ? "\"unseen\"" : world_.random.pick(seen);
}

std::string RequestMaker::date(const std::string& target) {
  const auto& seen = dates_[target];
  if (!seen.empty() && world_.random.chance(600)) return world_.random.pick(seen);
  const int64_t at = world_.scheduler.wall_ms() - world_.random.between(-100'000, 100'000'000);
  return world_.random.chance(100) ? "not a date" : write_date(at);
}

void RequestMaker::add_conditions(Request& request) {
  Random& random = world_.random;
  const std::string& target = request.target;
  if (random.chance(world_.options.required)) {
    if (random.chance(600))
      request.fields.emplace_back("If-Match", tag(target));
    else
      request.fields.emplace_back("If-Unmodified-Since", date(target));
    return;
  }
  switch (random.below(6)) {
    case 0:
      request.fields.emplace_back("If-None-Match", "*");
      break;
    case 1:
      request.fields.emplace_back("If-None-Match", "\"x\", " + tag(target));
      break;
    case 2:
      request.fields.emplace_back("If-Modified-Since", date(target));
      break;
    case 3:
      request.fields.emplace_back("If-None-Match", tag(target));
      request.fields.emplace_back("If-Modified-Since", date(target));
      break;
    default:
      request.fields.emplace_back("If-None-Match", tag(target));
      break;
  }
}

void RequestMaker::add_range(Request& request) {
  Random& random = world_.random;
  request.fields.emplace_back("Range", random.pick(kRanges));
  if (random.chance(700)) return;
  request.fields.emplace_back("If-Range",
                              random.chance(600) ? tag(request.target) : date(request.target));
}

void RequestMaker::add_content(Request& request) {
  Random& random = world_.random;
  if (request.method == "DELETE" && random.chance(600)) return;
  const std::string content = content_bytes(999'999, 0, random.below(9'000));
  if (request.version == "HTTP/1.1" && random.chance(400)) {
    request.fields.emplace_back("Transfer-Encoding", "chunked");
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", content.size());
    if (!content.empty()) request.body = size + content + "\r\n";
    request.body += "0\r\n\r\n";
  } else {
    request.fields.emplace_back("Content-Length", std::to_string(content.size()));
    request.body = content;
  }
  if (random.chance(200)) request.fields.emplace_back("Expect", "100-continue");
}

void RequestMaker::learn(const std::string& target, const Fields& response) {
  if (const auto tag = first_of(response, "ETag")) tags_[target].push_back(*tag);
  if (const auto date = first_of(response, "Last-Modified")) dates_[target].push_back(*date);
}

}  // namespace perigee::sim
