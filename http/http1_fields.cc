#include "http/http1_fields.h"

#include <charconv>

namespace perigee::http {

bool parse_field_line(std::string_view line, Field& field) {
  const size_t colon = token_length(line);
  if (colon == 0 || colon == line.size() || line[colon] != ':') return false;
  field.name = line.substr(0, colon);
  field.value = trim_ows(line.substr(colon + 1));
  field.token = field_name(field.name);
  return is_field_value(field.value);
}

std::optional<uint64_t> parse_content_length(std::string_view value) {
  const char* const end = value.data() + value.size();
  uint64_t length = 0;
  const auto [at, error] = std::from_chars(value.data(), end, length);
  if (value.empty() || error != std::errc() || at != end || length > INT64_MAX) return std::nullopt;
  return length;
}

}  // namespace perigee::http
