#include "origin/resolver_cache.h"

#include "base/limits.h"

namespace perigee::origin {

namespace limits = base::limits;

/// What is known of one name.
struct ResolverCache::Impl {
  explicit Impl(base::Env& loop_env) : env(loop_env) {}

  struct Known {
    base::Addresses addresses;
    base::Tick fresh_until;
    uint64_t used = 0;
  };
  /// One question that was answered from here, or is on its way to the door.
  class Answer final : public base::InFlight {
   public:
    Answer(Impl& impl, std::string host, uint16_t port, base::OnResolve on_resolve)
        : impl_(impl), host_(std::move(host)), port_(port), on_resolve_(std::move(on_resolve)) {}
    void ask() {
      question_ = impl_.env.resolve(host_, port_, [this](base::Result<base::Addresses> result) {
        deliver(impl_.remember(host_, std::move(result)));
      });
    }
    void give_later() {
      impl_.env.later([this] { deliver(impl_.names[host_].addresses); });
      posted_ = true;
    }

   private:
    void on_abandoned() override {
      question_.abandon();
      if (!posted_) delete this;
    }
    void deliver(base::Result<base::Addresses> result) {
      const bool call = wanted();
      settle();
      if (result.ok()) {
        for (base::Address& address : *result) address.port = port_;
      }
      base::OnResolve on_resolve = std::move(on_resolve_);
      delete this;
      if (call) on_resolve(std::move(result));
    }
    Impl& impl_;
    const std::string host_;
    const uint16_t port_;
    base::OnResolve on_resolve_;
    base::Pending question_;
    bool posted_ = false;
  };

  base::Result<base::Addresses> remember(const std::string& host,
                                         base::Result<base::Addresses> result) {
    const auto known = names.find(host);
    // The last addresses are better than none (RFC 8767).
    if (!result.ok()) return known != names.end() ? known->second.addresses : std::move(result);
    if (known == names.end() && names.size() >= limits::kNamesCached) forget_oldest();
    names[host] = {*result, env.now() + limits::kNameFloorMs, ++uses};
    return result;
  }
  void forget_oldest() {
    auto oldest = names.begin();
    for (auto it = names.begin(); it != names.end(); ++it) {
      if (it->second.used < oldest->second.used) oldest = it;
    }
    names.erase(oldest);
  }

  base::Env& env;
  std::map<std::string, Known, std::less<>> names;
  uint64_t uses = 0;
};

ResolverCache::ResolverCache(base::Env& env) : impl_(std::make_unique<Impl>(env)) {}
ResolverCache::~ResolverCache() = default;

base::Pending ResolverCache::resolve(std::string_view host, uint16_t port,
                                     base::OnResolve on_resolve) {
  auto* answer = new Impl::Answer(*impl_, std::string(host), port, std::move(on_resolve));
  base::Pending pending(answer);
  const auto known = impl_->names.find(host);
  if (known != impl_->names.end() && impl_->env.now() < known->second.fresh_until) {
    known->second.used = ++impl_->uses;
    answer->give_later();
  } else {
    answer->ask();
  }
  return pending;
}

}  // namespace perigee::origin
