// PURGE on a URL: who may, what it removes, and when it is answered (durable first).
#pragma once

#include <memory>
#include <string_view>

#include "base/address.h"
#include "base/env.h"
#include "base/fn.h"
#include "base/network.h"
#include "cache_store/store.h"
#include "edge/config.h"
#include "http/message.h"

namespace perigee::edge {

/// The client's address is on the site's list. Loopback counts only without any trace of a proxy in
/// front of it, behind which everybody is loopback (http-rules 4.2): a field that proxies add, or
/// HTTP/1.0. A proxy that leaves no trace is not seen: there purge_from must not hold loopback.
bool may_purge(const http::RequestHead& request, const base::Address& client,
               const SiteConfig& site);

/// `Soft-Purge: 1`, or Fastly's name for it: mark stale instead of removing.
bool is_soft_purge(const http::RequestHead& request);

/// Writes the purge journal up to `seq` on the pool; `done` gets the outcome on the loop.
using OnCommit = base::Fn<void(const base::Status&)>;
std::unique_ptr<base::Job> make_commit_job(cache_store::Store& store, uint64_t seq, OnCommit done);

/// The answer to a durable purge: 200 and one line of JSON in the arena, returned.
std::string_view purge_answer(const cache_store::PurgeResult& purge, http::Arena& arena,
                              http::ResponseHead& head);

}  // namespace perigee::edge
