#include "tools/replay/policies.h"

#include <algorithm>
#include <deque>
#include <list>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace perigee::tools {

namespace {

struct Object {
  uint64_t id = 0;
  uint32_t size = 0;
  int uses = 0;
};
using Queue = std::list<Object>;  ///< the newest first

/// So many bytes: what is not there is put, once there is room for it.
class Bounded : public Policy {
 public:
  explicit Bounded(uint64_t bytes) : capacity_(bytes) {}
  bool request(const Request& request) final {
    if (use_if_there(request.id)) return true;
    if (request.size > capacity_) return false;
    while (used_ + request.size > capacity_) make_room();
    put(request);
    return false;
  }

 protected:
  virtual bool use_if_there(uint64_t id) = 0;
  /// Evicts something, or comes a step nearer to that.
  virtual void make_room() = 0;
  virtual void put(const Request& request) = 0;

  const uint64_t capacity_;
  uint64_t used_ = 0;
};

/// A queue of which the last goes; FIFO as it stands.
class Fifo : public Bounded {
 public:
  using Bounded::Bounded;
  std::string name() const override { return "FIFO"; }

 protected:
  virtual void use(Queue::iterator) {}
  virtual Queue::iterator victim() { return std::prev(queue_.end()); }

  Queue queue_;

 private:
  bool use_if_there(uint64_t id) override {
    const auto found = places_.find(id);
    if (found == places_.end()) return false;
    use(found->second);
    return true;
  }
  void make_room() override {
    const Queue::iterator object = victim();
    used_ -= object->size;
    places_.erase(object->id);
    queue_.erase(object);
  }
  void put(const Request& request) override {
    queue_.push_front({request.id, request.size});
    places_[request.id] = queue_.begin();
    used_ += request.size;
  }

  std::unordered_map<uint64_t, Queue::iterator> places_;
};

class Lru : public Fifo {
 public:
  using Fifo::Fifo;
  std::string name() const override { return "LRU"; }

 private:
  void use(Queue::iterator object) override { queue_.splice(queue_.begin(), queue_, object); }
};

/// A hand goes from the oldest to the newest and takes what was not used since it passed.
class Sieve : public Fifo {
 public:
  explicit Sieve(uint64_t bytes) : Fifo(bytes), hand_(queue_.end()) {}
  std::string name() const override { return "SIEVE"; }

 private:
  void use(Queue::iterator object) override { object->uses = 1; }
  Queue::iterator victim() override {
    if (hand_ == queue_.end()) hand_ = std::prev(queue_.end());
    while (hand_->uses > 0) {
      hand_->uses = 0;
      hand_ = hand_ == queue_.begin() ? std::prev(queue_.end()) : std::prev(hand_);
    }
    const Queue::iterator chosen = hand_;
    hand_ = chosen == queue_.begin() ? queue_.end() : std::prev(chosen);
    return chosen;
  }

  Queue::iterator hand_;
};

/// What costs the most bytes per use goes, and all others grow old with it.
class Gdsf : public Bounded {
 public:
  using Bounded::Bounded;
  std::string name() const override { return "GDSF"; }

 private:
  struct Ranked {
    uint32_t size = 0;
    int uses = 0;
    double rank = 0;
  };
  void rank(uint64_t id, Ranked& object) {
    object.rank = age_ + static_cast<double>(object.uses) / std::max<uint32_t>(object.size, 1);
    order_.insert({object.rank, id});
  }
  bool use_if_there(uint64_t id) override {
    const auto found = objects_.find(id);
    if (found == objects_.end()) return false;
    Ranked& object = found->second;
    order_.erase({object.rank, id});
    ++object.uses;
    rank(id, object);
    return true;
  }
  void make_room() override {
    const auto [rank, id] = *order_.begin();
    age_ = rank;
    used_ -= objects_[id].size;
    objects_.erase(id);
    order_.erase(order_.begin());
  }
  void put(const Request& request) override {
    used_ += request.size;
    rank(request.id, objects_[request.id] = {request.size, 1, 0});
  }

  double age_ = 0;
  std::unordered_map<uint64_t, Ranked> objects_;
  std::set<std::pair<double, uint64_t>> order_;
};

/// Probation of a tenth, main, and ghosts: the store's rules, object by object.
class S3Fifo : public Bounded {
 public:
  using Bounded::Bounded;
  std::string name() const override { return "S3-FIFO"; }

 private:
  struct Ring {
    Queue queue;
    uint64_t bytes = 0;
  };
  bool use_if_there(uint64_t id) override {
    const auto found = places_.find(id);
    if (found == places_.end()) return false;
    found->second->uses = std::min(found->second->uses + 1, 3);
    return true;
  }
  void put(const Request& request) override {
    const bool again = ghosts_.erase(request.id) > 0;
    insert(again ? main_ : probation_, {request.id, request.size});
  }
  void insert(Ring& ring, const Object& object) {
    ring.queue.push_front(object);
    ring.bytes += object.size;
    used_ += object.size;
    places_[object.id] = ring.queue.begin();
  }
  Object take_last(Ring& ring) {
    const Object object = ring.queue.back();
    ring.queue.pop_back();
    ring.bytes -= object.size;
    used_ -= object.size;
    places_.erase(object.id);
    return object;
  }
  void make_room() override {
    if (probation_.bytes > capacity_ / 10 || main_.queue.empty()) {
      const Object object = take_last(probation_);
      if (object.uses > 0) return insert(main_, {object.id, object.size, object.uses});
      return remember(object.id);
    }
    const Object object = take_last(main_);
    if (object.uses > 0) insert(main_, {object.id, object.size, object.uses - 1});
  }
  void remember(uint64_t id) {
    ghosts_.insert(id);
    ghost_order_.push_back(id);
    while (ghost_order_.size() > std::max<size_t>(main_.queue.size(), 1)) {
      ghosts_.erase(ghost_order_.front());
      ghost_order_.pop_front();
    }
  }

  Ring probation_;
  Ring main_;
  std::unordered_map<uint64_t, Queue::iterator> places_;
  std::unordered_set<uint64_t> ghosts_;
  std::deque<uint64_t> ghost_order_;
};

}  // namespace

std::vector<std::unique_ptr<Policy>> make_policies(uint64_t bytes) {
  std::vector<std::unique_ptr<Policy>> policies;
  policies.push_back(std::make_unique<Fifo>(bytes));
  policies.push_back(std::make_unique<Lru>(bytes));
  policies.push_back(std::make_unique<Sieve>(bytes));
  policies.push_back(std::make_unique<Gdsf>(bytes));
  policies.push_back(std::make_unique<S3Fifo>(bytes));
  return policies;
}

}  // namespace perigee::tools
