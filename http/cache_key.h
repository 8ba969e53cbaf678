// What a response is filed under: scheme, site and target (http/target.h), each with its length
// before it.
//
// What is keyed is what is forwarded; a normalisation changes both. Length prefixes leave no
// delimiter that a request could inject.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace perigee::http {

/// Host rules (http-rules 1.12, 4.10): reg-name or IP literal, optional port. Lower case, default
/// port, a port's leading zeros and one trailing dot removed. False: not a valid Host.
bool canonical_authority(std::string_view authority, std::string_view scheme, std::string& out);
/// The host part of a canonical authority, without a port; brackets kept.
std::string_view host_of(std::string_view canonical_authority);

/// Writes the key of a URL into `out` (at most the target's length and 300 bytes); returns its
/// text.
std::string_view make_cache_key(std::string_view scheme, std::string_view site,
                                std::string_view target, std::string& out);
/// The key of one variant: the URL's key, the rid of the Vary spec's record, and the selected
/// values.
std::string_view make_variant_key(std::string_view url_key, uint64_t spec_id,
                                  std::string_view selected, std::string& out);

/// What a key says, for people.
struct KeyText {
  std::string url;       ///< scheme://site/target
  std::string selected;  ///< of a variant: the selected values; empty: the URL's own key
};
/// Nothing: it is no key of a URL or a variant.
std::optional<KeyText> read_key(std::string_view key);

/// What a site does to the query before it is keyed and forwarded.
struct QueryOptions {
  bool ignore = false;             ///< the query is neither keyed nor forwarded
  bool sort = false;               ///< parameters by name, stable
  std::vector<std::string> strip;  ///< names to remove; a trailing `*` matches a prefix
};
/// Memory that is reused from request to request, so that a hit allocates nothing.
struct QueryScratch {
  std::string text;
  std::vector<std::string_view> parameters;
};
/// The target to key and to forward: a part of `target`, or a view into `scratch`.
std::string_view normalize_query(std::string_view target, const QueryOptions& options,
                                 QueryScratch& scratch);

}  // namespace perigee::http
