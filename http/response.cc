#include "http/response.h"

#include <charconv>

#include "base/check.h"
#include "http/date.h"
#include "http/preconditions.h"

namespace perigee::http {
namespace {

/// A short text being written into a fixed piece of arena memory; what does not fit is left out whole.
class Writer {
 public:
  Writer(Arena& arena, size_t capacity) : text_(arena.alloc_span<char>(capacity)) {}
  Writer& add(std::string_view text) {
    if (text.size() > text_.size() - size_) return *this;
    text.copy(text_.data() + size_, text.size());
    size_ += text.size();
    return *this;
  }
  Writer& add(int64_t number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    return add(std::string_view(digits, static_cast<size_t>(end - digits)));
  }
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::span<char> text_;
  size_t size_ = 0;
};

std::string_view number_text(Arena& arena, uint64_t number) {
  return Writer(arena, 24).add(static_cast<int64_t>(number)).text();
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

/// A 416 describes no representation's content.
bool belongs_to_416(FieldName token) {
  return token == FieldName::kDate || token == FieldName::kEtag || token == FieldName::kVary ||
         token == FieldName::kAccessControlAllowOrigin || token == FieldName::kCacheStatus;
}

template <typename Keep>
FieldBlock reduced(const FieldBlock& block, Arena& arena, Keep keep) {
  FieldBlockBuilder builder(arena, block.text.size(), block.size());
  for (size_t i = 0; i < block.size() && builder.ok(); ++i) {
    const Field field = block.at(i);
    if (keep(field.token)) builder.add(field);
  }
  return builder.ok() ? builder.block() : FieldBlock{};
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

}  // namespace

std::string_view format_cache_status(const CacheStatus& status, std::string_view cache_name,
                                     Arena& arena) {
  Writer writer(arena, cache_name.size() + status.detail.size() + 128);
  writer.add(cache_name);
  if (status.hit) {
    writer.add("; hit");
  } else {
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
                 std::optional<uint64_t> body_size) {
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
  const RangeSpec spec = parse_range(range->value, *body_size);
  if (spec.kind == RangeSpec::kUnsatisfiable) {
    result.status = 416;
    result.body = false;
  } else if (spec.kind == RangeSpec::kSatisfiable) {
    result.status = 206;
    result.begin = spec.begin;
    result.end = spec.end;
  }
  return result;
}

ResponseHead make_response(const StoredResponse& stored, const Selection& selection,
                           std::optional<uint64_t> body_size, std::optional<int64_t> age_s,
                           const CacheStatus& cache_status, std::string_view cache_name,
                           Arena& arena) {
  ResponseHead head;
  head.status = selection.status;
  const auto add_length = [&](uint64_t length) {
    head.content_length = length;
    head.add_fresh(FieldName::kContentLength, number_text(arena, length));
  };
  if (selection.status == 304 && stored.policy.status != 304) {
    head.block = reduced(stored.block, arena, belongs_to_304);
  } else if (selection.status == 206 && stored.policy.status == 200) {
    head.block = reduced(stored.block, arena, belongs_to_206);
    head.add_fresh(FieldName::kContentRange, content_range(arena, selection, *body_size));
    add_length(selection.end - selection.begin);
  } else if (selection.status == 416 && stored.policy.status == 200) {
    head.block = reduced(stored.block, arena, belongs_to_416);
    head.add_fresh(FieldName::kContentRange, content_range(arena, selection, *body_size));
    add_length(0);
  } else {
    head.reason = stored.reason;
    head.block = stored.block;
    head.content_length = stored.content_length;
    const bool bodiless = selection.status == 204 || selection.status < 200 ||
                          selection.status == 304;
    if (!head.content_length && body_size && !bodiless) add_length(*body_size);
  }
  if (age_s) {
    head.add_fresh(FieldName::kAge, number_text(arena, static_cast<uint64_t>(*age_s)));
  } else if (!stored.received_age.empty()) {
    head.add_fresh(FieldName::kAge, stored.received_age);
  }
  head.add_fresh(FieldName::kCacheStatus, format_cache_status(cache_status, cache_name, arena));
  return head;
}

ResponseHead make_error(uint16_t status, std::string_view why, int64_t now_ms,
                        const CacheStatus& cache_status, std::string_view cache_name, Arena& arena,
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
  char date[kDateSize];
  head.add_fresh(FieldName::kDate, arena.copy(format_date(now_ms, date)));
  head.add_fresh(FieldName::kCacheControl, "no-store");
  head.add_fresh(FieldName::kContentType, "text/plain; charset=utf-8");
  head.add_fresh(FieldName::kContentLength, number_text(arena, body.size()));
  head.content_length = body.size();
  head.add_fresh(FieldName::kCacheStatus, format_cache_status(cache_status, cache_name, arena));
  return head;
}

}  // namespace perigee::http
