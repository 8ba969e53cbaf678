// What was ever put, so that whatever a store says later can be held against it.
//
// A version's number stands in its head; head and body follow from the number alone. So a record
// that is seen is either one whole version of its key, or wrong.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "cache_store/store.h"

namespace perigee::cache_store {

struct Version {
  uint64_t number = 0;
  std::string key;
  RecordKind kind = RecordKind::kObject;
  std::vector<uint64_t> tags;
  size_t head_bytes = 8;
  size_t body_bytes = 0;  ///< of a head: of all its fragments
  uint64_t body_of =
      0;  ///< the version whose body it has: its own number, or an older one after a 304
  uint64_t rid = 0;
  uint64_t begun = 0;  ///< how many purges there had been when its fetch began
  Ticket ticket;
};

/// What is seen of a key.
struct Sight {
  enum What : uint8_t { kNothing, kObject, kLong, kVary, kWrong };
  What what = kNothing;
  uint64_t version = 0;
  int64_t stale_since_ms = 0;
  /// Of a long object: the fragments that are there, a bit each. Any may be missing, so two sights
  /// are the same without them.
  uint64_t fragments = 0;
  /// Of an object: the slots of the codings that are there. Any may be missing too.
  SlotMask codings = 0;
  auto operator<=>(const Sight& other) const {
    return std::tie(what, version, stale_since_ms) <=>
           std::tie(other.what, other.version, other.stale_since_ms);
  }
  bool operator==(const Sight& other) const { return (*this <=> other) == 0; }
  bool stale() const { return stale_since_ms != 0; }
};
std::string describe(const Sight& sight);

class History {
 public:
  /// Draws the next number.
  Version& begin(std::string_view key);
  const Version* find(uint64_t number) const;
  std::vector<std::byte> head_of(const Version& version) const;
  std::vector<std::byte> body_of(const Version& version) const;
  /// Puts a version in one piece: key, kind, head and body of the draft become the version's, and
  /// the rest stays as it is.
  bool put(Store& store, const Version& version, Draft draft) const;

  /// The bytes of one fragment of a long object with such a body.
  static std::span<const std::byte> fragment_of(std::span<const std::byte> body, const Store& store,
                                                uint64_t number);

  /// A coding of the object with this rid.
  static std::vector<std::byte> coding_of(uint64_t rid, Slot slot);
  /// The same of a coding that lies in two fragments.
  static std::vector<std::byte> long_coding_of(const Store& store, uint64_t rid, Slot slot);
  static FragmentId coding_fragment(uint64_t rid, Slot slot, uint64_t number);
  /// None of its fragments is wrong; any of them may be missing.
  static bool is_long_coding(Store& store, const RecordView& coded);
  static base::Result<Found> put_long_coding(Store& store, std::string_view key, const Digest& base,
                                             uint64_t rid, Slot slot, const Ticket& ticket);
  /// Puts that coding beside it.
  static base::Result<Found> put_coding(Store& store, std::string_view key, const Digest& base,
                                        uint64_t rid, Slot slot, const Ticket& ticket);
  /// Puts a shell in place of an object that has a coding: `draft` says all but the kind.
  static base::Result<Found> put_shell(Store& store, Draft draft, uint64_t body_bytes);

  /// Looks a key up, warms it when it is cold, and compares every byte, those of its fragments and
  /// codings too.
  Sight look(Store& store, std::string_view key) const;

 private:
  bool look_at_fragments(Store& store, const Version& version, Sight& sight) const;
  static bool look_at_codings(Store& store, std::string_view key, const RecordView& object,
                              Sight& sight);

  std::deque<Version> versions_;
};

/// The store's words are of no interest, but whether it doubted its file is.
class Listener : public StoreObserver {
 public:
  void on_store_event(std::string_view sentence) override { sentences.emplace_back(sentence); }
  bool doubted() const;
  std::vector<std::string> sentences;
};

}  // namespace perigee::cache_store
