// What tests of coded answers share: a text site, clients that take codings, and how to read what
// they get.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "http/coding/decoder.h"
#include "http/coding/encoder.h"
#include "tests/support/edge/stand.h"

namespace perigee::test {

inline constexpr std::string_view kBrowser = "Accept-Encoding: gzip, deflate, br, zstd\r\n";

inline std::string accept(std::string_view codings) {
  return "Accept-Encoding: " + std::string(codings) + "\r\n";
}

inline std::string text_of(size_t size, char seed = 'a') {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) {
    text += std::to_string(i * 7919 % 1009) + seed + (i % 5 == 0 ? "\n" : " function ");
  }
  text.resize(size);
  return text;
}

inline std::string encoded(http::Coding coding, const std::string& text,
                           http::Effort effort = http::Effort::kFast) {
  std::vector<std::byte> out;
  http::Encoder::make(coding, effort, text.size())
      ->encode(std::as_bytes(std::span(text)), true, out);
  return std::string(base::as_text(out));
}

inline std::string decoded(const Answer& answer) {
  const std::string coding = answer["Content-Encoding"];
  if (coding.empty()) return answer.body;
  for (const http::Coding each : http::kMadeCodings) {
    if (http::coding_name(each) != coding) continue;
    const auto decoder = http::Decoder::make(each);
    std::vector<std::byte> buffer(1 << 20);
    const http::Decoder::Step step = decoder->decode(std::as_bytes(std::span(answer.body)), buffer);
    if (step.state != http::Decoder::State::kEnd) return "not whole";
    return std::string(base::as_text({buffer.data(), step.made}));
  }
  return "unknown coding";
}

class FlowCoding : public testing::Test {
 protected:
  static Reply page(const std::string& body = text_of(20'000),
                    std::string_view cache = "max-age=60", std::string_view etag = "\"v1\"") {
    return Reply(200).cache(cache).etag(etag).line("Content-Type", "text/html").body(body);
  }
  uint64_t objects() { return stand.store().stats().objects; }
  /// It was fetched, coded for this client, and is now a hit.
  Answer warm(std::string_view target, std::string_view lines = kBrowser) {
    stand.get(target, lines);
    stand.settle();
    return stand.get(target, lines);
  }

  Stand stand;
};

}  // namespace perigee::test
