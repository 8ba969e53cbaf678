#include "http/message.h"

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
      return text.substr(entry.value_offset, entry.value_length);
    }
  }
  return std::nullopt;
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

std::string_view reason_phrase(uint16_t status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 207:
      return "Multi-Status";
    case 208:
      return "Already Reported";
    case 226:
      return "IM Used";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 305:
      return "Use Proxy";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 423:
      return "Locked";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 506:
      return "Variant Also Negotiates";
    case 507:
      return "Insufficient Storage";
    case 508:
      return "Loop Detected";
    case 511:
      return "Network Authentication Required";
    default:
      return "Unknown";
  }
}

}  // namespace perigee::http
