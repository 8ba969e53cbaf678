// Accept-Encoding: the first line names what a site offers, each other one is a line of a request.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/content_coding.h"
#include "tests/fuzz/fuzz_text.h"
#include "tests/support/field_lines.h"

using namespace perigee;
using http::AcceptedCodings;
using http::Coding;
using http::CodingSet;

namespace {

using Lines = std::vector<std::string>;
using Sets = decltype(AcceptedCodings::sets);

CodingSet offered_in(std::string_view line) {
  CodingSet offered;
  for (const Coding coding : http::kMadeCodings) {
    if (line.find(coding_name(coding)) != std::string_view::npos) offered.add(coding);
  }
  return offered;
}

Sets sets_of(const Lines& lines, CodingSet offered) {
  std::string text;
  for (const std::string& line : lines) text += "Accept-Encoding:" + line + "\n";
  return accepted_codings(test::FieldLines(text).list(), offered).sets;
}

CodingSet without(CodingSet set, Coding coding) {
  CodingSet rest;
  for (const Coding each : http::kMadeCodings) {
    if (each != coding && set.has(each)) rest.add(each);
  }
  return rest;
}

/// The same, where this coding is refused.
Sets without(const Sets& sets, Coding coding) {
  Sets rest;
  size_t kept = 0;
  for (const CodingSet set : sets) {
    const CodingSet left = without(set, coding);
    if (!left.empty()) rest[kept++] = left;
  }
  return rest;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), base::to_lower);
  return result;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// The members of lines without quotes.
std::vector<std::string> members_of(const Lines& lines) {
  std::vector<std::string> members;
  for (const std::string& line : lines) {
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find(',', begin), line.size());
      const std::string member = trimmed(line.substr(begin, end - begin));
      if (!member.empty()) members.push_back(member);
      begin = end + 1;
    }
  }
  return members;
}

/// A weight in thousandths, as RFC 9110 §12.4.2 writes it.
std::optional<int> weight_in(const std::string& text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[1] != '.')) return std::nullopt;
  const std::string digits = (text.substr(0, 1) + (text.size() > 2 ? text.substr(2) : "") + "000");
  const std::string four = digits.substr(0, 4);
  if (four.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  const int weight = std::stoi(four);
  return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

/// What is said of each name; of a name that is said twice the least.
std::map<std::string, int> weights_in(const std::vector<std::string>& members) {
  std::map<std::string, int> weights;
  for (const std::string& member : members) {
    const size_t semicolon = member.find(';');
    std::string name = lower(trimmed(member.substr(0, semicolon)));
    if (name == "x-gzip") name = "gzip";
    std::optional<int> weight = 1000;
    if (semicolon != std::string::npos) {
      const std::string parameter = lower(trimmed(member.substr(semicolon + 1)));
      weight = parameter.starts_with("q=") ? weight_in(parameter.substr(2)) : std::nullopt;
    }
    if (!weight) continue;
    const auto [said, is_first] = weights.emplace(name, *weight);
    if (!is_first) said->second = std::min(said->second, *weight);
  }
  return weights;
}

/// The same reading, written down anew.
Sets expected(const std::vector<std::string>& members, CodingSet offered) {
  Sets sets;
  if (members.size() > base::limits::kAcceptMembers) return sets;
  const std::map<std::string, int> weights = weights_in(members);
  const auto said_of = [&](std::string_view name, int otherwise) {
    const auto said = weights.find(std::string(name));
    return said != weights.end() ? said->second : otherwise;
  };
  const int others = said_of("*", 0);
  std::map<int, CodingSet, std::greater<>> by_weight;
  for (const Coding coding : http::kMadeCodings) {
    const int weight = said_of(coding_name(coding), others);
    const bool taken = weight > 0 && weight >= said_of("identity", 0);
    if (taken && offered.has(coding)) by_weight[weight].add(coding);
  }
  size_t count = 0;
  for (const auto& [weight, set] : by_weight) sets[count++] = set;
  return sets;
}

void check_shape(const Sets& sets, CodingSet offered) {
  unsigned seen = 0;
  for (size_t i = 0; i < sets.size(); ++i) {
    CHECK((sets[i].bits() & ~offered.bits()) == 0);
    CHECK((sets[i].bits() & seen) == 0);
    CHECK(i == 0 || sets[i].empty() || !sets[i - 1].empty());
    seen |= sets[i].bits();
  }
}

/// Letters in the other case, and whitespace where any may stand.
std::string respelled(const std::string& line) {
  std::string text;
  for (const char c : line) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == ',' || c == ';') {
      text.append("\t ").append(1, c).append(" \t");
    } else {
      text += is_letter ? static_cast<char>(c ^ 0x20) : c;
    }
  }
  return " " + text + "\t";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = fuzz::text_of(data, size);
  const CodingSet offered = offered_in(fuzz::take_line(rest));
  Lines lines;
  while (!rest.empty()) {
    lines.emplace_back(fuzz::take_line(rest));
    if (!http::is_field_value(lines.back())) return 0;
  }
  const Sets sets = sets_of(lines, offered);
  check_shape(sets, offered);
  for (const Coding coding : http::kMadeCodings) {
    CHECK(sets_of(lines, without(offered, coding)) == without(sets, coding));
    Lines refusing = lines;
    refusing.push_back(std::string(coding_name(coding)) + ";q=0");
    const Sets refused = sets_of(refusing, offered);
    // Unless it is one member more than are read.
    CHECK(refused == without(sets, coding) || refused == Sets());
  }
  const bool quotes = std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find('"') != std::string::npos;
  });
  if (quotes) return 0;
  const std::vector<std::string> members = members_of(lines);
  CHECK(sets == expected(members, offered));
  Lines spelled;
  std::string joined;
  for (const std::string& line : lines) {
    spelled.push_back(respelled(line));
    joined.append(joined.empty() ? "" : ",").append(line);
  }
  CHECK(sets == sets_of(spelled, offered));
  CHECK(sets == sets_of({joined}, offered));
  CHECK(sets == sets_of({members.rbegin(), members.rend()}, offered));
  return 0;
}
