#include "http/message.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace perigee::http {

bool is_safe(Method method) {
  switch (method) {
    case Method::kGet:
    case Method::kHead:
    case Method::kOptions:
    case Method::kTrace:
    case Method::kPropfind:
    case Method::kSearch:
    case Method::kReport:
      return true;
    default:
      return false;
  }
}

Method method_of(std::string_view text) {
  struct Entry {
    std::string_view text;
    Method method;
  };
  static constexpr Entry kMethods[] = {
      {"GET", Method::kGet},           {"HEAD", Method::kHead},     {"POST", Method::kPost},
      {"PUT", Method::kPut},           {"DELETE", Method::kDelete}, {"OPTIONS", Method::kOptions},
      {"TRACE", Method::kTrace},       {"PATCH", Method::kPatch},   {"PURGE", Method::kPurge},
      {"PROPFIND", Method::kPropfind}, {"SEARCH", Method::kSearch}, {"REPORT", Method::kReport},
  };
  for (const Entry& entry : kMethods) {
    if (entry.text == text) return entry.method;
  }
  return Method::kOther;
}

bool copy_head(const RequestHead& from, RequestHead& to, Arena& arena) {
  const std::span<Field> storage = arena.alloc_span<Field>(from.fields.size() + 1);
  if (storage.empty()) return false;
  bool room = true;
  const auto copy = [&](std::string_view text) {
    const std::string_view copied = arena.copy(text);
    room = room && copied.data() != nullptr;
    return copied;
  };
  RequestHead head = from;
  head.method_text = copy(from.method_text);
  head.authority = copy(from.authority);
  head.target = copy(from.target);
  head.fields = HeaderList(storage);
  for (const Field& field : from.fields) {
    head.fields.add(Field{field.token, copy(field.name), copy(field.value)});
  }
  if (room) to = head;
  return room;
}

std::optional<std::string_view> FieldBlock::find(FieldName token) const {
  for (const FieldEntry& entry : table) {
    if (entry.token == static_cast<uint16_t>(token)) {
      return text.substr(entry.value_offset - begin, entry.value_length);
    }
  }
  return std::nullopt;
}

bool FieldBlock::is_whole_lines() const {
  const char* const bytes = text.data();
  size_t at = 0;
  for (const FieldEntry& entry : table) {
    const size_t value = size_t{entry.value_offset} - begin;
    const size_t end = value + entry.value_length;
    if (value != at + entry.name_length + 2 || end + 2 > text.size()) return false;
    if (std::memcmp(bytes + value - 2, ": ", 2) != 0) return false;
    if (std::memcmp(bytes + end, "\r\n", 2) != 0) return false;
    at = end + 2;
  }
  return at == text.size();
}

FieldBlockBuilder::FieldBlockBuilder(Arena& arena, size_t text_bytes, size_t lines)
    : text_(arena.alloc_span<char>(text_bytes)), table_(arena.alloc_span<FieldEntry>(lines)) {
  ok_ = text_.size() == text_bytes && table_.size() == lines;
}

bool FieldBlockBuilder::add(std::string_view name, std::string_view value) {
  return add(Field{field_name(name), name, value});
}

bool FieldBlockBuilder::add(const Field& field) {
  const size_t needed = field.name.size() + field.value.size() + 4;
  constexpr size_t kMost = UINT16_MAX;
  ok_ = ok_ && lines_ < table_.size() && needed <= text_.size() - text_size_ &&
        text_size_ + needed <= kMost;
  if (!ok_) return false;
  FieldEntry& entry = table_[lines_++];
  entry.token = static_cast<uint16_t>(field.token);
  entry.name_length = static_cast<uint16_t>(field.name.size());
  entry.value_offset = static_cast<uint16_t>(text_size_ + field.name.size() + 2);
  entry.value_length = static_cast<uint16_t>(field.value.size());
  const auto append = [&](std::string_view bytes) {
    bytes.copy(text_.data() + text_size_, bytes.size());
    text_size_ += bytes.size();
  };
  append(field.name);
  append(": ");
  append(field.value);
  append("\r\n");
  return true;
}

FieldBlock FieldBlockBuilder::block() const {
  return {{text_.data(), text_size_}, table_.first(lines_)};
}

void ResponseHead::add_fresh(FieldName token, std::string_view value) {
  CHECK(fresh_count < fresh.size());
  fresh[fresh_count++] = {token, field_text(token), value};
}

const Field* ResponseHead::find_fresh(FieldName token) const {
  for (size_t i = 0; i < fresh_count; ++i) {
    if (fresh[i].token == token) return &fresh[i];
  }
  return nullptr;
}

std::optional<std::string_view> ResponseHead::find(FieldName token) const {
  if (const Field* field = find_fresh(token); field != nullptr) return field->value;
  return block.find(token);
}

bool never_has_body(Method method, uint16_t status) {
  return method == Method::kHead || (status >= 100 && status < 200) || status == 204 ||
         status == 304;
}

namespace {

struct Phrase {
  uint16_t status;
  std::string_view text;
};
/// RFC 9110 §15 and the registry, in the order of the statuses.
constexpr Phrase kPhrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

}  // namespace

std::string_view reason_phrase(uint16_t status) {
  const Phrase* found = std::ranges::lower_bound(kPhrases, status, {}, &Phrase::status);
  return found != std::end(kPhrases) && found->status == status ? found->text : "Unknown";
}

}  // namespace perigee::http
