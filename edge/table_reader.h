// Reads values out of the tables of a TOML file, and names each mistake with its place.
#pragma once

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "edge/units.h"

namespace perigee::edge {

/// The keys of a section. They are checked before any is read, so that a mistyped `orgin` is named
/// instead of an `origin` that is missing.
using Keys = std::span<const std::string_view>;

/// Of one file; the first mistake sticks, and whatever is read after it does not matter. A key that
/// is not there leaves its value as it is.
class TableReader {
 public:
  explicit TableReader(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  const std::optional<base::Error>& error() const { return error_; }

  void fail(const toml::source_region& where, const std::string& what);
  void check_keys(const toml::table& table, std::string_view section,
                  std::initializer_list<Keys> lists);
  /// Null: it is not there, or no table; `section` is how it is written.
  const toml::table* table(const toml::table& parent, std::string_view key,
                           std::string_view section);

  void text(const toml::table& table, std::string_view key, std::string& out);
  void flag(const toml::table& table, std::string_view key, bool& out);
  /// A text that `valid` takes; `what` it is otherwise.
  void text(const toml::table& table, std::string_view key, std::string_view what, auto valid,
            std::string& out);
  void number(const toml::table& table, std::string_view key, int64_t least, int64_t most,
              auto& out);
  void size(const toml::table& table, std::string_view key, auto& out);
  void duration_ms(const toml::table& table, std::string_view key, auto& out);
  /// The same, and not 0.
  void timeout_ms(const toml::table& table, std::string_view key, int64_t& out);
  /// A duration that is kept in seconds: a part of one is a mistake.
  void seconds(const toml::table& table, std::string_view key, auto& out);
  /// The place of the key's value among `words`; 0 when the key is not there.
  size_t choice(const toml::table& table, std::string_view key,
                std::initializer_list<std::string_view> words);
  void networks(const toml::table& table, std::string_view key, std::vector<Network>& out);
  /// Calls `take(text)` for each string of a list; it returns what is wrong, or an empty text.
  void list(const toml::table& table, std::string_view key, auto take);

 private:
  const std::string path_;
  std::optional<base::Error> error_;
};

void TableReader::text(const toml::table& table, std::string_view key, std::string_view what,
                       auto valid, std::string& out) {
  if (table.get(key) == nullptr) return;
  text(table, key, out);
  if (!valid(out)) {
    fail(table.get(key)->source(), "'" + std::string(key) + "' is " + std::string(what));
  }
}

void TableReader::number(const toml::table& table, std::string_view key, int64_t least,
                         int64_t most, auto& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const std::optional<int64_t> value = node->value_exact<int64_t>();
  if (!value || *value < least || *value > most) {
    return fail(node->source(), "'" + std::string(key) + "' is a number from " +
                                    std::to_string(least) + " to " + std::to_string(most));
  }
  out = static_cast<std::remove_reference_t<decltype(out)>>(*value);
}

void TableReader::size(const toml::table& table, std::string_view key, auto& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const std::optional<std::string> value = node->value_exact<std::string>();
  const std::optional<uint64_t> bytes = value ? parse_size(*value) : std::nullopt;
  if (!bytes) {
    return fail(node->source(),
                "'" + std::string(key) + "' is a size with a unit, such as \"512MiB\"");
  }
  out = *bytes;
}

void TableReader::duration_ms(const toml::table& table, std::string_view key, auto& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const std::optional<std::string> value = node->value_exact<std::string>();
  const std::optional<int64_t> ms = value ? parse_duration_ms(*value) : std::nullopt;
  if (!ms) {
    return fail(node->source(),
                "'" + std::string(key) + "' is a duration with a unit, such as \"30s\"");
  }
  out = *ms;
}

void TableReader::seconds(const toml::table& table, std::string_view key, auto& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  int64_t ms = 0;
  duration_ms(table, key, ms);
  if (ms % 1000 != 0) fail(node->source(), "'" + std::string(key) + "' is in whole seconds");
  out = ms / 1000;
}

void TableReader::list(const toml::table& table, std::string_view key, auto take) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  if (!node->is_array()) return fail(node->source(), "'" + std::string(key) + "' is a list");
  for (const toml::node& member : *node->as_array()) {
    const std::optional<std::string> value = member.value_exact<std::string>();
    const std::string wrong =
        value ? take(*value) : "'" + std::string(key) + "' is a list of strings";
    if (!wrong.empty()) fail(member.source(), wrong);
  }
}

}  // namespace perigee::edge
