#include "origin/fill_progress.h"

#include "http/selecting.h"

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

std::optional<uint64_t> FillProgress::body_size() const {
  if (revalidated_) return stored.head->body.size();
  if (declared_size_) return declared_size_;
  if (body.complete()) return body.size();
  return std::nullopt;
}

FillProgress::Phase FillProgress::join(unsigned loop) {
  const base::MutexLock lock(mutex_);
  loops_.set(loop);
  ++waiters_;
  return phase_;
}

FillProgress::Phase FillProgress::phase() const {
  const base::MutexLock lock(mutex_);
  return phase_;
}

LoopSet FillProgress::loops() const {
  const base::MutexLock lock(mutex_);
  return loops_;
}

LoopSet FillProgress::publish(Phase phase) {
  const base::MutexLock lock(mutex_);
  phase_ = phase;
  return loops_;
}

bool FillProgress::answers(const http::RequestHead& request, int64_t now_ms) const {
  if (!shareable_ || !http::may_share(response_, request, now_ms, *policy)) return false;
  if (vary_names_.empty()) return true;
  // As it will be looked up once this is stored.
  const std::vector<std::string_view> stored_then(vary_names_.begin(), vary_names_.end());
  return selected_values(vary_names_, request.fields, *policy, stored_then) == vary_selected_;
}

}  // namespace perigee::origin
