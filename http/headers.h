// Field names and field lists: views over bytes that lie elsewhere, with known names as tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace perigee::http {

/// The field names that Perigee acts on; every other one is kOther and compared as text. The
/// numbers lie in head images on disk (cache_store/FORMAT.md): none ever changes, and a new name
/// gets the next one, at the end.
enum class FieldName : uint8_t {
  kOther = 0,
  kAccept = 1,
  kAcceptCharset = 2,
  kAcceptEncoding = 3,
  kAcceptLanguage = 4,
  kAcceptRanges = 5,
  kAccessControlAllowOrigin = 6,
  kAge = 7,
  kAllow = 8,
  kAltSvc = 9,
  kAuthorization = 10,
  kCacheControl = 11,
  kCacheGroups = 12,
  kCacheStatus = 13,
  kCacheTag = 14,
  kCdnCacheControl = 15,
  kCdnLoop = 16,
  kConnection = 17,
  kContentDigest = 18,
  kContentEncoding = 19,
  kContentLength = 20,
  kContentLocation = 21,
  kContentMd5 = 22,
  kContentRange = 23,
  kContentType = 24,
  kCookie = 25,
  kDate = 26,
  kDigest = 27,
  kEtag = 28,
  kExpect = 29,
  kExpires = 30,
  kForwarded = 31,
  kFrom = 32,
  kHost = 33,
  kHttp2Settings = 34,
  kIfMatch = 35,
  kIfModifiedSince = 36,
  kIfNoneMatch = 37,
  kIfRange = 38,
  kIfUnmodifiedSince = 39,
  kKeepAlive = 40,
  kLastModified = 41,
  kLocation = 42,
  kMaxForwards = 43,
  kOrigin = 44,
  kPragma = 45,
  kProxyAuthenticate = 46,
  kProxyAuthenticationInfo = 47,
  kProxyAuthorization = 48,
  kProxyConnection = 49,
  kRange = 50,
  kReferer = 51,
  kReprDigest = 52,
  kServer = 53,
  kSetCookie = 54,
  kSurrogateKey = 55,
  kTe = 56,
  kTrailer = 57,
  kTransferEncoding = 58,
  kUpgrade = 59,
  kUserAgent = 60,
  kVary = 61,
  kVia = 62,
  kXForwardedFor = 63,
  kXForwardedHost = 64,
  kXForwardedProto = 65,
  kXRealIp = 66,
  kWantReprDigest = 67,
};
/// Numbers in use, kOther among them.
inline constexpr uint16_t kFieldNames = 68;

/// The name with this number; kOther for numbers of a later version.
constexpr FieldName field_name_of(uint16_t number) {
  return number < kFieldNames ? static_cast<FieldName>(number) : FieldName::kOther;
}

/// The token of a name in any case; kOther when it is none of the above.
FieldName field_name(std::string_view name);
/// The canonical spelling ("Cache-Control"); empty for kOther.
std::string_view field_text(FieldName name);

/// One field line. The views point into whatever the list was parsed from.
struct Field {
  FieldName token = FieldName::kOther;
  std::string_view name;   ///< as it came
  std::string_view value;  ///< without surrounding whitespace
};

/// Field lines in the order in which they came, over storage of a fixed size that somebody else
/// owns.
class HeaderList {
 public:
  HeaderList() = default;
  explicit HeaderList(std::span<Field> storage) : storage_(storage) {}

  /// False: the storage is full, and nothing was added.
  bool add(std::string_view name, std::string_view value);
  bool add(const Field& field);
  /// All lines of that name.
  void remove(FieldName token);

  size_t size() const { return size_; }
  const Field* begin() const { return storage_.data(); }
  const Field* end() const { return storage_.data() + size_; }
  const Field& operator[](size_t i) const { return storage_[i]; }

  /// The first line of that name, or null.
  const Field* find(FieldName token) const;
  const Field* find(std::string_view name) const;
  /// The first line's value, or empty. Where presence matters, use find().
  std::string_view value(FieldName token) const;
  size_t count(FieldName token) const;

 private:
  std::span<Field> storage_;
  size_t size_ = 0;
};

/// Names that a Vary holds; views.
using VaryNames = std::span<const std::string_view>;

/// Without leading and trailing SP and HTAB.
std::string_view trim_ows(std::string_view text);
/// How many bytes at the start of `text` may stand in a token (RFC 9110 §5.6.2).
size_t token_length(std::string_view text);
/// RFC 9110 §5.6.2 token, at least one character.
bool is_token(std::string_view text);
/// RFC 9110 §5.5 field-value bytes: HTAB, SP, VCHAR, obs-text.
bool is_field_value(std::string_view text);

/// Walks the members of a comma-separated list (RFC 9110 §5.6.1): quoted strings respected, empty
/// members skipped, surrounding whitespace removed. A quote that is never closed opens nothing, so
/// that it hides no member behind it. Usage: `ListCursor cursor(value); while (auto m =
/// cursor.next())`.
class ListCursor {
 public:
  explicit ListCursor(std::string_view value) : rest_(value) {}
  std::optional<std::string_view> next();
  /// The same, with empty members: for text that need not be a list. An empty value is one empty
  /// member.
  std::optional<std::string_view> next_of_any_text();

 private:
  /// Where the string that begins there is closed; `begin` when it never is.
  size_t end_of_quoted(size_t begin);
  /// Takes what stands before the next comma, or all that is left.
  std::string_view take_member();

  std::string_view rest_;
  bool quotes_ = true;  ///< quotes can still be closed
  bool ended_ = false;  ///< the last member was taken
};

}  // namespace perigee::http
