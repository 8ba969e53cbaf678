#include "origin/fill.h"

#include <algorithm>

#include "http/content_range.h"
#include "http/selecting.h"
#include "origin/missing_fragments.h"

namespace perigee::origin {

std::string selected_values(const std::vector<std::string>& names, const http::HeaderList& request,
                            const http::PolicyOptions& policy, http::VaryNames sent_for) {
  http::SelectingFields selecting;
  const http::HeaderList fields = selecting.of(request, policy, sent_for);
  http::VarySpec spec;
  spec.names.assign(names.begin(), names.end());
  std::string selected;
  http::append_selected(spec, fields, selected);
  return selected;
}

std::optional<uint64_t> Fill::body_size() const {
  if (head.declared_size) return head.declared_size;
  if (body.complete()) return body.size();
  return std::nullopt;
}

bool Fill::is_far_from(const http::RequestHead& request, uint64_t fragment_bytes) const {
  const auto wanted = http::first_wanted(request.fields.value(http::FieldName::kRange));
  const std::optional<uint64_t> size = head.declared_size;
  const bool parts = wanted && size && policy->fetch_ranges && storing() && !head.revalidated &&
                     request.method == http::Method::kGet && is_refetchable(head.response);
  if (!parts) return false;
  const uint64_t first = wanted->from_end ? *size - std::min(wanted->at, *size) : wanted->at;
  return first < *size &&
         first / fragment_bytes > body.size() / fragment_bytes + base::limits::kNearFragments;
}

Fill::Phase Fill::join(unsigned loop) {
  const base::MutexLock lock(mutex_);
  loops_.set(loop);
  ++waiters_;
  return phase_;
}

Fill::Phase Fill::phase() const {
  const base::MutexLock lock(mutex_);
  return phase_;
}

LoopSet Fill::loops() const {
  const base::MutexLock lock(mutex_);
  return loops_;
}

LoopSet Fill::publish(Phase phase) {
  const base::MutexLock lock(mutex_);
  // Once: all that was filled in before is read without a lock from here on.
  CHECK(phase_ == Phase::kPending && phase != Phase::kPending);
  phase_ = phase;
  return loops_;
}

bool Fill::answers(const http::RequestHead& request, int64_t now_ms) const {
  if (fragment) return true;
  // What stands in is old for all, and for all it is the best there is.
  const bool stands_in = head.stand_in != http::StandIn::kNone;
  if (!head.shareable) return false;
  if (!stands_in && !http::may_share(head.response, request, now_ms, *policy)) return false;
  if (head.vary_names.empty()) return true;
  // As it will be looked up once this is stored.
  const std::vector<std::string_view> stored_then(head.vary_names.begin(), head.vary_names.end());
  return selected_values(head.vary_names, request.fields, *policy, stored_then) ==
         head.vary_selected;
}

}  // namespace perigee::origin
