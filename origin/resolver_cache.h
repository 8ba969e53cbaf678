// Names of origins, resolved once in a while and kept: one a loop, bounded, stale answers before none.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.h"

namespace perigee::origin {

/// Belongs to one loop. Literals never reach the resolver. A name that cannot be resolved any more is
/// answered from its last addresses (RFC 8767).
class ResolverCache {
 public:
  explicit ResolverCache(base::Env& env);
  ~ResolverCache();
  /// Never calls back inside the call.
  base::Pending resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace perigee::origin
