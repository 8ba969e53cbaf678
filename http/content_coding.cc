#include "http/content_coding.h"

#include <algorithm>
#include <optional>

#include "base/limits.h"
#include "base/text.h"

namespace perigee::http {
namespace {

constexpr int kWholeWeight = 1000;
constexpr size_t kCodings = static_cast<size_t>(Coding::kIdentity) + 1;

/// A weight in thousandths (RFC 9110 §12.4.2). nullopt: it is none.
std::optional<int> parse_weight(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = text[0] == '1' ? kWholeWeight : 0;
  if (text.size() > 1 && (text[1] != '.' || text.size() > 5)) return std::nullopt;
  int scale = kWholeWeight / 10;
  for (size_t i = 2; i < text.size(); ++i, scale /= 10) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    weight += (text[i] - '0') * scale;
  }
  return weight <= kWholeWeight ? std::optional(weight) : std::nullopt;
}

/// The weight that stands in the parameters of a member. nullopt: they are not a weight.
std::optional<int> weight_of(std::string_view parameters) {
  if (parameters.empty()) return kWholeWeight;
  const std::string_view parameter = trim_ows(parameters.substr(1));
  if (!base::iequals(parameter.substr(0, 2), "q=")) return std::nullopt;
  return parse_weight(parameter.substr(2));
}

std::optional<Coding> coding_of(std::string_view name) {
  if (base::iequals(name, "gzip") || base::iequals(name, "x-gzip")) return Coding::kGzip;
  if (base::iequals(name, "br")) return Coding::kBrotli;
  if (base::iequals(name, "zstd")) return Coding::kZstd;
  if (base::iequals(name, "identity")) return Coding::kIdentity;
  return std::nullopt;
}

/// What the members of Accept-Encoding say.
struct Weights {
  static constexpr int kNotNamed = -1;

  std::array<int, kCodings> named;
  int others = kNotNamed;  ///< of `*`

  Weights() { named.fill(kNotNamed); }
  /// False: more members than are looked at.
  bool read(const HeaderList& fields);
  int of(Coding coding) const {
    const int weight = named[static_cast<size_t>(coding)];
    return weight == kNotNamed ? others : weight;
  }

 private:
  static void note(int& weight, int said) {
    weight = weight == kNotNamed ? said : std::min(weight, said);
  }
};

bool Weights::read(const HeaderList& fields) {
  size_t members = 0;
  for (const Field& field : fields) {
    if (field.token != FieldName::kAcceptEncoding) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (++members > base::limits::kAcceptMembers) return false;
      const size_t end = std::min(member->find(';'), member->size());
      const std::optional<int> weight = weight_of(member->substr(end));
      if (!weight) continue;
      const std::string_view name = trim_ows(member->substr(0, end));
      if (name == "*") {
        note(others, *weight);
      } else if (const std::optional<Coding> coding = coding_of(name)) {
        note(named[static_cast<size_t>(*coding)], *weight);
      }
    }
  }
  return true;
}

/// What Content-Encoding says: one coding that is known, or none. nullopt: another one, or several.
std::optional<Coding> received_coding(const HeaderList& fields) {
  const Field* line = fields.find(FieldName::kContentEncoding);
  if (line == nullptr) return Coding::kIdentity;
  if (fields.count(FieldName::kContentEncoding) != 1) return std::nullopt;
  return coding_of(trim_ows(line->value));
}

bool matches_type(std::string_view type, std::string_view pattern) {
  if (!pattern.ends_with("/*")) return base::iequals(type, pattern);
  const std::string_view prefix = pattern.substr(0, pattern.size() - 1);
  return base::iequals(type.substr(0, prefix.size()), prefix);
}

bool is_type_listed(std::string_view content_type, const std::vector<std::string>& types) {
  const std::string_view type = trim_ows(content_type.substr(0, content_type.find(';')));
  return std::any_of(types.begin(), types.end(),
                     [&](const std::string& pattern) { return matches_type(type, pattern); });
}

}  // namespace

std::string_view coding_name(Coding coding) {
  switch (coding) {
    case Coding::kIdentity:
      return "identity";
    case Coding::kZstd:
      return "zstd";
    case Coding::kBrotli:
      return "br";
    case Coding::kGzip:
      return "gzip";
  }
  return "";
}

AcceptedCodings accepted_codings(const HeaderList& fields, CodingSet offered) {
  AcceptedCodings accepted;
  Weights weights;
  if (!weights.read(fields)) return accepted;
  // An identity that is not named is taken, after all that is.
  const int least = std::max(weights.named[static_cast<size_t>(Coding::kIdentity)], 1);
  int below = kWholeWeight + 1;
  for (CodingSet& set : accepted.sets) {
    int highest = 0;
    for (const Coding coding : kMadeCodings) {
      const int weight = offered.has(coding) ? weights.of(coding) : 0;
      if (weight >= least && weight < below) highest = std::max(highest, weight);
    }
    if (highest == 0) break;
    for (const Coding coding : kMadeCodings) {
      if (offered.has(coding) && weights.of(coding) == highest) set.add(coding);
    }
    below = highest;
  }
  return accepted;
}

std::vector<std::string> CodingOptions::default_types() {
  return {"text/*",
          "application/atom+xml",
          "application/geo+json",
          "application/javascript",
          "application/json",
          "application/ld+json",
          "application/manifest+json",
          "application/rss+xml",
          "application/vnd.ms-fontobject",
          "application/wasm",
          "application/xhtml+xml",
          "application/xml",
          "application/x-javascript",
          "font/otf",
          "font/ttf",
          "image/bmp",
          "image/svg+xml",
          "image/vnd.microsoft.icon",
          "image/x-icon"};
}

bool is_coding_type(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || !is_token(text.substr(0, slash))) return false;
  const bool lower =
      std::none_of(text.begin(), text.end(), [](char c) { return c != base::to_lower(c); });
  const std::string_view subtype = text.substr(slash + 1);
  // A `*` is a character of tokens; among others it would be no wildcard.
  const bool plain = is_token(subtype) && subtype.find('*') == std::string_view::npos;
  return lower && text.substr(0, slash).find('*') == std::string_view::npos &&
         (subtype == "*" || plain);
}

uint32_t coding_flags(const ReceivedResponse& received, uint32_t flags,
                      const CodingOptions& options) {
  constexpr uint32_t kForbidding =
      ReuseFlag::kNoTransform | ReuseFlag::kSetCookie | ReuseFlag::kVaryStar;
  const HeaderList& fields = received.fields;
  const std::optional<Coding> sent = received_coding(fields);
  const bool long_enough = sent != Coding::kIdentity || !received.content_length ||
                           *received.content_length >= base::limits::kCodedBytesLeast;
  const bool codable = received.status == 200 && !options.codings.empty() &&
                       (flags & kForbidding) == 0 && sent && long_enough &&
                       fields.find(FieldName::kContentRange) == nullptr &&
                       is_type_listed(fields.value(FieldName::kContentType), options.types);
  if (!codable) return 0;
  const uint32_t number = sent == Coding::kIdentity ? 0u : static_cast<uint32_t>(*sent);
  return ReuseFlag::kCodable | number << ReuseFlag::kSentCodingShift;
}

}  // namespace perigee::http
