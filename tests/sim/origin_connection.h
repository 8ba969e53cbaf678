// One connection to the origin, from the origin's side.
#pragma once

#include <string>

#include "tests/sim/origins.h"

namespace perigee::sim {

class OriginConnection final : public Actor {
 public:
  /// To the origin of `site`.
  OriginConnection(World& world, Catalogue& catalogue, int site, LinkPtr link);
  ~OriginConnection() override;

  int64_t due() const override;
  void act() override;
  void break_off();
  const Link& link() const { return *link_; }
  int site() const { return site_; }
  bool over() const { return over_; }

 private:
  enum class Ending : uint8_t { kKeep, kFin, kReset };

  void read();
  void note(std::string_view bytes);
  void note_failure(const OriginExchange& exchange);
  void take_request();
  void write_answer(const Answer& answer, OriginExchange& exchange);
  std::string frame(const Answer& answer, OriginExchange& exchange, std::string& head);
  void spoil(std::string& bytes, size_t head_size, OriginExchange& exchange);
  void write();
  void finish_answer();
  void close();
  int64_t pause();

  World& world_;
  Catalogue& catalogue_;
  const int site_;
  LinkPtr link_;
  MessageReader reader_{MessageReader::Kind::kRequest};
  AskedBytes* asked_ = nullptr;  ///< of the last request
  std::string out_;              ///< still to be sent
  std::string surplus_;          ///< to be sent with the last of it
  Ending ending_ = Ending::kKeep;
  bool answering_ = false;
  bool slow_ = false;
  bool hung_ = false;  ///< never says another word
  bool over_ = false;
  int64_t next_ms_ = 0;
  int64_t idle_until_ms_ = kNever;
};

}  // namespace perigee::sim
