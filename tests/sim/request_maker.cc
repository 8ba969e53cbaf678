#include "tests/sim/request_maker.h"

#include <algorithm>

#include "tests/sim/content.h"
#include "tests/sim/http_date.h"

namespace perigee::sim {

namespace {
constexpr const char* kLanguages[] = {"en",    "de",           "EN",     "en, de",
                                      "de,en", "en;q=0.5, de", "en,  de"};
constexpr const char* kTags[] = {"a", "b", "A", "a, b", "a,b", "", "a,", ",a", "b, a"};
constexpr const char* kAccepts[] = {"text/html", "text/html,image/webp", "image/webp, text/html",
                                    "*/*", "image/webp;q=0, */*"};
constexpr const char* kCookies[] = {"s=1", "s=2", "s=1; u=7", "u=7"};
constexpr const char* kRanges[] = {"bytes=0-9",
                                   "bytes=5-",
                                   "bytes=-5",
                                   "bytes=9-5",
                                   "bytes=0-0",
                                   "bytes=0-1,4-5",
                                   "lines=1-2",
                                   "bytes=999999-",
                                   "bytes=-0",
                                   "bytes=100-4000",
                                   "bytes=x-1",
                                   "BYTES=1-2",
                                   "bytes=61000-62000",
                                   "bytes=130000-130099",
                                   "bytes=70000-",
                                   "bytes=-70000",
                                   "bytes=200000-200000,5-9"};
constexpr const char* kDirectives[] = {"no-cache",       "max-age=0",
                                       "only-if-cached", "no-store",
                                       "max-stale",      "max-stale=10",
                                       "min-fresh=5",    "max-age=20",
                                       "no-transform",   "only-if-cached, max-stale=60"};
/// What a stranger hopes that the origin believes.
constexpr std::pair<const char*, const char*> kPoison[] = {
    {"X-Forwarded-Host", "evil.test"},
    {"x_forwarded_host", "evil.test"},
    {"X-Forwarded-Port", "6666"},
    {"X-Forwarded-Prefix", "/evil"},
    {"X-Forwarded-Server", "evil.test"},
    {"X-Forwarded-Scheme", "ftp"},
    {"X-Real-IP", "203.0.113.66"},
    {"Front-End-Https", "on"},
    {"Proxy", "http://evil.test"},
    {"Content_Length", "5"},
    {"Transfer_Encoding", "chunked"},
    {"X-Original-URL", "/evil"},
    {"X-Rewrite-URL", "/evil"},
    {"X-HTTP-Method-Override", "DELETE"},
    {"X_Method-Override", "DELETE"},
    {"X-Host", "evil.test"},
    {"True-Client-IP", "203.0.113.66"},
    {"X.Forwarded.Host", "evil.test"},
    {"X-Middleware-Subrequest", "middleware"},
    {"X-Envoy-Original-Path", "/evil"},
    {"X-Original-Method", "DELETE"},
    {"If_None_Match", "*"},
    {"Accept_Encoding", "br"},
};
/// What is of this connection alone.
constexpr std::pair<const char*, const char*> kOneHop[] = {
    {"Keep-Alive", "timeout=5"},
    {"Proxy-Connection", "keep-alive"},
    {"Proxy-Authorization", "Basic QTpB"},
    {"TE", "trailers"},
    {"Trailer", "X-Sum"},
};
/// Values that must pass as they are.
constexpr const char* kNotes[] = {"plain",         "",         "a, b ,,c", "a\tb", "caf\xc3\xa9",
                                  "\"q, \\\" r\"", "\xff\xfe", "a=b; c"};
}  // namespace

Request RequestMaker::make(int id) {
  Random& random = world_.random;
  const Options& options = world_.options;
  Request request;
  if (random.chance(options.http10)) request.version = "HTTP/1.0";
  choose_resource(request);
  if (world_.fault(options.purge)) {
    make_purge(request);
    return request;
  }
  if (request.version == "HTTP/1.0" && random.chance(500)) {
    request.fields.emplace_back("Connection", "keep-alive");
  }
  add_selectors(request);
  add_odd_fields(request, id);
  if (random.chance(options.preflights)) {
    make_options(request);
    return request;
  }
  if (world_.fault(options.unsafe)) {
    request.method = random.pick(std::vector<std::string>{"POST", "POST", "PUT", "DELETE"});
    add_content(request, id);
    return request;
  }
  if (random.chance(options.head)) request.method = "HEAD";
  if (random.chance(options.directives)) add_directives(request);
  if (random.chance(options.conditional)) add_conditions(request);
  if (random.chance(options.range)) add_range(request);
  return request;
}

void RequestMaker::make_purge(Request& request) {
  Random& random = world_.random;
  request.method = "PURGE";
  request.version = "HTTP/1.1";
  if (!has(request.fields, "Host")) {
    const std::string& name = world_.ledger.resource(request.resource).name;
    request.fields.emplace_back("Host", name.empty() ? "anything.test" : name);
  }
  if (random.chance(world_.options.soft_purge)) request.fields.emplace_back("Soft-Purge", "1");
  if (random.chance(600)) return;
  static const std::vector<std::string> kChains = {"203.0.113.17",
                                                   "203.0.113.200",
                                                   "203.0.113.200, 203.0.113.1",
                                                   "203.0.113.1, 203.0.113.200",
                                                   "203.0.113.17, 198.51.100.7",
                                                   "unknown"};
  request.fields.emplace_back("X-Forwarded-For", random.pick(kChains));
}

/// Of the site as a whole, of this node, a preflight, or one for the origin.
void RequestMaker::make_options(Request& request) {
  Random& random = world_.random;
  Resource resource = world_.ledger.resource(request.resource);
  request.method = "OPTIONS";
  if (random.chance(200)) {
    resource.target = request.target = "*";
    request.resource = world_.ledger.resource_id(resource);
    // The authority of an absolute target is lost with it.
    remove_all(request.fields, "Host");
    const std::string name = resource.name.empty() ? "anything.test" : resource.name;
    request.fields.emplace_back("Host", name);
    request.own_options = true;
    return;
  }
  if (random.chance(300)) {
    const int64_t hops = random.between(0, 2);
    request.fields.emplace_back("Max-Forwards", std::to_string(hops));
    request.own_options = hops == 0;
  }
  if (resource.site < 0 || random.chance(400)) return;
  request.fields.emplace_back("Origin", random.chance(600) ? kPreflightOrigin : "https://b.test");
  request.fields.emplace_back("Access-Control-Request-Method", "PUT");
  const SiteOptions& site = world_.options.sites[static_cast<size_t>(resource.site)];
  if (site.policy_of(resource.target).preflights) request.own_options = true;
}

/// The first name is asked for most, so that some keys see many requests.
void RequestMaker::choose_resource(Request& request) {
  Random& random = world_.random;
  const Options& options = world_.options;
  const Place nameless = nameless_place(options);
  const bool omits = request.version == "HTTP/1.0" && random.chance(200);
  const Place& place = omits                ? nameless
                       : random.chance(300) ? world_.places.front()
                                            : random.pick(world_.places);
  Resource resource{place.site, "http", place.name, world_.any_target(place.site)};
  if (options.trusted && random.chance(300)) resource.scheme = "https";
  request.resource = world_.ledger.resource_id(resource);
  const Spelling spelling = spell(random, options, resource, omits);
  request.target = spelling.target;
  if (spelling.has_host) request.fields.emplace_back("Host", spelling.host);
  if (resource.scheme == "https") request.fields.emplace_back("X-Forwarded-Proto", "https");
}

void RequestMaker::add_odd_fields(Request& request, int id) {
  Random& random = world_.random;
  const unsigned chance = world_.options.odd_fields;
  if (random.chance(chance)) {
    request.fields.emplace_back("X-Note", random.pick(kNotes));
    request.fields.emplace_back("x-NOTE", std::to_string(id) + random.pick(kNotes));
  }
  if (random.chance(chance / 2)) {
    const auto& [name, value] = kPoison[random.below(std::size(kPoison))];
    request.fields.emplace_back(name, value);
  }
  if (random.chance(chance / 8)) {
    request.fields.emplace_back("X-Long", std::string(2'100, 'x'));
  }
  if (random.chance(chance / 2)) request.fields.emplace_back("Via", "1.0 fred");
  if (random.chance(chance / 4)) request.fields.emplace_back("CDN-Loop", "other; a=1");
  const int site = world_.ledger.resource(request.resource).site;
  if (site >= 0 && random.chance(chance / 16)) {
    const std::string& own = world_.options.sites[static_cast<size_t>(site)].cdn_id;
    request.fields.emplace_back("cdn-loop", "x, " + own + "; b");
  }
  if (random.chance(chance / 2)) request.fields.emplace_back("Accept-Encoding", "br, gzip;q=0.5");
  if (world_.options.coded > 0 && random.chance(600)) {
    request.fields.emplace_back(
        "Accept-Encoding",
        random.pick(std::vector<std::string>{"gzip", "gzip, deflate, br, zstd", "zstd;q=0.7, br",
                                             "*", "identity, *;q=0.5", "gzip;q=0, *;q=0.3"}));
  }
  if (random.chance(chance / 2)) add_hops(request);
  if (!world_.options.trusted && random.chance(chance / 2)) {
    request.fields.emplace_back("X-Forwarded-Proto", "https");
  }
  if (random.chance(chance / 2)) {
    request.fields.emplace_back("X-Forwarded-For", "203.0.113." + std::to_string(id % 200));
  }
  if (random.chance(chance / 4))
    request.fields.emplace_back("Forwarded", "for=evil;host=evil.test");
}

void RequestMaker::add_hops(Request& request) {
  Random& random = world_.random;
  const auto& [name, value] = kOneHop[random.below(std::size(kOneHop))];
  request.fields.emplace_back(name, value);
  if (request.version == "HTTP/1.0" || random.chance(500)) return;
  request.fields.emplace_back("Connection", "X-Hop");
  request.fields.emplace_back("X-Hop", "for one hop");
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
    request.fields.emplace_back("Cookie", random.pick(kCookies));
  }
  if (random.chance(world_.options.authorization)) {
    request.fields.emplace_back("Authorization", random.chance(500) ? "Basic QTpB" : "Basic QjpC");
  }
}

void RequestMaker::add_directives(Request& request) {
  request.fields.emplace_back("Cache-Control", world_.random.pick(kDirectives));
}

std::string RequestMaker::tag(int resource) {
  const auto& seen = tags_[resource];
  return seen.empty() ? "\"unseen\"" : world_.random.pick(seen);
}

std::string RequestMaker::date(int resource) {
  const auto& seen = dates_[resource];
  if (!seen.empty() && world_.random.chance(600)) return world_.random.pick(seen);
  const int64_t at = world_.scheduler.wall_ms() - world_.random.between(-100'000, 100'000'000);
  return world_.random.chance(100) ? "not a date" : write_date(at);
}

void RequestMaker::add_conditions(Request& request) {
  Random& random = world_.random;
  const int resource = request.resource;
  if (random.chance(world_.options.required)) {
    if (random.chance(600))
      request.fields.emplace_back("If-Match", tag(resource));
    else
      request.fields.emplace_back("If-Unmodified-Since", date(resource));
    return;
  }
  switch (random.below(6)) {
    case 0:
      request.fields.emplace_back("If-None-Match", "*");
      break;
    case 1:
      request.fields.emplace_back("If-None-Match", "\"x\", " + tag(resource));
      break;
    case 2:
      request.fields.emplace_back("If-Modified-Since", date(resource));
      break;
    case 3:
      request.fields.emplace_back("If-None-Match", tag(resource));
      request.fields.emplace_back("If-Modified-Since", date(resource));
      break;
    default:
      request.fields.emplace_back("If-None-Match", tag(resource));
      break;
  }
}

void RequestMaker::add_range(Request& request) {
  Random& random = world_.random;
  request.fields.emplace_back("Range", random.pick(kRanges));
  if (random.chance(700)) return;
  request.fields.emplace_back("If-Range",
                              random.chance(600) ? tag(request.resource) : date(request.resource));
}

void RequestMaker::add_content(Request& request, int id) {
  Random& random = world_.random;
  if (random.chance(request.method == "DELETE" ? 600 : 200)) return;
  // Of no other request, and of no response.
  const uint64_t number = 900'000 + static_cast<uint64_t>(id);
  request.content = content_bytes(number, 0, random.below(random.chance(200) ? 120'000 : 9'000));
  if (request.version == "HTTP/1.1" && random.chance(400)) {
    add_chunks(request);
  } else {
    request.fields.emplace_back("Content-Length", std::to_string(request.content.size()));
    request.body = request.content;
  }
  if (random.chance(200)) request.fields.emplace_back("Expect", "100-continue");
}

/// Extensions and trailers are of this connection alone.
void RequestMaker::add_chunks(Request& request) {
  Random& random = world_.random;
  request.fields.emplace_back("Transfer-Encoding", "chunked");
  const bool odd = random.chance(world_.options.odd_fields);
  for (size_t at = 0; at < request.content.size();) {
    const size_t n =
        std::min(request.content.size() - at,
                 static_cast<size_t>(random.between(1, random.chance(500) ? 60 : 9'000)));
    char size[32];
    std::snprintf(size, sizeof size, "%zx", n);
    request.body +=
        size + std::string(odd ? ";a=\"b\"\r\n" : "\r\n") + request.content.substr(at, n) + "\r\n";
    at += n;
  }
  request.body += odd ? "0;a\r\nX-Sum: 1\r\nHost: evil.test\r\n\r\n" : "0\r\n\r\n";
}

void RequestMaker::learn(int resource, const Fields& response) {
  if (const auto tag = first_of(response, "ETag")) tags_[resource].push_back(*tag);
  if (const auto date = first_of(response, "Last-Modified")) dates_[resource].push_back(*date);
}

}  // namespace perigee::sim
