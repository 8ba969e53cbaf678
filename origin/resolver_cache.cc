// A map of names, each with the answers that wait for its one question.
#include "origin/resolver_cache.h"

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace perigee::origin {

namespace limits = base::limits;
using Result = base::Result<base::Addresses>;

class ResolverCache::Impl {
 public:
  explicit Impl(base::Env& env) : env_(env) {}

  base::Pending resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve) {
    if (names_.size() >= limits::kNamesCached && !names_.contains(host)) forget_oldest();
    Name& name = name_of(host);
    name.used = ++uses_;
    name.answers.emplace_back(name.answers, port, std::move(on_resolve));
    base::Pending pending(&name.answers.back());
    if (name.addresses && env_.now() < name.fresh_until) {
      env_.soon(name.deliver);
    } else if (!name.question.waiting()) {
      ask(std::string(host), port, name);
    }
    return pending;
  }
  bool expire(std::string_view host) {
    const auto known = names_.find(host);
    if (known == names_.end()) return true;
    if (env_.now() - known->second.learnt < limits::kNameAgainMs) return false;
    known->second.fresh_until = env_.now();
    return true;
  }
  size_t size() const { return names_.size(); }

 private:
  /// Somebody who waits.
  class Answer final : public base::InFlight {
   public:
    Answer(std::list<Answer>& answers, uint16_t port, base::OnResolve on_resolve)
        : answers_(answers), port_(port), on_resolve_(std::move(on_resolve)) {}
    ~Answer() override { settle(); }
    void give(Result result) {
      if (result.ok()) {
        for (base::Address& address : *result) address.port = port_;
      }
      settle();
      on_resolve_(std::move(result));
    }

   private:
    void on_abandoned() override {
      answers_.remove_if([this](const Answer& other) { return &other == this; });
    }

    std::list<Answer>& answers_;
    const uint16_t port_;
    base::OnResolve on_resolve_;
  };
  struct Name {
    explicit Name(base::Task deliver_known) : deliver(std::move(deliver_known)) {}
    std::optional<base::Addresses> addresses;
    base::Tick learnt;
    base::Tick fresh_until;
    uint64_t used = 0;
    base::Pending question;
    std::list<Answer> answers;
    base::Soon deliver;  ///< from `addresses`
  };

  Name& name_of(std::string_view host);
  void ask(const std::string& host, uint16_t port, Name& name);
  void deliver(const std::string& host, const Result& result);
  Result remember(Name& name, Result result) const;
  void forget_oldest();

  base::Env& env_;
  std::map<std::string, Name, std::less<>> names_;
  uint64_t uses_ = 0;
};

ResolverCache::Impl::Name& ResolverCache::Impl::name_of(std::string_view host) {
  const auto known = names_.find(host);
  if (known != names_.end()) return known->second;
  base::Task deliver_known([this, host = std::string(host)] {
    // With a copy: this may be destroyed with the name.
    deliver(std::string(host), *names_.at(host).addresses);
  });
  return names_.try_emplace(std::string(host), std::move(deliver_known)).first->second;
}

void ResolverCache::Impl::ask(const std::string& host, uint16_t port, Name& name) {
  name.question = env_.resolve(
      host, port, [this, host = std::string(host)](base::Result<base::Addresses> result) {
        deliver(host, remember(names_.at(host), std::move(result)));
      });
}

void ResolverCache::Impl::deliver(const std::string& host, const Result& result) {
  // Looked up anew for each: a callback may ask for other names, and this one may be forgotten for
  // them.
  const auto known = names_.find(host);
  if (known == names_.end()) return;
  for (size_t left = known->second.answers.size(); left > 0; --left) {
    const auto it = names_.find(host);
    if (it == names_.end() || it->second.answers.empty()) return;
    // It has left the line while it is called.
    std::list<Answer> first;
    first.splice(first.end(), it->second.answers, it->second.answers.begin());
    first.front().give(result);
  }
}

Result ResolverCache::Impl::remember(Name& name, Result result) const {
  int64_t keep_ms = limits::kNameFloorMs;
  if (result.ok()) {
    keep_ms = std::clamp(result->ttl_ms, limits::kNameFloorMs, limits::kNameCapMs);
    name.addresses = *result;
  } else if (!name.addresses) {
    return result;
  }
  CHECK(name.addresses && keep_ms >= limits::kNameFloorMs);
  name.learnt = env_.now();
  name.fresh_until = env_.now() + keep_ms;
  return *name.addresses;
}

/// The name used longest ago that nobody waits for.
void ResolverCache::Impl::forget_oldest() {
  auto oldest = names_.end();
  for (auto it = names_.begin(); it != names_.end(); ++it) {
    const Name& name = it->second;
    if (!name.answers.empty() || name.question.waiting()) continue;
    if (oldest == names_.end() || name.used < oldest->second.used) oldest = it;
  }
  if (oldest != names_.end()) names_.erase(oldest);
}

ResolverCache::ResolverCache(base::Env& env) : impl_(std::make_unique<Impl>(env)) {}
ResolverCache::~ResolverCache() = default;

base::Pending ResolverCache::resolve(std::string_view host, uint16_t port,
                                     base::OnResolve on_resolve) {
  return impl_->resolve(host, port, std::move(on_resolve));
}

bool ResolverCache::expire(std::string_view host) { return impl_->expire(host); }

size_t ResolverCache::size() const { return impl_->size(); }

}  // namespace perigee::origin
