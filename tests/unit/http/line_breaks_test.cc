// What would end a line is counted at every place of heads of every size, and never leaves.
#include "http/line_breaks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "http/h1/writer.h"
#include "http/head_image.h"
#include "http/response.h"
#include "tests/support/rule.h"
#include "tests/unit/http/exchange_text.h"
#include "tests/unit/http/h1/wire.h"

namespace perigee::test {
namespace {

GUARDS("http::line_break_bytes");

using namespace std::string_literals;
using http::FieldName;

const std::string kBreaks[] = {"\r"s, "\n"s, "\0"s, "\r\nEvil: 1"s};

TEST(LineBreaks, AreCountedAtEveryPlace) {
  for (size_t size = 0; size < 80; ++size) {
    EXPECT_EQ(http::line_break_bytes(std::string(size, 'x')), 0u);
    for (size_t at = 0; at < size; ++at) {
      for (const char c : {'\r', '\n', '\0'}) {
        std::string text(size, 'x');
        text[at] = c;
        EXPECT_EQ(http::line_break_bytes(text), 1u) << size << " " << at;
      }
    }
  }
}

TEST(LineBreaks, NoOtherByteIsOne) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += std::string(16, static_cast<char>(c));
  EXPECT_EQ(http::line_break_bytes(all), 3u * 16);
}

TEST(LineBreaks, AreCountedBeyondWhatOneLaneHolds) {
  for (const size_t size : {16u * 255, 16u * 256, 16u * 1000 + 7}) {
    EXPECT_EQ(http::line_break_bytes(std::string(size, '\n')), size);
  }
}

// --- to origins ---

RULE(WireDefence, NoRequestHoldsALineThatNobodyMeant, "RFC 9110 §5.5; RFC 9112 §2.2, §3",
     "CR, LF and NUL inside a part of a head would be read as its end",
     "nothing of such a head is written: the last check before an origin, whatever was checked "
     "before",
     "") {
  for (int part = 0; part < 5; ++part) {
    for (const std::string& bad : kBreaks) {
      std::vector<std::string> parts = {"GET", "/a", "h", "X-A", "1"};
      for (const size_t at : {size_t{0}, parts[part].size()}) {
        std::vector<std::string> with = parts;
        with[part].insert(at, bad);
        std::array<http::Field, 2> storage;
        http::HeaderList fields(storage);
        fields.add("First", "1");
        fields.add(with[3], with[4]);
        std::string out = "before";
        EXPECT_FALSE(http::append_request_head(
            out, {with[0], with[1], with[2], fields, http::Framing::kChunked}))
            << escaped(with[part]);
        EXPECT_EQ(out, "before");
      }
    }
  }
}

TEST(WireDefence, ASpaceSplitsNoRequestLine) {
  std::string out;
  EXPECT_FALSE(http::append_request_head(out, {"GET", "/a HTTP/1.1", "h", {}}));
  EXPECT_FALSE(http::append_request_head(out, {"GET /b", "/a", "h", {}}));
  EXPECT_EQ(out, "");
}

// --- to clients ---

/// A rig that has got a request and holds it.
struct Waiting : CodecRig {
  explicit Waiting(std::string_view method = "GET") : CodecRig(FlowKind::kHold) {
    send(std::string(method) + " / HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  /// Answers with this head and a body of five bytes.
  void answer_with(http::ResponseHead head) {
    FedBody body(5);
    body.feed("other");
    body.end();
    head.content_length = 5;
    answer(head, &body);
  }
};

/// A response with one part that holds `bad`.
struct BadHead {
  http::Arena arena;
  std::string text;
  http::ResponseHead head;
  BadHead(int part, const std::string& bad) : text("a" + bad) {
    const auto or_bad = [&](int bad_part, std::string_view good) {
      return part == bad_part ? std::string_view(text) : good;
    };
    http::FieldBlockBuilder lines(arena, 200, 3);
    lines.add("First", "1");
    lines.add(or_bad(0, "X-A"), or_bad(1, "1"));
    lines.add("Last", or_bad(2, "1"));
    head.block = lines.block();
    if (part == 3) head.reason = text;
    head.add_fresh(FieldName::kAge, or_bad(4, "1"));
    if (part == 5) head.fresh[0].name = text;
  }
};
constexpr int kParts = 6;

RULE(WireDefence, NoResponseHoldsALineThatNobodyMeant, "RFC 9110 §5.5; RFC 9112 §2.2, §4",
     "CR, LF and NUL inside a part of a head would be read as its end",
     "502 of our own instead, without the other one's content, and the connection ends", "") {
  for (int part = 0; part < kParts; ++part) {
    for (const std::string& bad : kBreaks) {
      BadHead response(part, bad);
      Waiting rig;
      rig.answer_with(response.head);
      const std::string got = rig.received();
      EXPECT_TRUE(got.starts_with("HTTP/1.1 502 Bad Gateway\r\n")) << part << " " << got;
      EXPECT_NE(got.find("\r\nConnection: close\r\n"), std::string::npos);
      EXPECT_EQ(got.find("First"), std::string::npos);
      EXPECT_EQ(got.find("Evil"), std::string::npos);
      EXPECT_EQ(got.find("other"), std::string::npos);
      EXPECT_EQ(rig.refusals, std::vector<uint16_t>{502});
      EXPECT_EQ(rig.requests[0].sent_bytes, 0u);
      EXPECT_NE(rig.state(), http::ServerCodec::State::kOpen);
    }
  }
}

TEST(WireDefence, AnswersHeadWithoutContentToo) {
  Waiting rig("HEAD");
  rig.answer_with(BadHead(1, "\n").head);
  EXPECT_TRUE(rig.received().starts_with("HTTP/1.1 502 "));
  EXPECT_TRUE(rig.received().ends_with("\r\n\r\n"));
}

TEST(WireDefence, NoInterimResponseHoldsALineThatNobodyMeant) {
  for (int part = 0; part < kParts; ++part) {
    for (const std::string& bad : kBreaks) {
      Waiting rig;
      BadHead interim(part, bad);
      interim.head.status = 103;
      rig.exchange()->inform(interim.head);
      rig.settle();
      EXPECT_EQ(rig.received(), "") << part;
      rig.answer_with({});
      EXPECT_TRUE(rig.received().starts_with("HTTP/1.1 200 OK\r\n"));
    }
  }
}

TEST(WireDefence, ABlockIsExactlyTheLinesOfItsTable) {
  http::Arena arena;
  http::FieldBlockBuilder builder(arena, 100, 3);
  builder.add("A", "1");
  builder.add("B", "");
  builder.add("C", "333");
  const http::FieldBlock good = builder.block();
  ASSERT_TRUE(good.is_whole_lines());
  EXPECT_TRUE(http::FieldBlock().is_whole_lines());
  EXPECT_FALSE((http::FieldBlock{good.text, good.table.first(2)}).is_whole_lines())
      << "a line that the table does not know";
  EXPECT_FALSE((http::FieldBlock{good.text, {}}).is_whole_lines());
  EXPECT_FALSE((http::FieldBlock{good.text, good.table.subspan(1)}).is_whole_lines());
  EXPECT_FALSE(
      (http::FieldBlock{good.text.substr(0, good.text.size() - 1), good.table}).is_whole_lines());
  std::vector<http::FieldEntry> table(good.table.begin(), good.table.end());
  for (http::FieldEntry& entry : table) {
    for (uint16_t http::FieldEntry::*const member :
         {&http::FieldEntry::name_length, &http::FieldEntry::value_offset,
          &http::FieldEntry::value_length}) {
      for (const int by : {-1, 1, 0x7fff}) {
        const uint16_t before = entry.*member;
        entry.*member = static_cast<uint16_t>(before + by);
        EXPECT_FALSE((http::FieldBlock{good.text, table}).is_whole_lines());
        entry.*member = before;
      }
    }
  }
}

// --- from the disk ---

/// What a client gets of an image: our own 502, or nothing of it at all. Lines for coded bytes are
/// not `sent` here.
void expect_no_injection(std::span<const std::byte> image, bool sent) {
  const auto stored = http::view_head_image(image, {.status = 200});
  if (!stored) return;
  http::Arena arena;
  const auto head =
      http::make_response(*stored, {}, 5, std::nullopt, {.hit = true}, {.cache_name = "c"}, arena);
  ASSERT_TRUE(head);
  Waiting rig;
  rig.answer_with(*head);
  EXPECT_EQ(rig.received().find("\nEvil"), std::string::npos) << rig.received();
  EXPECT_EQ(rig.received().starts_with("HTTP/1.1 502 "), sent) << rig.received();
}

TEST(WireDefence, AHostileImageWithAGoodChecksumInjectsNothing) {
  const Answer answer({"X-Line: aaaEvil: 1", "Age: 7aaaEvil", "ETag: \"aaaEvil\""});
  const std::vector<std::byte> image = answer.image();
  const std::string_view text(reinterpret_cast<const char*>(image.data()), image.size());
  size_t seen = 0;
  for (size_t at = text.find("aaaEvil"); at != text.npos; at = text.find("aaaEvil", at + 1)) {
    ++seen;
    for (const std::string& bad : {"a\r\n"s, "a\na"s, "\raa"s, "\0aa"s}) {
      std::vector<std::byte> hostile = image;
      std::memcpy(hostile.data() + at, bad.data(), bad.size());
      const bool coded_line = text.substr(at - 9, 9) == "ETag: W/\"";
      expect_no_injection(hostile, !coded_line);
    }
  }
  EXPECT_EQ(seen, 4u);
}

TEST(WireDefence, AnImageWhoseTableHidesALineIsNone) {
  const Answer answer({"X-Line: aaaEvil: 1", "ETag: \"1\""});
  const std::vector<std::byte> image = answer.image();
  ASSERT_TRUE(http::view_head_image(image, {}));
  // Every byte of the header and the table, changed: never another text than the lines it names.
  const std::string_view text(reinterpret_cast<const char*>(image.data()), image.size());
  const size_t lines = text.find("X-Line");
  for (size_t at = 0; at < lines; ++at) {
    for (const int by : {1, 2, 8, 255}) {
      std::vector<std::byte> hostile = image;
      hostile[at] = static_cast<std::byte>(static_cast<int>(hostile[at]) + by);
      const auto stored = http::view_head_image(hostile, {});
      EXPECT_TRUE(!stored || stored->block.is_whole_lines()) << at;
    }
  }
}

}  // namespace
}  // namespace perigee::test
