// What clients accept, and what may be coded.
#include "http/content_coding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/support/field_lines.h"
#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::accepted_codings, http::coding_flags");

/// The sets as a text: "zstd br | gzip".
std::string accepted(const std::vector<std::string>& lines, CodingSet offered = CodingSet::all()) {
  std::string text_of_lines;
  for (const std::string& line : lines) text_of_lines += "Accept-Encoding: " + line + "\n";
  const test::FieldLines fields(text_of_lines);
  std::string text;
  for (const CodingSet& set : accepted_codings(fields.list(), offered).sets) {
    if (set.empty()) break;
    if (!text.empty()) text += " |";
    for (const Coding coding : kMadeCodings) {
      if (set.has(coding)) text.append(text.empty() ? "" : " ").append(coding_name(coding));
    }
  }
  return text;
}

struct AcceptCase {
  std::string_view name;
  std::string_view value;
  std::string_view sets;
};
const AcceptCase kAcceptCases[] = {
    {"Browser", "gzip, deflate, br, zstd", "zstd br gzip"},
    {"Gzip", "gzip", "gzip"},
    {"Case", "GZip, BR, ZSTD", "zstd br gzip"},
    {"XGzip", "x-gzip", "gzip"},
    {"Empty", "", ""},
    {"Identity", "identity", ""},
    {"Star", "*", "zstd br gzip"},
    {"StarRefused", "gzip, *;q=0", "gzip"},
    {"AllButOne", "*, br;q=0", "zstd gzip"},
    {"StarWeighed", "gzip, *;q=0.5", "gzip | zstd br"},
    {"Refused", "gzip;q=0", ""},
    {"RefusedLong", "gzip;q=0.000", ""},
    {"RefusedAndTaken", "gzip, gzip;q=0", ""},
    {"Weighed", "gzip;q=0.5, br;q=0.8, zstd;q=0.1", "br | gzip | zstd"},
    {"Thousandths", "gzip;q=0.001", "gzip"},
    {"Spaces", " gzip ; q=0.5 ,\tbr ;q=1.000", "br | gzip"},
    {"UpperQ", "gzip;Q=0.5, br", "br | gzip"},
    {"IdentityFirst", "identity, gzip;q=0.5", ""},
    {"IdentityAlike", "gzip, identity", "gzip"},
    {"IdentityBetween", "br, identity;q=0.5, gzip;q=0.1", "br"},
    {"IdentityRefused", "gzip, identity;q=0", "gzip"},
    {"Unknown", "deflate, compress, snappy", ""},
    {"WeightOfTwo", "gzip;q=2", ""},
    {"WeightAboveOne", "gzip;q=1.001", ""},
    {"WeightTooLong", "gzip;q=0.5000", ""},
    {"NoWeight", "gzip;q=", ""},
    {"OtherParameter", "gzip;level=9", ""},
    {"NegativeWeight", "gzip;q=-1", ""},
    {"NoComma", "gzip br", ""},
    {"Quoted", "\"gzip\"", ""},
    {"LongerName", "gzipp, brr, zstdd", ""},
    {"JunkAround", ",;,gzip,;q=1,", "gzip"},
};

RULE(AcceptEncoding, IsReadToSets, "RFC 9110 §12.5.3, §12.4.2",
     "A client weighs the codings that it takes; `*` stands for those that it does not name",
     "codings of one weight are liked alike, higher weights first; a weight of 0 refuses; what "
     "cannot be read counts for nothing",
     "") {
  for (const AcceptCase& c : kAcceptCases) {
    EXPECT_EQ(accepted({std::string(c.value)}), c.sets) << c.name;
  }
}

TEST(AcceptedCodings, OfNoLineAreNone) { EXPECT_EQ(accepted({}), ""); }

TEST(AcceptedCodings, SeveralLinesAreOneList) {
  EXPECT_EQ(accepted({"gzip", "br;q=0.5"}), "gzip | br");
}

TEST(AcceptedCodings, AreAmongThoseOffered) {
  CodingSet gzip;
  gzip.add(Coding::kGzip);
  EXPECT_EQ(accepted({"zstd, br, gzip;q=0.5"}, gzip), "gzip");
  EXPECT_EQ(accepted({"zstd, br, gzip"}, {}), "");
}

TEST(AcceptedCodings, AreReadUpToABound) {
  std::string list = "br";
  for (size_t i = 1; i < base::limits::kAcceptMembers; ++i) list += ", gzip";
  EXPECT_EQ(accepted({list}), "br gzip");
  EXPECT_EQ(accepted({list + ", gzip"}), "") << "one more: the identity alone";
}

/// A response of these fields.
class Received {
 public:
  Received(uint16_t status, std::optional<uint64_t> length, const std::vector<Field>& fields)
      : storage_(fields.size()) {
    response.status = status;
    response.content_length = length;
    response.fields = HeaderList(storage_);
    for (const Field& field : fields) response.fields.add(field);
  }
  ReceivedResponse response;

 private:
  std::vector<Field> storage_;
};

struct CodableCase {
  std::string_view name;
  bool codable;
  std::vector<Field> fields;
  uint16_t status = 200;
  uint32_t flags = 0;
  std::optional<uint64_t> length = 4096;
};
const Field kHtml{FieldName::kContentType, "Content-Type", "text/html; charset=utf-8"};

const CodableCase kCodableCases[] = {
    {"Html", true, {kHtml}},
    {"Script", true, {{FieldName::kContentType, "", "Application/JavaScript"}}},
    {"Svg", true, {{FieldName::kContentType, "", "image/svg+xml"}}},
    {"Wasm", true, {{FieldName::kContentType, "", "application/wasm"}}},
    {"Font", false, {{FieldName::kContentType, "", "font/woff2"}}},
    {"Image", false, {{FieldName::kContentType, "", "image/png"}}},
    {"TypeOfALongerName", false, {{FieldName::kContentType, "", "textual/x"}}},
    {"NoType", false, {}},
    {"NotFound", false, {kHtml}, 404},
    {"Partial", false, {kHtml}, 206},
    {"Short", false, {kHtml}, 200, 0, 1023},
    {"LongEnough", true, {kHtml}, 200, 0, 1024},
    {"UnknownLength", true, {kHtml}, 200, 0, std::nullopt},
    {"NoTransform", false, {kHtml}, 200, ReuseFlag::kNoTransform},
    {"SetCookie", false, {kHtml}, 200, ReuseFlag::kSetCookie},
    {"VaryStar", false, {kHtml}, 200, ReuseFlag::kVaryStar},
    {"SentInBr", true, {kHtml, {FieldName::kContentEncoding, "", "br"}}},
    {"SentInXGzip", true, {kHtml, {FieldName::kContentEncoding, "", "X-Gzip"}}, 200, 0, 20},
    {"SentInDeflate", false, {kHtml, {FieldName::kContentEncoding, "", "deflate"}}},
    {"SentInTwo", false, {kHtml, {FieldName::kContentEncoding, "", "gzip, br"}}},
    {"SentInTwoLines",
     false,
     {kHtml, {FieldName::kContentEncoding, "", "gzip"}, {FieldName::kContentEncoding, "", "br"}}},
    {"Range", false, {kHtml, {FieldName::kContentRange, "", "bytes 0-1/2"}}},
};

RULE(Codable, IsWhatIsWorthItAndAllowed, "RFC 9110 §7.7; RFC 9111 §5.2.2.6; http-rules 3.23",
     "A proxy MUST NOT transform the content of a message with the no-transform directive",
     "coded here: whole public answers of status 200 and a listed type, of 1 KiB or more, in no "
     "coding or in one that is known, where the origin allows it",
     "codings, coded_types") {
  for (const CodableCase& c : kCodableCases) {
    const Received received(c.status, c.length, c.fields);
    EXPECT_EQ((coding_flags(received.response, c.flags, CodingOptions()) != 0), c.codable)
        << c.name;
  }
}

TEST(CodingFlags, SayWhatTheOriginSent) {
  for (const auto& [said, sent] : {std::pair<std::string_view, Coding>{"zstd", Coding::kZstd},
                                   {"br", Coding::kBrotli},
                                   {"gzip", Coding::kGzip},
                                   {"identity", Coding::kIdentity}}) {
    const Received received(200, std::nullopt,
                            {kHtml, {FieldName::kContentEncoding, "Content-Encoding", said}});
    EXPECT_EQ(sent_coding(coding_flags(received.response, 0, CodingOptions())), sent) << said;
  }
  EXPECT_EQ(sent_coding(0xffff'ffff & ~uint32_t{ReuseFlag::kSentCoding}), Coding::kIdentity);
}

TEST(CodingFlags, OnlyWhereASiteSendsCodings) {
  const Received html(200, std::nullopt, {kHtml});
  const ReceivedResponse& received = html.response;
  CodingOptions options;
  EXPECT_NE(coding_flags(received, 0, options), 0u);
  options.types = {"application/json"};
  EXPECT_EQ(coding_flags(received, 0, options), 0u);
  options = {};
  options.codings = {};
  EXPECT_EQ(coding_flags(received, 0, options), 0u);
}

TEST(CodingTypes, AreMediaTypesInLowerCase) {
  for (const std::string_view right : {"text/html", "text/*", "application/ld+json"}) {
    EXPECT_TRUE(is_coding_type(right)) << right;
  }
  for (const std::string_view wrong :
       {"", "text", "text/", "/html", "*/*", "text/h*", "Text/html", "text/html; a", "*"}) {
    EXPECT_FALSE(is_coding_type(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace perigee::http
