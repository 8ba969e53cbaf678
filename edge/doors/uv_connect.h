// Outgoing connections: TCP, and TLS on top of it when the endpoint asks for it.
#pragma once

#include "base/env.h"

namespace perigee::edge {

class UvEnv;

/// See base::Env::connect().
base::Pending start_connect(UvEnv& env, const base::Endpoint& endpoint, base::OnConnect on_connect);

}  // namespace perigee::edge
