// Where the response of a fill is kept: one whole record in the store, a shell and its coding, or
// fragments and then their head; and before a record or a head the Vary spec of its URL where it
// varies.
//
// The seam between fetching and storing: the owner of a fill knows no records.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/fn.h"
#include "base/reuse_facts.h"
#include "cache_store/store.h"
#include "http/content_coding.h"
#include "origin/body_digest.h"
#include "origin/fill.h"
#include "origin/fragment_job.h"

namespace perigee::origin {

/// Of one fill, on its owner's loop.
class FillSink {
 public:
  /// The record that was stored; null: nothing was.
  using OnStored = base::Fn<void(std::shared_ptr<const cache_store::Found> record)>;

  /// `key` is the URL's.
  FillSink(cache_store::Store& store, std::shared_ptr<Fill> fill, std::string key)
      : store_(store), fill_(std::move(fill)), key_(std::move(key)) {}

  /// The longest body that can be kept.
  uint64_t most_bytes() const {
    return std::max(store_.max_object_bytes(), store_.max_fragmented_bytes());
  }
  /// The longest body that is kept in one record.
  uint64_t most_record_bytes() const { return store_.max_object_bytes(); }
  uint64_t fragment_bytes() const { return store_.fragment_bytes(); }
  /// The response will be kept once it is whole.
  void open() { open_ = true; }
  /// It will not.
  void close() { open_ = false; }
  bool is_open() const { return open_; }
  /// What comes is compared with what the origin says of it in `fields` (RFC 9530). `tells_sha256`:
  /// what is kept says its SHA-256.
  void watch(const http::HeaderList& fields, bool tells_sha256);
  /// More of the body has come. Called for all of it, in order, as long as this is open.
  void add(std::span<const std::byte> bytes);
  /// The body is whole. False: it is not what the origin said, and is not to be kept.
  bool finish() { return !digest_ || digest_->finish(); }
  /// What is kept of the head, where that differs from what clients get.
  void keep_head(std::vector<std::byte> image) { image_ = std::move(image); }
  /// The response is whole: puts it on the pool, under the ticket from before its request left.
  /// False: the pool's lane is full, and `done` is not called.
  /// `coding`: a body that came is kept in this coding alone, if that is worth it.
  bool put(base::Env& env, const base::ReuseFacts& policy, std::optional<http::Coding> coding,
           OnStored done);
  /// Puts the head of an object of `size` bytes of which fragments will follow, or not.
  bool put_head(base::Env& env, const base::ReuseFacts& policy, uint64_t size, OnStored done);
  /// The body is kept in fragments from now on: put_fragment() for each, in order, then put().
  void begin_fragments() { fragmented_ = true; }
  bool fragmented() const { return fragmented_; }
  /// A put is under way.
  bool putting() const { return pending_.waiting(); }
  /// Puts the bytes of the body from fill->body.object().size to `end` on the pool. False: as
  /// put().
  bool put_fragment(base::Env& env, uint64_t end, FragmentJob::OnStored done);
  /// The put goes on, and nobody is told of it.
  void abandon() { pending_.abandon(); }

 private:
  cache_store::Store& store_;
  const std::shared_ptr<Fill> fill_;
  const std::string key_;
  std::vector<std::byte> image_;  ///< empty: the fill's own
  base::Pending pending_;
  std::optional<BodyDigest> digest_;
  bool tells_sha256_ = false;
  bool open_ = false;
  bool fragmented_ = false;
};

}  // namespace perigee::origin
