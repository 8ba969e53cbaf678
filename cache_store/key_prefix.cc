#include "cache_store/key_prefix.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::cache_store {

namespace {

/// The part whose length stands at `at`; nothing: the text ends before it does.
std::optional<std::string_view> part_at(std::string_view text, size_t at) {
  uint32_t size = 0;
  if (text.size() - at < sizeof size) return std::nullopt;
  std::memcpy(&size, text.data() + at, sizeof size);
  if (text.size() - at - sizeof size < size) return std::nullopt;
  return text.substr(at + sizeof size, size);
}

}  // namespace

KeyParts::KeyParts(std::string_view key) : key_(key) {
  size_t at = 0;
  for (; count_ < parts_.size(); ++count_) {
    const std::optional<std::string_view> part = part_at(key, at);
    if (!part) return;
    const auto begin = static_cast<size_t>(part->data() - key.data());
    parts_[count_] = {begin, part->size(), XXH3_64bits(key.data(), at)};
    at = begin + part->size();
  }
}

std::optional<Digest> KeyParts::digest(const PrefixShape& shape) const {
  if (shape.parts >= count_ || parts_[shape.parts].size < shape.bytes) return std::nullopt;
  const Part& last = parts_[shape.parts];
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(key_.data() + last.begin, shape.bytes, last.before);
  return Digest{hash.low64, hash.high64};
}

KeyPrefix KeyPrefix::of(std::string_view text) {
  KeyPrefix prefix;
  for (size_t at = 0;;) {
    const std::optional<std::string_view> part = part_at(text, at);
    CHECK(part.has_value() && prefix.shape.parts <= PrefixShape::kPartsMost);
    at += sizeof(uint32_t) + part->size();
    prefix.shape.bytes =
        static_cast<uint32_t>(std::min<size_t>(part->size(), base::limits::kPrefixBytes));
    if (at == text.size()) break;
    ++prefix.shape.parts;
  }
  prefix.digest = *KeyParts(text).digest(prefix.shape);
  return prefix;
}

std::string_view url_key_of(std::string_view key, bool variant) {
  return variant ? part_at(key, 0).value_or(std::string_view()) : key;
}

}  // namespace perigee::cache_store
