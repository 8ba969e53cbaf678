// A second, naive model of RFC 9111, written from the RFC and the list of decisions where it leaves
// a choice.
//
// It shares nothing with http/: it has its own reading of Cache-Control, dates, Vary, conditions
// and ranges, in the plainest form, slow and without corners cut. Where the two disagree, one of
// them is wrong.
//
// Here's how it works:
//  1. A StoredModel is one response that a cache may hold: the origin's answer, and the 304s that
//     freshened it, merged one after another (RFC 9111 §3.2).
//  2. why_not_stored() is §3, lifetime and age are §4.2, selects() is §4.1, allows_stale() is
//  §4.2.4 with
//     RFC 5861, answer_to() is RFC 9110 §13 and §14.
//  3. Nothing here knows what the node did; that is the judge's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/ledger.h"

namespace perigee::sim {

struct Directives {
  bool no_store = false;
  bool no_cache = false;
  bool is_private = false;
  bool is_public = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  bool only_if_cached = false;
  bool immutable = false;
  bool any_max_stale = false;
  std::optional<int64_t> max_age;
  std::optional<int64_t> s_maxage;
  std::optional<int64_t> stale_while_revalidate;
  std::optional<int64_t> stale_if_error;
  std::optional<int64_t> max_stale;
  std::optional<int64_t> min_fresh;
  std::vector<std::string> named;  ///< in qualified no-cache and private
};
Directives read_cache_control(const Fields& fields);
/// RFC 9213. nullopt: absent or invalid.
std::optional<Directives> read_targeted(const Fields& fields);

/// A span of ages or times within which the truth lies.
struct Span {
  int64_t least = 0;
  int64_t most = 0;
};

class StoredModel {
 public:
  /// `freshened`: the 304s in order.
  StoredModel(const OriginExchange& base, std::vector<const OriginExchange*> freshened);

  const OriginExchange& base() const { return *base_; }
  /// The origin's last word: the base, or the 304 that freshened it last.
  const OriginExchange& last() const { return freshened_.empty() ? *base_ : *freshened_.back(); }
  /// The same, freshened once more.
  StoredModel freshened_by(const OriginExchange& not_modified) const;
  /// A part stands for its whole.
  int status() const { return base_->part ? 200 : base_->status; }
  const Fields& fields() const { return fields_; }
  const Directives& directives() const { return directives_; }

  /// Empty: a shared cache may store it (§3).
  std::string why_not_stored() const;
  /// The node may send it coded: the base may be, and no 304 forbids it.
  bool is_codable() const;
  int64_t lifetime_ms() const { return lifetime_ms_; }
  bool has_lifetime() const { return has_lifetime_; }
  /// In so many words, not by an estimate.
  bool states_lifetime() const { return is_explicit_; }
  bool has_validator() const { return has(fields_, "ETag") || has(fields_, "Last-Modified"); }
  /// While the wall clock was within `wall`.
  Span age_ms(Span wall) const;
  /// The names that Vary lists, lower case; nullopt: `*`.
  std::optional<std::vector<std::string>> vary() const;
  /// The request selects this response.
  bool selects(const Fields& request) const;
  /// It may be used after `stale_ms` beyond its lifetime.
  bool allows_stale_while_revalidate(int64_t stale_ms) const;
  bool allows_stale_if_slow(int64_t stale_ms) const;
  /// `unreachable`: the origin gave no answer; else one of 500, 502, 503 and 504.
  bool allows_stale_if_error(int64_t stale_ms, bool unreachable) const;
  /// It said immutable, and may be used though the origin says that the resource is gone.
  bool allows_retained(int64_t stale_ms, bool soft_purged) const;
  /// The statuses with which a request may be answered from it; 412: or it goes alone.
  std::vector<int> answers_to(const ClientExchange& request, std::optional<uint64_t> size) const;

 private:
  void merge(const OriginExchange& not_modified);
  void measure();
  void measure_lifetime(int64_t date, int64_t received);
  bool forbids_stale() const;
  int64_t window_ms(std::optional<int64_t> stated_s, std::optional<int64_t> configured_s) const;
  int64_t stale_while_revalidate_ms() const;
  int64_t stale_if_error_ms() const;
  bool says_nothing() const;
  const SitePolicy& policy() const { return *base_->policy; }

  const OriginExchange* base_;
  std::vector<const OriginExchange*> freshened_;
  Fields fields_;
  Directives directives_;
  bool targeted_ = false;
  int64_t lifetime_ms_ = 0;
  bool has_lifetime_ = false;  ///< explicit, or estimated
  bool is_explicit_ = false;
  Span initial_age_ms_;
};

/// The values with which a request selects, one text for all names.
std::string selecting_text(const std::vector<std::string>& names, const SitePolicy& policy,
                           const Fields& request);

}  // namespace perigee::sim
