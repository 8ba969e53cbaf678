#include "origin/fill_progress.h"

namespace perigee::origin {

std::string selected_values(const std::vector<std::string>& names, const http::HeaderList& fields) {
  http::VarySpec spec;
  spec.names.assign(names.begin(), names.end());
  std::string selected;
  http::append_selected(spec, fields, selected);
  return selected;
}

bool FillProgress::answers(const http::RequestHead& request, int64_t now_ms) const {
  if (!shareable_ || !http::may_share(response_, request, now_ms, *policy)) return false;
  return vary_names_.empty() || selected_values(vary_names_, request.fields) == vary_selected_;
}

}  // namespace perigee::origin
