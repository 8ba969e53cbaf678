#include "base/soon_list.h"

#include "base/check.h"

namespace perigee::base {

void Soon::disarm() {
  if (list_ != nullptr) list_->disarm(*this);
}

SoonList::~SoonList() {
  while (first_ != nullptr) disarm(*first_);
}

void SoonList::arm(Soon& work) {
  if (work.list_ == this) return;
  CHECK(work.list_ == nullptr);
  work.list_ = this;
  work.round_ = round_;
  work.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &work;
  last_ = &work;
}

void SoonList::disarm(Soon& work) {
  CHECK(work.list_ == this);
  (work.previous_ != nullptr ? work.previous_->next_ : first_) = work.next_;
  (work.next_ != nullptr ? work.next_->previous_ : last_) = work.previous_;
  work.list_ = nullptr;
  work.previous_ = work.next_ = nullptr;
}

void SoonList::run() {
  const uint64_t round = round_++;
  // Later ones stand behind: the first of them ends the run.
  while (first_ != nullptr && first_->round_ <= round) {
    Soon& work = *first_;
    disarm(work);
    work.work_();
  }
}

}  // namespace perigee::base
