#include "tests/sim/model.h"

#include <algorithm>

#include "tests/sim/http_date.h"

namespace perigee::sim {

namespace {

bool contains(std::initializer_list<int> list, int value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// RFC 9110 §15.1 less 206.
bool is_heuristic(int status) {
  return contains({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}, status);
}

/// What a site's own lifetimes are for: what it serves, not how it fails.
bool is_site_status(int status) { return is_heuristic(status) && status < 400; }

/// A request may have brought about this answer by what is odd in it.
bool is_provokable(int status) {
  return status >= 500 || contains({400, 401, 408, 413, 414, 421, 425, 426, 431}, status);
}

bool is_hop_by_hop(const std::string& name, const Fields& fields) {
  static const std::vector<std::string> fixed = {"connection",
                                                 "keep-alive",
                                                 "proxy-connection",
                                                 "proxy-authenticate",
                                                 "transfer-encoding",
                                                 "te",
                                                 "proxy-authorization",
                                                 "trailer",
                                                 "upgrade",
                                                 "proxy-authentication-info"};
  const std::string key = lower(name);
  if (std::find(fixed.begin(), fixed.end(), key) != fixed.end()) return true;
  for (const std::string& named : members(joined(fields, "Connection").value_or(""))) {
    if (lower(named) == key) return true;
  }
  return false;
}

Directives governing(const Fields& fields, bool& targeted) {
  const std::optional<Directives> special = read_targeted(fields);
  targeted = special.has_value();
  return special ? *special : read_cache_control(fields);
}

/// The Date of a message, or when it came.
int64_t date_of(const OriginExchange& exchange) {
  const int64_t received = exchange.head_taken().wall_ms;
  const auto date = first_of(exchange.fields, "Date");
  return (date ? read_date(*date, received) : std::nullopt).value_or(received);
}

}  // namespace

StoredModel::StoredModel(const OriginExchange& base, std::vector<const OriginExchange*> freshened)
    : base_(&base), freshened_(std::move(freshened)) {
  for (const auto& [name, value] : base.fields) {
    if (!is_hop_by_hop(name, base.fields) && !same_name(name, "Age") &&
        !same_name(name, "Content-Length") && !same_name(name, "Alt-Svc")) {
      fields_.emplace_back(name, value);
    }
  }
  const auto date = first_of(fields_, "Date");
  if (!date || !read_date(*date, base.head_taken().wall_ms)) {
    remove_all(fields_, "Date");
    fields_.emplace_back("Date", write_date(base.head_taken().wall_ms));
  }
  for (const OriginExchange* exchange : freshened_) merge(*exchange);
  directives_ = governing(fields_, targeted_);
  measure();
}

StoredModel StoredModel::freshened_by(const OriginExchange& not_modified) const {
  std::vector<const OriginExchange*> chain = freshened_;
  chain.push_back(&not_modified);
  return {*base_, chain};
}

/// RFC 9111 §3.2 and §4.3.4.
void StoredModel::merge(const OriginExchange& not_modified) {
  // What a qualified directive names was not stored.
  bool targeted = false;
  for (const std::string& name : governing(fields_, targeted).named) remove_all(fields_, name);
  static const std::vector<std::string> kept = {
      "content-length", "content-encoding", "content-range", "set-cookie", "age", "date"};
  Fields incoming;
  for (const auto& [name, value] : not_modified.fields) {
    const bool keeps = std::find(kept.begin(), kept.end(), lower(name)) != kept.end() ||
                       same_name(name, "Alt-Svc");
    if (!keeps && !is_hop_by_hop(name, not_modified.fields)) incoming.emplace_back(name, value);
  }
  // The stored Vary keeps its names; the others are added (http-rules 2.9).
  if (const auto kept_vary = joined(fields_, "Vary")) {
    const std::vector<std::string> names = members(*kept_vary);
    std::string added;
    for (const std::string& name : members(joined(incoming, "Vary").value_or(""))) {
      const bool there = std::any_of(names.begin(), names.end(), [&](const std::string& other) {
        return lower(other) == lower(name);
      });
      if (!there) added += (added.empty() ? "" : ", ") + name;
    }
    remove_all(incoming, "Vary");
    if (!added.empty()) fields_.emplace_back("Vary", added);
  }
  for (const auto& field : incoming) {
    if (!same_name(field.first, "Vary") || !joined(fields_, "Vary")) {
      remove_all(fields_, field.first);
    }
  }
  fields_.insert(fields_.end(), incoming.begin(), incoming.end());
  remove_all(fields_, "Date");
  fields_.emplace_back("Date", write_date(date_of(not_modified)));
}

/// RFC 9111 §4.2.1 to §4.2.3.
void StoredModel::measure() {
  const OriginExchange& heard = last();
  const int64_t received = heard.head_taken().wall_ms;
  const int64_t date = date_of(heard);
  const std::string age_text = first_of(heard.fields, "Age").value_or("");
  const std::string first_age = trim(age_text.substr(0, age_text.find(',')));
  const int64_t age = std::min(number(first_age).value_or(0), int64_t{1} << 31) * 1000;
  const int64_t apparent = policy().trust_origin_clock ? std::max<int64_t>(received - date, 0) : 0;
  const auto initial = [&](const Stamp& sent) {
    return std::max(apparent, age + std::max<int64_t>(received - sent.wall_ms, 0));
  };
  initial_age_ms_ = {std::min(initial(heard.first_byte()), initial(heard.begun())),
                     std::max(initial(heard.first_byte()), initial(heard.begun()))};
  // A Date of our own in the place of a missing one is a second coarse.
  const auto own_date = first_of(heard.fields, "Date");
  if (!own_date || !read_date(*own_date, received)) {
    initial_age_ms_.most = std::max(initial_age_ms_.most, received % 1000);
  }

  measure_lifetime(date, received);
  // From when it came, whatever age it had by then.
  if (is_provokable(status())) {
    lifetime_ms_ = std::min(lifetime_ms_, initial_age_ms_.most + policy().error_ttl_cap_s * 1000);
  }
}

void StoredModel::measure_lifetime(int64_t date, int64_t received) {
  has_lifetime_ = is_explicit_ = true;
  if (policy().ttl_s && is_site_status(status())) {
    lifetime_ms_ = *policy().ttl_s * 1000;
    return;
  }
  if (directives_.s_maxage || directives_.max_age) {
    lifetime_ms_ = (directives_.s_maxage ? *directives_.s_maxage : *directives_.max_age) * 1000;
    return;
  }
  if (const auto expires = first_of(fields_, "Expires"); expires && !targeted_) {
    const auto at = read_date(*expires, received);
    lifetime_ms_ = at ? std::max<int64_t>(*at - date, 0) : 0;
    return;
  }
  if (policy().default_ttl_s && is_site_status(status())) {
    lifetime_ms_ = *policy().default_ttl_s * 1000;
    return;
  }
  if (policy().negative_ttl_s && (status() == 404 || status() == 410) && says_nothing()) {
    lifetime_ms_ = *policy().negative_ttl_s * 1000;
    return;
  }
  has_lifetime_ = is_explicit_ = false;
  if (!is_heuristic(status()) && !directives_.is_public) return;
  const auto modified_text = first_of(fields_, "Last-Modified");
  const auto modified = modified_text ? read_date(*modified_text, received) : std::nullopt;
  if (!modified || *modified > date) return;
  has_lifetime_ = true;
  lifetime_ms_ = std::min((date - *modified) / 10, policy().heuristic_cap_s * 1000);
}

bool StoredModel::says_nothing() const {
  return !has(fields_, "Cache-Control") && !has(fields_, "CDN-Cache-Control") &&
         !has(fields_, "Expires");
}

std::string StoredModel::why_not_stored() const {
  const Directives& d = directives_;
  if (policy().bypass) return "bypass";
  const std::vector<int>& forbidden = policy().forbidden_statuses;
  if (std::find(forbidden.begin(), forbidden.end(), status()) != forbidden.end()) {
    return "a status that the site forbids";
  }
  if (base_->method != "GET") return "method";
  if (base_->unusual && is_provokable(status())) return "an error that its request may provoke";
  if (contains({206, 304, 416, 428, 429, 431, 511}, status())) return "status";
  const bool understood = status() != 299 && status() != 451 && status() != 599;
  if (d.must_understand && !understood) return "must-understand";
  if (d.no_store && !d.must_understand) return "no-store";
  if (d.is_private) return "private";
  const bool authorized = d.is_public || d.s_maxage || d.must_revalidate;
  // A 304 to a request without credentials says that whoever asks so may have it.
  if (has(last().asked, "Authorization") && !authorized) return "Authorization";
  if (!vary()) return "Vary: *";
  if (policy().set_cookie == Cookies::kPass && has(base_->fields, "Set-Cookie")) {
    return "Set-Cookie";
  }
  if (!is_explicit_ && !d.is_public && !is_heuristic(status())) return "status without lifetime";
  const std::vector<std::string> names = *vary();
  const bool cookies = std::find(names.begin(), names.end(), "cookie") != names.end();
  const std::vector<std::string>& ignored = policy().vary_ignore;
  const bool all_count = policy().vary_cookies.empty() &&
                         std::none_of(ignored.begin(), ignored.end(),
                                      [](auto& name) { return same_name(name, "Cookie"); });
  if (cookies && all_count && has(last().asked, "Cookie")) {
    return "a variant of somebody's Cookie";
  }
  const bool window = stale_while_revalidate_ms() > 0 || stale_if_error_ms() > 0;
  const bool usable = (lifetime_ms_ > 0 || window) && !d.no_cache;
  if (!usable && !has_validator()) return "of no use";
  return "";
}

bool StoredModel::is_codable() const {
  if (!freshened_.empty()) {
    std::vector<const OriginExchange*> before(freshened_.begin(), freshened_.end() - 1);
    if (!StoredModel(*base_, before).is_codable()) return false;
  }
  const auto forbids = [&](const char* name) {
    return joined(fields_, name).value_or("").find("no-transform") != std::string::npos;
  };
  const bool keeps_cookie =
      policy().set_cookie != Cookies::kStrip && has(base_->fields, "Set-Cookie");
  return status() == 200 && first_of(fields_, "Content-Type") == "text/plain" &&
         (base_->size >= 1024 || !base_->has_length) && why_not_stored().empty() &&
         directives_.named.empty() && !keeps_cookie && !forbids("Cache-Control") &&
         !forbids("CDN-Cache-Control");
}

Span StoredModel::age_ms(Span wall) const {
  const int64_t received = last().head_taken().wall_ms;
  return {initial_age_ms_.least + std::max<int64_t>(wall.least - received, 0),
          initial_age_ms_.most + std::max<int64_t>(wall.most - received, 0)};
}

std::optional<std::vector<std::string>> StoredModel::vary() const {
  std::vector<std::string> names;
  for (const std::string& name : members(joined(fields_, "Vary").value_or(""))) {
    if (name == "*") return std::nullopt;
    // The site sends the same Accept-Encoding with every fill.
    if (!same_name(name, "Accept-Encoding")) names.push_back(lower(name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

/// What stands between commas, empty pieces too.
std::vector<std::string> pieces(const std::string& value) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= value.size();) {
    const size_t comma = std::min(value.find(',', at), value.size());
    out.push_back(trim(value.substr(at, comma - at)));
    at = comma + 1;
  }
  return out;
}

std::string selecting_text(const std::vector<std::string>& names, const SitePolicy& policy,
                           const Fields& all) {
  const Fields request = policy.selecting(all);
  std::string text;
  for (const std::string& name : names) {
    text += name + ":";
    const auto value = joined(request, name);
    if (!value) {
      text += "absent\n";
      continue;
    }
    if (name == "cookie" || name == "authorization" || name == "user-agent") {
      text += *value + "\n";
      continue;
    }
    // Of a list it is known that empty members mean nothing.
    const bool is_list = name.starts_with("accept");
    std::vector<std::string> parts = is_list ? members(*value) : pieces(*value);
    if (is_list) {
      for (std::string& part : parts) {
        std::erase_if(part, [](char c) { return c == ' ' || c == '\t'; });
        if (name != "accept") part = lower(part);
      }
      std::sort(parts.begin(), parts.end());
    }
    for (const std::string& part : parts) text += part + ",";
    text += "\n";
  }
  return text;
}

bool StoredModel::selects(const Fields& request) const {
  const auto names = vary();
  if (!names) return false;
  return selecting_text(*names, policy(), request) ==
         selecting_text(*names, policy(), last().asked);
}

bool StoredModel::forbids_stale() const {
  return directives_.no_cache || directives_.must_revalidate || directives_.proxy_revalidate ||
         is_provokable(status());
}

/// The site's window counts where the origin is silent, and never against s-maxage.
int64_t StoredModel::window_ms(std::optional<int64_t> stated_s,
                               std::optional<int64_t> configured_s) const {
  if (is_provokable(status())) return 0;
  if (stated_s) return *stated_s * 1000;
  return directives_.s_maxage ? 0 : configured_s.value_or(0) * 1000;
}

int64_t StoredModel::stale_while_revalidate_ms() const {
  return window_ms(directives_.stale_while_revalidate, policy().stale_while_revalidate_s);
}

int64_t StoredModel::stale_if_error_ms() const {
  return window_ms(directives_.stale_if_error, policy().stale_if_error_s);
}

bool StoredModel::allows_stale_while_revalidate(int64_t stale_ms) const {
  return !forbids_stale() && stale_while_revalidate_ms() > 0 &&
         stale_ms <= stale_while_revalidate_ms();
}

bool StoredModel::allows_stale_if_slow(int64_t stale_ms) const {
  if (forbids_stale() || !policy().stale_if_slow_ms) return false;
  return allows_stale_while_revalidate(stale_ms) ||
         (stale_if_error_ms() > 0 && stale_ms <= stale_if_error_ms());
}

bool StoredModel::allows_stale_if_error(int64_t stale_ms, bool unreachable) const {
  if (forbids_stale()) return false;
  if (stale_if_error_ms() > 0 && stale_ms <= stale_if_error_ms()) return true;
  if (!unreachable) return false;
  if (allows_stale_while_revalidate(stale_ms)) return true;
  // s-maxage means proxy-revalidate; the site's patience does not overrule it.
  const int64_t window_ms = policy().unreachable_stale_s * 1000;
  return !directives_.s_maxage && window_ms > 0 && stale_ms <= window_ms;
}

bool StoredModel::allows_retained(int64_t stale_ms, bool soft_purged) const {
  if (status() != 200 || !directives_.immutable || policy().retain_s == 0) return false;
  if (stale_ms == 0 && !soft_purged) return true;
  return !forbids_stale() && !directives_.s_maxage && stale_ms <= policy().retain_s * 1000;
}

}  // namespace perigee::sim
