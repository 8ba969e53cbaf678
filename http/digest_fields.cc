#include "http/digest_fields.h"

#include <array>

#include "http/structured_field.h"

namespace perigee::http {
namespace {

struct Known {
  DigestAlgorithm algorithm;
  std::string_view key;
  size_t base64_size;
};
/// The longest first.
constexpr std::array<Known, kDigestAlgorithms> kKnown = {
    Known{DigestAlgorithm::kSha512, "sha-512", 88}, Known{DigestAlgorithm::kSha256, "sha-256", 44}};
constexpr std::string_view kSha256Key = "sha-256";

const SfMember* find(const SfDictionary& dictionary, std::string_view key) {
  for (const SfMember& member : dictionary) {
    if (member.key == key) return &member;
  }
  return nullptr;
}

std::optional<AnnouncedDigest> longest(const SfDictionary& dictionary) {
  for (const Known& known : kKnown) {
    const SfMember* member = find(dictionary, known.key);
    const bool read = member != nullptr && member->kind == SfMember::kBytes &&
                      member->text.size() == known.base64_size;
    if (read) return AnnouncedDigest{known.algorithm, std::string(member->text)};
  }
  return std::nullopt;
}

/// All lines of a field. False: they are no dictionary, and so is the whole field.
bool read(const HeaderList& fields, FieldName name, SfDictionary& out) {
  for (const Field& field : fields) {
    if (field.token == name && !parse_dictionary(field.value, out)) return false;
  }
  return true;
}

std::optional<AnnouncedDigest> announced(const HeaderList& fields, FieldName name) {
  SfDictionary dictionary;
  return read(fields, name, dictionary) ? longest(dictionary) : std::nullopt;
}

}  // namespace

std::vector<AnnouncedDigest> announced_digests(const HeaderList& fields) {
  std::vector<AnnouncedDigest> result;
  for (const FieldName name : {FieldName::kReprDigest, FieldName::kContentDigest}) {
    if (auto digest = announced(fields, name)) result.push_back(std::move(*digest));
  }
  return result;
}

std::optional<AnnouncedDigest> announced_part_digest(const HeaderList& fields) {
  return announced(fields, FieldName::kContentDigest);
}

std::string sha256_value(std::string_view base64) {
  return std::string(kSha256Key).append("=:").append(base64).append(":");
}

bool names_sha256(std::string_view value) {
  SfDictionary dictionary;
  if (!parse_dictionary(value, dictionary)) return false;
  const SfMember* member = find(dictionary, kSha256Key);
  return member != nullptr && member->kind == SfMember::kBytes;
}

bool refuses_sha256(const HeaderList& fields) {
  SfDictionary dictionary;
  if (!read(fields, FieldName::kWantReprDigest, dictionary)) return false;
  const SfMember* member = find(dictionary, kSha256Key);
  return member != nullptr && member->kind == SfMember::kInteger && member->integer == 0;
}

}  // namespace perigee::http
