// Who has something to do this turn: the only place from which connections are entered.
//
// Waking sets a bit and links; nothing runs inside a wake. One loop.
#pragma once

#include "base/check.h"
#include "base/env.h"

namespace perigee::edge {

class RunList;

/// A member of the run list. Linked at most once, whoever wakes it and however often.
class Runnable : public base::Waker {
 public:
  explicit Runnable(RunList& list) : list_(list) {}
  ~Runnable() override;
  void wake() final;
  /// Entered by RunList::run() only; may destroy itself or others through the worker's reaping.
  virtual void run() = 0;

 private:
  friend class RunList;
  RunList& list_;
  Runnable* previous_ = nullptr;
  Runnable* next_ = nullptr;
  bool linked_ = false;
};

class RunList {
 public:
  bool empty() const { return first_ == nullptr; }
  /// Runs at most `most` members that were linked before the call; those woken meanwhile come next
  /// turn.
  void run(size_t most) {
    Runnable* last = last_;
    for (size_t i = 0; i < most && first_ != nullptr; ++i) {
      Runnable* current = first_;
      const bool done = current == last;
      unlink(*current);
      current->run();
      if (done) return;
    }
  }

 private:
  friend class Runnable;
  void link(Runnable& member) {
    member.linked_ = true;
    member.previous_ = last_;
    member.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &member;
    last_ = &member;
  }
  void unlink(Runnable& member) {
    (member.previous_ != nullptr ? member.previous_->next_ : first_) = member.next_;
    (member.next_ != nullptr ? member.next_->previous_ : last_) = member.previous_;
    member.linked_ = false;
    member.previous_ = member.next_ = nullptr;
  }

  Runnable* first_ = nullptr;
  Runnable* last_ = nullptr;
};

inline Runnable::~Runnable() {
  if (linked_) list_.unlink(*this);
}
inline void Runnable::wake() {
  if (!linked_) list_.link(*this);
}

}  // namespace perigee::edge
