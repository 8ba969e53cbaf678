// Digests of a body as it comes: those that its origin announced (RFC 9530), to be compared at the
// end, and the one that we tell of it ourselves.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "http/digest_fields.h"

struct evp_md_ctx_st;

namespace perigee::origin {

/// One digest. Any one thread at a time.
class Hasher {
 public:
  explicit Hasher(http::DigestAlgorithm algorithm);
  void add(std::span<const std::byte> bytes);
  /// In base64, once; empty: the library failed.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
  bool ok_ = true;
};

/// The SHA-256 of `bytes`, in base64; empty: the library failed.
std::string sha256_of(std::span<const std::byte> bytes);

/// Of one body. Any one thread at a time.
class BodyDigest {
 public:
  /// `announced`: what is to be compared. `sha256`: it is wanted in any case.
  BodyDigest(std::vector<http::AnnouncedDigest> announced, bool sha256);

  void add(std::span<const std::byte> bytes);
  /// The body is whole. False: it is not what was announced. A digest that could not be computed
  /// contradicts nothing.
  bool finish();
  /// In base64, after finish(); empty: it was neither wanted nor announced.
  const std::string& sha256() const { return made_[0]; }

 private:
  const std::vector<http::AnnouncedDigest> announced_;
  std::array<std::optional<Hasher>, http::kDigestAlgorithms> hashers_;  ///< by algorithm
  std::array<std::string, http::kDigestAlgorithms> made_;
};

}  // namespace perigee::origin
