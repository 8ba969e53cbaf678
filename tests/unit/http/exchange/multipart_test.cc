// A multipart/byteranges body has the length it announces and the bytes it names.
#include <gtest/gtest.h>

#include <string>

#include "http/exchange/multipart_body.h"
#include "tests/support/bodies.h"
#include "tests/support/rule.h"

namespace perigee::http {
namespace {

GUARDS("http::MultipartBody, http::MultipartPlan");

constexpr std::string_view kWhole = "0123456789abcdefghij";

/// The whole body in memory; `shorter` bytes of it are missing, and nothing comes while `waits`.
class MemoryBody final : public SpanSource {
 public:
  explicit MemoryBody(std::string_view whole) : whole_(whole) {}
  void seek(const ByteSpan& span) override {
    span_ = span;
    ++seeks;
  }
  Chunk peek(size_t max) override {
    if (waits) return {{}, Chunk::kLater};
    if (fails) return {{}, Chunk::kFail};
    const std::string_view left =
        whole_.substr(0, static_cast<size_t>(span_.end)).substr(static_cast<size_t>(span_.begin));
    const std::string_view piece = left.substr(0, std::min(max, most));
    return {{reinterpret_cast<const std::byte*>(piece.data()), piece.size()},
            piece.size() == left.size() ? Chunk::kEnd : Chunk::kMore};
  }
  void advance(size_t n) override { span_.begin += n; }
  std::optional<uint64_t> size() const override { return span_.size(); }
  void give() {
    waits = false;
    wake();
  }

  size_t most = SIZE_MAX;
  bool waits = false;
  bool fails = false;
  int seeks = 0;

 private:
  std::string_view whole_;
  ByteSpan span_;
};

MultipartPlan plan_for(std::string_view ranges, std::string_view content_type = "text/plain") {
  return {.parts = parse_range(ranges, kWhole.size()).spans,
          .content_type = content_type,
          .whole_bytes = kWhole.size(),
          .boundary = 0x1f};
}

std::string all_of(test::FakeEnv& env, BodySource& body, size_t piece = SIZE_MAX) {
  test::BodyReader reader(env, body);
  reader.piece = piece;
  reader.pull();
  env.run();
  EXPECT_TRUE(reader.ended());
  return reader.text;
}

RULE(MultipartRules, EachPartSaysWhatItIs, "RFC 9110 §14.6; RFC 9110 §15.3.7.2",
     "each part carries Content-Range and the Content-Type of the whole", "as the RFC says", "") {
  test::FakeEnv env;
  MemoryBody whole(kWhole);
  MultipartBody body(whole, plan_for("bytes=0-1,10-12"));
  EXPECT_EQ(all_of(env, body),
            "\r\n--perigee-byteranges-000000000000001f\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Range: bytes 0-1/20\r\n"
            "\r\n"
            "01\r\n"
            "--perigee-byteranges-000000000000001f\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Range: bytes 10-12/20\r\n"
            "\r\n"
            "abc\r\n"
            "--perigee-byteranges-000000000000001f--\r\n");
}

RULE(MultipartRules, NoTypeWhereThereIsNone, "RFC 9110 §15.3.7.2",
     "a part has the Content-Type that the whole would have had", "none when the whole has none",
     "") {
  test::FakeEnv env;
  MemoryBody whole(kWhole);
  MultipartBody body(whole, plan_for("bytes=5-5,0-0", ""));
  const std::string text = all_of(env, body);
  EXPECT_EQ(text.find("Content-Type"), std::string::npos);
  EXPECT_LT(text.find("bytes 5-5/20"), text.find("bytes 0-0/20"));
}

TEST(MultipartBody, IsAsLongAsItSaysHoweverItIsRead) {
  for (const std::string_view ranges :
       {"bytes=0-0,2-2", "bytes=-1,0-9", "bytes=0-3,5-5,7-8,10-10,12-12,14-14,16-16,18-"}) {
    const MultipartPlan plan = plan_for(ranges);
    std::string first;
    for (const size_t piece : {size_t{1}, size_t{3}, size_t{50}, SIZE_MAX}) {
      test::FakeEnv env;
      MemoryBody whole(kWhole);
      whole.most = piece;
      MultipartBody body(whole, plan);
      const std::string text = all_of(env, body, piece);
      EXPECT_EQ(text.size(), plan.bytes()) << ranges;
      EXPECT_EQ(body.size(), plan.bytes());
      if (first.empty()) first = text;
      EXPECT_EQ(text, first);
    }
  }
}

TEST(MultipartBody, WaitsAndWakesWithItsSource) {
  test::FakeEnv env;
  MemoryBody whole(kWhole);
  whole.waits = true;
  MultipartBody body(whole, plan_for("bytes=0-1,5-6"));
  test::BodyReader reader(env, body);
  reader.pull();
  env.run();
  EXPECT_FALSE(reader.done());
  EXPECT_NE(reader.text.find("bytes 0-1/20"), std::string::npos);
  whole.give();
  env.run();
  EXPECT_TRUE(reader.ended());
  EXPECT_EQ(reader.text.size(), body.size());
}

TEST(MultipartBody, FailsWithItsSource) {
  test::FakeEnv env;
  MemoryBody whole(kWhole);
  MultipartBody body(whole, plan_for("bytes=0-1,5-6"));
  test::BodyReader reader(env, body);
  whole.fails = true;
  reader.pull();
  env.run();
  EXPECT_TRUE(reader.failed());
}

TEST(MultipartBody, FailsWhenTheSourceIsTooShort) {
  test::FakeEnv env;
  MemoryBody whole(kWhole.substr(0, 6));
  MultipartBody body(whole, plan_for("bytes=0-1,5-8"));
  test::BodyReader reader(env, body);
  reader.pull();
  env.run();
  EXPECT_TRUE(reader.failed());
}

TEST(MultipartBody, KeepsItsContentType) {
  test::FakeEnv env;
  MemoryBody whole(kWhole);
  std::string type(300, 'x');
  MultipartBody body(whole, plan_for("bytes=0-1,5-6", type));
  std::fill(type.begin(), type.end(), 'y');
  const std::string text = all_of(env, body);
  EXPECT_EQ(text.find("yyy"), std::string::npos);
}

TEST(MultipartPlan, NamesTheBoundaryInTheMessageType) {
  Arena arena;
  EXPECT_EQ(plan_for("bytes=0-0,2-2").message_type(arena),
            "multipart/byteranges; boundary=perigee-byteranges-000000000000001f");
}

}  // namespace
}  // namespace perigee::http
