#include "http/vary.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/limits.h"
#include "base/text.h"
#include "http/held_back.h"

namespace perigee::http {
namespace {

constexpr uint32_t kAbsent = UINT32_MAX;

/// Specs are kept on disk (cache_store/FORMAT.md).
static_assert(std::endian::native == std::endian::little, "specs are little-endian");

template <typename Integer>
void append_integer(std::string& out, Integer value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

template <typename Integer>
bool take_integer(std::string_view& bytes, Integer& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return true;
}

/// How the values of a field are compared (http-rules 2.7).
enum class Grammar : uint8_t {
  kAnyText,     ///< lines joined, whitespace around commas removed
  kList,        ///< the same without empty members, which mean nothing (RFC 9110 §5.6.1)
  kNegotiated,  ///< a list whose members may stand in any order
  kSingle,      ///< line by line, byte by byte
};

/// Request fields whose grammar is a list of RFC 9110 §5.6.1, and that have no token of their own.
constexpr std::string_view kListNames[] = {"a-im", "access-control-request-headers",
                                           "content-language", "link", "prefer"};
/// The same for what holds one value, so that a comma in it separates nothing.
constexpr std::string_view kSingleNames[] = {
    "access-control-request-method",
    "device-memory",
    "dnt",
    "downlink",
    "dpr",
    "ect",
    "rtt",
    "save-data",
    "upgrade-insecure-requests",
    "viewport-width",
    "width",
    "x-requested-with",
};

template <size_t kCount>
bool is_among(const std::string_view (&names)[kCount], std::string_view name) {
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view other) { return base::iequals(other, name); });
}

Grammar grammar_of(FieldName token) {
  switch (token) {
    case FieldName::kAccept:
    case FieldName::kAcceptLanguage:
    case FieldName::kAcceptCharset:
    case FieldName::kAcceptEncoding:
      return Grammar::kNegotiated;
    case FieldName::kAllow:
    case FieldName::kCacheControl:
    case FieldName::kCdnLoop:
    case FieldName::kConnection:
    case FieldName::kContentEncoding:
    case FieldName::kExpect:
    case FieldName::kForwarded:
    case FieldName::kIfMatch:
    case FieldName::kIfNoneMatch:
    case FieldName::kPragma:
    case FieldName::kTe:
    case FieldName::kTrailer:
    case FieldName::kUpgrade:
    case FieldName::kVia:
    case FieldName::kXForwardedFor:
      return Grammar::kList;
    case FieldName::kAuthorization:
    case FieldName::kContentLength:
    case FieldName::kContentLocation:
    case FieldName::kContentRange:
    case FieldName::kContentType:
    case FieldName::kCookie:
    case FieldName::kDate:
    case FieldName::kExpires:
    case FieldName::kFrom:
    case FieldName::kHost:
    case FieldName::kIfModifiedSince:
    case FieldName::kIfRange:
    case FieldName::kIfUnmodifiedSince:
    case FieldName::kLastModified:
    case FieldName::kMaxForwards:
    case FieldName::kOrigin:
    case FieldName::kProxyAuthorization:
    case FieldName::kRange:
    case FieldName::kReferer:
    case FieldName::kUserAgent:
    case FieldName::kXForwardedHost:
    case FieldName::kXForwardedProto:
    case FieldName::kXRealIp:
      return Grammar::kSingle;
    default:
      return Grammar::kAnyText;
  }
}

Grammar grammar_of(std::string_view name) {
  const FieldName token = field_name(name);
  if (token != FieldName::kOther) return grammar_of(token);
  if (is_among(kListNames, name)) return Grammar::kList;
  const bool fetch_metadata = base::iequals(name.substr(0, 4), "sec-");
  // Of these some are structured lists, in which an empty member is a mistake.
  const bool client_hint = base::iequals(name.substr(0, 7), "sec-ch-");
  if ((fetch_metadata && !client_hint) || is_among(kSingleNames, name)) return Grammar::kSingle;
  return Grammar::kAnyText;
}

/// Stands between members and lines: no field value can hold it, so no value can imitate another.
constexpr char kSeparator = '\n';
/// Stands before a line that came by a folded spelling of the name, with that spelling.
constexpr char kSpelled = '\r';
/// A list with more members keeps its order.
constexpr size_t kSortedMembers = 32;

/// One member of a negotiation field, read byte by byte without the whitespace that means nothing:
/// around a semicolon, outside quotes.
class MemberReader {
 public:
  MemberReader(std::string_view member, bool fold) : rest_(member), fold_(fold) {}
  /// -1: the end.
  int next() {
    if (!quoted_ && !rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t')) skip_whitespace();
    if (rest_.empty()) return -1;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (escaped_) {
      escaped_ = false;
    } else if (c == '"') {
      quoted_ = !quoted_;
    } else if (c == '\\') {
      escaped_ = quoted_;
    }
    after_semicolon_ = c == ';' && !quoted_;
    return static_cast<unsigned char>(fold_ && !quoted_ ? base::to_lower(c) : c);
  }

 private:
  void skip_whitespace() {
    const size_t n = std::min(rest_.find_first_not_of(" \t"), rest_.size());
    if (n > 0 && (after_semicolon_ || n == rest_.size() || rest_[n] == ';')) rest_.remove_prefix(n);
  }

  std::string_view rest_;
  const bool fold_;
  bool quoted_ = false;
  bool escaped_ = false;
  bool after_semicolon_ = false;
};

/// Calls `take` with each member of each line of that name.
template <typename Take>
void for_each_member(const HeaderList& fields, std::string_view name, Take take) {
  for (const Field& field : fields) {
    if (!base::iequals(field.name, name)) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) take(*member);
  }
}

/// The members in one order, whatever their weights: which one is preferred is said by the weights
/// alone, so lists with the same members ask for the same.
void append_negotiated(const HeaderList& fields, std::string_view name, bool fold,
                       std::string& out) {
  std::array<std::string_view, kSortedMembers> members;
  size_t count = 0;
  for_each_member(fields, name, [&](std::string_view member) {
    if (count < members.size()) members[count] = member;
    ++count;
  });
  const auto append = [&](std::string_view member) {
    MemberReader reader(member, fold);
    for (int c = reader.next(); c >= 0; c = reader.next()) out += static_cast<char>(c);
    out += kSeparator;
  };
  if (count > members.size()) return for_each_member(fields, name, append);
  // Each is read once, behind the place where they are to stand in order.
  const size_t begin = out.size();
  std::array<size_t, kSortedMembers + 1> ends;
  ends[0] = begin;
  for (size_t i = 0; i < count; ++i) {
    append(members[i]);
    ends[i + 1] = out.size();
  }
  const size_t bytes = out.size() - begin;
  out.resize(begin + 2 * bytes);
  char* const unsorted = out.data() + begin + bytes;
  std::copy_n(out.data() + begin, bytes, unsorted);
  for (size_t i = 0; i < count; ++i) {
    members[i] = {unsorted + (ends[i] - begin), ends[i + 1] - ends[i]};
  }
  std::sort(members.begin(), members.begin() + count);
  char* at = out.data() + begin;
  for (size_t i = 0; i < count; ++i) at += members[i].copy(at, members[i].size());
  out.resize(begin + bytes);
}

void append_members(const HeaderList& fields, std::string_view name, std::string& out) {
  for_each_member(fields, name, [&](std::string_view member) { out.append(member) += kSeparator; });
}

void append_any_text(const HeaderList& fields, std::string_view name, std::string& out) {
  for (const Field& field : fields) {
    if (!base::iequals(field.name, name)) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next_of_any_text()) out.append(*member) += kSeparator;
  }
}

void append_lines(const HeaderList& fields, std::string_view name, std::string& out) {
  for (const Field& field : fields) {
    if (base::iequals(field.name, name)) out.append(field.value) += kSeparator;
  }
}

/// Which lines a name selects: an origin that folds names sees those of other spellings too
/// (http-rules 3.14).
struct Spellings {
  bool any = false;
  bool other = false;
};

Spellings spellings_of(const HeaderList& fields, std::string_view name) {
  Spellings result;
  for (const Field& field : fields) {
    if (!folded_equal(field.name, name)) continue;
    result.any = true;
    result.other |= !base::iequals(field.name, name);
  }
  return result;
}

/// All lines in their order, each with its spelling: what an origin makes of them is its own.
void append_spelled(const HeaderList& fields, std::string_view name, std::string& out) {
  for (const Field& field : fields) {
    if (!folded_equal(field.name, name)) continue;
    out += kSpelled;
    for (const char c : field.name) out += base::to_lower(c);
    out += ':';
    out.append(field.value) += kSeparator;
  }
}

void append_values(const HeaderList& fields, std::string_view name, std::string& out) {
  switch (grammar_of(name)) {
    case Grammar::kAnyText:
      return append_any_text(fields, name, out);
    case Grammar::kList:
      return append_members(fields, name, out);
    case Grammar::kNegotiated:
      return append_negotiated(fields, name, !base::iequals(name, "accept"), out);
    case Grammar::kSingle:
      return append_lines(fields, name, out);
  }
}

}  // namespace

std::optional<std::vector<std::string>> vary_names(const HeaderList& fields) {
  std::vector<std::string> names;
  size_t members = 0;
  for (const Field& field : fields) {
    if (field.token != FieldName::kVary) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (++members > base::limits::kVaryMembers) return std::nullopt;
      // What is no name could be a `*` that somebody mangled.
      if (*member == "*" || !is_token(*member)) return std::nullopt;
      if (base::iequals(*member, "Accept-Encoding")) continue;
      std::string name(*member);
      std::transform(name.begin(), name.end(), name.begin(), base::to_lower);
      const auto place = std::lower_bound(names.begin(), names.end(), name);
      if (place != names.end() && *place == name) continue;
      // More than there may be: what follows need not be read.
      if (names.size() == base::limits::kVaryNames) return std::nullopt;
      names.insert(place, std::move(name));
    }
  }
  return names;
}

bool varies_by(const HeaderList& fields, std::string_view name) {
  size_t members = 0;
  for (const Field& field : fields) {
    if (field.token != FieldName::kVary) continue;
    ListCursor cursor(field.value);
    while (const auto member = cursor.next()) {
      if (++members > base::limits::kVaryMembers || base::iequals(*member, name)) return true;
    }
  }
  return false;
}

std::string encode_vary_spec(const std::vector<std::string>& names) {
  std::string out;
  append_integer(out, static_cast<uint32_t>(names.size()));
  for (const std::string& name : names) {
    append_integer(out, static_cast<uint32_t>(name.size()));
    out.append(name);
  }
  return out;
}

bool decode_vary_spec(std::string_view bytes, VarySpec& out) {
  out.names.clear();
  uint32_t count = 0;
  if (!take_integer(bytes, count)) return false;
  if (count > base::limits::kVaryNames) return false;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t size = 0;
    if (!take_integer(bytes, size) || size > bytes.size()) return false;
    out.names.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return bytes.empty();
}

void append_selected(const VarySpec& spec, const HeaderList& request_fields, std::string& out) {
  for (const std::string_view name : spec.names) {
    const Spellings spellings = spellings_of(request_fields, name);
    if (!spellings.any) {
      append_integer(out, kAbsent);
      continue;
    }
    const size_t at = out.size();
    append_integer(out, uint32_t{0});
    spellings.other ? append_spelled(request_fields, name, out)
                    : append_values(request_fields, name, out);
    const auto size = static_cast<uint32_t>(out.size() - at - sizeof(uint32_t));
    std::memcpy(out.data() + at, &size, sizeof size);
  }
}

ReceivedResponse keyed_response(const ReceivedResponse& received,
                                const std::vector<std::string>& key_fields,
                                std::vector<Field>& storage) {
  const auto named = vary_names(received.fields);
  if (key_fields.empty() || !named) return received;
  storage.resize(received.fields.size() + key_fields.size());
  ReceivedResponse keyed = received;
  keyed.fields = HeaderList(storage);
  for (const Field& field : received.fields) keyed.fields.add(field);
  for (const std::string& name : key_fields) {
    const bool there = std::any_of(named->begin(), named->end(), [&](const std::string& other) {
      return base::iequals(other, name);
    });
    if (!there) keyed.fields.add({FieldName::kVary, "Vary", name});
  }
  return keyed;
}

}  // namespace perigee::http
