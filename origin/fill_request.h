// What a fill asks for, and for whom.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/budget.h"
#include "cache_store/store.h"
#include "http/arena.h"
#include "http/content_range.h"
#include "http/headers.h"
#include "http/message.h"
#include "http/policy.h"
#include "origin/fill_site.h"

namespace perigee::origin {

/// Everything a fill needs, owned, so that it can outlive its client.
struct FillRequest {
  std::string key;           ///< the URL's key
  cache_store::Digest base;  ///< digest(key)
  cache_store::Digest
      join;  ///< what is joined: the variant's digest when the Vary spec is known, else `base`
  std::string join_key;      ///< the key text of `join`
  bool varies = false;       ///< a Vary spec is known: `join` is the variant's
  std::string target;        ///< as keyed
  std::string host;          ///< the Host field to send
  http::RequestHead head;    ///< the client's head, copied into `arena` (for Vary, Authorization)
  http::HeaderList fields;   ///< end-to-end fields to forward, in `arena`
  http::VaryNames sent_for;  ///< names of the Vary that `fields` were chosen by, in `arena`
  std::unique_ptr<http::Arena> arena;
  std::shared_ptr<const http::PolicyOptions> policy;
  std::shared_ptr<FillSite> site;        ///< of the loop that begins
  base::Holder client = base::kAnybody;  ///< who began it: whose relay it is if nobody can share it
  /// The stored response to validate; empty Found: an unconditional fetch. The fill holds
  /// its pin.
  cache_store::Found stored;
  /// Nothing is stored, and the client wants this first: the part that holds it is asked for.
  std::optional<http::FirstWanted> part;
};

}  // namespace perigee::origin
