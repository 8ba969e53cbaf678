#include "edge/config_values.h"

#include <algorithm>

#include "edge/nearest.h"
#include "edge/units.h"

namespace perigee::edge {

ConfigValues::ConfigValues(const ConfigText& text) : text_(text) {
  for (std::string_view rest = text.content; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines_.push_back(line);
  }
}

Spot ConfigValues::spot(const toml::source_region& where) const {
  const uint32_t line = where.begin.line;
  if (line == 0) return {.name = text_.name};
  if (line <= text_.options.size()) return {.name = text_.options[line - 1]};
  // The end of a file may lie behind its last line.
  const std::string_view source = line <= lines_.size() ? lines_[line - 1] : std::string_view();
  return {text_.name, line, where.begin.column, std::string(source)};
}

void ConfigValues::check_keys(const toml::table& table, std::string_view section,
                              std::initializer_list<Keys> lists) {
  std::vector<std::string_view> known;
  for (const Keys& keys : lists) known.insert(known.end(), keys.begin(), keys.end());
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    meant_.emplace(&table, nearest(name, known));
    fail(key.source(),
         "unknown key " + quoted(name) + " in " + std::string(section) + hint(name, known));
  }
}

bool ConfigValues::lacks(const toml::table& table, std::string_view key) const {
  return table.get(key) == nullptr && !meant_.contains({&table, key});
}

const toml::table* ConfigValues::table(const toml::table& parent, std::string_view key,
                                       std::string_view section) {
  const toml::node* node = parent.get(key);
  if (node == nullptr) return nullptr;
  const std::string written = section.empty() ? "[" + std::string(key) + "]" : std::string(section);
  if (!node->is_table()) fail(node->source(), quoted(key) + " is a section: " + written);
  return node->as_table();
}

bool ConfigValues::text(const toml::table& table, std::string_view key, std::string& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return false;
  const std::optional<std::string> value = node->value_exact<std::string>();
  if (!value) fail(node->source(), quoted(key) + " is a string");
  return take(value, out);
}

bool ConfigValues::flag(const toml::table& table, std::string_view key, bool& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return false;
  const std::optional<bool> value = node->value_exact<bool>();
  if (!value) fail(node->source(), quoted(key) + " is true or false");
  return take(value, out);
}

std::optional<int64_t> ConfigValues::number(const toml::table& table, std::string_view key,
                                            std::pair<int64_t, int64_t> range) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<int64_t> value = node->value_exact<int64_t>();
  if (value && *value >= range.first && *value <= range.second) return value;
  fail(node->source(), quoted(key) + " is a number from " + std::to_string(range.first) + " to " +
                           std::to_string(range.second));
  return std::nullopt;
}

std::optional<uint64_t> ConfigValues::size(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<std::string> value = node->value_exact<std::string>();
  const std::optional<uint64_t> bytes = value ? parse_size(*value) : std::nullopt;
  if (!bytes) fail(node->source(), quoted(key) + " is a size with a unit, such as \"512MiB\"");
  return bytes;
}

std::optional<int64_t> ConfigValues::duration_ms(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<std::string> value = node->value_exact<std::string>();
  const std::optional<int64_t> ms = value ? parse_duration_ms(*value) : std::nullopt;
  if (!ms) fail(node->source(), quoted(key) + " is a duration with a unit, such as \"30s\"");
  return ms;
}

bool ConfigValues::timeout_ms(const toml::table& table, std::string_view key, int64_t& out) {
  if (!duration_ms(table, key, out)) return false;
  if (out == 0) fail(table.get(key)->source(), quoted(key) + " is more than 0");
  return out != 0;
}

std::optional<int64_t> ConfigValues::seconds(const toml::table& table, std::string_view key) {
  const std::optional<int64_t> ms = duration_ms(table, key);
  if (!ms) return std::nullopt;
  if (*ms % 1000 == 0) return *ms / 1000;
  fail(table.get(key)->source(), quoted(key) + " is in whole seconds");
  return std::nullopt;
}

size_t ConfigValues::choice(const toml::table& table, std::string_view key,
                            std::initializer_list<std::string_view> words) {
  std::string value;
  if (!text(table, key, value)) return 0;
  const auto* it = std::find(words.begin(), words.end(), value);
  if (it != words.end()) return static_cast<size_t>(it - words.begin());
  std::string known;
  for (const std::string_view word : words) {
    known.append(known.empty() ? "\"" : ", \"").append(word).append("\"");
  }
  fail(table.get(key)->source(), quoted(key) + " is one of " + known);
  return 0;
}

bool ConfigValues::networks(const toml::table& table, std::string_view key,
                            std::vector<base::Network>& out) {
  if (table.get(key) != nullptr) out.clear();
  return list(table, key, [&](const std::string& value) -> std::string {
    const std::optional<base::Network> network = base::parse_network(value);
    if (!network) return quoted(value) + " is not an address or a network";
    out.push_back(*network);
    return "";
  });
}

void ConfigValues::warn_of_everybody(const toml::table& table, std::string_view key,
                                     std::string_view what) {
  const toml::array* members = table.get_as<toml::array>(key);
  if (members == nullptr) return;
  for (const toml::node& member : *members) {
    const std::optional<std::string> text = member.value_exact<std::string>();
    const std::optional<base::Network> network = text ? base::parse_network(*text) : std::nullopt;
    if (network && network->prefix_bits == 0) {
      warn(member.source(), quoted(*text) + " is everybody: " + std::string(what));
    }
  }
}

}  // namespace perigee::edge
