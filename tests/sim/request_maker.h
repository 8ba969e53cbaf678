// What clients ask: requests of all kinds for a few targets, with conditions made of what they have
// seen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace perigee::sim {

struct Request {
  int resource = -1;  ///< what it means
  std::string method = "GET";
  std::string target;  ///< as it is spelled
  std::string version = "HTTP/1.1";
  Fields fields;
  std::string content;
  std::string body;          ///< the content as framed, with its chunk lines
  bool own_options = false;  ///< an OPTIONS that the node answers itself
};

class RequestMaker {
 public:
  explicit RequestMaker(World& world) : world_(world) {}
  /// `id`: of the exchange; values that only one request has are made of it.
  Request make(int id);
  /// A client saw this response.
  void learn(int resource, const Fields& response);

 private:
  void choose_resource(Request& request);
  void add_odd_fields(Request& request, int id);
  void add_hops(Request& request);
  void make_purge(Request& request);
  void make_options(Request& request);
  void add_conditions(Request& request);
  void add_range(Request& request);
  void add_selectors(Request& request);
  void add_directives(Request& request);
  void add_content(Request& request, int id);
  void add_chunks(Request& request);
  std::string tag(int resource);
  std::string date(int resource);

  World& world_;
  std::map<int, std::vector<std::string>> tags_;
  std::map<int, std::vector<std::string>> dates_;
};

}  // namespace perigee::sim
