// A client that asks, reads at its own pace, gives up now and then, and enters what it saw in the
// ledger.
#pragma once

#include <deque>
#include <string>

#include "tests/sim/request_maker.h"

namespace perigee::sim {

/// Where clients connect to.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  /// False: connection refused.
  virtual bool accept(const LinkPtr& link) = 0;
};

class Client final : public Actor {
 public:
  Client(World& world, RequestMaker& maker, Acceptor& acceptor, unsigned& requests_left);
  ~Client() override;

  int64_t due() const override;
  void act() override;
  /// It has nothing in flight and nothing more to ask.
  bool done() const { return link_ == nullptr && requests_left_ == 0; }

 private:
  void connect();
  void plan();
  void ask();
  void write();
  void read();
  void take_response();
  void on_end();
  void give_up();
  void leave();
  ClientExchange& current();

  World& world_;
  RequestMaker& maker_;
  Acceptor& acceptor_;
  unsigned& requests_left_;
  LinkPtr link_;
  MessageReader reader_{MessageReader::Kind::kResponse};
  std::deque<int> asked_;  ///< in the order in which answers must come
  std::string out_;
  unsigned planned_ = 0;  ///< requests still to be made on this connection
  bool pipelined_ = false;
  bool slow_ = false;
  bool pauses_ = false;  ///< is still to
  bool half_close_ = false;
  bool finished_ = false;    ///< our side is closed
  bool last_asked_ = false;  ///< the node was told that no more comes
  int64_t next_ms_ = 0;
  int64_t patience_ms_ = kNever;
  uint64_t response_begin_ = 0;
};

}  // namespace perigee::sim
