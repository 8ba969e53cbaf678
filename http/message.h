// Message heads, neutral of the wire: HTTP/1 and HTTP/2 codecs make them and send them alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "http/arena.h"
#include "http/headers.h"

namespace perigee::http {

/// The methods that the cache itself acts on; all others are relayed by their text.
enum class Method : uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kOptions,
  kTrace,
  kPatch,
  kPurge,
  kPropfind,
  kSearch,
  kReport,
  kOther,
};
/// RFC 9110 §9.2.1, and the safe WebDAV ones: an unsafe method's success invalidates.
bool is_safe(Method method);
Method method_of(std::string_view text);

/// A request's head. Views into the loop's scratch until on_request() returns, into the exchange's
/// own arena after promote(). Validated: tokens are tokens, the target holds no byte that
/// http-rules refuse.
struct RequestHead {
  Method method = Method::kGet;
  std::string_view method_text;
  std::string_view scheme;  ///< "http" or "https"; of the listener, or as a trusted proxy says
  /// host[:port] as sent (Host, absolute-form or :authority); may be empty in HTTP/1.0.
  std::string_view authority;
  std::string_view
      target;  ///< path and query (http/target.h), beginning with "/"; "*" for OPTIONS alone
  uint8_t version_major = 1;
  uint8_t version_minor = 1;
  bool expect_continue = false;
  bool from_proxy = false;    ///< a trusted proxy sent it: what proxies write in it is usual
  bool asks_upgrade = false;  ///< an Upgrade was there: the connection ends with the answer
  HeaderList fields;          ///< all lines but the framing ones' effect; hop-by-hop lines included
  std::optional<uint64_t> content_length;  ///< of the request body, when declared
};

/// Copies a head with all it points to. False when the arena is full.
bool copy_head(const RequestHead& from, RequestHead& to, Arena& arena);

/// One line of a head's table, as it lies in head images: 8 bytes. The name ends two bytes before
/// its value.
struct FieldEntry {
  uint16_t token = 0;  ///< the number of a FieldName
  uint16_t name_length = 0;
  uint16_t value_offset = 0;  ///< in the text that FieldBlock::text is a part of
  uint16_t value_length = 0;
};
static_assert(sizeof(FieldEntry) == 8);

/// Ready lines `Name: value\r\n` and the table that finds them. A view.
struct FieldBlock {
  std::string_view text;
  std::span<const FieldEntry> table;
  size_t begin = 0;  ///< where `text` begins in the text that the offsets count from

  Field at(size_t i) const {
    const FieldEntry& entry = table[i];
    const size_t value = entry.value_offset - begin;
    return {field_name_of(entry.token),
            text.substr(value - 2 - entry.name_length, entry.name_length),
            text.substr(value, entry.value_length)};
  }
  size_t size() const { return table.size(); }
  /// The first line's value of that name; nullopt when absent.
  std::optional<std::string_view> find(FieldName token) const;
  /// The text is the lines of the table, one behind the other, and nothing else: `Name: value` and
  /// CRLF. What stands inside names and values is not looked at.
  bool is_whole_lines() const;
};

/// Builds a FieldBlock into memory of an arena; at most 64 KiB of text and 200 lines.
class FieldBlockBuilder {
 public:
  /// `text_bytes` and `lines` bound what can be added. ok() is false when the arena had no room.
  FieldBlockBuilder(Arena& arena, size_t text_bytes, size_t lines);
  bool ok() const { return ok_; }
  /// False (and ok() false from then on) when it does not fit.
  bool add(std::string_view name, std::string_view value);
  bool add(const Field& field);
  FieldBlock block() const;

 private:
  std::span<char> text_;
  std::span<FieldEntry> table_;
  size_t text_size_ = 0;
  size_t lines_ = 0;
  bool ok_ = true;
};

/// A response's head on its way out: stored lines as one run of text, and a few fresh ones of our
/// own.
struct ResponseHead {
  uint16_t status = 200;
  std::string_view reason;  ///< as the origin sent it; empty: the standard phrase
  FieldBlock block;  ///< sent as it is; never holds connection or framing fields but Content-Length
  std::array<Field, base::limits::kFreshFields> fresh{};
  uint8_t fresh_count = 0;
  /// The Content-Length that stands in `block` or `fresh`; nullopt: none stands there, and a body,
  /// if any, has no known length.
  std::optional<uint64_t> content_length;
  /// Of a 101 alone: the protocol that the connection, or the stream, goes on with.
  std::string_view upgrade;
  bool close = false;  ///< an error of our own after which the connection must not go on

  /// CHECKs that there is room: our own fields are few and known.
  void add_fresh(FieldName token, std::string_view value);
  const Field* find_fresh(FieldName token) const;
  /// In fresh first, then in the block.
  std::optional<std::string_view> find(FieldName token) const;
};

/// A response's head as an origin sent it. A view into what it was read from.
struct ReceivedResponse {
  uint16_t status = 0;
  std::string_view reason;
  uint8_t version_minor = 1;
  HeaderList fields;  ///< framing fields included
  /// Of the content that follows; nullopt: chunked or to the close.
  std::optional<uint64_t> content_length;
  bool has_body = false;    ///< content may follow
  bool keep_alive = false;  ///< the connection can be used again after this response
};

/// True when a message with this status to this method has no content whatever its fields say
/// (RFC 9110 §6.4.1): 1xx, 204, 304, and any answer to HEAD.
bool never_has_body(Method method, uint16_t status);

/// The standard phrase of a status, "Unknown" for unregistered ones.
std::string_view reason_phrase(uint16_t status);

}  // namespace perigee::http
