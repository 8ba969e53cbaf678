#include "tests/sim/catalogue.h"

#include "tests/sim/http_date.h"

namespace perigee::sim {

namespace {

constexpr const char* kSelectors[] = {"Accept-Language", "X-Tag", "Cookie", "Accept"};
/// N is the lifetime.
constexpr const char* kOddDirectives[] = {
    "no-store",
    "no-store, max-age=N",
    "no-cache",
    "no-cache, max-age=N",
    "private",
    "max-age=N, private",
    "must-revalidate, max-age=N",
    "max-age=N, proxy-revalidate",
    "s-maxage=N, max-age=0",
    "max-age=N, s-maxage=1",
    "max-age=0",
    "MAX-AGE=N, Public",
    "max-age=\"N\"",
    "max-age= N",
    "max-age=N.5",
    "max-age=-1",
    "max-age=",
    "max-age",
    "max-age='N'",
    "max-age=00N",
    "max-age=99999999999999999999",
    "max-age=N, max-age=0",
    "max-age=0, max-age=N",
    "public; max-age=N",
    "no-cache=\"X-Odd\", max-age=N",
    "max-age=N, private=\"X-Odd, X-Even\"",
    "private=X-Odd, max-age=N",
    "must-understand, no-store, max-age=N",
    "must-understand, max-age=N",
    "max-age=1, stale-while-revalidate=N",
    "max-age=1, stale-if-error=N",
    "s-maxage=1, stale-while-revalidate=N",
    "s-maxage=1, stale-if-error=N, max-age=N",
    "max-age=1, stale-while-revalidate=N, must-revalidate",
    "max-age=1, stale-if-error=N, stale-while-revalidate=1",
    "immutable, max-age=N",
    "foo=\"max-age=0, no-store\", max-age=N",
    ", ,max-age=N,",
    "no-transform,max-age=N",
    "s-maxage=N",
    "s-maxage=x, max-age=N",
    "public",
    "",
};
constexpr const char* kTargeted[] = {
    "max-age=N",
    "no-store",
    "max-age=\"N\"",
    "private",
    "",
    "max-age=N.5",
    "no-cache",
    "foo, bar=1",
    "max-age=N, must-revalidate",
    "max-age=1, stale-while-revalidate=N",
    "MAX-AGE=N",
    "s-maxage=N, max-age=0",
    "max-age=N,",
    "no-store=?0, max-age=N",
};
constexpr int kOddStatuses[] = {203, 204, 206, 299, 300, 301, 302, 307, 404, 404, 410, 416,
                                429, 451, 500, 501, 503, 503, 599, 400, 401, 413, 414, 425};

/// A response says which one it is, in a 304 to a client too.
void sign(int id, Fields& fields) {
  fields.emplace_back("X-Sim", std::to_string(id));
  fields.emplace_back("Cache-Status", "sim; key=\"" + std::to_string(id) + "\"");
}

/// What freshens a stored response leaves its name there, beside the name of what it freshened.
void sign_freshening(int id, Fields& fields) {
  fields.emplace_back("X-Sim-304-" + std::to_string(id), "1");
  // Stays in the 304s that clients get.
  fields.emplace_back("Content-Location", "/freshened/" + std::to_string(id));
}

std::string fill_in(std::string text, int64_t lifetime_s) {
  for (size_t at = text.find('N'); at != std::string::npos; at = text.find('N', at)) {
    text.replace(at, 1, std::to_string(lifetime_s));
  }
  return text;
}

}  // namespace

Catalogue::Catalogue(World& world) : world_(world) {}

Catalogue::Temper& Catalogue::temper_of(int resource) {
  const auto [it, fresh] = tempers_.try_emplace(resource);
  Temper& temper = it->second;
  if (!fresh) return temper;
  Random& random = world_.random;
  const Options& options = world_.options;
  if (random.chance(options.vary)) {
    temper.vary.push_back(random.pick(kSelectors));
    if (random.chance(300)) temper.vary.push_back(random.pick(kSelectors));
  }
  if (random.chance(options.validators)) {
    temper.tags = random.pick(std::vector{Tags::kStrong, Tags::kStrong, Tags::kWeak});
    if (random.chance(options.lies_304)) temper.tags = Tags::kConstant;
  }
  temper.dated = random.chance(options.validators / 2);
  temper.conditional = !random.chance(150);
  temper.ranged = random.chance(options.ranges);
  temper.coded = options.coded > 0 && random.chance(options.coded);
  temper.released = random.chance(120);
  temper.lifetime_s = random.between(0, temper.released ? 5 : options.lifetime_s);
  if (options.lends && random.chance(600)) {
    temper.most_bytes = options.most_stored();
    return temper;
  }
  temper.most_bytes = random.pick(std::vector<uint64_t>{0, 200, 2'000, 5'000, 20'000, 66'000});
  return temper;
}

uint64_t Catalogue::content_of(const std::string& key, uint64_t most_bytes) {
  const auto [it, fresh] = contents_.emplace(key, contents_.size() + 1);
  if (fresh) {
    Random& random = world_.random;
    const bool large = random.chance(world_.options.large);
    const int64_t size = large ? random.between(60'000, 400'000)
                               : random.between(0, static_cast<int64_t>(most_bytes));
    world_.ledger.sizes[it->second] = static_cast<uint64_t>(size);
  }
  return it->second;
}

Catalogue::State Catalogue::state_of(int resource, Temper& temper, const Fields& request) {
  std::string key = std::to_string(resource) + " " + std::to_string(temper.version);
  for (const std::string& name : temper.vary) {
    key += "|" + lower(joined(request, name).value_or("-"));
  }
  State state{content_of(key, temper.most_bytes), "", ""};
  const std::string number = std::to_string(state.content);
  if (temper.tags == Tags::kStrong) state.tag = "\"t" + number + "\"";
  if (temper.tags == Tags::kWeak) state.tag = "W/\"t" + number + "\"";
  if (temper.tags == Tags::kConstant) state.tag = "\"constant\"";
  if (temper.dated) {
    // Well before the run, so that a date is a validator for ranges too.
    state.modified = write_date(1'767'000'000'000 + temper.version * 1'000'000);
  }
  return state;
}

bool Catalogue::is_current(const Temper& temper, const State& state, const Fields& request) {
  if (!temper.conditional) return false;
  if (const auto tags = joined(request, "If-None-Match")) {
    if (world_.fault(world_.options.lies_304)) return true;
    for (const std::string& tag : members(*tags)) {
      const auto bare = [](const std::string& t) { return t.starts_with("W/") ? t.substr(2) : t; };
      if (!state.tag.empty() && (tag == "*" || bare(tag) == bare(state.tag))) return true;
    }
    return false;
  }
  const auto since = first_of(request, "If-Modified-Since");
  return since && !state.modified.empty() && *since == state.modified;
}

std::string Catalogue::directives(int64_t lifetime_s) {
  Random& random = world_.random;
  if (!random.chance(world_.options.odd_directives)) {
    return "max-age=" + std::to_string(lifetime_s);
  }
  return fill_in(random.pick(kOddDirectives), lifetime_s);
}

void Catalogue::add_lifetime(Temper& temper, Fields& fields) {
  Random& random = world_.random;
  const int64_t lifetime_s = temper.lifetime_s;
  if (temper.released && random.chance(700)) {
    fields.emplace_back("Cache-Control", "immutable, max-age=" + std::to_string(lifetime_s));
    return;
  }
  if (random.chance(world_.options.odd_directives / 3)) {
    const int64_t at = world_.scheduler.wall_ms() + lifetime_s * 1000;
    fields.emplace_back("Expires", random.pick(std::vector<std::string>{
                                       "0", write_date(at), write_date(at, DateForm::kAsctime),
                                       write_date(at, DateForm::kRfc850), write_date(at) + "x"}));
    if (random.chance(500)) return;
  }
  if (random.chance(world_.options.odd_directives / 5)) return;
  const std::string text = directives(lifetime_s);
  const size_t comma = text.find(", ");
  const bool quoted = text.find('"') != std::string::npos;
  if (comma != std::string::npos && !quoted && random.chance(200)) {
    fields.emplace_back("Cache-Control", text.substr(0, comma));
    fields.emplace_back("cache-control", text.substr(comma + 2));
  } else {
    fields.emplace_back("Cache-Control", text);
  }
  if (random.chance(world_.options.targeted)) {
    fields.emplace_back("CDN-Cache-Control", fill_in(random.pick(kTargeted), lifetime_s));
  }
}

void Catalogue::add_dates(Fields& fields) {
  Random& random = world_.random;
  int64_t date = world_.scheduler.wall_ms();
  if (random.chance(world_.options.date_skew)) {
    switch (random.below(4)) {
      case 0:
        return;  // none
      case 1:
        fields.emplace_back("Date", "yesterday");
        return;
      case 2:
        date -= random.between(0, 100'000);
        break;
      default:
        date += random.between(0, 100'000);
        break;
    }
  }
  fields.emplace_back("Date", write_date(date));
  if (random.chance(world_.options.age)) {
    static constexpr const char* kAges[] = {"0",   "1",  "7",      "30",  "5, 6",
                                            "abc", "-5", "7200.0", "1000"};
    fields.emplace_back("Age", random.pick(kAges));
  }
}

void Catalogue::add_oddities(Temper& temper, Fields& fields) {
  Random& random = world_.random;
  const Options& options = world_.options;
  std::vector<std::string> names = temper.vary;
  if (random.chance(options.odd_vary)) {
    names.push_back(
        random.pick(std::vector<std::string>{"*", "x-tag", "Accept-Encoding", "X-New"}));
  }
  for (const std::string& name : names) fields.emplace_back("Vary", name);
  if (random.chance(options.set_cookie)) fields.emplace_back("Set-Cookie", "a=b");
  if (random.chance(options.set_cookie)) {
    fields.emplace_back("Alt-Svc", "h2=\"evil.test:443\"");
  }
  fields.emplace_back("X-Odd", std::to_string(random.below(1000)));
  if (random.chance(options.odd_directives / 4)) {
    fields.emplace_back("Connection", "X-Hop");
    fields.emplace_back("X-Hop", "for one hop");
    fields.emplace_back("Keep-Alive", "timeout=" + std::to_string(random.between(1, 6)));
  }
}

Answer Catalogue::not_modified(Temper& temper, const State& state, int id) {
  Random& random = world_.random;
  Answer answer;
  answer.status = 304;
  add_dates(answer.fields);
  if (!state.tag.empty() && random.chance(700)) {
    const bool lies = world_.fault(world_.options.lies_304);
    answer.fields.emplace_back("ETag", lies ? "\"another\"" : state.tag);
  }
  if (random.chance(700)) add_lifetime(temper, answer.fields);
  if (random.chance(200)) answer.fields.emplace_back("X-Odd", "n" + std::to_string(id));
  if (random.chance(world_.options.set_cookie)) answer.fields.emplace_back("Set-Cookie", "n=m");
  sign_freshening(id, answer.fields);
  return answer;
}

/// What an unsafe request may have changed besides: named relatively, or with its authority.
std::string Catalogue::another_target(const Resource& resource) {
  const std::string target = world_.any_target(resource.site);
  const bool open = resource.site >= 0 &&
                    world_.options.sites[static_cast<size_t>(resource.site)].keys_each_host();
  // Other names of a site are other origins to its clients, so that only their own name counts.
  if (!open || !world_.random.chance(400)) return target;
  return resource.scheme + "://" + resource.name + target;
}

Answer Catalogue::unsafe(const OriginExchange& asked, Temper& temper) {
  Random& random = world_.random;
  Answer answer;
  answer.status = random.pick(std::vector<int>{200, 200, 201, 204, 303, 404, 500});
  if (answer.status < 400) ++temper.version;
  if (answer.status != 204) {
    answer.content = content_of("answer " + std::to_string(asked.id), temper.most_bytes);
    answer.size = world_.ledger.sizes[answer.content];
  }
  add_dates(answer.fields);
  add_lifetime(temper, answer.fields);
  if (random.chance(300)) {
    const Resource& resource = world_.ledger.resource(asked.resource);
    if (random.chance(500)) {
      answer.fields.emplace_back("Location", another_target(resource));
    } else {
      answer.fields.emplace_back("Content-Location", world_.any_target(resource.site));
    }
  }
  sign(asked.id, answer.fields);
  return answer;
}

/// It changes nothing.
Answer Catalogue::options(const OriginExchange& asked) {
  Answer answer;
  answer.status = world_.random.chance(800) ? 204 : 403;
  add_dates(answer.fields);
  answer.fields.emplace_back("Allow", "GET, HEAD, OPTIONS");
  answer.fields.emplace_back("Cache-Control", "max-age=60");
  sign(asked.id, answer.fields);
  return answer;
}

Answer Catalogue::answer(const OriginExchange& asked) {
  Random& random = world_.random;
  Temper& temper = temper_of(asked.resource);
  if (asked.method == "OPTIONS") return options(asked);
  if (asked.method != "GET" && asked.method != "HEAD") return unsafe(asked, temper);
  if (random.chance(world_.options.churn)) ++temper.version;
  const State state = state_of(asked.resource, temper, asked.request);
  const bool gone = temper.released && random.chance(250);
  if (!gone && is_current(temper, state, asked.request)) {
    return not_modified(temper, state, asked.id);
  }
  Answer answer;
  if (gone) {
    answer.status = random.chance(700) ? 404 : 410;
  } else if (random.chance(world_.options.odd_status)) {
    answer.status = kOddStatuses[random.below(std::size(kOddStatuses))];
    if (world_.calm && answer.status >= 500) answer.status = 404;
  }
  if (answer.status != 204) {
    answer.content = state.content;
    answer.size = world_.ledger.sizes[state.content];
  }
  add_dates(answer.fields);
  if (!state.tag.empty()) answer.fields.emplace_back("ETag", state.tag);
  if (!state.modified.empty()) answer.fields.emplace_back("Last-Modified", state.modified);
  if (temper.coded) answer.fields.emplace_back("Content-Type", "text/plain");
  add_lifetime(temper, answer.fields);
  add_oddities(temper, answer.fields);
  answer.until_close = random.chance(world_.options.close_delimited);
  if (asked.method == "HEAD") {
    sign_freshening(asked.id, answer.fields);
    return answer;
  }
  sign(asked.id, answer.fields);
  if (temper.ranged && temper.tags == Tags::kStrong) cut_part(asked, answer);
  return answer;
}

/// A file server's answer to one range (RFC 9110 §14.2), under the If-Range that it may have.
void Catalogue::cut_part(const OriginExchange& asked, Answer& answer) {
  const auto range = first_of(asked.request, "Range");
  const auto condition = first_of(asked.request, "If-Range");
  if (!range || answer.status != 200 || (condition && condition != first_of(answer.fields, "ETag")))
    return;
  const http::RangeRequest wanted = http::parse_range(*range, answer.size);
  if (wanted.kind != http::RangeRequest::kSatisfiable || wanted.spans.size() != 1) return;
  http::ByteSpan part = wanted.spans[0];
  // It may send less than it was asked for.
  if (world_.random.chance(50)) {
    part.end = part.begin + 1 + world_.random.below(part.size());
  }
  answer.status = 206;
  answer.part = part;
  answer.until_close = false;
  answer.fields.emplace_back("Content-Range", "bytes " + std::to_string(part.begin) + "-" +
                                                  std::to_string(part.end - 1) + "/" +
                                                  std::to_string(answer.size));
}

}  // namespace perigee::sim
