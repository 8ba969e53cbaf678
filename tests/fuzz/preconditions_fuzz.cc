// Conditions: lines with ETag, Last-Modified and Date are stored, the others are the request's.
#include <string>

#include "base/check.h"
#include "http/date.h"
#include "http/preconditions.h"
#include "tests/fuzz/fuzz_text.h"
#include "tests/support/field_lines.h"

using namespace perigee;
using http::FieldName;
using http::Precondition;
using http::StoredResponse;
using test::FieldLines;

namespace {

StoredResponse stored_response(const http::HeaderList& fields) {
  StoredResponse stored;
  stored.policy.status = 200;
  stored.etag = fields.value(FieldName::kEtag);
  stored.last_modified = fields.value(FieldName::kLastModified);
  stored.date_ms = http::parse_date(fields.value(FieldName::kDate), 0).value_or(1'735'725'600'000);
  stored.last_modified_ms = http::parse_date(stored.last_modified, 0).value_or(-1);
  return stored;
}

Precondition outcome(const StoredResponse& stored, std::string_view request_lines) {
  const FieldLines lines(request_lines);
  http::RequestHead request;
  request.fields = lines.list();
  return evaluate(stored, request);
}

bool holds(const StoredResponse& stored, std::string_view request_lines) {
  const FieldLines lines(request_lines);
  http::RequestHead request;
  request.fields = lines.list();
  return if_range_holds(stored, request);
}

void check_tags(std::string_view a, std::string_view b) {
  CHECK(http::weakly_equal(a, b) == http::weakly_equal(b, a));
  CHECK(http::strongly_equal(a, b) == http::strongly_equal(b, a));
  CHECK(!http::strongly_equal(a, b) || (a == b && http::weakly_equal(a, b)));
  CHECK(http::weakly_equal(a, a) == !a.empty());
  CHECK(!http::strongly_equal(a, "W/" + std::string(a)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::text_of(data, size));
  const FieldLines lines(text);
  const http::HeaderList& all = lines.list();
  const StoredResponse stored = stored_response(all);
  const Precondition result = outcome(stored, text);
  for (const http::Field& field : all) check_tags(field.value, stored.etag);

  const bool first = all.find(FieldName::kIfMatch) || all.find(FieldName::kIfUnmodifiedSince);
  const bool second = all.find(FieldName::kIfNoneMatch) || all.find(FieldName::kIfModifiedSince);
  CHECK(first || result != Precondition::kFailed);
  CHECK(second || result != Precondition::kNotModified);
  // What fails stays failed, and * matches whatever is there.
  const Precondition star = outcome(stored, text + "\nIf-None-Match: *");
  CHECK((result == Precondition::kFailed) == (star == Precondition::kFailed));
  CHECK(result == Precondition::kFailed || star == Precondition::kNotModified);
  // Beside If-None-Match the date says nothing.
  if (all.find(FieldName::kIfNoneMatch) != nullptr) {
    CHECK(result == outcome(stored, text + "\nIf-Modified-Since: Mon, 01 Jan 2125 10:00:00 GMT"));
  }
  // The client that sends back what it got, alone or in a list over lines, has it.
  if (http::strongly_equal(stored.etag, stored.etag)) {
    const std::string tag(stored.etag);
    CHECK(outcome(stored, "If-None-Match: " + tag) == Precondition::kNotModified);
    CHECK(outcome(stored, "If-None-Match: \"x\", W/" + tag + ",") == Precondition::kNotModified);
    CHECK(outcome(stored, "If-None-Match: \"x\"\nIf-None-Match: " + tag) ==
          Precondition::kNotModified);
    CHECK(outcome(stored, "If-Match: " + tag) == Precondition::kNone);
    CHECK(holds(stored, "If-Range: " + tag));
  }
  CHECK(all.find(FieldName::kIfRange) != nullptr || holds(stored, text));
  CHECK(!holds(stored, "If-Range: \"x\"\n" + text + "\nIf-Range: \"x\""));
  StoredResponse error = stored;
  error.policy.status = 404;
  CHECK(outcome(error, text) == Precondition::kNone);
  return 0;
}
