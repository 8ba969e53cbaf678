// Dictionaries of structured fields: what is valid, and what they hold (RFC 9651).
//
// A small set of our own, and the vectors of the HTTP working group; an item among those is read as
// the member of a dictionary.
#include "http/structured_field.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/json.h"
#include "tests/support/main/paths.h"
#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::parse_dictionary");

using test::Json;

std::string unescaped(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    result += text[i];
  }
  return result;
}

std::string shown(const SfMember& member) {
  const std::string key(member.key);
  switch (member.kind) {
    case SfMember::kInteger:
      return key + ":" + std::to_string(member.integer);
    case SfMember::kBoolean:
      return key + (member.boolean ? ":true" : ":false");
    case SfMember::kString:
      return key + ":\"" + unescaped(member.text) + "\"";
    case SfMember::kToken:
      return key + ":" + std::string(member.text);
    case SfMember::kBytes:
      return key + ":bytes";
    case SfMember::kOtherItem:
      return key + ":item";
    case SfMember::kInnerList:
      return key + ":list";
  }
  return key;
}

/// "a:1 b:true" for a valid dictionary, "invalid" for none.
std::string dictionary(std::initializer_list<std::string_view> lines) {
  SfDictionary members;
  for (const std::string_view line : lines) {
    if (!parse_dictionary(line, members)) return "invalid";
  }
  std::string text;
  for (const SfMember& member : members) text += (text.empty() ? "" : " ") + shown(member);
  return text;
}

struct Row {
  const char* name;
  const char* line;
  const char* holds;
};

const Row kRows[] = {
    {"Empty", "", ""},
    {"OnlySpaces", "   ", ""},
    {"Integers", "a=1, b=-1, c=0, d=-0, e=007", "a:1 b:-1 c:0 d:0 e:7"},
    {"FifteenDigits", "a=999999999999999, b=-999999999999999",
     "a:999999999999999 b:-999999999999999"},
    {"SixteenDigits", "a=1000000000000000", "invalid"},
    {"Decimals", "a=1.5, b=-0.123, c=123456789012.1", "a:item b:item c:item"},
    {"DecimalWithoutFraction", "a=1.", "invalid"},
    {"DecimalWithFourDigits", "a=1.1234", "invalid"},
    {"DecimalWithThirteenDigits", "a=1234567890123.1", "invalid"},
    {"DecimalWithTwoDots", "a=1.1.1", "invalid"},
    {"OnlyASign", "a=-", "invalid"},
    {"PlusSign", "a=+1", "invalid"},
    {"TwoSigns", "a=--1", "invalid"},
    {"Strings", "a=\"x y\", b=\"\", c=\"q\\\"\\\\\"", "a:\"x y\" b:\"\" c:\"q\"\\\""},
    {"StringWithUnknownEscape", "a=\"\\n\"", "invalid"},
    {"StringWithoutEnd", "a=\"x", "invalid"},
    {"StringThatEndsInAnEscape", "a=\"x\\", "invalid"},
    {"StringWithTab", "a=\"\t\"", "invalid"},
    {"StringWithHighBytes", "a=\"\xc3\xbc\"", "invalid"},
    {"SingleQuotes", "a='x'", "invalid"},
    {"Tokens", "a=x, b=*x, c=Foo/1:2", "a:x b:*x c:Foo/1:2"},
    {"TokenThatBeginsWithAnother", "a=/x", "invalid"},
    {"Booleans", "a=?1, b=?0", "a:true b:false"},
    {"BooleanWithAnotherDigit", "a=?2", "invalid"},
    {"BooleanWithoutDigit", "a=?", "invalid"},
    {"KeyAloneIsTrue", "a, b;x=1", "a:true b:true"},
    {"ByteSequences", "a=:aGVsbG8=:, b=::, c=:aGVsbG8:", "a:bytes b:bytes c:bytes"},
    {"ByteSequenceWithoutEnd", "a=:aGVsbG8=", "invalid"},
    {"ByteSequenceWithOtherBytes", "a=:aGV_bG8=:", "invalid"},
    {"ByteSequenceOfOneDigit", "a=:aGVsb:", "invalid"},
    {"ByteSequenceWithPaddingInside", "a=:aG=sbG8=:", "invalid"},
    {"Dates", "a=@1659578233, b=@-1", "a:item b:item"},
    {"DateWithFraction", "a=@1.5", "invalid"},
    {"DisplayStrings", "a=%\"f%c3%bc\", b=%\"\"", "a:item b:item"},
    {"DisplayStringInUpperCase", "a=%\"f%C3%BC\"", "invalid"},
    {"DisplayStringOfHalfAByte", "a=%\"%6g\"", "invalid"},
    {"DisplayStringCutShort", "a=%\"f%c\"", "invalid"},
    {"DisplayStringWithoutEnd", "a=%\"f", "invalid"},
    {"DisplayStringOfHalfACharacter", "a=%\"%c3\"", "invalid"},
    {"DisplayStringOfALoneContinuation", "a=%\"%bc\"", "invalid"},
    {"DisplayStringOverlong", "a=%\"%c0%80\"", "invalid"},
    {"DisplayStringOverlongInThree", "a=%\"%e0%80%80\"", "invalid"},
    {"DisplayStringOfASurrogate", "a=%\"%ed%a0%80\"", "invalid"},
    {"DisplayStringOfTheLastCharacter", "a=%\"%f4%8f%bf%bf\"", "a:item"},
    {"DisplayStringBeyondTheLast", "a=%\"%f4%90%80%80\"", "invalid"},
    {"InnerLists", "a=(1 \"x\";q=1 y), b=(), c=( 1  2 );p", "a:list b:list c:list"},
    {"InnerListWithComma", "a=(1, 2)", "invalid"},
    {"InnerListWithTab", "a=(1\t2)", "invalid"},
    {"InnerListWithoutSpace", "a=(\"x\"\"y\")", "invalid"},
    {"InnerListWithoutEnd", "a=(1 2", "invalid"},
    {"InnerListInside", "a=((1))", "invalid"},
    {"Parameters", "a=1;x;y=2; z=\"q\", b=2", "a:1 b:2"},
    {"ParameterWithSpaceBefore", "a=1 ;x", "invalid"},
    {"ParameterWithoutName", "a=1;", "invalid"},
    {"ParameterWithInnerList", "a=1;x=(1)", "invalid"},
    {"KeyInUpperCase", "A=1", "invalid"},
    {"KeyThatBeginsWithADigit", "1a=1", "invalid"},
    {"KeysOfAllBytes", "*a_-.*0=1", "*a_-.*0:1"},
    {"SpaceBeforeEquals", "a =1", "invalid"},
    {"SpaceAfterEquals", "a= 1", "invalid"},
    {"NoValue", "a=", "invalid"},
    {"WhitespaceAroundCommas", "a=1 \t,\t b=2 \t", "a:1 b:2"},
    {"TabInFront", "\ta=1", "invalid"},
    {"TrailingComma", "a=1,", "invalid"},
    {"LeadingComma", ",a=1", "invalid"},
    {"EmptyMember", "a=1,,b=2", "invalid"},
    {"NoComma", "a=1 b=2", "invalid"},
    {"Semicolons", "public; max-age=60", "public:true"},
    {"TheLastValueAtTheFirstPlace", "a=1, b=2, a=3", "a:3 b:2"},
};

[[maybe_unused]] const int kRegistered = [] {
  for (const Row& row : kRows) {
    test::register_rule("StructuredFieldRules", row.name,
                        {"RFC 9651 §4.2.2", "a dictionary is read exactly by the algorithm",
                         "one mistake makes the whole field invalid", ""},
                        __FILE__, __LINE__,
                        [&row] { EXPECT_EQ(dictionary({row.line}), row.holds) << row.line; });
  }
  return 0;
}();

TEST(StructuredField, LinesAreOneDictionary) {
  EXPECT_EQ(dictionary({"a=1", "b=2, a=3"}), "a:3 b:2");
  EXPECT_EQ(dictionary({"a=1", "B"}), "invalid");
}

// --- the vectors of the HTTP working group ---

/// What a vector's value looks like in `shown`; an item is [bare, parameters].
std::string expected_value(const Json& member) {
  const Json& bare = member.items[0];
  switch (bare.kind) {
    case Json::kBool:
      return bare.boolean ? "true" : "false";
    case Json::kNumber:
      return bare.text.find('.') == std::string::npos ? bare.text : "item";
    case Json::kString:
      return "\"" + bare.text + "\"";
    case Json::kArray:
      return "list";
    case Json::kObject:
      if (bare.find("__type")->text == "binary") return "bytes";
      return bare.find("__type")->text == "token" ? bare.find("value")->text : "item";
    case Json::kNull:
      break;
  }
  return "?";
}

/// -0 is written as 0 by us, and as 0 or -0 by the vectors.
std::string expected_dictionary(const Json& members) {
  std::string text;
  for (const Json& member : members.items) {
    text +=
        (text.empty() ? "" : " ") + member.items[0].text + ":" + expected_value(member.items[1]);
  }
  return text;
}

struct Outcome {
  bool valid = false;
  std::string holds;
};

Outcome read_dictionary(const Json& raw) {
  SfDictionary members;
  Outcome outcome{true, ""};
  for (const Json& line : raw.items) {
    outcome.valid = outcome.valid && parse_dictionary(line.text, members);
  }
  if (!outcome.valid) return outcome;
  for (const SfMember& member : members) {
    outcome.holds += (outcome.holds.empty() ? "" : " ") + shown(member);
  }
  return outcome;
}

/// An item is one when it can be the only value of a dictionary, and alone in an inner list, where
/// no tab may stand.
Outcome read_item(const Json& raw) {
  if (raw.items.size() != 1) return {};
  std::string item = raw.items[0].text;
  item.erase(0, std::min(item.find_first_not_of(' '), item.size()));
  item.erase(item.find_last_not_of(' ') + 1);
  const std::string value = "k=" + item;
  const std::string listed = "k=(" + item + ")";
  SfDictionary one;
  SfDictionary inner;
  Outcome outcome;
  outcome.valid = parse_dictionary(value, one) && one.size() == 1 &&
                  one[0].kind != SfMember::kInnerList && parse_dictionary(listed, inner);
  if (outcome.valid) outcome.holds = shown(one[0]);
  return outcome;
}

/// True: the vector is about something that a dictionary can hold, and was checked.
bool check_vector(const Json& vector) {
  const std::string& type = vector.find("header_type")->text;
  if (type != "dictionary" && type != "item") return false;
  const Json& raw = *vector.find("raw");
  const bool item = type == "item";
  const Outcome outcome = item ? read_item(raw) : read_dictionary(raw);
  const Json* must_fail = vector.find("must_fail");
  const Json* can_fail = vector.find("can_fail");
  SCOPED_TRACE(vector.find("name")->text + ": " + (raw.items.empty() ? "" : raw.items[0].text));
  if (must_fail != nullptr && must_fail->boolean) {
    EXPECT_FALSE(outcome.valid);
    return true;
  }
  if (can_fail != nullptr && can_fail->boolean && !outcome.valid) return true;
  EXPECT_TRUE(outcome.valid);
  const Json& expected = *vector.find("expected");
  EXPECT_EQ(outcome.holds, item ? "k:" + expected_value(expected) : expected_dictionary(expected));
  return true;
}

RULE(StructuredFieldRules, WorkingGroupVectors, "RFC 9651", "the vectors of the HTTP working group",
     "all dictionaries and items agree", "") {
  const std::filesystem::path folder =
      test::source_file("tests/unit/http/structured_field_vectors");
  size_t checked = 0;
  size_t others = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".json") continue;
    std::ifstream stream(file.path());
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    const std::optional<Json> vectors = test::parse_json(text);
    ASSERT_TRUE(vectors) << file.path();
    SCOPED_TRACE(file.path().filename());
    for (const Json& vector : vectors->items) {
      const bool ours = check_vector(vector);
      (ours ? checked : others) += 1;
    }
  }
  std::printf("structured-field-tests: %zu vectors checked, %zu lists left out\n", checked, others);
  EXPECT_GT(checked, 1000u);
}

}  // namespace
}  // namespace perigee::http
