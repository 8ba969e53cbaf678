#include "http/response.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/cache_control.h"
#include "http/connection_options.h"
#include "http/date.h"
#include "http/digest_fields.h"
#include "http/preconditions.h"

namespace perigee::http {
namespace {

/// A short text being written into a fixed piece of arena memory; what does not fit is left out
/// whole.
class Writer {
 public:
  Writer(Arena& arena, size_t capacity) : text_(arena.alloc_span<char>(capacity)) {}
  Writer& add(std::string_view text) {
    if (text.size() > text_.size() - size_) return *this;
    text.copy(text_.data() + size_, text.size());
    size_ += text.size();
    return *this;
  }
  Writer& add(int64_t number) { return add(base::Decimal(number).text()); }
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::span<char> text_;
  size_t size_ = 0;
};

std::string_view number_text(Arena& arena, uint64_t number) {
  return arena.copy(base::Decimal(number).text());
}

/// What a 304 carries (RFC 9110 §15.4.5, http-rules 2.9).
bool belongs_to_304(FieldName token) {
  switch (token) {
    case FieldName::kEtag:
    case FieldName::kDate:
    case FieldName::kVary:
    case FieldName::kCacheControl:
    case FieldName::kCdnCacheControl:
    case FieldName::kExpires:
    case FieldName::kContentLocation:
    case FieldName::kLastModified:
    case FieldName::kCacheStatus:
      return true;
    default:
      return false;
  }
}

/// A 206 carries all but what describes the whole content's bytes.
bool belongs_to_206(FieldName token) {
  return token != FieldName::kContentLength && token != FieldName::kContentRange &&
         token != FieldName::kContentDigest;
}

/// With several parts, each of them says what it is (RFC 9110 §15.3.7.2).
bool belongs_to_multipart(FieldName token) {
  return belongs_to_206(token) && token != FieldName::kContentType;
}

/// A 416 describes no representation's content.
bool belongs_to_416(FieldName token) {
  return token == FieldName::kDate || token == FieldName::kEtag || token == FieldName::kVary ||
         token == FieldName::kAccessControlAllowOrigin || token == FieldName::kCacheStatus;
}

/// What a site takes from responses.
bool is_removed(const Field& field, const Presentation& presentation) {
  switch (field.token) {
    case FieldName::kCdnCacheControl:
      return presentation.remove_cdn_cache_control || presentation.no_store;
    case FieldName::kCacheControl:
    case FieldName::kExpires:
      return presentation.no_store;
    case FieldName::kReprDigest:
      return presentation.repr_digest == ReprDigest::kRefused;
    case FieldName::kOther:
      return presentation.remove_surrogate && (base::iequals(field.name, kSurrogateControl) ||
                                               base::iequals(field.name, kXAccelExpires));
    default:
      return false;
  }
}

/// The lines of `block` that `keep` wants. False: no room.
template <typename Keep>
bool reduce(FieldBlock& block, Arena& arena, Keep keep) {
  size_t text_bytes = 0;
  size_t lines = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const Field field = block.at(i);
    if (!keep(field)) continue;
    text_bytes += field.name.size() + field.value.size() + 4;
    ++lines;
  }
  FieldBlockBuilder builder(arena, text_bytes, lines);
  for (size_t i = 0; i < block.size() && builder.ok(); ++i) {
    const Field field = block.at(i);
    if (keep(field)) builder.add(field);
  }
  if (builder.ok()) block = builder.block();
  return builder.ok();
}

/// What of the stored lines goes with this status. False: no room.
bool choose_lines(const StoredResponse& stored, const Selection& selection,
                  const Presentation& presentation, Arena& arena, FieldBlock& out) {
  const uint16_t status = selection.status;
  bool (*belongs)(FieldName) = nullptr;
  if (status != stored.policy.status) {
    if (status == 304) belongs = belongs_to_304;
    if (status == 206) belongs = selection.parts.empty() ? belongs_to_206 : belongs_to_multipart;
    if (status == 416) belongs = belongs_to_416;
  }
  out = selection.made ? stored.coded_block : stored.block;
  const bool removes =
      presentation.remove_surrogate || presentation.no_store ||
      presentation.repr_digest == ReprDigest::kRefused ||
      (presentation.remove_cdn_cache_control && out.find(FieldName::kCdnCacheControl).has_value());
  if (belongs == nullptr && !removes) return true;
  return reduce(out, arena, [&](const Field& field) {
    return !is_removed(field, presentation) && (belongs == nullptr || belongs(field.token));
  });
}

std::string_view content_range(Arena& arena, const Selection& selection, uint64_t size) {
  Writer writer(arena, 80);
  writer.add("bytes ");
  if (selection.status == 416) {
    writer.add("*");
  } else {
    writer.add(static_cast<int64_t>(selection.begin))
        .add("-")
        .add(static_cast<int64_t>(selection.end) - 1);
  }
  return writer.add("/").add(static_cast<int64_t>(size)).text();
}

/// Many small parts, whose frames make them longer than what they are parts of.
bool costs_more_than_the_whole(const StoredResponse& stored, const Selection& selection,
                               uint64_t body_size) {
  return selection.parts.size() > base::limits::kRangePartsFree &&
         multipart_plan(stored, selection, body_size).bytes() > body_size;
}

}  // namespace

std::string_view format_cache_status(const CacheStatus& status, std::string_view cache_name,
                                     Arena& arena) {
  Writer writer(arena, cache_name.size() + status.detail.size() + 128);
  writer.add(cache_name);
  if (status.hit) {
    writer.add("; hit");
  } else if (status.forward != Forward::kNone) {
    writer.add("; fwd=").add(forward_text(status.forward));
    if (status.forward_status) writer.add("; fwd-status=").add(*status.forward_status);
  }
  if (status.ttl_s) writer.add("; ttl=").add(*status.ttl_s);
  if (status.stored) writer.add("; stored");
  if (status.collapsed) writer.add("; collapsed");
  if (!status.detail.empty()) writer.add("; detail=").add(status.detail);
  return writer.text();
}

Selection select(const StoredResponse& stored, const RequestHead& request,
                 std::optional<uint64_t> body_size, BodyAccess access) {
  Selection result;
  const uint16_t status = stored.policy.status;
  result.status = status;
  result.end = body_size.value_or(0);
  result.body = !never_has_body(request.method, status);
  switch (evaluate(stored, request)) {
    case Precondition::kFailed:
      result.conditions_failed = true;
      return result;
    case Precondition::kNotModified:
      result.status = 304;
      result.body = false;
      return result;
    case Precondition::kNone:
      break;
  }
  const Field* range = request.fields.find(FieldName::kRange);
  if (range == nullptr || status != 200 || request.method != Method::kGet || !body_size ||
      request.fields.count(FieldName::kRange) != 1 || !if_range_holds(stored, request)) {
    return result;
  }
  RangeRequest ranges = parse_range(range->value, *body_size);
  const Selection whole = result;
  if (access == BodyAccess::kForward && !ranges.spans.ascending()) return result;
  if (ranges.kind == RangeRequest::kUnsatisfiable) {
    result.status = 416;
    result.body = false;
  } else if (ranges.kind == RangeRequest::kSatisfiable) {
    result.status = 206;
    result.begin = ranges.spans[0].begin;
    result.end = ranges.spans[0].end;
    if (ranges.spans.size() > 1) result.parts = std::move(ranges.spans);
    if (costs_more_than_the_whole(stored, result, *body_size)) return whole;
  }
  return result;
}

MultipartPlan multipart_plan(const StoredResponse& stored, const Selection& selection,
                             uint64_t body_size) {
  return {.parts = selection.parts,
          .content_type = stored.block.find(FieldName::kContentType).value_or(""),
          .whole_bytes = body_size,
          .boundary = selection.boundary};
}

std::optional<ResponseHead> make_response(const StoredResponse& stored, const Selection& selection,
                                          std::optional<uint64_t> body_size,
                                          std::optional<int64_t> age_s,
                                          const CacheStatus& cache_status,
                                          const Presentation& presentation, Arena& arena) {
  ResponseHead head;
  head.status = selection.status;
  bool room = choose_lines(stored, selection, presentation, arena, head.block);
  const auto add = [&](FieldName token, std::string_view value) {
    room = room && !value.empty();
    head.add_fresh(token, value);
  };
  const auto add_length = [&](uint64_t length) {
    head.content_length = length;
    add(FieldName::kContentLength, number_text(arena, length));
  };
  const bool chosen = selection.status != stored.policy.status;
  if (chosen && !selection.parts.empty()) {
    const MultipartPlan plan = multipart_plan(stored, selection, *body_size);
    add(FieldName::kContentType, plan.message_type(arena));
    add_length(plan.bytes());
  } else if (chosen && (selection.status == 206 || selection.status == 416)) {
    add(FieldName::kContentRange, content_range(arena, selection, *body_size));
    add_length(selection.status == 206 ? selection.end - selection.begin : 0);
  } else if (!chosen && selection.made) {
    head.reason = stored.reason;
    if (*selection.made != Coding::kIdentity) {
      add(FieldName::kContentEncoding, coding_name(*selection.made));
    }
    add_length(*body_size);
    if (presentation.repr_digest == ReprDigest::kTold && !selection.made_sha256.empty()) {
      add(FieldName::kReprDigest, arena.copy(sha256_value(selection.made_sha256)));
    }
  } else if (!chosen) {
    head.reason = stored.reason;
    head.content_length = stored.content_length;
    const bool may_have_body = !never_has_body(Method::kGet, selection.status);
    if (!head.content_length && body_size && may_have_body) add_length(*body_size);
  }
  if (age_s) {
    add(FieldName::kAge, number_text(arena, static_cast<uint64_t>(*age_s)));
  } else if (!stored.received_age.empty()) {
    add(FieldName::kAge, stored.received_age);
  }
  if (presentation.no_store) add(FieldName::kCacheControl, "no-store");
  if (!presentation.alt_svc.empty()) add(FieldName::kAltSvc, presentation.alt_svc);
  add(FieldName::kCacheStatus, format_cache_status(cache_status, presentation.cache_name, arena));
  if (!room) return std::nullopt;
  return head;
}

std::optional<ResponseHead> make_interim(const ReceivedResponse& interim, bool shared,
                                         Arena& arena) {
  FieldBlockBuilder builder(arena, base::limits::kInterimBytes, interim.fields.size());
  const ConnectionOptions connection(interim.fields);
  for (const Field& field : interim.fields) {
    const bool dropped = connection.ends_here(field) || field.token == FieldName::kContentLength ||
                         (shared && field.token == FieldName::kSetCookie);
    if (!dropped) builder.add(field);
  }
  if (!builder.ok()) return std::nullopt;
  ResponseHead head;
  head.status = interim.status;
  head.reason = interim.reason;
  head.block = builder.block();
  return head;
}

void add_own_fields(int64_t now_ms, const CacheStatus& cache_status, std::string_view cache_name,
                    Arena& arena, ResponseHead& head) {
  char date[kDateSize];
  const std::string_view own_date = arena.copy(format_date(now_ms, date));
  if (!own_date.empty()) head.add_fresh(FieldName::kDate, own_date);
  const std::string_view status = format_cache_status(cache_status, cache_name, arena);
  if (!status.empty()) head.add_fresh(FieldName::kCacheStatus, status);
}

ResponseHead make_error(uint16_t status, std::string_view why, Arena& arena,
                        std::string_view& body) {
  ResponseHead head;
  head.status = status;
  const std::string_view phrase = reason_phrase(status);
  body = Writer(arena, why.size() + phrase.size() + 16)
             .add(static_cast<int64_t>(status))
             .add(" ")
             .add(phrase)
             .add(": ")
             .add(why)
             .add("\n")
             .text();
  const std::string_view length = number_text(arena, body.size());
  if (length.empty()) body = {};
  if (status == 405) head.add_fresh(FieldName::kAllow, kAllowedMethods);
  head.add_fresh(FieldName::kCacheControl, "no-store");
  head.add_fresh(FieldName::kContentType, "text/plain; charset=utf-8");
  head.add_fresh(FieldName::kContentLength, length.empty() ? "0" : length);
  head.content_length = body.size();
  return head;
}

}  // namespace perigee::http
