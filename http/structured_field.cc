#include "http/structured_field.h"

#include <algorithm>
#include <functional>

#include "base/limits.h"
#include "base/text.h"
#include "http/utf8.h"

namespace perigee::http {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_key_byte(char c) {
  return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}
bool is_token_byte(char c) {
  return is_alpha(c) || is_digit(c) ||
         std::string_view("!#$%&'*+-.^_`|~:/").find(c) != std::string_view::npos;
}
bool is_base64_byte(char c) {
  return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

/// Lower case only (RFC 9651 §4.2.10); -1: not a digit.
int lower_hex_value(char c) { return c == base::to_lower(c) ? base::hex_value(c) : -1; }

/// Recursive descent over one line (RFC 9651 §4.2); every function is false at the first mistake.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  bool dictionary(SfDictionary& out) {
    skip(" ");
    while (!rest_.empty()) {
      SfMember member;
      if (!key(member.key) || !value(member) || !out.merge(member)) return false;
      skip(" \t");
      if (rest_.empty()) return true;
      if (!take(',')) return false;
      skip(" \t");
      if (rest_.empty()) return false;
    }
    return true;
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip(std::string_view set) {
    const size_t end = rest_.find_first_not_of(set);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
  }
  template <typename Predicate>
  std::string_view take_while(Predicate predicate) {
    size_t n = 0;
    while (n < rest_.size() && predicate(rest_[n])) ++n;
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  bool key(std::string_view& out) {
    if (rest_.empty() || !(is_lower(rest_.front()) || rest_.front() == '*')) return false;
    out = take_while(is_key_byte);
    return true;
  }
  bool value(SfMember& member) {
    if (!take('=')) return parameters();
    if (!rest_.empty() && rest_.front() == '(') {
      member.kind = SfMember::kInnerList;
      return inner_list() && parameters();
    }
    return bare_item(member) && parameters();
  }
  bool inner_list() {
    if (!take('(')) return false;
    while (!rest_.empty()) {
      skip(" ");
      if (take(')')) return true;
      SfMember item;
      if (!bare_item(item) || !parameters()) return false;
      if (rest_.empty() || (rest_.front() != ' ' && rest_.front() != ')')) return false;
    }
    return false;
  }
  bool parameters() {
    while (take(';')) {
      skip(" ");
      std::string_view name;
      if (!key(name)) return false;
      SfMember ignored;
      if (take('=') && !bare_item(ignored)) return false;
    }
    return true;
  }
  bool bare_item(SfMember& out) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    if (c == '-' || is_digit(c)) return number(out);
    if (c == '"') return string(out);
    if (c == '*' || is_alpha(c)) {
      out.kind = SfMember::kToken;
      out.text = take_while(is_token_byte);
      return true;
    }
    if (c == '?') return boolean(out);
    if (c == ':') return byte_sequence(out);
    out.kind = SfMember::kOtherItem;
    if (c == '@') return date();
    if (c == '%') return display_string();
    return false;
  }
  bool number(SfMember& out) {
    const bool negative = take('-');
    const std::string_view whole = take_while(is_digit);
    if (whole.empty()) return false;
    if (take('.')) {
      const std::string_view fraction = take_while(is_digit);
      out.kind = SfMember::kOtherItem;
      return whole.size() <= 12 && !fraction.empty() && fraction.size() <= 3;
    }
    if (whole.size() > 15) return false;
    out.kind = SfMember::kInteger;
    out.integer = 0;
    for (const char c : whole) out.integer = out.integer * 10 + (c - '0');
    if (negative) out.integer = -out.integer;
    return true;
  }
  bool string(SfMember& out) {
    take('"');
    for (size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '"') {
        out.kind = SfMember::kString;
        out.text = rest_.substr(0, i);
        rest_.remove_prefix(i + 1);
        return true;
      }
      if (c == '\\') {
        ++i;
        if (i == rest_.size() || (rest_[i] != '"' && rest_[i] != '\\')) return false;
      } else if (c < 0x20 || c > 0x7e) {
        return false;
      }
    }
    return false;
  }
  bool boolean(SfMember& out) {
    take('?');
    out.kind = SfMember::kBoolean;
    if (take('1')) {
      out.boolean = true;
      return true;
    }
    out.boolean = false;
    return take('0');
  }
  bool byte_sequence(SfMember& out) {
    take(':');
    out.kind = SfMember::kBytes;
    const std::string_view text = out.text = take_while(is_base64_byte);
    const size_t padding = text.find('=');
    if (padding != std::string_view::npos &&
        text.find_first_not_of('=', padding) != std::string_view::npos) {
      return false;
    }
    // Missing padding is made up for; one digit alone is no byte.
    return std::min(padding, text.size()) % 4 != 1 && take(':');
  }
  bool date() {
    take('@');
    SfMember seconds;
    return number(seconds) && seconds.kind == SfMember::kInteger;
  }
  bool display_string() {
    take('%');
    if (!take('"')) return false;
    Utf8Check utf8;
    for (size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '"') {
        rest_.remove_prefix(i + 1);
        return utf8.whole();
      }
      if (c < 0x20 || c > 0x7e) return false;
      auto byte = static_cast<uint8_t>(c);
      if (c == '%') {
        if (i + 2 >= rest_.size()) return false;
        const int high = lower_hex_value(rest_[i + 1]);
        const int low = lower_hex_value(rest_[i + 2]);
        if (high < 0 || low < 0) return false;
        byte = static_cast<uint8_t>(high * 16 + low);
        i += 2;
      }
      if (!utf8.add(byte)) return false;
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

bool SfDictionary::merge(const SfMember& member) {
  // So few of them are taken that a long search means keys that were made to collide.
  constexpr size_t kSlots = 8 * base::limits::kDictionaryMembers;
  constexpr size_t kProbesMost = 32;
  if (++merged_ > base::limits::kDictionaryMembers) return false;
  if (slots_.empty()) slots_.resize(kSlots);
  const size_t hash = std::hash<std::string_view>()(member.key);
  for (size_t i = 0; i < kProbesMost; ++i) {
    uint16_t& slot = slots_[(hash + i) % kSlots];
    if (slot == 0) {
      members_.push_back(member);
      slot = static_cast<uint16_t>(members_.size());
      return true;
    }
    SfMember& known = members_[slot - 1u];
    if (known.key != member.key) continue;
    known = member;
    return true;
  }
  return false;
}

bool parse_dictionary(std::string_view line, SfDictionary& out) {
  return Parser(line).dictionary(out);
}

}  // namespace perigee::http
