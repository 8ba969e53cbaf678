#include "tests/sim/coding_model.h"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/text.h"
#include "http/coding/decoder.h"

namespace perigee::sim {

namespace {

/// The lowest weight that is said of a name; nullopt: nothing is.
std::optional<double> weight_of(const Fields& request, const std::string& name) {
  std::optional<double> weight;
  for (const std::string& member : members(joined(request, "Accept-Encoding").value_or(""))) {
    const size_t semicolon = std::min(member.find(';'), member.size());
    if (!same_name(trim(member.substr(0, semicolon)), name)) continue;
    const size_t q = member.find("q=", semicolon);
    const double said = q == std::string::npos ? 1 : std::strtod(member.c_str() + q + 2, nullptr);
    weight = std::min(weight.value_or(1), said);
  }
  return weight;
}

}  // namespace

bool takes_coding(const Fields& request, const std::string& coding) {
  const std::optional<double> named = weight_of(request, coding);
  const double weight = named ? *named : weight_of(request, "*").value_or(0);
  return weight > 0 && weight >= weight_of(request, "identity").value_or(0);
}

bool takes_any_coding(const Fields& request) {
  return takes_coding(request, "zstd") || takes_coding(request, "br") ||
         takes_coding(request, "gzip");
}

std::optional<DecodedBody> decode_body(const std::string& coding, std::string_view body) {
  std::unique_ptr<http::Decoder> decoder;
  for (const http::Coding each : http::kMadeCodings) {
    if (http::coding_name(each) == coding) decoder = http::Decoder::make(each);
  }
  if (decoder == nullptr) return std::nullopt;
  DecodedBody result;
  std::vector<std::byte> buffer(100'000);
  std::span<const std::byte> left = std::as_bytes(std::span(body));
  for (;;) {
    const http::Decoder::Step step = decoder->decode(left, buffer);
    result.text += base::as_text(std::span(buffer).first(step.made));
    left = left.subspan(step.taken);
    if (step.state == http::Decoder::State::kBad) return std::nullopt;
    if (step.state == http::Decoder::State::kEnd) {
      result.ended = left.empty();
      return result;
    }
    if (step.taken == 0 && step.made == 0) return result;
  }
}

}  // namespace perigee::sim
