// Dictionaries of structured fields, a line of the field a line of the input.
#include <algorithm>
#include <set>
#include <string>

#include "base/check.h"
#include "base/limits.h"
#include "http/structured_field.h"
#include "tests/fuzz/fuzz_text.h"

using namespace perigee;
using http::SfDictionary;
using http::SfMember;

namespace {

constexpr int64_t kMost = 999'999'999'999'999;

/// The member as the RFC would write it; empty for what keeps no value.
std::string canonical(const SfMember& member) {
  const std::string key(member.key);
  switch (member.kind) {
    case SfMember::kInteger:
      return key + "=" + std::to_string(member.integer);
    case SfMember::kBoolean:
      return member.boolean ? key : key + "=?0";
    case SfMember::kString:
      return key + "=\"" + std::string(member.text) + "\"";
    case SfMember::kToken:
      return key + "=" + std::string(member.text);
    default:
      return {};
  }
}

void check_member(const SfMember& member, std::string_view line) {
  CHECK(!member.key.empty() && fuzz::within(member.key, line));
  CHECK(member.key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-.*") ==
        std::string_view::npos);
  CHECK(member.integer >= -kMost && member.integer <= kMost);
  const bool has_text = member.kind == SfMember::kString || member.kind == SfMember::kToken;
  CHECK(!has_text || fuzz::within(member.text, line));
  const std::string text = canonical(member);
  if (text.empty()) return;
  SfDictionary again;
  CHECK(parse_dictionary(text, again) && again.size() == 1);
  CHECK(again[0].kind == member.kind && again[0].key == member.key);
  CHECK(again[0].integer == member.integer && again[0].boolean == member.boolean);
  CHECK(again[0].text == member.text);
}

bool same(const SfDictionary& a, const SfDictionary& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].key != b[i].key || a[i].kind != b[i].kind || a[i].integer != b[i].integer ||
        a[i].boolean != b[i].boolean || a[i].text != b[i].text) {
      return false;
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = fuzz::text_of(data, size);
  SfDictionary all;
  bool whole = true;
  std::string joined;
  while (!rest.empty()) {
    const std::string_view line = fuzz::take_line(rest);
    SfDictionary members;
    const bool valid = parse_dictionary(line, members);
    whole = whole && parse_dictionary(line, all) && !members.empty();
    if (!valid) continue;
    for (const char c : line) CHECK((c >= 0x20 && c <= 0x7e) || c == '\t');
    std::set<std::string_view> keys;
    for (const SfMember& member : members) {
      check_member(member, line);
      CHECK(keys.insert(member.key).second);
    }
    if (members.empty()) continue;
    // One more mistake makes the whole invalid; one more member does not.
    SfDictionary other;
    CHECK(!parse_dictionary(std::string(line) + ",", other));
    other = {};
    CHECK(!parse_dictionary(std::string(line) + ", A", other));
    other = {};
    const auto most = static_cast<size_t>(std::count(line.begin(), line.end(), ',')) + 2;
    const bool room = most <= base::limits::kDictionaryMembers;
    CHECK(parse_dictionary(std::string(line) + " ,\tzzz=?0", other) || !room);
    joined.append(joined.empty() ? "" : ", ").append(line);
  }
  // Lines are one dictionary.
  SfDictionary one;
  if (whole) CHECK(parse_dictionary(joined, one) && same(one, all));
  return 0;
}
