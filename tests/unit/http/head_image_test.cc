// The bytes of head images: they lie in stores on disk, so each one is held to what FORMAT.md says.
#include "http/head_image.h"

#include <gtest/gtest.h>

#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"

namespace perigee::test {
namespace {

GUARDS("http::HeadImageWriter, http::view_head_image, http::field_name_of");

using namespace std::string_literals;
using http::FieldName;
using Strings = std::vector<std::string>;

std::string bytes_of(const std::vector<std::byte>& image) {
  return {reinterpret_cast<const char*>(image.data()), image.size()};
}

std::vector<std::byte> small_image() {
  http::HeadImageWriter writer;
  writer.add({FieldName::kOther, "X-A", "1"});
  writer.add({FieldName::kEtag, "ETag", "\"v\""});
  writer.add({FieldName::kLastModified, "Last-Modified", "Thu, 01 Jan 1970 00:00:02 GMT"});
  writer.add_date(1000);
  writer.add_content_length(5);
  return writer.write("Fine", "7", 1000);
}

TEST(HeadImageBytes, AreWhatTheFormatSays) {
  const std::string expected =
      "pgh2"
      "\x06\x00\x01\x00\x02\x00"          // lines, coded, identity
      "\x04\x00\x01\x00\x86\x00"          // reason, age, text
      "\x0d\x00\x1e\x00"                  // coded text, identity text
      "\x04\x00\x02\x00"                  // the lines of ETag and Last-Modified
      "\xe8\x03\x00\x00\x00\x00\x00\x00"  // Date
      "\xd0\x07\x00\x00\x00\x00\x00\x00"  // Last-Modified
      "\x05\x00\x00\x00\x00\x00\x00\x00"  // Content-Length
      "\x1c\x00\x04\x00\x06\x00\x05\x00"  // ETag, weak
      "\x00\x00\x03\x00\x12\x00\x01\x00"  // X-A
      "\x29\x00\x0d\x00\x24\x00\x1d\x00"  // Last-Modified
      "\x1a\x00\x04\x00\x49\x00\x1d\x00"  // Date
      "\x1c\x00\x04\x00\x6e\x00\x03\x00"  // ETag
      "\x14\x00\x0e\x00\x83\x00\x01\x00"  // Content-Length
      "Fine"
      "7"
      "ETag: W/\"v\"\r\n"
      "X-A: 1\r\n"
      "Last-Modified: Thu, 01 Jan 1970 00:00:02 GMT\r\n"
      "Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n"
      "ETag: \"v\"\r\n"
      "Content-Length: 5\r\n"s;
  EXPECT_EQ(bytes_of(small_image()), expected);
}

TEST(HeadImageBytes, NumbersOfNamesNeverChange) {
  const std::pair<FieldName, int> numbers[] = {
      {FieldName::kOther, 0},         {FieldName::kAccept, 1},         {FieldName::kAge, 7},
      {FieldName::kCacheControl, 11}, {FieldName::kContentLength, 20}, {FieldName::kDate, 26},
      {FieldName::kEtag, 28},         {FieldName::kLastModified, 41},  {FieldName::kSetCookie, 54},
      {FieldName::kVary, 61},         {FieldName::kXRealIp, 66},
  };
  for (const auto& [name, number] : numbers) {
    EXPECT_EQ(static_cast<int>(name), number) << http::field_text(name);
    EXPECT_EQ(http::field_name_of(static_cast<uint16_t>(number)), name);
  }
  EXPECT_EQ(http::field_name_of(http::kFieldNames), FieldName::kOther);
  EXPECT_EQ(http::field_name_of(0xffff), FieldName::kOther);
}

TEST(HeadImageBytes, OtherVersionsAreNoImage) {
  for (const char* const magic : {"pgh1", "pgh3", "\0\0\0\0"}) {
    std::vector<std::byte> image = small_image();
    ASSERT_TRUE(http::view_head_image(image, {}));
    std::memcpy(image.data(), magic, 4);
    EXPECT_FALSE(http::view_head_image(image, {})) << magic;
  }
}

TEST(HeadImageGroups, EachAnswerSendsOneRunOfLines) {
  const std::vector<std::byte> image = small_image();
  const auto view = http::view_head_image(image, {});
  ASSERT_TRUE(view);
  const Strings common = {"X-A: 1", "Last-Modified: Thu, 01 Jan 1970 00:00:02 GMT",
                          "Date: Thu, 01 Jan 1970 00:00:01 GMT"};
  Strings identity = common;
  identity.insert(identity.end(), {"ETag: \"v\"", "Content-Length: 5"});
  Strings coded = {"ETag: W/\"v\""};
  coded.insert(coded.end(), common.begin(), common.end());
  EXPECT_EQ(lines_of(view->block), identity);
  EXPECT_EQ(lines_of(view->coded_block), coded);
  EXPECT_TRUE(view->block.is_whole_lines());
  EXPECT_TRUE(view->coded_block.is_whole_lines());
  EXPECT_EQ(view->block.find(FieldName::kEtag), "\"v\"");
  EXPECT_EQ(view->coded_block.find(FieldName::kEtag), "W/\"v\"");
  EXPECT_EQ(view->coded_block.find(FieldName::kContentLength), std::nullopt);
  EXPECT_EQ(view->etag, "\"v\"");
  EXPECT_EQ(view->content_length, 5u);
}

TEST(HeadImageGroups, CodedBytesCarryTheWeakFormOfTheTag) {
  const auto coded_etag = [](const std::string& line) {
    const Answer answer({line});
    const auto etag = answer.stored().coded_block.find(FieldName::kEtag);
    return etag ? std::optional<std::string>(*etag) : std::nullopt;
  };
  EXPECT_EQ(coded_etag("ETag: \"a\""), "W/\"a\"");
  EXPECT_EQ(coded_etag("ETag: W/\"a\""), "W/\"a\"");
  EXPECT_EQ(coded_etag("ETag: a"), std::nullopt);
  EXPECT_EQ(coded_etag("X: 1"), std::nullopt);
  for (const std::string line : {"Accept-Ranges: bytes", "Content-Digest: x", "Repr-Digest: x",
                                 "Digest: x", "Content-MD5: x"}) {
    const Answer answer({line, "X: 1", date(0)});
    EXPECT_EQ(lines_of(answer.stored().coded_block), (Strings{"X: 1", date(0)})) << line;
    EXPECT_EQ(lines_of(answer.stored().block), (Strings{"X: 1", date(0), line}));
  }
}

TEST(HeadImageGroups, ThatEndInsideALineAreNone) {
  for (const size_t at : {6u, 8u, 16u, 18u}) {
    for (const unsigned flip : {1u, 2u, 4u}) {
      std::vector<std::byte> image = small_image();
      image[at] ^= static_cast<std::byte>(flip);
      EXPECT_FALSE(http::view_head_image(image, {})) << at;
    }
  }
}

}  // namespace
}  // namespace perigee::test
