// Content codings: which of them a client takes, and which responses may be coded here.
//
// What a client says is read to a set of codings that it likes alike, or a few of them. The set
// selects among what is stored, so no spelling of Accept-Encoding makes a variant or a fetch.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"
#include "http/stored_response.h"

namespace perigee::http {

/// RFC 9110 §8.4.1, and zstd of RFC 8878. The numbers are slots of the store: none ever changes.
enum class Coding : uint8_t {
  kZstd = 1,
  kBrotli = 2,
  kGzip = 3,
  kIdentity = 4,  ///< none: of what the origin sent coded, decoded here
};

/// Those that a node makes, in the order in which it makes them.
inline constexpr std::array kMadeCodings = {Coding::kZstd, Coding::kBrotli, Coding::kGzip};

/// As Content-Encoding names it.
std::string_view coding_name(Coding coding);

/// In which the origin sent a response that may be coded here, by the ReuseFlag bits of its policy.
constexpr Coding sent_coding(uint32_t flags) {
  const uint32_t sent = (flags & ReuseFlag::kSentCoding) >> ReuseFlag::kSentCodingShift;
  return sent == 0 ? Coding::kIdentity : static_cast<Coding>(sent);
}

/// Codings without the identity: one bit per coding, as in cache_store::SlotMask.
class CodingSet {
 public:
  constexpr CodingSet() = default;
  static constexpr CodingSet all() {
    CodingSet result;
    for (const Coding coding : kMadeCodings) result.add(coding);
    return result;
  }
  constexpr void add(Coding coding) { bits_ |= bit(coding); }
  constexpr bool has(Coding coding) const { return (bits_ & bit(coding)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr uint8_t bits() const { return bits_; }
  bool operator==(const CodingSet&) const = default;

 private:
  static constexpr uint8_t bit(Coding coding) {
    return static_cast<uint8_t>(1u << static_cast<unsigned>(coding));
  }
  uint8_t bits_ = 0;
};

/// What a client takes besides the identity. Each set holds codings of one weight, the higher ones
/// first; empty sets stand last.
struct AcceptedCodings {
  std::array<CodingSet, kMadeCodings.size()> sets;
};

/// Reads Accept-Encoding (RFC 9110 §12.5.3). Without such a line, and for what cannot be read, the
/// identity alone is taken; so it is where nothing that is offered is acceptable. A coding that is
/// both taken and refused is refused. Codings below the weight of an identity that is named are
/// left out. Linear in the lines, up to limits::kAcceptMembers; with more, the identity alone.
AcceptedCodings accepted_codings(const HeaderList& fields, CodingSet offered);

/// A site's choice of what is coded.
struct CodingOptions {
  CodingSet codings = CodingSet::all();  ///< that may be sent; empty: nothing is coded
  /// Media types: "text/html", or "text/*". In lower case.
  std::vector<std::string> types = default_types();

  static std::vector<std::string> default_types();
};

/// "type/subtype" or "type/*", in lower case: what CodingOptions::types may hold.
bool is_coding_type(std::string_view text);

/// The ReuseFlag bits of a response that may be coded here, or decoded: whole, public, of a type
/// that is worth it, in no coding or in one that is known, permitted by its origin (RFC 9110 §7.7),
/// and long enough or of a length that is not known yet. Else 0. `flags`: those that it has.
uint32_t coding_flags(const ReceivedResponse& received, uint32_t flags,
                      const CodingOptions& options);

}  // namespace perigee::http
