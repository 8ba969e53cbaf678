#include "tests/sim/fields.h"

#include <algorithm>
#include <cctype>

namespace perigee::sim {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

std::string folded(std::string_view name) {
  std::string out = lower(name);
  for (char& c : out) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
  }
  return out;
}

bool is_poison(const std::string& name) {
  static constexpr std::string_view kPrefixes[] = {
      "x-forwarded-",  "forwarded", "x-original-", "x-rewrite-",    "x-middleware-",
      "x-http-method", "x-envoy-",  "proxy",       "x-matched-path"};
  static const std::vector<std::string> kNames = {
      "x-forwarded",    "x-host",           "x-method-override", "x-http-host-override",
      "x-client-ip",    "x-real-ip",        "client-ip",         "x-cluster-client-ip",
      "true-client-ip", "cf-connecting-ip", "fastly-client-ip",  "front-end-https",
      "x-url-scheme"};
  const bool begins =
      std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                  [&](std::string_view prefix) { return name.starts_with(prefix); });
  return begins || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool same_name(std::string_view a, std::string_view b) { return lower(a) == lower(b); }

std::optional<std::string> first_of(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (same_name(key, name)) return value;
  }
  return std::nullopt;
}

bool has(const Fields& fields, std::string_view name) { return first_of(fields, name).has_value(); }

std::optional<std::string> joined(const Fields& fields, std::string_view name) {
  std::optional<std::string> out;
  for (const auto& [key, value] : fields) {
    if (same_name(key, name)) out = out ? *out + ", " + value : value;
  }
  return out;
}

void remove_all(Fields& fields, std::string_view name) {
  std::erase_if(fields, [&](const auto& field) { return same_name(field.first, name); });
}

std::vector<std::string> members(std::string_view list) {
  std::vector<std::string> out;
  std::string current;
  bool quoted = false;
  for (size_t i = 0; i <= list.size(); ++i) {
    if (i == list.size() || (list[i] == ',' && !quoted)) {
      if (std::string member = trim(current); !member.empty()) out.push_back(member);
      current.clear();
      continue;
    }
    if (quoted && list[i] == '\\' && i + 1 < list.size())
      current += list[i++];
    else if (list[i] == '"')
      quoted = !quoted;
    current += list[i];
  }
  return out;
}

std::optional<int64_t> number(std::string_view digits) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  if (digits.size() > 15) return int64_t{1} << 52;
  return std::stoll(std::string(digits));
}

void MessageReader::begin(std::string_view asked) {
  *this = MessageReader(kind_);
  asked_method_ = asked;
}

bool MessageReader::broken(std::string why) {
  state_ = State::kBroken;
  error_ = std::move(why);
  return false;
}

size_t MessageReader::read(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && (state_ == State::kHead || state_ == State::kBody)) {
    if (state_ == State::kHead) {
      head_ += bytes[used++];
      ++consumed_;
      if (head_.ends_with("\r\n\r\n")) read_head();
      continue;
    }
    const std::string_view rest = bytes.substr(used);
    size_t n = rest.size();
    if (chunked_) {
      n = read_chunked(rest);
    } else {
      if (!until_close) n = static_cast<size_t>(std::min<uint64_t>(n, left_));
      body += rest.substr(0, n);
      left_ -= until_close ? 0 : n;
      if (!until_close && left_ == 0) state_ = State::kDone;
    }
    used += n;
    consumed_ += n;
  }
  return used;
}

bool MessageReader::end() {
  if (state_ == State::kBody && until_close) state_ = State::kDone;
  return state_ == State::kDone;
}

bool MessageReader::read_head() {
  head_bytes = head_.size();
  size_t at = head_.find("\r\n");
  const std::string first = head_.substr(0, at);
  const size_t space = first.find(' ');
  const size_t second = first.find(' ', space + 1);
  if (space == std::string::npos) return broken("no first line: " + first);
  if (kind_ == Kind::kResponse) {
    version = first.substr(0, space);
    const std::string digits = first.substr(space + 1, 3);
    if (!version.starts_with("HTTP/1.") || !number(digits) || first.size() < space + 5) {
      return broken("not a status line: " + first);
    }
    status = std::stoi(digits);
  } else {
    if (second == std::string::npos) return broken("not a request line: " + first);
    method = first.substr(0, space);
    target = first.substr(space + 1, second - space - 1);
    version = first.substr(second + 1);
  }
  for (at += 2; at + 2 < head_.size();) {
    const size_t end = head_.find("\r\n", at);
    const std::string line = head_.substr(at, end - at);
    at = end + 2;
    const size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0 ||
        line.find_first_of("\r\n") != std::string::npos) {
      return broken("not a field line: " + line);
    }
    fields.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
  }
  return choose_framing();
}

bool MessageReader::choose_framing() {
  state_ = State::kBody;
  const auto coding = joined(fields, "Transfer-Encoding");
  const auto length = joined(fields, "Content-Length");
  if (coding && length) return broken("both Transfer-Encoding and Content-Length");
  const bool bodiless = kind_ == Kind::kResponse &&
                        (asked_method_ == "HEAD" || status < 200 || status == 204 || status == 304);
  if (bodiless) {
    state_ = State::kDone;
  } else if (coding) {
    if (*coding != "chunked") return broken("Transfer-Encoding: " + *coding);
    chunked_ = true;
  } else if (length) {
    const auto value = number(*length);
    if (!value) return broken("Content-Length: " + *length);
    left_ = static_cast<uint64_t>(*value);
    if (left_ == 0) state_ = State::kDone;
  } else if (kind_ == Kind::kRequest) {
    state_ = State::kDone;
  } else {
    until_close = true;
  }
  return true;
}

size_t MessageReader::read_chunked(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && state_ == State::kBody) {
    if (chunk_ == Chunk::kData) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes.size() - used, left_));
      body += bytes.substr(used, n);
      used += n;
      left_ -= n;
      if (left_ == 0) chunk_ = Chunk::kDataEnd;
      continue;
    }
    line_ += bytes[used++];
    if (!line_.ends_with("\r\n")) continue;
    const std::string line = line_.substr(0, line_.size() - 2);
    line_.clear();
    if (chunk_ == Chunk::kDataEnd) {
      if (!line.empty()) broken("no line end behind a chunk");
      chunk_ = Chunk::kSize;
    } else if (chunk_ == Chunk::kTrailer) {
      if (line.empty()) state_ = State::kDone;
    } else {
      const bool hex = !line.empty() && line.size() < 9 &&
                       line.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
      if (!hex) {
        broken("chunk size: " + line);
        break;
      }
      left_ = std::stoul(line, nullptr, 16);
      chunk_ = left_ == 0 ? Chunk::kTrailer : Chunk::kData;
    }
  }
  return used;
}

}  // namespace perigee::sim
