#include "edge/purge.h"

#include <algorithm>
#include <string>

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

bool came_through_a_proxy(const http::HeaderList& fields) {
  using http::FieldName;
  return fields.find(FieldName::kForwarded) != nullptr ||
         fields.find(FieldName::kXForwardedFor) != nullptr ||
         fields.find(FieldName::kVia) != nullptr || fields.find(FieldName::kXRealIp) != nullptr;
}

}  // namespace

bool may_purge(const http::RequestHead& request, const base::Address& client,
               const SiteConfig& site) {
  if (client.is_loopback() && came_through_a_proxy(request.fields)) return false;
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
  const std::string json = "{\"status\":\"ok\",\"id\":\"" + std::to_string(purge.seq) +
                           "\",\"matched\":" + std::to_string(purge.matched) + "}\n";
  const std::string_view text = arena.copy(json);
  head.status = 200;
  head.add_fresh(http::FieldName::kContentType, "application/json");
  head.add_fresh(http::FieldName::kCacheControl, "no-store");
  head.add_fresh(http::FieldName::kContentLength, arena.copy(std::to_string(text.size())));
  head.content_length = text.size();
  return text;
}

}  // namespace perigee::edge
