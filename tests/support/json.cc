#include "tests/support/json.h"

#include <cstdint>
#include <cstdlib>

namespace perigee::test {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  std::optional<Json> document() {
    Json value;
    if (!read(value)) return std::nullopt;
    skip();
    return rest_.empty() ? std::optional(std::move(value)) : std::nullopt;
  }

 private:
  void skip() {
    const size_t begin = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(std::min(begin, rest_.size()));
  }
  bool take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  bool read(Json& out) {
    skip();
    if (rest_.empty()) return false;
    switch (rest_.front()) {
      case '{':
        return sequence(out, Json::kObject, '}');
      case '[':
        return sequence(out, Json::kArray, ']');
      case '"':
        out.kind = Json::kString;
        return string(out.text);
      case 't':
      case 'f':
        out.kind = Json::kBool;
        out.boolean = rest_.front() == 't';
        return take(out.boolean ? "true" : "false");
      case 'n':
        return take("null");
      default:
        return number(out);
    }
  }
  bool sequence(Json& out, Json::Kind kind, char closing) {
    out.kind = kind;
    rest_.remove_prefix(1);
    skip();
    if (take({&closing, 1})) return true;
    do {
      skip();
      if (kind == Json::kObject) {
        if (!string(out.names.emplace_back())) return false;
        skip();
        if (!take(":")) return false;
      }
      if (!read(out.items.emplace_back())) return false;
      skip();
    } while (take(","));
    return take({&closing, 1});
  }
  bool number(Json& out) {
    const size_t size = std::min(rest_.find_first_not_of("+-.0123456789eE"), rest_.size());
    if (size == 0) return false;
    out.kind = Json::kNumber;
    out.text = rest_.substr(0, size);
    out.number = std::strtod(out.text.c_str(), nullptr);
    rest_.remove_prefix(size);
    return true;
  }
  bool string(std::string& out) {
    if (!take("\"")) return false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }
  bool escape(std::string& out) {
    if (rest_.empty()) return false;
    static constexpr std::string_view kNames = "bfnrt\"\\/";
    static constexpr std::string_view kBytes = "\b\f\n\r\t\"\\/";
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (const size_t known = kNames.find(c); known != std::string_view::npos) {
      out += kBytes[known];
      return true;
    }
    if (c != 'u' || rest_.size() < 4) return false;
    const auto code =
        static_cast<uint32_t>(std::strtoul(std::string(rest_.substr(0, 4)).c_str(), nullptr, 16));
    rest_.remove_prefix(4);
    append_utf8(code, out);
    return true;
  }
  /// Halves of a surrogate pair come one by one and stay apart: no vector needs them joined.
  static void append_utf8(uint32_t code, std::string& out) {
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xc0 | code >> 6);
      out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
      out += static_cast<char>(0xe0 | code >> 12);
      out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
      out += static_cast<char>(0x80 | (code & 0x3f));
    }
  }

  std::string_view rest_;
};

}  // namespace

std::optional<Json> parse_json(std::string_view text) { return Reader(text).document(); }

}  // namespace perigee::test
