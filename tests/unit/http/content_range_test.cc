// Content-Range, and which 206 brings what was asked for.
#include "http/content_range.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::parse_content_range, http::bytes_brought, http::usable_part, http::first_wanted");

constexpr uint64_t kMost = UINT64_MAX;

/// A response with the fields of a 206.
struct Brought {
  std::vector<Field> storage = std::vector<Field>(8);
  ReceivedResponse response;

  Brought(std::string_view content_range, std::string_view etag,
          std::optional<uint64_t> length = std::nullopt) {
    response.status = 206;
    response.has_body = true;
    response.content_length = length;
    response.fields = HeaderList(storage);
    if (!content_range.empty()) {
      response.fields.add({FieldName::kContentRange, "Content-Range", content_range});
    }
    if (!etag.empty()) response.fields.add({FieldName::kEtag, "ETag", etag});
  }
};

const Part kPart{{100, 200}, 1000, "\"v\""};

TEST(ContentRange, NamesTheBytesAndTheSize) {
  const auto range = parse_content_range("bytes 0-99/1000");
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->span, (ByteSpan{0, 100}));
  EXPECT_EQ(range->size, 1000u);
  const auto unknown = parse_content_range("BYTES 5-5/*");
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(unknown->span, (ByteSpan{5, 6}));
  EXPECT_FALSE(unknown->size.has_value());
}

RULE(ContentRangeRules, WhatIsNoRangeOfASizeIsInvalid, "RFC 9110 §14.4",
     "a Content-Range that ends before it begins, or behind the whole, is invalid",
     "a 206 with an invalid Content-Range is not taken", "") {
  for (const std::string_view text :
       {"", "bytes", "bytes ", "bytes */1000", "bytes 9-8/1000", "bytes 0-1000/1000", "bytes 0-9",
        "bytes -9/1000", "bytes 0-/1000", "bytes 0-9/", "bytes 0-9/-1", "bytes 0-9/1e3",
        "bytes 0-9/ 1000", "bytes +0-9/1000", "items 0-9/1000", "bytes=0-9/1000",
        "bytes 0-18446744073709551615/*", "bytes 0-18446744073709551616/*", "bytes 0/9-1000"}) {
    EXPECT_FALSE(parse_content_range(text).has_value()) << text;
  }
}

TEST(ContentRange, APartIsAskedForOfOneRepresentation) {
  std::array<Field, 4> storage;
  HeaderList fields{std::span<Field>(storage)};
  Arena arena;
  ASSERT_TRUE(add_part_fields({{0, 100}, 1000, "\"v\""}, arena, fields));
  EXPECT_EQ(fields.value(FieldName::kRange), "bytes=0-99");
  EXPECT_EQ(fields.value(FieldName::kIfRange), "\"v\"");
  EXPECT_EQ(range_of({kMost - 2, kMost}, arena), "bytes=18446744073709551613-18446744073709551614");
}

RULE(ContentRangeRules, OnlyTheSameRepresentationIsTaken, "RFC 9110 §15.3.7.3; RFC 9111 §3.4",
     "parts may be joined when all of them have the same strong validator",
     "parts are joined under the same strong ETag, size and place alone", "") {
  EXPECT_EQ(bytes_brought(Brought("bytes 100-199/1000", "\"v\"", 100).response, kPart), 100u);
  EXPECT_EQ(bytes_brought(Brought("bytes 100-199/*", "\"v\"").response, kPart), 100u);
  // A part of the part, from its beginning.
  EXPECT_EQ(bytes_brought(Brought("bytes 100-149/1000", "\"v\"", 50).response, kPart), 50u);

  EXPECT_EQ(bytes_brought(Brought("bytes 100-199/1000", "\"w\"", 100).response, kPart), 0u);
  EXPECT_EQ(bytes_brought(Brought("bytes 100-199/1000", "W/\"v\"", 100).response, kPart), 0u);
  EXPECT_EQ(bytes_brought(Brought("bytes 100-199/1000", "", 100).response, kPart), 0u);
  EXPECT_EQ(bytes_brought(Brought("bytes 100-199/1001", "\"v\"", 100).response, kPart), 0u);
  EXPECT_EQ(bytes_brought(Brought("bytes 99-198/1000", "\"v\"", 100).response, kPart), 0u);
  EXPECT_EQ(bytes_brought(Brought("bytes 100-200/1000", "\"v\"", 101).response, kPart), 0u);
  EXPECT_EQ(bytes_brought(Brought("bytes 100-199/1000", "\"v\"", 99).response, kPart), 0u);
  EXPECT_EQ(bytes_brought(Brought("", "\"v\"", 100).response, kPart), 0u);
  Brought whole("bytes 100-199/1000", "\"v\"", 100);
  whole.response.status = 200;
  EXPECT_EQ(bytes_brought(whole.response, kPart), 0u);
  Brought twice("bytes 100-199/1000", "\"v\"", 100);
  twice.response.fields.add({FieldName::kContentRange, "Content-Range", "bytes 0-99/1000"});
  EXPECT_EQ(bytes_brought(twice.response, kPart), 0u);
}

TEST(ContentRange, OneOfWhichAllIsKnownStandsForTheWhole) {
  const auto range = usable_part(Brought("bytes 100-199/1000", "\"v\"", 100).response);
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->span, (ByteSpan{100, 200}));
  EXPECT_EQ(range->size, 1000u);
  EXPECT_FALSE(usable_part(Brought("bytes 100-199/*", "\"v\"", 100).response).has_value());
  EXPECT_FALSE(usable_part(Brought("bytes 100-199/1000", "W/\"v\"", 100).response).has_value());
  EXPECT_FALSE(usable_part(Brought("bytes 100-199/1000", "", 100).response).has_value());
  EXPECT_FALSE(usable_part(Brought("bytes 100-199/1000", "\"v\"").response).has_value());
}

TEST(ContentRange, TheFirstOfSeveralRangesIsWhatIsWantedFirst) {
  const auto wanted = [](std::string_view field) { return first_wanted(field); };
  ASSERT_TRUE(wanted("bytes=5-9, 100-199").has_value());
  EXPECT_EQ(wanted("bytes=5-9, 100-199")->at, 5u);
  EXPECT_FALSE(wanted("bytes=5-9")->to_end);
  EXPECT_TRUE(wanted("bytes=5-")->to_end);
  EXPECT_TRUE(wanted("bytes=-5")->from_end);
  EXPECT_EQ(wanted("bytes=-5")->at, 5u);
  for (const std::string_view text : {"", "bytes", "bytes=", "bytes=9-5", "bytes=-", "bytes=-0",
                                      "bytes=a-b", "items=0-5", "bytes=5", "bytes=5-x"}) {
    EXPECT_FALSE(wanted(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace perigee::http
