// One fill: its phase, its head once that is there, and its growing body.
//
// Made and moved on by its owner (fill_owner.h); what is filled in before a phase is published is
// immutable from then on, so that waiters and readers of all loops read it without a lock.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "http/forward.h"
#include "http/stand_in.h"
#include "http/stored_response.h"
#include "http/vary.h"
#include "origin/fill_body.h"
#include "origin/fill_request.h"

namespace perigee::origin {

class Fill {
 public:
  enum class Phase : uint8_t {
    kPending,  ///< no final head yet: everybody may join
    kHead,     ///< who is answered by the head may join
    kFailed,   ///< no head will come; `error` says why
  };

  // Only in phase kHead; for any loop.
  /// View over the fill's own image; valid while the fill is held.
  const http::StoredResponse& response() const { return head.response; }
  /// A 304 freshened a stored response, which is the body's source.
  bool revalidated() const { return head.revalidated; }
  /// Why the stored response answers instead of what the origin said; `revalidated()` then says
  /// where the body is.
  http::StandIn stand_in() const { return head.stand_in; }
  /// The rid of the stored response whose body this one has; 0: its body came.
  uint64_t stored_rid() const { return head.stored_rid; }
  /// That one has no body but its codings, so that the fill has none to read.
  bool is_shell() const { return head.shell; }
  /// The response is a page where the path promises something else, and nothing stands in for it.
  bool misshapen() const { return head.misshapen; }
  /// The status with which the origin answered (304 when revalidated).
  uint16_t origin_status() const { return head.origin_status; }
  /// It is going to be stored (RFC 9211 `stored`), as far as is known now.
  bool storing() const { return head.storing && !outgrown_; }
  /// The whole length where it is known: declared, or complete.
  std::optional<uint64_t> body_size() const;

  /// Whether a request that waits is answered by this head (http-rules 1.2).
  bool answers(const http::RequestHead& request, int64_t now_ms) const;
  /// In phase kHead: the first byte that a request wants comes much later, and the part that holds
  /// it can be asked for meanwhile. `fragment_bytes`: the store's.
  bool is_far_from(const http::RequestHead& request, uint64_t fragment_bytes) const;

  /// One more waiter, of that loop; it counts until leave(). Returns the phase that it finds: the
  /// owner tells those who find kPending.
  Phase join(unsigned loop);
  void leave() {
    const size_t before = waiters_--;
    CHECK(before > 0);
  }
  size_t waiters() const { return waiters_; }
  Phase phase() const;
  /// The loops that waiters have joined from so far.
  LoopSet loops() const;
  /// Owner: what was filled in below counts. The loops to tell are returned.
  [[nodiscard]] LoopSet publish(Phase phase);

  /// Its request is on its way to the origin: it waits for no permit any more.
  bool asking() const { return asking_; }
  void begin_asking() { asking_ = true; }

  /// Its answer was a part, and the head of its whole is stored.
  bool brought_part() const { return brought_part_; }
  void note_part() { brought_part_ = true; }

  /// Owner: its body turned out longer than a record may be.
  void outgrow() { outgrown_ = true; }

  /// One further fetch for the key is tried at a time (http-rules 1.19). False: one is being tried.
  bool begin_further() { return !further_.exchange(true); }
  void end_further() { further_ = false; }

  // Set before it is shared, and never after.
  cache_store::Digest join_digest;
  cache_store::Digest base;
  cache_store::Awaited awaited;  ///< of `base`
  cache_store::Ticket ticket;    ///< from before the request left
  bool alone = false;
  bool fragment = false;  ///< of a stored object: it has a body and no head
  unsigned owner = 0;
  std::shared_ptr<const http::PolicyOptions> policy;
  /// The owner's alone, until it ends: what a 304 would freshen; pinned.
  cache_store::Found stored;
  /// Those who wait for this one may be relieved by what this fill brings: begin_further() was
  /// called.
  std::shared_ptr<Fill> relieves;

  FillBody body;

  /// Filled in by the owner before publish(kHead).
  struct Head {
    std::vector<std::byte> image;
    http::StoredResponse response;  ///< a view over `image`
    bool revalidated = false;       ///< or what is stored stands in
    uint64_t stored_rid = 0;        ///< of that
    bool shell = false;             ///< that has no body but its codings
    http::StandIn stand_in = http::StandIn::kNone;
    bool misshapen = false;
    bool shareable = false;
    bool storing = false;
    uint16_t origin_status = 0;
    std::optional<uint64_t> declared_size;
    std::vector<std::string> vary_names;
    std::string vary_selected;
  };
  Head head;
  /// Filled in by the owner before publish(kFailed). After a head: the owner's alone, why it was
  /// cut.
  FetchError error;
  /// What the body may take, charged while anybody holds it. Owner only.
  base::Share memory;

 private:
  mutable base::Mutex mutex_{base::LockRank::kFill};
  Phase phase_ GUARDED_BY(mutex_) = Phase::kPending;
  LoopSet loops_ GUARDED_BY(mutex_);
  std::atomic<size_t> waiters_{0};
  std::atomic<bool> further_{false};
  std::atomic<bool> asking_{false};
  std::atomic<bool> outgrown_{false};
  std::atomic<bool> brought_part_{false};
};

/// The values that a request selects with under these names, as it is forwarded when the Vary that
/// is stored for its URL holds `sent_for`.
std::string selected_values(const std::vector<std::string>& names, const http::HeaderList& request,
                            const http::PolicyOptions& policy, http::VaryNames sent_for);

}  // namespace perigee::origin
