#include "http/headers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/text.h"

namespace perigee::http {
namespace {

struct KnownName {
  FieldName token;
  std::string_view text;
};

constexpr KnownName kKnown[] = {
    {FieldName::kAccept, "Accept"},
    {FieldName::kAcceptCharset, "Accept-Charset"},
    {FieldName::kAcceptEncoding, "Accept-Encoding"},
    {FieldName::kAcceptLanguage, "Accept-Language"},
    {FieldName::kAcceptRanges, "Accept-Ranges"},
    {FieldName::kAccessControlAllowOrigin, "Access-Control-Allow-Origin"},
    {FieldName::kAge, "Age"},
    {FieldName::kAllow, "Allow"},
    {FieldName::kAltSvc, "Alt-Svc"},
    {FieldName::kAuthorization, "Authorization"},
    {FieldName::kCacheControl, "Cache-Control"},
    {FieldName::kCacheGroups, "Cache-Groups"},
    {FieldName::kCacheStatus, "Cache-Status"},
    {FieldName::kCacheTag, "Cache-Tag"},
    {FieldName::kCdnCacheControl, "CDN-Cache-Control"},
    {FieldName::kCdnLoop, "CDN-Loop"},
    {FieldName::kConnection, "Connection"},
    {FieldName::kContentDigest, "Content-Digest"},
    {FieldName::kContentEncoding, "Content-Encoding"},
    {FieldName::kContentLength, "Content-Length"},
    {FieldName::kContentLocation, "Content-Location"},
    {FieldName::kContentMd5, "Content-MD5"},
    {FieldName::kContentRange, "Content-Range"},
    {FieldName::kContentType, "Content-Type"},
    {FieldName::kCookie, "Cookie"},
    {FieldName::kDate, "Date"},
    {FieldName::kDigest, "Digest"},
    {FieldName::kEtag, "ETag"},
    {FieldName::kExpect, "Expect"},
    {FieldName::kExpires, "Expires"},
    {FieldName::kForwarded, "Forwarded"},
    {FieldName::kFrom, "From"},
    {FieldName::kHost, "Host"},
    {FieldName::kHttp2Settings, "HTTP2-Settings"},
    {FieldName::kIfMatch, "If-Match"},
    {FieldName::kIfModifiedSince, "If-Modified-Since"},
    {FieldName::kIfNoneMatch, "If-None-Match"},
    {FieldName::kIfRange, "If-Range"},
    {FieldName::kIfUnmodifiedSince, "If-Unmodified-Since"},
    {FieldName::kKeepAlive, "Keep-Alive"},
    {FieldName::kLastModified, "Last-Modified"},
    {FieldName::kLocation, "Location"},
    {FieldName::kMaxForwards, "Max-Forwards"},
    {FieldName::kOrigin, "Origin"},
    {FieldName::kPragma, "Pragma"},
    {FieldName::kProxyAuthenticate, "Proxy-Authenticate"},
    {FieldName::kProxyAuthenticationInfo, "Proxy-Authentication-Info"},
    {FieldName::kProxyAuthorization, "Proxy-Authorization"},
    {FieldName::kProxyConnection, "Proxy-Connection"},
    {FieldName::kRange, "Range"},
    {FieldName::kReferer, "Referer"},
    {FieldName::kReprDigest, "Repr-Digest"},
    {FieldName::kServer, "Server"},
    {FieldName::kSetCookie, "Set-Cookie"},
    {FieldName::kSurrogateKey, "Surrogate-Key"},
    {FieldName::kTe, "TE"},
    {FieldName::kTrailer, "Trailer"},
    {FieldName::kTransferEncoding, "Transfer-Encoding"},
    {FieldName::kUpgrade, "Upgrade"},
    {FieldName::kUserAgent, "User-Agent"},
    {FieldName::kVary, "Vary"},
    {FieldName::kVia, "Via"},
    {FieldName::kXForwardedFor, "X-Forwarded-For"},
    {FieldName::kXForwardedHost, "X-Forwarded-Host"},
    {FieldName::kXForwardedProto, "X-Forwarded-Proto"},
    {FieldName::kXRealIp, "X-Real-IP"},
    {FieldName::kWantReprDigest, "Want-Repr-Digest"},
};
constexpr size_t kKnownCount = std::size(kKnown);

constexpr size_t kBuckets = 512;

constexpr size_t bucket_of(std::string_view name) {
  const auto first = static_cast<unsigned char>(base::to_lower(name.front()));
  const auto middle = static_cast<unsigned char>(base::to_lower(name[name.size() / 2]));
  const auto last = static_cast<unsigned char>(base::to_lower(name.back()));
  return (name.size() * 31 + first * 7 + middle * 13 + last * 3) % kBuckets;
}

/// Open addressing over the known names, made by the compiler.
constexpr std::array<uint8_t, kBuckets> make_buckets() {
  std::array<uint8_t, kBuckets> buckets{};
  for (size_t i = 0; i < kKnownCount; ++i) {
    size_t at = bucket_of(kKnown[i].text);
    while (buckets[at] != 0) at = (at + 1) % kBuckets;
    buckets[at] = static_cast<uint8_t>(i + 1);
  }
  return buckets;
}
constexpr std::array<uint8_t, kBuckets> kBucketTable = make_buckets();

constexpr bool tokens_in_order() {
  for (size_t i = 0; i < kKnownCount; ++i) {
    if (static_cast<size_t>(kKnown[i].token) != i + 1) return false;
  }
  return true;
}
static_assert(tokens_in_order() && kKnownCount + 1 == kFieldNames,
              "kKnown lists the names in the order of their numbers");

/// A known name to compare with: eight bytes at a time, and which of them are letters, whose case
/// does not matter. The last eight may overlap those before. Only for names of eight bytes or more.
struct Pattern {
  static constexpr size_t kWord = sizeof(uint64_t);
  std::array<uint64_t, 4> bytes{};
  std::array<uint64_t, 4> letters{};
};

constexpr size_t word_at(size_t word, size_t size) {
  return std::min(word * Pattern::kWord, size - Pattern::kWord);
}

constexpr std::array<Pattern, kKnownCount> make_patterns() {
  std::array<Pattern, kKnownCount> patterns{};
  for (size_t i = 0; i < kKnownCount; ++i) {
    const std::string_view text = kKnown[i].text;
    if (text.size() < Pattern::kWord) continue;
    for (size_t word = 0; word * Pattern::kWord < text.size(); ++word) {
      std::array<char, Pattern::kWord> bytes{};
      std::array<char, Pattern::kWord> letters{};
      for (size_t b = 0; b < Pattern::kWord; ++b) {
        bytes[b] = base::to_lower(text[word_at(word, text.size()) + b]);
        if (bytes[b] >= 'a' && bytes[b] <= 'z') letters[b] = 0x20;
      }
      patterns[i].bytes[word] = std::bit_cast<uint64_t>(bytes);
      patterns[i].letters[word] = std::bit_cast<uint64_t>(letters);
    }
  }
  return patterns;
}
constexpr std::array<Pattern, kKnownCount> kPatterns = make_patterns();

bool is_known(std::string_view name, size_t index) {
  const size_t size = name.size();
  if (size != kKnown[index].text.size()) return false;
  if (size < Pattern::kWord) return base::iequals(name, kKnown[index].text);
  const Pattern& pattern = kPatterns[index];
  for (size_t word = 0; word * Pattern::kWord < size; ++word) {
    uint64_t bytes;
    std::memcpy(&bytes, name.data() + word_at(word, size), sizeof bytes);
    if ((bytes | pattern.letters[word]) != pattern.bytes[word]) return false;
  }
  return true;
}

constexpr std::array<bool, 256> make_token_bytes() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kTokenBytes = make_token_bytes();

/// One of the eight bytes is below 0x20 or is 0x7f.
constexpr bool has_control(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  const uint64_t is_del = word ^ (kOnes * 0x7f);
  return (((word - kOnes * 0x20) & ~word & kHigh) | ((is_del - kOnes) & ~is_del & kHigh)) != 0;
}
static_assert(!has_control(0x20607e80ff414243) && has_control(0x20607e80ff41421f) &&
              has_control(0x7f607e80ff414243) && has_control(0));

}  // namespace

FieldName field_name(std::string_view name) {
  if (name.empty()) return FieldName::kOther;
  for (size_t at = bucket_of(name); kBucketTable[at] != 0; at = (at + 1) % kBuckets) {
    const size_t index = kBucketTable[at] - 1u;
    if (is_known(name, index)) return kKnown[index].token;
  }
  return FieldName::kOther;
}

std::string_view field_text(FieldName name) {
  if (name == FieldName::kOther) return {};
  return kKnown[static_cast<size_t>(name) - 1].text;
}

bool HeaderList::add(std::string_view name, std::string_view value) {
  return add(Field{field_name(name), name, value});
}

bool HeaderList::add(const Field& field) {
  if (size_ == storage_.size()) return false;
  storage_[size_++] = field;
  return true;
}

void HeaderList::remove(FieldName token) {
  const auto lines = storage_.first(size_);
  const auto end = std::remove_if(lines.begin(), lines.end(),
                                  [&](const Field& field) { return field.token == token; });
  size_ = static_cast<size_t>(end - lines.begin());
}

const Field* HeaderList::find(FieldName token) const {
  for (const Field& field : *this) {
    if (field.token == token) return &field;
  }
  return nullptr;
}

const Field* HeaderList::find(std::string_view name) const {
  for (const Field& field : *this) {
    if (base::iequals(field.name, name)) return &field;
  }
  return nullptr;
}

std::string_view HeaderList::value(FieldName token) const {
  const Field* field = find(token);
  return field != nullptr ? field->value : std::string_view();
}

size_t HeaderList::count(FieldName token) const {
  size_t count = 0;
  for (const Field& field : *this) count += field.token == token;
  return count;
}

std::string_view trim_ows(std::string_view text) {
  const auto is_ows = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

size_t token_length(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && kTokenBytes[static_cast<unsigned char>(text[n])]) ++n;
  return n;
}

bool is_token(std::string_view text) { return !text.empty() && token_length(text) == text.size(); }

bool is_field_value(std::string_view text) {
  // Eight bytes at a time; a word that holds a control byte is looked at more closely, for HTAB is
  // one.
  const auto is_field_byte = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  };
  while (text.size() >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data(), sizeof word);
    const std::string_view bytes = text.substr(0, sizeof word);
    if (has_control(word) && !std::all_of(bytes.begin(), bytes.end(), is_field_byte)) return false;
    text.remove_prefix(sizeof word);
  }
  return std::all_of(text.begin(), text.end(), is_field_byte);
}

size_t ListCursor::end_of_quoted(size_t begin) {
  for (size_t i = begin + 1; quotes_ && i < rest_.size(); ++i) {
    if (rest_[i] == '"') return i;
    if (rest_[i] == '\\') ++i;
  }
  // No later one can be closed either: looked for once.
  quotes_ = false;
  return begin;
}

std::string_view ListCursor::take_member() {
  size_t end = 0;
  for (; end < rest_.size() && rest_[end] != ','; ++end) {
    if (rest_[end] == '"') end = end_of_quoted(end);
  }
  ended_ = end >= rest_.size();
  const std::string_view member = trim_ows(rest_.substr(0, end));
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return member;
}

std::optional<std::string_view> ListCursor::next() {
  // Empty members and whitespace, all at once.
  while (!rest_.empty() && (rest_[0] == ',' || rest_[0] == ' ' || rest_[0] == '\t')) {
    rest_.remove_prefix(1);
  }
  if (rest_.empty()) return std::nullopt;
  return take_member();
}

std::optional<std::string_view> ListCursor::next_of_any_text() {
  if (ended_) return std::nullopt;
  return take_member();
}

}  // namespace perigee::http
