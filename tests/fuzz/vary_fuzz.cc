// Vary: the first line is the field of a response, the others are fields of a request.
#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "http/vary.h"
#include "tests/fuzz/fuzz_text.h"
#include "tests/support/field_lines.h"

using namespace perigee;
using http::VarySpec;
using test::FieldLines;

namespace {

std::string selected(const VarySpec& spec, std::string_view request) {
  const FieldLines lines(request);
  std::string out = "before";
  append_selected(spec, lines.list(), out);
  CHECK(out.starts_with("before"));
  return out;
}

/// Values hold no line ends and no NUL once they were parsed; names are tokens.
bool is_request(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = fuzz::take_line(text);
    const size_t colon = std::min(line.find(':'), line.size());
    if (!http::is_token(line.substr(0, colon)) || !http::is_field_value(line)) return false;
  }
  return true;
}

void check_names(const std::vector<std::string>& names) {
  CHECK(names.size() <= base::limits::kVaryNames);
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  for (const std::string& name : names) {
    CHECK(http::is_token(name) && name != "*");
    CHECK(std::all_of(name.begin(), name.end(), [](char c) { return base::to_lower(c) == c; }));
  }
}

/// Lines of different names may come in any order.
std::string grouped(std::string_view request) {
  std::vector<std::string> lines;
  while (!request.empty()) lines.emplace_back(fuzz::take_line(request));
  std::stable_sort(lines.begin(), lines.end(), [](const std::string& a, const std::string& b) {
    const auto name = [](const std::string& line) {
      std::string text = line.substr(0, line.find(':'));
      std::transform(text.begin(), text.end(), text.begin(), base::to_lower);
      return text;
    };
    return name(a) > name(b);
  });
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

/// The members of an Accept-Language in the opposite order.
std::string reversed(std::string_view value) {
  std::vector<std::string_view> members;
  http::ListCursor cursor(value);
  while (const auto member = cursor.next()) members.push_back(*member);
  std::string text;
  for (auto it = members.rbegin(); it != members.rend(); ++it) text.append(*it).append(" , ");
  return members.size() <= 32 ? text : std::string(value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view whole = fuzz::text_of(data, size);
  // Any bytes may lie on a disk: what is taken for a spec is one.
  VarySpec found;
  if (decode_vary_spec(whole, found)) {
    const std::vector<std::string> names(found.names.begin(), found.names.end());
    CHECK(http::encode_vary_spec(names) == whole);
  }

  std::string_view request = whole;
  const std::string vary = "Vary: " + std::string(fuzz::take_line(request));
  if (!http::is_field_value(vary) || !is_request(request)) return 0;
  const FieldLines response(vary);
  CHECK(!vary_names(FieldLines(vary + "\nVary: *").list()));
  const auto names = vary_names(response.list());
  if (!names) return 0;
  check_names(*names);
  const std::string bytes = http::encode_vary_spec(*names);
  VarySpec spec;
  CHECK(decode_vary_spec(bytes, spec));
  CHECK(std::equal(names->begin(), names->end(), spec.names.begin(), spec.names.end()));

  const std::string lines = std::string(request) + (request.ends_with('\n') ? "" : "\n");
  const std::string chosen = selected(spec, request);
  CHECK(chosen == selected(spec, grouped(request)));
  CHECK(chosen == selected(spec, lines + "X-Never-Named-Anywhere: 1"));
  for (const std::string& name : *names) {
    CHECK(FieldLines(request).list().find(name) != nullptr ||
          chosen != selected(spec, lines + name + ":"));
  }
  const std::string_view first = fuzz::take_line(request);
  if (first.find('"') != std::string_view::npos) return 0;
  const std::string_view value = first.substr(std::min(first.find(':') + 1, first.size()));
  const VarySpec language{{"accept-language"}};
  CHECK(selected(language, "Accept-Language: " + std::string(value)) ==
        selected(language, "accept-language: " + reversed(value)));
  return 0;
}
