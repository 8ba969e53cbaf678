#include "edge/doors/ares_resolver.h"

#include <netdb.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "edge/doors/socket_address.h"
#include "edge/doors/uv_env.h"
#include "http/headers.h"

namespace perigee::edge {

namespace {
constexpr size_t kHostMost = 253;
constexpr int kTries = 2;

/// RFC 6761 §6.3: localhost and all below it are the loopback addresses, whatever a name server or
/// a hosts file says.
bool is_localhost(std::string_view host) {
  constexpr std::string_view kLocalhost = "localhost";
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() < kLocalhost.size()) return false;
  const std::string_view above = host.substr(0, host.size() - kLocalhost.size());
  return base::iequals(host.substr(above.size()), kLocalhost) &&
         (above.empty() || above.ends_with('.'));
}

base::Addresses loopback(uint16_t port) {
  base::Addresses addresses;
  for (const std::string_view literal : {"127.0.0.1", "::1"}) {
    addresses.push_back(*base::Address::parse_host(literal, port));
  }
  return addresses;
}

const bool g_library_ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
}  // namespace

/// One question. Ends once it was answered and c-ares has let go of it.
class AresResolver::Query final : public base::InFlight {
 public:
  Query(AresResolver& resolver, std::string_view host, uint16_t port, base::OnResolve on_resolve)
      : resolver_(resolver),
        host_(host),
        port_(port),
        on_resolve_(std::move(on_resolve)),
        timer_([this] {
          answer(
              base::Error{base::ErrorCode::kTimeout, 0, "resolving " + host_ + " took too long"});
        }),
        deliver_([this] { deliver(); }) {}
  ~Query() override { settle(); }

  void start(ares_channel channel) {
    base::Env& env = resolver_.env_;
    env.arm(timer_, env.now() + base::limits::kResolveMs);
    if (host_.empty() || host_.size() > kHostMost) return fail("the name is too long");
    if (is_localhost(host_)) return answer(loopback(port_));
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    asked_ = true;
    ares_getaddrinfo(channel, host_.c_str(), nullptr, &hints, on_addresses, this);
  }

  Queries::iterator place;  ///< in its resolver's list

 private:
  static void on_addresses(void* data, int status, int, ares_addrinfo* info) {
    auto& query = *static_cast<Query*>(data);
    query.asked_ = false;
    if (status != ARES_SUCCESS) {
      query.fail(ares_strerror(status));
    } else {
      base::Addresses addresses;
      for (const ares_addrinfo_node* node = info->nodes; node != nullptr; node = node->ai_next) {
        base::Address address = from_sockaddr(node->ai_addr);
        address.port = query.port_;
        const bool known =
            std::find(addresses.begin(), addresses.end(), address) != addresses.end();
        if (known || address.family == base::Address::Family::kNone) continue;
        const int64_t ttl_ms = int64_t{node->ai_ttl} * 1000;
        addresses.ttl_ms = addresses.empty() ? ttl_ms : std::min(addresses.ttl_ms, ttl_ms);
        addresses.push_back(address);
      }
      // Whoever moves an alias says with its time how soon that is seen.
      for (const ares_addrinfo_cname* alias = info->cnames; alias != nullptr; alias = alias->next) {
        addresses.ttl_ms = std::min(addresses.ttl_ms, int64_t{alias->ttl} * 1000);
      }
      if (addresses.empty()) {
        query.fail("it has no address");
      } else {
        query.answer(std::move(addresses));
      }
    }
    if (info != nullptr) ares_freeaddrinfo(info);
  }
  void fail(const std::string& why) {
    answer(base::Error{base::ErrorCode::kResolve, 0, host_ + " cannot be resolved: " + why});
  }
  /// Never inside resolve(): the callback runs in a later turn. Comes again when c-ares lets go of
  /// a question that the timer has answered.
  void answer(base::Result<base::Addresses> result) {
    timer_.disarm();
    if (!result_) result_.emplace(std::move(result));
    resolver_.env_.soon(deliver_);
  }
  void deliver() {
    const bool call = wanted();
    settle();
    base::OnResolve on_resolve = std::move(on_resolve_);
    if (!asked_) resolver_.end(*this);
    if (call) on_resolve(std::move(*result_));
  }

  AresResolver& resolver_;
  const std::string host_;
  const uint16_t port_;
  base::OnResolve on_resolve_;
  base::Timer timer_;
  base::Soon deliver_;
  std::optional<base::Result<base::Addresses>> result_;
  bool asked_ = false;  ///< c-ares will call
};

struct AresResolver::Watch {
  uv_poll_t poll;
  AresResolver* resolver = nullptr;
  ares_socket_t fd = ARES_SOCKET_BAD;
};

AresResolver::AresResolver(UvEnv& env, const char* servers)
    : env_(env),
      timer_([this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }),
      bury_([this] { ended_.clear(); }) {
  CHECK(g_library_ready);
  ares_options options{};
  options.sock_state_cb = on_socket;
  options.sock_state_cb_data = this;
  options.timeout = static_cast<int>(base::limits::kResolveMs) / kTries;
  options.tries = kTries;
  const int status = ares_init_options(
      &channel_, &options, ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
  CHECK(status == ARES_SUCCESS);
  CHECK(servers == nullptr || ares_set_servers_ports_csv(channel_, servers) == ARES_SUCCESS);
}

AresResolver::~AresResolver() { ares_destroy(channel_); }

void AresResolver::cancel() { ares_cancel(channel_); }

base::Pending AresResolver::resolve(std::string_view host, uint16_t port,
                                    base::OnResolve on_resolve) {
  queries_.push_back(std::make_unique<Query>(*this, host, port, std::move(on_resolve)));
  Query& query = *queries_.back();
  query.place = std::prev(queries_.end());
  base::Pending pending(&query);
  query.start(channel_);
  arm_timer();
  return pending;
}

void AresResolver::end(Query& query) {
  ended_.splice(ended_.end(), queries_, query.place);
  env_.soon(bury_);
}

void AresResolver::on_socket(void* data, ares_socket_t fd, int readable, int writable) {
  auto& resolver = *static_cast<AresResolver*>(data);
  auto it = resolver.watches_.find(fd);
  if (readable == 0 && writable == 0) {
    if (it == resolver.watches_.end()) return;
    Watch* watch = it->second;
    resolver.watches_.erase(it);
    watch->resolver = nullptr;
    uv_poll_stop(&watch->poll);
    uv_close(reinterpret_cast<uv_handle_t*>(&watch->poll),
             [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
    return;
  }
  if (it == resolver.watches_.end()) {
    auto* watch = new Watch;
    watch->resolver = &resolver;
    watch->fd = fd;
    watch->poll.data = watch;
    uv_poll_init_socket(resolver.env_.uv(), &watch->poll, fd);
    it = resolver.watches_.emplace(fd, watch).first;
  }
  const int events = (readable != 0 ? UV_READABLE : 0) | (writable != 0 ? UV_WRITABLE : 0);
  uv_poll_start(&it->second->poll, events, [](uv_poll_t* poll, int status, int ready) {
    auto* watch = static_cast<Watch*>(poll->data);
    if (watch->resolver == nullptr) return;
    const bool both = status < 0;
    watch->resolver->process(both || (ready & UV_READABLE) != 0 ? watch->fd : ARES_SOCKET_BAD,
                             both || (ready & UV_WRITABLE) != 0 ? watch->fd : ARES_SOCKET_BAD);
  });
}

void AresResolver::process(ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(channel_, readable, writable);
  arm_timer();
}

void AresResolver::arm_timer() {
  timeval next{};
  if (ares_timeout(channel_, nullptr, &next) == nullptr) return timer_.disarm();
  env_.arm(timer_, env_.now() + next.tv_sec * 1000 + next.tv_usec / 1000 + 1);
}

}  // namespace perigee::edge
