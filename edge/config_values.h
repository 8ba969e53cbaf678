// The values of a configuration: each read by its key, checked, and named with its place if it is
// wrong.
//
// A mistake does not end the reading, so that one run finds them all. Nothing is said twice of one
// value.
#pragma once

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/network.h"
#include "edge/problems.h"

namespace perigee::edge {

/// The text of a configuration file, or of one that is made of options.
struct ConfigText {
  std::string name;     ///< of the file
  std::string content;  ///< TOML
  /// The option that wrote each line, from the first; empty: it is a file.
  std::vector<std::string> options;
};

class ConfigValues {
 public:
  using Keys = std::span<const std::string_view>;

  explicit ConfigValues(const ConfigText& text);

  Spot spot(const toml::source_region& where) const;
  void fail(const toml::source_region& where, std::string what) {
    const bool told = !problems_.are_many(Problem::Kind::kError);
    problems_.error(told ? spot(where) : Spot(), std::move(what));
  }
  void warn(const toml::source_region& where, std::string what) {
    const bool told = !problems_.are_many(Problem::Kind::kWarning);
    problems_.warning(told ? spot(where) : Spot(), std::move(what));
  }
  /// Unknown keys are mistakes.
  void check_keys(const toml::table& table, std::string_view section,
                  std::initializer_list<Keys> lists);
  /// The key is not there, and no mistyped one was meant to be it (see check_keys).
  bool lacks(const toml::table& table, std::string_view key) const;
  /// Null: it is not there, or no table. `section`: how it is written; empty: as [key].
  const toml::table* table(const toml::table& parent, std::string_view key,
                           std::string_view section = {});

  // Each leaves `out` as it is when the key is not there. True: it is there, and right.
  bool text(const toml::table& table, std::string_view key, std::string& out);
  /// A text that `valid` takes; `what` it is otherwise.
  bool text(const toml::table& table, std::string_view key, std::string_view what, auto valid,
            std::string& out) {
    if (!text(table, key, out)) return false;
    if (valid(out)) return true;
    fail(table.get(key)->source(), quoted(key) + " is " + std::string(what));
    return false;
  }
  bool flag(const toml::table& table, std::string_view key, bool& out);
  template <typename Number>
  bool number(const toml::table& table, std::string_view key, int64_t least, int64_t most,
              Number& out) {
    const std::optional<int64_t> value = number(table, key, {least, most});
    if (value) out = static_cast<Number>(*value);
    return value.has_value();
  }
  template <typename Size>
  bool size(const toml::table& table, std::string_view key, Size& out) {
    return take(size(table, key), out);
  }
  template <typename Duration>
  bool duration_ms(const toml::table& table, std::string_view key, Duration& out) {
    return take(duration_ms(table, key), out);
  }
  /// The same, and not 0.
  bool timeout_ms(const toml::table& table, std::string_view key, int64_t& out);
  /// A duration that is kept in seconds: a part of one is a mistake.
  template <typename Duration>
  bool seconds(const toml::table& table, std::string_view key, Duration& out) {
    return take(seconds(table, key), out);
  }
  /// The place of the key's value among `words`; 0 when the key is not there.
  size_t choice(const toml::table& table, std::string_view key,
                std::initializer_list<std::string_view> words);
  bool networks(const toml::table& table, std::string_view key, std::vector<base::Network>& out);
  /// Warns of each network that holds all addresses.
  void warn_of_everybody(const toml::table& table, std::string_view key, std::string_view what);
  /// Calls `take(text)` for each string of a list; it returns what is wrong, or an empty text.
  bool list(const toml::table& table, std::string_view key, auto take) {
    const toml::node* node = table.get(key);
    if (node == nullptr) return false;
    if (!node->is_array()) {
      fail(node->source(), quoted(key) + " is a list");
      return false;
    }
    bool right = true;
    for (const toml::node& member : *node->as_array()) {
      const std::optional<std::string> value = member.value_exact<std::string>();
      const std::string wrong = value ? take(*value) : quoted(key) + " is a list of strings";
      if (!wrong.empty()) fail(member.source(), wrong);
      right = right && wrong.empty();
    }
    return right;
  }

  static std::string quoted(std::string_view word) { return "'" + std::string(word) + "'"; }

 protected:
  const ConfigText& text_;
  Problems problems_;

 private:
  bool take(auto value, auto& out) {
    if (value) out = *value;
    return value.has_value();
  }
  std::optional<int64_t> number(const toml::table& table, std::string_view key,
                                std::pair<int64_t, int64_t> range);
  std::optional<uint64_t> size(const toml::table& table, std::string_view key);
  std::optional<int64_t> duration_ms(const toml::table& table, std::string_view key);
  std::optional<int64_t> seconds(const toml::table& table, std::string_view key);

  std::vector<std::string_view> lines_;  ///< of the text
  /// What mistyped keys were meant to be.
  std::set<std::pair<const toml::table*, std::string_view>> meant_;
};

}  // namespace perigee::edge
