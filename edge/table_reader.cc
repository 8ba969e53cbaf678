#include "edge/table_reader.h"

#include <algorithm>

namespace perigee::edge {
namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

/// ", did you mean …?" with the known key that is nearest; empty when none is near.
std::string hint(std::string_view key, const std::vector<std::string_view>& known) {
  const std::string_view best =
      *std::min_element(known.begin(), known.end(), [&](std::string_view a, std::string_view b) {
        return edit_distance(key, a) < edit_distance(key, b);
      });
  // A key that is far from all is no slip of the hand, and a guess would mislead.
  const size_t near = std::max<size_t>(2, key.size() / 3);
  if (edit_distance(key, best) > near) return "";
  return ", did you mean '" + std::string(best) + "'?";
}

}  // namespace

void TableReader::fail(const toml::source_region& where, const std::string& what) {
  if (error_) return;
  const std::string place = where.begin ? ":" + std::to_string(where.begin.line) + ":" +
                                              std::to_string(where.begin.column)
                                        : "";
  error_ = base::Error{base::ErrorCode::kInvalid, 0, path_ + place + ": " + what};
}

void TableReader::check_keys(const toml::table& table, std::string_view section,
                             std::initializer_list<Keys> lists) {
  std::vector<std::string_view> known;
  for (const Keys& keys : lists) known.insert(known.end(), keys.begin(), keys.end());
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    fail(key.source(),
         "unknown key '" + std::string(name) + "' in " + std::string(section) + hint(name, known));
  }
}

const toml::table* TableReader::table(const toml::table& parent, std::string_view key,
                                      std::string_view section) {
  const toml::node* node = parent.get(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) {
    fail(node->source(), "'" + std::string(key) + "' is a section: " + std::string(section));
  }
  return node->as_table();
}

void TableReader::text(const toml::table& table, std::string_view key, std::string& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const std::optional<std::string> value = node->value_exact<std::string>();
  if (!value) return fail(node->source(), "'" + std::string(key) + "' is a string");
  out = *value;
}

void TableReader::flag(const toml::table& table, std::string_view key, bool& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return;
  const std::optional<bool> value = node->value_exact<bool>();
  if (!value) return fail(node->source(), "'" + std::string(key) + "' is true or false");
  out = *value;
}

void TableReader::timeout_ms(const toml::table& table, std::string_view key, int64_t& out) {
  duration_ms(table, key, out);
  if (out == 0) fail(table.get(key)->source(), "'" + std::string(key) + "' is more than 0");
}

size_t TableReader::choice(const toml::table& table, std::string_view key,
                           std::initializer_list<std::string_view> words) {
  if (table.get(key) == nullptr) return 0;
  std::string value;
  text(table, key, value);
  const auto* it = std::find(words.begin(), words.end(), value);
  if (it != words.end()) return static_cast<size_t>(it - words.begin());
  std::string known;
  for (const std::string_view word : words) {
    known.append(known.empty() ? "\"" : ", \"").append(word).append("\"");
  }
  fail(table.get(key)->source(), "'" + std::string(key) + "' is one of " + known);
  return 0;
}

void TableReader::networks(const toml::table& table, std::string_view key,
                           std::vector<Network>& out) {
  if (table.get(key) != nullptr) out.clear();
  list(table, key, [&](const std::string& value) -> std::string {
    const std::optional<Network> network = parse_network(value);
    if (!network) return "'" + value + "' is not an address or a network";
    out.push_back(*network);
    return "";
  });
}

}  // namespace perigee::edge
