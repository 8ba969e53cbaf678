// Who waits for a fill, and what is told to them.
#pragma once

#include <list>
#include <memory>

#include "http/message.h"
#include "origin/fetch.h"

namespace perigee::origin {

class Fill;
class Fills;

/// What a waiter is told, on its own loop, never inside a call that it makes itself. Exactly one of
/// head, released, stored and failed, after any number of interim heads; it may be destroyed inside
/// that one.
class FillWaiter {
 public:
  FillWaiter() = default;
  FillWaiter(const FillWaiter&) = delete;
  FillWaiter& operator=(const FillWaiter&) = delete;
  /// Leaves the fill.
  virtual ~FillWaiter();

  /// The request that waits; asked when the head is there (may_share, Vary).
  virtual const http::RequestHead& fill_head() const = 0;
  /// A 1xx head: fields in `interim.block`.
  virtual void on_fill_interim(const http::ResponseHead& interim) = 0;
  /// The response answers this waiter. `own`: it began the fill. Make the response from
  /// fill->response() and read the body with a FillReader.
  virtual void on_fill_head(std::shared_ptr<Fill> fill, bool own) = 0;
  /// The response is not for this request (uncacheable, private to another request, another
  /// variant), or none has come for kWaiterPatienceMs and one further fetch is tried: go alone at
  /// once.
  virtual void on_fill_released() = 0;
  /// A record for the key was published meanwhile: look up again.
  virtual void on_fill_stored() = 0;
  virtual void on_fill_failed(const FetchError& error) = 0;
  /// It joined and was not told yet.
  bool waiting() const { return fills_ != nullptr; }
  /// Told to look again: its own fetch has brought a part of what it wants, which is stored.
  bool has_brought_part() const { return brought_part_; }
  /// The same as destroying it.
  void leave_fill();

 private:
  friend class Fills;
  Fills* fills_ = nullptr;
  std::shared_ptr<Fill> fill_;              ///< null while it waits to look again
  std::list<FillWaiter*>::iterator place_;  ///< in its loop's line
  bool own_ = false;
  bool brought_part_ = false;
  /// Sent away to try one further fetch: those who still wait here may be relieved by it.
  std::shared_ptr<Fill> relieves_;
};

enum class JoinMode : uint8_t {
  kShared,  ///< join a fill in flight or begin one that others can join
  kAlone,   ///< begin one that nobody joins (released, hit-for-miss); storable all the same
};

}  // namespace perigee::origin
