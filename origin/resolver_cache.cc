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

/// Lives on in a task that it has posted.
class ResolverCache::Impl : public std::enable_shared_from_this<Impl> {
 public:
  explicit Impl(base::Env& env) : env_(env) {}
  /// Nobody is called any more.
  void close() {
    for (auto& [host, name] : names_) {
      while (!name.answers.empty()) name.answers.front()->drop();
    }
    names_.clear();
  }

  base::Pending resolve(std::string_view host, uint16_t port, base::OnResolve on_resolve) {
    if (names_.size() >= limits::kNamesCached && !names_.contains(host)) forget_oldest();
    Name& name = names_[std::string(host)];
    name.used = ++uses_;
    auto* answer = new Answer(name.answers, port, std::move(on_resolve));
    base::Pending pending(answer);
    if (name.addresses && env_.now() < name.fresh_until) {
      deliver_later(std::string(host));
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
  /// Somebody who waits. Deleted when it was answered or abandoned.
  class Answer final : public base::InFlight {
   public:
    Answer(std::list<Answer*>& answers, uint16_t port, base::OnResolve on_resolve)
        : answers_(answers), port_(port), on_resolve_(std::move(on_resolve)) {
      answers_.push_back(this);
    }
    ~Answer() override { answers_.remove(this); }
    /// Never called: the cache ends before it.
    void drop() {
      settle();
      delete this;
    }
    void give(Result result) {
      if (result.ok()) {
        for (base::Address& address : *result) address.port = port_;
      }
      settle();
      base::OnResolve on_resolve = std::move(on_resolve_);
      delete this;
      on_resolve(std::move(result));
    }

   private:
    void on_abandoned() override { delete this; }

    std::list<Answer*>& answers_;
    const uint16_t port_;
    base::OnResolve on_resolve_;
  };
  struct Name {
    std::optional<base::Addresses> addresses;
    base::Tick learnt;
    base::Tick fresh_until;
    uint64_t used = 0;
    base::Pending question;
    std::list<Answer*> answers;
  };

  void ask(const std::string& host, uint16_t port, Name& name);
  void deliver_later(std::string host);
  void deliver(const std::string& host, const Result& result);
  Result remember(Name& name, Result result) const;
  void forget_oldest();

  base::Env& env_;
  std::map<std::string, Name, std::less<>> names_;
  uint64_t uses_ = 0;
};

void ResolverCache::Impl::ask(const std::string& host, uint16_t port, Name& name) {
  name.question = env_.resolve(
      host, port, [this, host = std::string(host)](base::Result<base::Addresses> result) {
        deliver(host, remember(names_[host], std::move(result)));
      });
}

void ResolverCache::Impl::deliver_later(std::string host) {
  env_.later([self = shared_from_this(), host = std::move(host)] {
    const auto known = self->names_.find(host);
    if (known == self->names_.end() || !known->second.addresses) return;
    self->deliver(host, *known->second.addresses);
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
    it->second.answers.front()->give(result);
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

ResolverCache::ResolverCache(base::Env& env) : impl_(std::make_shared<Impl>(env)) {}
ResolverCache::~ResolverCache() { impl_->close(); }

base::Pending ResolverCache::resolve(std::string_view host, uint16_t port,
                                     base::OnResolve on_resolve) {
  return impl_->resolve(host, port, std::move(on_resolve));
}

bool ResolverCache::expire(std::string_view host) { return impl_->expire(host); }

size_t ResolverCache::size() const { return impl_->size(); }

}  // namespace perigee::origin
