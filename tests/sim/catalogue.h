// What the origins have and say of it: for each resource a temper that lasts the run, and answers
// drawn from it. No two resources have a content or a tag in common, unless an origin lies.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace perigee::sim {

struct Answer {
  int status = 200;
  Fields fields;
  uint64_t content = 0;  ///< 0: none
  uint64_t size = 0;
  bool until_close = false;            ///< wished for; the connection decides
  std::optional<http::ByteSpan> part;  ///< of the content, which alone is sent
};

class Catalogue {
 public:
  explicit Catalogue(World& world);

  /// What is asked for in `asked`, whose id is to be found in the answer.
  Answer answer(const OriginExchange& asked);

 private:
  enum class Tags : uint8_t { kNone, kStrong, kWeak, kConstant };
  struct Temper {
    std::vector<std::string> vary;
    Tags tags = Tags::kNone;
    bool dated = false;       ///< has Last-Modified
    bool conditional = true;  ///< honours conditions
    bool ranged = false;      ///< takes ranges
    bool coded = false;       ///< says that it is text
    bool released = false;    ///< says immutable, and a deployment may delete it
    int64_t lifetime_s = 0;
    uint64_t most_bytes = 2000;
    int version = 1;
  };
  struct State {
    uint64_t content;
    std::string tag;
    std::string modified;
  };

  Temper& temper_of(int resource);
  State state_of(int resource, Temper& temper, const Fields& request);
  Answer not_modified(Temper& temper, const State& state, int id);
  void cut_part(const OriginExchange& asked, Answer& answer);
  Answer options(const OriginExchange& asked);
  Answer unsafe(const OriginExchange& asked, Temper& temper);
  std::string another_target(const Resource& resource);
  bool is_current(const Temper& temper, const State& state, const Fields& request);
  void add_lifetime(Temper& temper, Fields& fields);
  std::string directives(int64_t lifetime_s);
  void add_dates(Fields& fields);
  void add_oddities(Temper& temper, Fields& fields);
  uint64_t content_of(const std::string& key, uint64_t most_bytes);

  World& world_;
  std::map<int, Temper> tempers_;  ///< by resource
  std::map<std::string, uint64_t> contents_;
};

}  // namespace perigee::sim
