#include "origin/body_digest.h"

#include <openssl/evp.h>

#include <utility>

#include "base/check.h"

namespace perigee::origin {

using http::DigestAlgorithm;

void Hasher::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Hasher::Hasher(DigestAlgorithm algorithm) : context_(EVP_MD_CTX_new()) {
  const EVP_MD* kind = algorithm == DigestAlgorithm::kSha256 ? EVP_sha256() : EVP_sha512();
  ok_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1;
}

void Hasher::add(std::span<const std::byte> bytes) {
  ok_ = ok_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
}

std::string Hasher::finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!std::exchange(ok_, false) || EVP_DigestFinal_ex(context_.get(), digest, &size) != 1) {
    return {};
  }
  unsigned char base64[EVP_MAX_MD_SIZE * 2];
  const int length = EVP_EncodeBlock(base64, digest, static_cast<int>(size));
  return {reinterpret_cast<const char*>(base64), static_cast<size_t>(length)};
}

std::string sha256_of(std::span<const std::byte> bytes) {
  Hasher hasher(DigestAlgorithm::kSha256);
  hasher.add(bytes);
  return hasher.finish();
}

BodyDigest::BodyDigest(std::vector<http::AnnouncedDigest> announced, bool sha256)
    : announced_(std::move(announced)) {
  static_assert(static_cast<size_t>(DigestAlgorithm::kSha256) == 0);
  if (sha256) hashers_[0].emplace(DigestAlgorithm::kSha256);
  for (const http::AnnouncedDigest& digest : announced_) {
    std::optional<Hasher>& hasher = hashers_[static_cast<size_t>(digest.algorithm)];
    if (!hasher) hasher.emplace(digest.algorithm);
  }
}

void BodyDigest::add(std::span<const std::byte> bytes) {
  for (std::optional<Hasher>& hasher : hashers_) {
    if (hasher) hasher->add(bytes);
  }
}

bool BodyDigest::finish() {
  for (size_t i = 0; i < hashers_.size(); ++i) {
    if (hashers_[i]) made_[i] = hashers_[i]->finish();
  }
  bool same = true;
  for (const http::AnnouncedDigest& digest : announced_) {
    const std::string& made = made_[static_cast<size_t>(digest.algorithm)];
    same = same && (made.empty() || made == digest.base64);
  }
  return same;
}

}  // namespace perigee::origin
