// The connections of a loop that wait for their clients, those that are quiet the longest first:
// what goes when others wait to be accepted.
//
// Two intrusive lists: between requests, and, after those, within a head. One loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/env.h"

namespace perigee::edge {

class QuietList;

/// How a connection waits for its client.
enum class Quiet : uint8_t {
  kNot,              ///< an exchange is in flight, or something is to be sent
  kBetweenRequests,  ///< nothing of a next request has come
  kInHead,           ///< a part of a head has come
};

/// A member of the list. Linked at most once.
class QuietMember {
 public:
  explicit QuietMember(QuietList& list) : list_(list) {}
  virtual ~QuietMember();
  QuietMember(const QuietMember&) = delete;
  QuietMember& operator=(const QuietMember&) = delete;

  /// Bytes have come that were not looked at: it is quiet no longer.
  virtual bool has_news() const = 0;
  /// Ends it, so that another client gets its place.
  virtual void make_room() = 0;

 protected:
  /// It is quiet in this way, with this deadline. The same as before: it keeps its place; another:
  /// it is the last.
  void note(Quiet quiet, base::Tick deadline);

 private:
  friend class QuietList;
  QuietList& list_;
  QuietMember* previous_ = nullptr;
  QuietMember* next_ = nullptr;
  Quiet quiet_ = Quiet::kNot;
  base::Tick deadline_;
};

class QuietList {
 public:
  /// The one that has been quiet the longest and has no news, of the first `most` of each kind;
  /// null: there is none.
  QuietMember* longest(size_t most) const {
    for (const Ends& ends : kinds_) {
      QuietMember* member = ends.first;
      for (size_t i = 0; i < most && member != nullptr; ++i, member = member->next_) {
        if (!member->has_news()) return member;
      }
    }
    return nullptr;
  }

 private:
  friend class QuietMember;
  struct Ends {
    QuietMember* first = nullptr;
    QuietMember* last = nullptr;
  };
  Ends& ends_of(Quiet quiet) { return kinds_[quiet == Quiet::kInHead ? 1 : 0]; }
  void link(QuietMember& member) {
    Ends& ends = ends_of(member.quiet_);
    member.previous_ = ends.last;
    member.next_ = nullptr;
    (ends.last != nullptr ? ends.last->next_ : ends.first) = &member;
    ends.last = &member;
  }
  void unlink(QuietMember& member) {
    Ends& ends = ends_of(member.quiet_);
    (member.previous_ != nullptr ? member.previous_->next_ : ends.first) = member.next_;
    (member.next_ != nullptr ? member.next_->previous_ : ends.last) = member.previous_;
  }

  std::array<Ends, 2> kinds_;
};

inline QuietMember::~QuietMember() { note(Quiet::kNot, {}); }

inline void QuietMember::note(Quiet quiet, base::Tick deadline) {
  if (quiet == quiet_ && deadline == deadline_) return;
  if (quiet_ != Quiet::kNot) list_.unlink(*this);
  quiet_ = quiet;
  deadline_ = deadline;
  if (quiet_ != Quiet::kNot) list_.link(*this);
}

}  // namespace perigee::edge
