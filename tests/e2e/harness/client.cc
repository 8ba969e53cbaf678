#include "tests/e2e/harness/client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace perigee::e2e {

namespace {

constexpr int kPatienceMs = 20'000;
constexpr int kBlockedMs = 500;

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_token(std::string_view text) {
  constexpr std::string_view kSpecial = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           kSpecial.find(c) != std::string_view::npos;
  });
}

std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(';'), text.size());
    words.emplace(trim(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

/// Digits of that base and nothing else.
bool parse_number(std::string_view text, int base, uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}

void fail(const Response::Here& here, const std::string& what, const Response& response) {
  std::string head = "status " + std::to_string(response.status);
  for (const auto& [name, value] : response.fields) head += "\n  " + name + ": " + value;
  head += "\n  body of " + std::to_string(response.body.size()) +
          " bytes: " + response.body.substr(0, 200);
  head += "\n  state " + std::to_string(static_cast<int>(response.state));
  ADD_FAILURE_AT(here.file_name(), static_cast<int>(here.line())) << what << "\nin " << head;
}

}  // namespace

std::string Response::field(std::string_view name) const {
  const std::string* found = nullptr;
  for (const auto& [known, value] : fields) {
    if (!same_name(known, name)) continue;
    if (found != nullptr) return "";
    found = &value;
  }
  return found != nullptr ? *found : "";
}

size_t Response::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(fields.begin(), fields.end(), [&](const auto& field) {
    return same_name(field.first, name);
  }));
}

Response& Response::expect(int wanted, const Here& here) {
  if (status != wanted || state != State::kWhole) {
    fail(here, "expected a whole " + std::to_string(wanted), *this);
  }
  return *this;
}

Response& Response::expect_body(std::string_view wanted, const Here& here) {
  if (body != wanted) {
    fail(here,
         "expected the body '" + std::string(wanted.substr(0, 200)) + "' of " +
             std::to_string(wanted.size()) + " bytes",
         *this);
  }
  return *this;
}

Response& Response::expect_field(std::string_view name, std::string_view wanted, const Here& here) {
  if (count(name) != 1 || field(name) != wanted) {
    fail(here, "expected one " + std::string(name) + ": " + std::string(wanted), *this);
  }
  return *this;
}

Response& Response::expect_no_field(std::string_view name, const Here& here) {
  if (count(name) != 0) fail(here, "expected no " + std::string(name), *this);
  return *this;
}

std::set<std::string> Response::cache() const {
  std::string last;
  for (const auto& [name, value] : fields) {
    if (same_name(name, "Cache-Status")) last = value.substr(value.rfind(',') + 1);
  }
  std::set<std::string> words = words_of(last);
  if (words.erase("perigee") == 0) words.clear();
  return words;
}

Response& Response::expect_cache(std::string_view wanted, const Here& here) {
  const std::set<std::string> words = cache();
  for (const std::string& word : words_of(wanted)) {
    if (!words.contains(word)) fail(here, "expected Cache-Status to hold " + word, *this);
  }
  return *this;
}

Client::Client(uint16_t port, bool v6) : port_(port) {
  fd_ = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  six.sin6_addr = in6addr_loopback;
  const int connected = v6 ? ::connect(fd_, reinterpret_cast<sockaddr*>(&six), sizeof six)
                           : ::connect(fd_, reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  EXPECT_EQ(connected, 0) << "connect: " << std::strerror(errno);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Client::~Client() { close(); }

std::string Client::bytes(std::string_view method, std::string_view target, const Lines& lines,
                          std::string_view body) const {
  std::string out = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\n";
  const bool has_host = std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return same_name(std::string_view(line).substr(0, 5), "host:");
  });
  if (!has_host) out += "Host: 127.0.0.1:" + std::to_string(port_) + "\r\n";
  for (const std::string& line : lines) out += line + "\r\n";
  if (!body.empty()) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return out + "\r\n" + std::string(body);
}

Response Client::request(std::string_view method, std::string_view target, const Lines& lines,
                         std::string_view body) {
  send(bytes(method, target, lines, body));
  return read(method == "HEAD");
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    pollfd waited{fd_, POLLOUT, 0};
    if (::poll(&waited, 1, kPatienceMs) != 1) return false;
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

size_t Client::send_until_blocked(std::string_view bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    pollfd waited{fd_, POLLOUT, 0};
    if (::poll(&waited, 1, kBlockedMs) != 1) break;
    const ssize_t n =
        ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) break;
    if (n > 0) sent += static_cast<size_t>(n);
  }
  return sent;
}

bool Client::readable() const {
  pollfd waited{fd_, POLLIN, 0};
  return ::poll(&waited, 1, 0) == 1;
}

Client::Got Client::receive() {
  pollfd waited{fd_, POLLIN, 0};
  if (::poll(&waited, 1, kPatienceMs) != 1) return Got::kTimeout;
  char buffer[64 * 1024];
  const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
  if (n < 0) return Got::kReset;
  if (n == 0) return Got::kEnd;
  input_.append(buffer, static_cast<size_t>(n));
  return Got::kBytes;
}

Response Client::read(bool head) {
  Response response = read_head(head);
  read_body(response);
  return response;
}

Response Client::read_head(bool head) {
  Response response;
  while (read_one_head(response, head) && response.status < 200) {
    response.interim.push_back({response.status, response.fields});
  }
  return response;
}

int Client::read_interim() {
  Response response;
  read_one_head(response, false);
  EXPECT_TRUE(response.status >= 100 && response.status < 200) << response.status;
  return response.status;
}

bool Client::read_one_head(Response& response, bool to_head) {
  size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    const Got got = receive();
    if (got == Got::kBytes) continue;
    EXPECT_TRUE(input_.empty()) << "half a head: " << input_;
    response.state = got == Got::kEnd     ? Response::State::kNone
                     : got == Got::kReset ? Response::State::kReset
                                          : Response::State::kTimeout;
    return false;
  }
  const std::string text = input_.substr(0, end + 2);
  input_.erase(0, end + 4);
  response.fields.clear();
  parse_head(text, response, to_head);
  return true;
}

void Client::parse_head(std::string_view head, Response& response, bool to_head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  uint64_t status = 0;
  const bool good = line.size() >= 13 && line.starts_with("HTTP/1.1 ") && line[12] == ' ' &&
                    parse_number(line.substr(9, 3), 10, status);
  EXPECT_TRUE(good) << "not a status line: " << line;
  response.status = static_cast<int>(status);
  head.remove_prefix(line.size() + 2);
  while (!head.empty()) {
    const std::string_view field = head.substr(0, head.find("\r\n"));
    head.remove_prefix(field.size() + 2);
    const size_t colon = std::min(field.find(':'), field.size());
    EXPECT_TRUE(is_token(field.substr(0, colon)) && colon < field.size() &&
                field.find_first_of("\r\n") == std::string_view::npos)
        << "not a field line: " << field;
    response.fields.emplace_back(field.substr(0, colon),
                                 trim(field.substr(std::min(colon + 1, field.size()))));
  }
  if (response.status >= 200) frame(response, to_head);
}

void Client::frame(Response& response, bool to_head) {
  const size_t lengths = response.count("Content-Length");
  const size_t codings = response.count("Transfer-Encoding");
  EXPECT_LE(lengths + codings, 1u) << "ambiguous framing";
  response.state = Response::State::kReading;
  if (to_head || response.status == 204 || response.status == 304) {
    response.state = Response::State::kWhole;
  } else if (codings == 1) {
    EXPECT_EQ(response.field("Transfer-Encoding"), "chunked");
    response.framing = Response::Framing::kChunked;
  } else if (lengths == 1) {
    EXPECT_TRUE(parse_number(response.field("Content-Length"), 10, response.left));
    if (response.left == 0) response.state = Response::State::kWhole;
  } else {
    response.framing = Response::Framing::kClose;
    response.left = UINT64_MAX;
  }
}

/// Bytes in the buffer; false: none come, and `response` says how it ended.
bool Client::need(Response& response) {
  const Got got = receive();
  if (got == Got::kBytes) return true;
  const bool by_close = response.framing == Response::Framing::kClose;
  response.state = got == Got::kTimeout ? Response::State::kTimeout
                   : got == Got::kReset ? Response::State::kReset
                   : by_close           ? Response::State::kWhole
                                        : Response::State::kCut;
  return false;
}

/// The line before a chunk, or the end behind the last. False: the body has ended, well or not.
bool Client::read_chunk_line(Response& response) {
  size_t end = 0;
  while ((end = input_.find("\r\n")) == std::string::npos) {
    if (!need(response)) return false;
  }
  EXPECT_TRUE(parse_number(std::string_view(input_).substr(0, end), 16, response.left))
      << "not a chunk line: " << input_.substr(0, end);
  input_.erase(0, end + 2);
  response.between_chunks = false;
  if (response.left > 0) return true;
  while (input_.size() < 2) {
    if (!need(response)) return false;
  }
  EXPECT_TRUE(input_.starts_with("\r\n")) << "trailers are never sent";
  input_.erase(0, 2);
  response.state = Response::State::kWhole;
  return false;
}

void Client::read_body(Response& response, size_t size) {
  const bool chunked = response.framing == Response::Framing::kChunked;
  while (response.state == Response::State::kReading && response.body.size() < size) {
    if (chunked && response.between_chunks && !read_chunk_line(response)) return;
    if (input_.empty() && !need(response)) return;
    const size_t n = static_cast<size_t>(std::min<uint64_t>(input_.size(), response.left));
    response.body.append(input_, 0, n);
    input_.erase(0, n);
    response.left -= n;
    if (response.left > 0) continue;
    if (!chunked) {
      response.state = Response::State::kWhole;
      return;
    }
    while (input_.size() < 2) {
      if (!need(response)) return;
    }
    EXPECT_TRUE(input_.starts_with("\r\n")) << "a chunk without its end";
    input_.erase(0, 2);
    response.between_chunks = true;
  }
}

Response::State Client::end() {
  if (!input_.empty()) return Response::State::kReading;
  switch (receive()) {
    case Got::kBytes:
      return Response::State::kReading;
    case Got::kEnd:
      return Response::State::kNone;
    case Got::kReset:
      return Response::State::kReset;
    case Got::kTimeout:
      break;
  }
  return Response::State::kTimeout;
}

void Client::half_close() { ::shutdown(fd_, SHUT_WR); }

void Client::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void Client::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace perigee::e2e
