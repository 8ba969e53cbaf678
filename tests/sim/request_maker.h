// What clients ask: requests of all kinds for a few targets, with conditions made of what they have
// seen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace perigee::sim {

struct Request {
  std::string method = "GET";
  std::string target;
  std::string version = "HTTP/1.1";
  Fields fields;
  std::string body;    ///< content as framed, with its chunk lines
  bool close = false;  ///< the last on its connection
};

class RequestMaker {
 public:
  explicit RequestMaker(World& world) : world_(world) {}
  Request make();
  /// A client saw this response.
  void learn(const std::string& target, const Fields& response);

 private:
  void add_conditions(Request& request);
  void add_range(Request& request);
  void add_selectors(Request& request);
  void add_directives(Request& request);
  void add_content(Request& request);
  std::string tag(const std::string& target);
  std::string date(const std::string& target);

  World& world_;
  std::map<std::string, std::vector<std::string>> tags_;
  std::map<std::string, std::vector<std::string>> dates_;
};

}  // namespace perigee::sim
