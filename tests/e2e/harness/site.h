// A node in front of a scripted origin: what most end-to-end tests stand on.
#pragma once

#include <gtest/gtest.h>

#include "tests/e2e/harness/client.h"
#include "tests/e2e/harness/node.h"
#include "tools/fake_origin.h"

namespace perigee::e2e {

using State = Response::State;

inline std::string max_age(int seconds) {
  return "Cache-Control: max-age=" + std::to_string(seconds);
}

/// The origin's answers are set with origin.reply(path, {...}); requests go through a node with two
/// workers.
class SiteTest : public testing::Test {
 protected:
  /// One exchange on a connection of its own.
  Response request(std::string_view method, std::string_view target, const Lines& lines = {},
                   std::string_view body = {}) {
    return Client(node.port()).request(method, target, lines, body);
  }
  Response get(std::string_view target, const Lines& lines = {}) {
    return request("GET", target, lines);
  }
  /// Waits until a response that is stale from the beginning is in the store: a miss is answered
  /// before its record is published. Asks for it without reaching the origin.
  void wait_until_stale(std::string_view target) {
    EXPECT_TRUE(eventually([&] {
      return get(target, {"Cache-Control: only-if-cached"}).cache().contains("fwd=stale");
    })) << target
        << " was never stored";
  }
  /// Gets it into the store, where it is not yet, and from there.
  Response hit(std::string_view target, const Lines& lines = {}) {
    Response response = get(target, lines);
    if (response.is_hit()) return response;
    Lines cached = lines;
    cached.push_back("Cache-Control: only-if-cached");
    EXPECT_TRUE(eventually([&] {
      response = get(target, cached);
      return response.is_hit();
    })) << target
        << " never became a hit";
    return response;
  }

  tools::FakeOrigin origin;
  Node node{{.origin = origin.url()}};
};

}  // namespace perigee::e2e
