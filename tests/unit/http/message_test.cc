// Message heads: methods, statuses, copies, and blocks of ready lines.
#include "http/message.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/field_lines.h"
#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::is_safe, http::method_of, http::never_has_body");

using test::FieldLines;

RULE(MethodRules, SafeMethods, "RFC 9110 §9.2.1; http-rules 1.6",
     "GET, HEAD, OPTIONS and TRACE are safe, and so are PROPFIND, SEARCH and REPORT",
     "every other method invalidates", "") {
  for (const std::string_view safe :
       {"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "REPORT"}) {
    EXPECT_TRUE(is_safe(method_of(safe))) << safe;
  }
  for (const std::string_view unsafe :
       {"POST", "PUT", "DELETE", "PATCH", "PURGE", "MKCOL", "M-SEARCH", "LOCK", "UNHEARD-OF"}) {
    EXPECT_FALSE(is_safe(method_of(unsafe))) << unsafe;
  }
}

RULE(MethodRules, MethodsMindCase, "RFC 9110 §9.1", "methods are case-sensitive",
     "another case is another method", "") {
  EXPECT_EQ(method_of("GET"), Method::kGet);
  EXPECT_EQ(method_of("get"), Method::kOther);
  EXPECT_EQ(method_of("GETT"), Method::kOther);
  EXPECT_EQ(method_of(""), Method::kOther);
}

RULE(MethodRules, WhatNeverHasContent, "RFC 9110 §6.4.1",
     "1xx, 204, 304 and answers to HEAD have no content", "whatever their fields say", "") {
  for (const uint16_t status : {100, 103, 199, 204, 304}) {
    EXPECT_TRUE(never_has_body(Method::kGet, status)) << status;
  }
  for (const uint16_t status : {200, 205, 206, 301, 404, 416, 500}) {
    EXPECT_FALSE(never_has_body(Method::kGet, status)) << status;
    EXPECT_TRUE(never_has_body(Method::kHead, status)) << status;
  }
}

TEST(Message, EveryStatusHasAPhrase) {
  EXPECT_EQ(reason_phrase(206), "Partial Content");
  EXPECT_EQ(reason_phrase(416), "Range Not Satisfiable");
  EXPECT_EQ(reason_phrase(299), "Unknown");
  for (uint16_t status = 100; status < 1000; ++status) EXPECT_FALSE(reason_phrase(status).empty());
}

TEST(CopyHead, OwnsAllItPointsTo) {
  std::string text = "GET h.example /x?y";
  auto lines = std::make_unique<FieldLines>("Accept: a\nX-Other:\nAccept: b");
  RequestHead head;
  head.method_text = std::string_view(text).substr(0, 3);
  head.authority = std::string_view(text).substr(4, 9);
  head.target = std::string_view(text).substr(14);
  head.scheme = "https";
  head.version_minor = 0;
  head.content_length = 7;
  head.fields = lines->list();
  Arena arena;
  RequestHead copy;
  ASSERT_TRUE(copy_head(head, copy, arena));
  text.assign(text.size(), '?');
  lines.reset();
  EXPECT_EQ(copy.method_text, "GET");
  EXPECT_EQ(copy.authority, "h.example");
  EXPECT_EQ(copy.target, "/x?y");
  EXPECT_EQ(copy.scheme, "https");
  EXPECT_EQ(copy.version_minor, 0);
  EXPECT_EQ(copy.content_length, 7u);
  ASSERT_EQ(copy.fields.size(), 3u);
  EXPECT_EQ(copy.fields[0].token, FieldName::kAccept);
  EXPECT_EQ(copy.fields[1].name, "X-Other");
  EXPECT_EQ(copy.fields[1].value, "");
  EXPECT_EQ(copy.fields[2].value, "b");
}

TEST(CopyHead, OfAHeadOntoItself) {
  const FieldLines lines("Accept: a");
  RequestHead head;
  head.target = "/x";
  head.fields = lines.list();
  Arena arena;
  ASSERT_TRUE(copy_head(head, head, arena));
  EXPECT_EQ(head.target, "/x");
  EXPECT_EQ(head.fields.value(FieldName::kAccept), "a");
}

TEST(CopyHead, LeavesTheHeadWhenThereIsNoRoom) {
  const std::string long_value(2 * base::limits::kArenaBlockBytes, 'x');
  const FieldLines lines("Accept: " + long_value);
  RequestHead head;
  head.target = "/x";
  head.fields = lines.list();
  Arena arena({}, base::limits::kArenaBlockBytes);
  RequestHead copy;
  copy.target = "/before";
  EXPECT_FALSE(copy_head(head, copy, arena));
  EXPECT_EQ(copy.target, "/before");
  EXPECT_EQ(copy.fields.size(), 0u);
}

TEST(FieldBlock, HoldsReadyLinesAndFindsThem) {
  Arena arena;
  FieldBlockBuilder builder(arena, 100, 4);
  EXPECT_TRUE(builder.add("ETag", "\"a\""));
  EXPECT_TRUE(builder.add("X-Empty", ""));
  EXPECT_TRUE(builder.add("etag", "\"b\""));
  ASSERT_TRUE(builder.ok());
  const FieldBlock block = builder.block();
  EXPECT_EQ(block.text, "ETag: \"a\"\r\nX-Empty: \r\netag: \"b\"\r\n");
  ASSERT_EQ(block.size(), 3u);
  EXPECT_EQ(block.at(1).name, "X-Empty");
  EXPECT_EQ(block.at(1).value, "");
  EXPECT_EQ(block.at(2).name, "etag");
  EXPECT_EQ(block.at(2).token, FieldName::kEtag);
  EXPECT_EQ(block.find(FieldName::kEtag), "\"a\"");
  EXPECT_EQ(block.find(FieldName::kVary), std::nullopt);
}

TEST(FieldBlock, SaysWhenItIsFull) {
  Arena arena;
  FieldBlockBuilder text(arena, 8, 4);
  EXPECT_TRUE(text.add("a", "bcd"));
  EXPECT_FALSE(text.add("a", ""));
  EXPECT_FALSE(text.ok());
  FieldBlockBuilder lines(arena, 100, 1);
  EXPECT_TRUE(lines.add("a", "b"));
  EXPECT_FALSE(lines.add("a", "b"));
  EXPECT_EQ(lines.block().size(), 1u);
  FieldBlockBuilder nothing(arena, 0, 0);
  EXPECT_TRUE(nothing.ok());
  EXPECT_EQ(nothing.block().text, "");
}

TEST(FieldBlock, SaysWhenTheArenaIsFull) {
  Arena arena({}, base::limits::kArenaBlockBytes);
  EXPECT_FALSE(FieldBlockBuilder(arena, 2 * base::limits::kArenaBlockBytes, 1).ok());
}

TEST(FieldBlock, IsAtMost64KiB) {
  Arena arena({}, 1 << 20);
  FieldBlockBuilder builder(arena, 1 << 17, 3);
  const std::string value(UINT16_MAX - 4 - 1, 'x');
  EXPECT_TRUE(builder.add("a", value));
  EXPECT_EQ(builder.block().find(FieldName::kOther), value);
  EXPECT_FALSE(builder.add("a", ""));
}

TEST(ResponseHead, FreshLinesComeBeforeTheBlock) {
  Arena arena;
  FieldBlockBuilder builder(arena, 100, 2);
  builder.add("Age", "1");
  builder.add("ETag", "\"a\"");
  ResponseHead head;
  head.block = builder.block();
  EXPECT_EQ(head.find(FieldName::kAge), "1");
  head.add_fresh(FieldName::kAge, "2");
  EXPECT_EQ(head.find(FieldName::kAge), "2");
  EXPECT_EQ(head.fresh[0].name, "Age");
  EXPECT_EQ(head.find(FieldName::kEtag), "\"a\"");
  EXPECT_EQ(head.find_fresh(FieldName::kEtag), nullptr);
  EXPECT_EQ(head.find(FieldName::kVary), std::nullopt);
}

}  // namespace
}  // namespace perigee::http
