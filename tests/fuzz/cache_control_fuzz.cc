// Cache-Control and CDN-Cache-Control, a line of the field a line of the input.
#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "http/cache_control.h"
#include "tests/fuzz/fuzz_text.h"
#include "tests/support/field_lines.h"

using namespace perigee;
using http::CacheControl;
using http::FieldName;
using test::FieldLines;

namespace {

std::string lines_of(std::string_view name, std::string_view text) {
  std::string lines;
  while (!text.empty()) lines.append(name).append(": ").append(fuzz::take_line(text)) += '\n';
  return lines;
}

void check_bounds(const CacheControl& directives, const http::HeaderList& fields) {
  for (const auto& seconds :
       {directives.max_age_s, directives.s_maxage_s, directives.max_stale_s, directives.min_fresh_s,
        directives.stale_while_revalidate_s, directives.stale_if_error_s}) {
    CHECK(!seconds || (*seconds >= 0 && *seconds <= http::kDeltaMost));
  }
  for (const std::string_view name : directives.named_fields) {
    CHECK(http::is_token(name));
    bool inside = false;
    for (const http::Field& field : fields) inside = inside || fuzz::within(name, field.value);
    CHECK(inside);
  }
}

bool same(const CacheControl& a, const CacheControl& b) {
  return a.no_store == b.no_store && a.no_cache == b.no_cache && a.is_private == b.is_private &&
         a.is_public == b.is_public && a.must_revalidate == b.must_revalidate &&
         a.proxy_revalidate == b.proxy_revalidate && a.must_understand == b.must_understand &&
         a.no_transform == b.no_transform && a.immutable == b.immutable &&
         a.only_if_cached == b.only_if_cached && a.max_stale_any == b.max_stale_any &&
         a.max_age_s == b.max_age_s && a.s_maxage_s == b.s_maxage_s &&
         a.max_stale_s == b.max_stale_s && a.min_fresh_s == b.min_fresh_s &&
         a.stale_while_revalidate_s == b.stale_while_revalidate_s &&
         a.stale_if_error_s == b.stale_if_error_s && a.named_fields == b.named_fields;
}

CacheControl parsed(const FieldLines& lines) { return parse_cache_control(lines.list()); }

void check_plain(std::string_view text) {
  const std::string lines = lines_of("Cache-Control", text);
  const FieldLines fields(lines);
  const CacheControl directives = parsed(fields);
  check_bounds(directives, fields.list());
  CHECK(http::asks_only_if_cached(fields.list()) == directives.only_if_cached);

  // Nothing that stands elsewhere hides a directive, and nothing unknown changes one.
  CHECK(parsed(FieldLines(lines + "Cache-Control: no-store\n")).no_store);
  CHECK(parsed(FieldLines("Cache-Control: x=\"a, b\", no-store\n" + lines)).no_store);
  CHECK(parsed(FieldLines("Cache-Control: max-age=7\n" + lines)).max_age_s == 7);
  const FieldLines longer(lines + "Cache-Control: x=\"private\", y;max-age=1\n");
  CHECK(same(directives, parsed(longer)));

  // Lines are one list, as long as no quotation reaches over their ends.
  if (text.find('"') != std::string_view::npos) return;
  std::string joined(text);
  for (char& c : joined) {
    if (c == '\n') c = ',';
  }
  const FieldLines one("Cache-Control: " + joined);
  CHECK(same(directives, parsed(one)));
}

void check_targeted(std::string_view text) {
  const std::string lines = lines_of("CDN-Cache-Control", text);
  const FieldLines fields(lines);
  const std::optional<CacheControl> directives = parse_targeted(fields.list());
  const FieldLines spoilt(lines + "CDN-Cache-Control: max-age=\"1\"\n");
  CHECK(!parse_targeted(spoilt.list()));
  if (!directives) return;
  check_bounds(*directives, fields.list());
  CHECK(!directives->only_if_cached && !directives->max_stale_any && !directives->max_stale_s);
  const FieldLines longer(lines + "CDN-Cache-Control: max-age=7, no-store\n");
  const std::optional<CacheControl> more = parse_targeted(longer.list());
  CHECK(more && more->max_age_s == 7 && more->no_store);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  // More are not read to their end, so that what follows them says nothing.
  const auto separators =
      std::count_if(text.begin(), text.end(), [](char c) { return c == ',' || c == '\n'; });
  if (static_cast<size_t>(separators) + 4 > base::limits::kNamedFields) return 0;
  check_plain(text);
  check_targeted(text);
  return 0;
}
