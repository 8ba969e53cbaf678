// Conditions and ranges as the model reads them (RFC 9110 §13, §14).
#include <algorithm>

#include "tests/sim/coding_model.h"
#include "tests/sim/http_date.h"
#include "tests/sim/model.h"

namespace perigee::sim {

namespace {

std::string bare(const std::string& tag) { return tag.starts_with("W/") ? tag.substr(2) : tag; }

bool any_tag(const std::string& list, const std::string& stored, bool strong) {
  if (trim(list) == "*") return true;
  for (const std::string& tag : members(list)) {
    if (stored.empty()) continue;
    if (strong ? tag == stored && !tag.starts_with("W/") : bare(tag) == bare(stored)) return true;
  }
  return false;
}

enum class Condition : uint8_t { kNone, kFailed, kNotModified };

/// `modified` and `changed`, which is Date where there is no Last-Modified: -1 when not known.
Condition judge_conditions(const ClientExchange& request, const std::string& tag, int64_t modified,
                           int64_t changed, int64_t date) {
  const Fields& fields = request.fields;
  const auto date_in = [&](const char* name) {
    const auto text = first_of(fields, name);
    return text ? read_date(*text, date) : std::nullopt;
  };
  if (const auto list = joined(fields, "If-Match")) {
    if (!any_tag(*list, tag, true)) return Condition::kFailed;
  } else if (const auto since = date_in("If-Unmodified-Since")) {
    if (modified < 0 || modified > *since) return Condition::kFailed;
  }
  if (const auto list = joined(fields, "If-None-Match")) {
    return any_tag(*list, tag, false) ? Condition::kNotModified : Condition::kNone;
  }
  if (const auto since = date_in("If-Modified-Since"); since && changed >= 0 && changed <= *since) {
    return Condition::kNotModified;
  }
  return Condition::kNone;
}

/// The status that a Range asks for, of content of `size` bytes; several are possible where several
/// ranges are asked for, which may be refused or merged.
std::vector<int> range_statuses(const std::string& range, uint64_t size) {
  const size_t equals = range.find('=');
  if (equals == std::string::npos || lower(range.substr(0, equals)) != "bytes") return {200};
  const std::vector<std::string> specs = members(range.substr(equals + 1));
  if (specs.size() != 1) return {200, 206, 416};
  const std::string& spec = specs.front();
  const size_t dash = spec.find('-');
  if (dash == std::string::npos) return {200};
  const std::string first = spec.substr(0, dash);
  const std::string last = spec.substr(dash + 1);
  if (first.empty()) {
    const auto suffix = number(last);
    if (!suffix) return {200};
    // The last bytes of nothing are all of it, and no part.
    return {*suffix == 0 ? 416 : size == 0 ? 200 : 206};
  }
  const auto begin = number(first);
  const auto end = last.empty() ? std::optional(INT64_MAX) : number(last);
  if (!begin || !end || *end < *begin) return {200};
  return {static_cast<uint64_t>(*begin) >= size ? 416 : 206};
}

}  // namespace

std::vector<int> StoredModel::answers_to(const ClientExchange& request,
                                         std::optional<uint64_t> size) const {
  const std::string tag = first_of(fields_, "ETag").value_or("");
  const auto modified_text = first_of(fields_, "Last-Modified");
  const int64_t date = *read_date(*first_of(fields_, "Date"), last().head_taken().wall_ms);
  // -1: none.
  const int64_t modified =
      (modified_text ? read_date(*modified_text, date) : std::nullopt).value_or(-1);
  if (status() >= 200 && status() < 300) {
    const Condition condition =
        judge_conditions(request, tag, modified, modified_text ? modified : date, date);
    if (condition == Condition::kFailed) return {412};
    if (condition == Condition::kNotModified) return {304};
  }
  const auto range = joined(request.fields, "Range");
  if (!range || status() != 200 || request.method != "GET" || !size) return {status()};
  if (const auto condition = first_of(request.fields, "If-Range")) {
    const bool same_tag = *condition == tag && tag.starts_with('"');
    const bool same_date =
        modified_text && *condition == *modified_text && modified >= 0 && date - modified >= 1000;
    // What a client that takes codings holds may be coded, under the same date.
    const bool ambiguous = is_codable() && takes_any_coding(request.fields);
    if (!same_tag && (!same_date || ambiguous)) return {200};
  }
  return range_statuses(*range, *size);
}

}  // namespace perigee::sim
