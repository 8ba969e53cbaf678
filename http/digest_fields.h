// Digest fields (RFC 9530): what a response says of its own bytes, what we say of them, and what a
// client wants to be told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace perigee::http {

/// Those that are checked. All others are passed on unread.
enum class DigestAlgorithm : uint8_t { kSha256, kSha512 };
inline constexpr size_t kDigestAlgorithms = 2;

struct AnnouncedDigest {
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;
  std::string base64;
};

/// What Repr-Digest and Content-Digest of a whole response say of its content: one of each field,
/// the longest. A field that is no dictionary says nothing, nor does a digest of another length
/// than its algorithm's.
std::vector<AnnouncedDigest> announced_digests(const HeaderList& fields);
/// What Content-Digest says of the content of a 206.
std::optional<AnnouncedDigest> announced_part_digest(const HeaderList& fields);

/// The value of a Repr-Digest line with a SHA-256 in base64.
std::string sha256_value(std::string_view base64);
/// A Repr-Digest line has a SHA-256 that can be read.
bool names_sha256(std::string_view value);
/// Want-Repr-Digest says that a SHA-256 is not acceptable (RFC 9530 §4). Every other wish is met
/// with the one digest that there is, or with none, as the RFC leaves open.
bool refuses_sha256(const HeaderList& fields);

}  // namespace perigee::http
