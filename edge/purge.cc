#include "edge/purge.h"

#include <algorithm>
#include <string>

#include "http/held_back.h"

namespace perigee::edge {
namespace {

class CommitJob final : public base::Job {
 public:
  CommitJob(cache_store::Store& store, uint64_t seq, OnCommit on_commit)
      : store_(store), seq_(seq), on_commit_(std::move(on_commit)) {}
  void work(const std::atomic<bool>&) noexcept override { status_ = store_.commit(seq_); }
  void done() noexcept override { on_commit_(status_); }

 private:
  cache_store::Store& store_;
  const uint64_t seq_;
  OnCommit on_commit_;
  base::Status status_ = base::Done{};
};

/// What proxies and CDNs put into a request and clients do not: names, and starts of names where
/// '*' stands last.
constexpr std::string_view kSignsOfAProxy[] = {
    "Forwarded",
    "Via",
    "X-Forwarded*",
    "X-Original-*",
    "X-Real-*",
    "X-Client*",
    "X-Cluster-*",
    "X-Remote-*",
    "X-True-Client*",
    "True-Client*",
    "Client-IP",
    "X-Proxy*",
    "Proxy-*",
    "WL-Proxy-*",
    "X-Originating-IP",
    "X-Scheme",
    "X-Host",
    "X-Accel-*",
    "X-Varnish*",
    "X-Envoy-*",
    "X-Amz-Cf-*",
    "X-Amzn-*",
    "CloudFront-*",
    "CF-*",
    "CDN-*",
    "X-CDN-*",
    "Fastly-Client*",
    "Fastly-FF",
    "Fastly-SSL",
    "X-Akamai-*",
    "Akamai-*",
    "X-Azure-*",
    "X-ARR-*",
    "Fly-*",
    "X-Cloud-Trace-Context",
    "X-Appengine-*",
    "Ali-Cdn-*",
    "X-Sucuri-*",
    "Incap-*",
    "X-Vercel-*",
};

/// Names are compared as gateways fold them (http-rules 3.14).
bool is_sign_of_a_proxy(std::string_view name) {
  return std::ranges::any_of(kSignsOfAProxy, [&](std::string_view sign) {
    if (!sign.ends_with('*')) return http::folded_equal(name, sign);
    sign.remove_suffix(1);
    return http::folded_equal(name.substr(0, sign.size()), sign);
  });
}

/// Any trace of one. HTTP/1.0 is what nginx speaks to where it passes requests on, and hardly
/// anybody else does. The Host proves nothing: a proxy may send any.
bool came_through_a_proxy(const http::RequestHead& request) {
  if (request.version_major == 1 && request.version_minor == 0) return true;
  return std::ranges::any_of(
      request.fields, [](const http::Field& field) { return is_sign_of_a_proxy(field.name); });
}

}  // namespace

bool may_purge(const http::RequestHead& request, const base::Address& client,
               const SiteConfig& site) {
  if (client.is_loopback() && came_through_a_proxy(request)) return false;
  return contains(site.purge_from, client);
}

bool is_soft_purge(const http::RequestHead& request) {
  for (const std::string_view name : {"Soft-Purge", "Fastly-Soft-Purge"}) {
    const http::Field* field = request.fields.find(name);
    if (field != nullptr && field->value == "1") return true;
  }
  return false;
}

std::unique_ptr<base::Job> make_commit_job(cache_store::Store& store, uint64_t seq, OnCommit done) {
  return std::make_unique<CommitJob>(store, seq, std::move(done));
}

std::string_view purge_answer(const cache_store::PurgeResult& purge, http::Arena& arena,
                              http::ResponseHead& head) {
  const std::string matched = purge.matched ? std::to_string(*purge.matched) : "null";
  const std::string json = "{\"status\":\"ok\",\"id\":\"" + std::to_string(purge.seq) +
                           "\",\"matched\":" + matched + "}\n";
  const std::string_view text = arena.copy(json);
  head.status = 200;
  head.add_fresh(http::FieldName::kContentType, "application/json");
  head.add_fresh(http::FieldName::kCacheControl, "no-store");
  head.add_fresh(http::FieldName::kContentLength, arena.copy(std::to_string(text.size())));
  head.content_length = text.size();
  return text;
}

}  // namespace perigee::edge
