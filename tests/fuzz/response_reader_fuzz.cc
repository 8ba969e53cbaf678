// Feeds the bytes of an origin to the response parser. However they are split, the parser reports
// the same; and what it took for a response is the same response when it is written again.
#include <cstdio>
#include <cstdlib>

#include "tests/support/codec_rig.h"
#include "tests/support/parsed_answer.h"

namespace perigee::test {
namespace {

constexpr size_t kByteByByte = 2048;  ///< longer inputs are only split in two

[[noreturn]] void fail(const char* what, std::string_view bytes, std::string_view more) {
  std::fprintf(stderr, "%s\n  bytes \"%s\"\n  %s\n", what, escaped(bytes).c_str(),
               escaped(more).c_str());
  std::abort();
}

ParsedAnswer parse_all(std::string_view bytes, http::Method method, Ending ending) {
  ParsedAnswer whole = parse_answer({bytes}, method, ending);
  const size_t cut = bytes.size() / 3;
  if (!(parse_answer({bytes.substr(0, cut), bytes.substr(cut)}, method, ending) == whole)) {
    fail("two pieces differ", bytes, whole.error);
  }
  if (bytes.size() <= kByteByByte) {
    std::vector<std::string_view> single;
    for (size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
    if (!(parse_answer(single, method, ending) == whole)) {
      fail("byte by byte it differs", bytes, whole.error);
    }
  }
  if (whole.ended && !whole.error.empty()) fail("whole and an error", bytes, whole.error);
  return whole;
}

/// The same response in a framing of our own.
void check_rewritten(std::string_view bytes, const ParsedAnswer& seen, http::Method method) {
  ParsedAnswer expected = seen;
  expected.interims.clear();
  expected.surplus = 0;
  std::erase_if(expected.fields, [](const auto& field) {
    const http::FieldName name = http::field_name(field.first);
    return name == http::FieldName::kContentLength || name == http::FieldName::kTransferEncoding ||
           name == http::FieldName::kConnection;
  });
  std::string text = "HTTP/1.1 " + std::string(3 - std::to_string(*seen.status).size(), '0') +
                     std::to_string(*seen.status) + " " + seen.reason + "\r\n";
  for (const auto& [name, value] : expected.fields) text += name + ": " + value + "\r\n";
  expected.keep_alive = true;
  expected.content_length.reset();
  if (seen.has_body) {
    expected.content_length = seen.body.size();
    expected.fields.emplace_back("Content-Length", std::to_string(seen.body.size()));
    text += "Content-Length: " + std::to_string(seen.body.size()) + "\r\n";
  }
  text += "\r\n" + seen.body;
  if (text.size() > 64 * 1024) return;  // may exceed the bound of a head by the added line
  if (!(parse_answer({text}, method, Ending::kOpen) == expected)) {
    fail("another response when written again", bytes, text);
  }
}

}  // namespace
}  // namespace perigee::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perigee::test;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto method : {perigee::http::Method::kGet, perigee::http::Method::kHead}) {
    for (const Ending ending : {Ending::kFin, Ending::kReset}) {
      const ParsedAnswer answer = parse_all(bytes, method, ending);
      if (answer.ended && ending == Ending::kFin) check_rewritten(bytes, answer, method);
    }
  }
  return 0;
}
