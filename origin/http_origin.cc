#include "origin/http_origin.h"

#include "origin/origin_stream.h"

namespace perigee::origin {
namespace {

class HttpOrigin final : public Origin {
 public:
  HttpOrigin(const HttpOriginOptions& options, OriginGate& gate, ResolverCache& names,
             base::Env& env)
      : shared_{options, {gate, env}, names, env, {}} {}

  std::unique_ptr<Fetch> fetch(const FetchRequest& request, FetchUser& user) override {
    return std::make_unique<OriginStream>(shared_, request, user);
  }
  void drain() override { shared_.pool.clear(); }

 private:
  OriginShared shared_;
};

}  // namespace

std::unique_ptr<Origin> make_http_origin(const HttpOriginOptions& options, OriginGate& gate,
                                         ResolverCache& names, base::Env& env) {
  return std::make_unique<HttpOrigin>(options, gate, names, env);
}

}  // namespace perigee::origin
