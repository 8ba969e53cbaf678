// Names of origins, resolved once in a while and kept: one cache per loop, bounded. A stale answer
// is better than none.
#pragma once

#include <memory>
#include <string_view>

#include "base/env.h"

namespace perigee::origin {

/// Belongs to one loop. Literals never reach it. One question for a name at a time, however many
/// ask. A name is kept for the time that its server says, within kNameFloorMs and kNameCapMs; one
/// that cannot be resolved any more is answered from its last addresses (RFC 8767).
class ResolverCache {
 public:
  explicit ResolverCache(base::Env& env);
  /// Nobody is called any more.
  ~ResolverCache();
  /// Never calls back inside the call.
  base::Pending resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve);
  /// None of its addresses works: the next resolve() asks for it again, however long its server
  /// said that they hold. False: they were learnt less than kNameAgainMs ago.
  bool expire(std::string_view host);
  /// Names kept.
  size_t size() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace perigee::origin
