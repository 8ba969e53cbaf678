// What the fake origin says: well-made responses shaped by a query, and one function a fault.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "tools/fake_origin.h"

namespace perigee::tools {

namespace {

constexpr std::string_view kCacheable = "Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n";
constexpr size_t kEndlessMost = 1'000'000;  ///< rounds of what is called endless
constexpr size_t kBlockBytes = 64 * 1024;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
               hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// All values of a query parameter, decoded.
std::vector<std::string> query_values(std::string_view target, std::string_view name) {
  std::vector<std::string> values;
  const size_t mark = target.find('?');
  std::string_view query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != name) continue;
    values.push_back(decode(pair.substr(std::min(pair.size(), equals + 1))));
  }
  return values;
}

std::string number(uint64_t value, int base = 10) {
  std::array<char, 24> text;
  std::snprintf(text.data(), text.size(), base == 16 ? "%lx" : "%lu",
                static_cast<unsigned long>(value));
  return text.data();
}

std::string chunk_of(std::string_view bytes) {
  return number(bytes.size(), 16) + "\r\n" + std::string(bytes) + "\r\n";
}

FakeReply reply_of_query(const FakeRequest& request) {
  FakeReply reply;
  reply.status = static_cast<unsigned>(request.query_number("status", 200));
  reply.fields = query_values(request.target, "h");
  reply.body = request.query("body").value_or(
      pattern_body(static_cast<size_t>(request.query_number("size", 64))));
  reply.delay_ms = static_cast<int64_t>(request.query_number("delay_ms", 0));
  reply.pause_ms = static_cast<int64_t>(request.query_number("pause_ms", 0));
  reply.etag = request.query("etag").value_or("");
  reply.chunked = request.query_number("chunked", 0) != 0;
  reply.close = request.query_number("close", 0) != 0;
  reply.http10 = request.query_number("http10", 0) != 0;
  reply.early_hints = request.query_number("early_hints", 0) != 0;
  if (const auto seconds = request.query("keep_alive")) {
    reply.fields.push_back("Keep-Alive: timeout=" + *seconds);
  }
  return reply;
}

/// A whole, cacheable 200; the faults below are told by how they differ from it.
std::string whole_response(std::string_view body) {
  return "HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
         "Content-Length: " + number(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string size_body(const FakeRequest& request, size_t otherwise = 1000) {
  return pattern_body(static_cast<size_t>(request.query_number("size", otherwise)));
}

// --- faults
// -----------------------------------------------------------------------------------------

void hang(FakeRequest&, Wire& wire) {
  while (wire.sleep(60'000)) continue;
}
void reset_after(FakeRequest& request, Wire& wire) {
  const std::string response = whole_response(size_body(request));
  wire.send(std::string_view(response).substr(0, request.query_number("after", 0)));
  // Time for what was sent to be taken: a reset throws away what the peer has not read.
  wire.sleep(20);
  wire.reset();
}
void fin_after(FakeRequest& request, Wire& wire) {
  const std::string response = whole_response(size_body(request));
  wire.send(std::string_view(response).substr(0, request.query_number("after", 0)));
  wire.finish();
}
void fin_in_head(FakeRequest&, Wire& wire) {
  wire.send("HTTP/1.1 200 OK\r\nContent-Le");
  wire.finish();
}
void long_length(FakeRequest& request, Wire& wire) {
  const std::string body = size_body(request);
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) + "Content-Length: " +
            number(body.size() + request.query_number("after", 100)) + "\r\n\r\n" + body);
  wire.finish();
}
void short_length(FakeRequest& request, Wire& wire) {
  wire.send(whole_response(size_body(request)) + pattern_body(request.query_number("after", 100)));
}
void no_last_chunk(FakeRequest& request, Wire& wire) {
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) + "Transfer-Encoding: chunked\r\n\r\n" +
            chunk_of(size_body(request)));
  wire.finish();
}
void bad_chunk(FakeRequest& request, Wire& wire) {
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) + "Transfer-Encoding: chunked\r\n\r\n" +
            chunk_of(size_body(request)) + "5x\r\nhello\r\n0\r\n\r\n");
}
void endless_head(FakeRequest&, Wire& wire) {
  bool on = wire.send("HTTP/1.1 200 OK\r\n");
  for (size_t i = 0; on && i < kEndlessMost; ++i) on = wire.send("X-" + number(i) + ": again\r\n");
}
void large_head(FakeRequest& request, Wire& wire) {
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
            "X-Large: " + std::string(request.query_number("size", 70'000), 'x') +
            "\r\nContent-Length: 0\r\n\r\n");
}
void many_fields(FakeRequest& request, Wire& wire) {
  std::string head = "HTTP/1.1 200 OK\r\n" + std::string(kCacheable) + "Content-Length: 0\r\n";
  for (size_t i = 0; i < request.query_number("size", 250); ++i) head += "X: 1\r\n";
  wire.send(head + "\r\n");
}
void endless_1xx(FakeRequest&, Wire& wire) {
  bool on = true;
  for (size_t i = 0; on && i < kEndlessMost; ++i) {
    on = wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
  }
}
void endless_body(FakeRequest&, Wire& wire) {
  const std::string chunk = chunk_of(pattern_body(kBlockBytes));
  bool on = wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
                      "Transfer-Encoding: chunked\r\n\r\n");
  for (size_t i = 0; on && i < kEndlessMost; ++i) on = wire.send(chunk);
}
void trickle(FakeRequest& request, Wire& wire) {
  const std::string body = size_body(request, 20);
  const auto pause_ms = static_cast<int64_t>(request.query_number("pause_ms", 1000));
  bool on = wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
                      "Content-Length: " + number(body.size()) + "\r\n\r\n");
  for (size_t i = 0; on && i < body.size(); ++i) {
    on = wire.sleep(pause_ms) && wire.send(std::string_view(body).substr(i, 1));
  }
}
void trickle_head(FakeRequest& request, Wire& wire) {
  const std::string response = whole_response("x");
  const auto pause_ms = static_cast<int64_t>(request.query_number("pause_ms", 1000));
  bool on = true;
  for (size_t i = 0; on && i < response.size(); ++i) {
    on = wire.sleep(pause_ms) && wire.send(std::string_view(response).substr(i, 1));
  }
}

/// gzip of `size` zeros, about 158 to 1; its checksum is not right, and nobody should get as far.
std::string gzip_bomb(size_t size) {
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  unsigned held = 0;
  unsigned bits = 0;
  // Deflate packs bits from the lowest; Huffman codes go in with their first bit first.
  const auto put = [&](std::string_view code) {
    for (const char bit : code) {
      held |= (bit == '1' ? 1u : 0u) << bits;
      if (++bits < 8) continue;
      out += static_cast<char>(held);
      held = bits = 0;
    }
  };
  put("110");       // the last block, fixed codes
  put("00110000");  // a zero
  for (size_t left = size / 258; left > 0; --left) put("1100010100000");  // 258 more of it
  put("0000000");                                                         // the end of the block
  put("0000000");
  return out + std::string(8, '\0');
}

void gzip_bomb_response(FakeRequest& request, Wire& wire) {
  const std::string body = gzip_bomb(request.query_number("size", 64 << 20));
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
            "Content-Encoding: gzip\r\nContent-Length: " + number(body.size()) + "\r\n\r\n" + body);
}
void wrong_coding(FakeRequest& request, Wire& wire) {
  const std::string body = size_body(request);
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
            "Content-Encoding: gzip\r\nContent-Length: " + number(body.size()) + "\r\n\r\n" + body);
}
void status_line(FakeRequest& request, Wire& wire) {
  const std::string response = whole_response(size_body(request, 2));
  wire.send("HTTP/1.1 " + request.query("status").value_or("000") +
            response.substr(std::string_view("HTTP/1.1 200").size()));
}
void two_responses(FakeRequest&, Wire& wire) {
  wire.send(whole_response("first") + whole_response("second"));
}
void early_answer(FakeRequest& request, Wire& wire) {
  wire.send(whole_response(size_body(request)));
}
void early_close(FakeRequest& request, Wire& wire) {
  wire.send(whole_response(size_body(request)));
  wire.finish();
}
void raw_head(Wire& wire, std::string_view lines) {
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) + std::string(lines) + "\r\nhello");
}
void nul_in_head(FakeRequest&, Wire& wire) {
  using namespace std::string_view_literals;
  raw_head(wire, "X-Nul: a\0b\r\nContent-Length: 5\r\n"sv);
}
void bare_lf(FakeRequest&, Wire& wire) {
  wire.send("HTTP/1.1 200 OK\nContent-Length: 5\nCache-Control: max-age=60\n\nhello");
}
void folded(FakeRequest&, Wire& wire) {
  raw_head(wire, "X-Fold: a\r\n b\r\nContent-Length: 5\r\n");
}
void space_before_colon(FakeRequest&, Wire& wire) { raw_head(wire, "Content-Length : 5\r\n"); }
void two_lengths(FakeRequest&, Wire& wire) {
  raw_head(wire, "Content-Length: 5\r\nContent-Length: 4\r\n");
}
void length_and_chunked(FakeRequest&, Wire& wire) {
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk_of("hello") +
            "0\r\n\r\n");
}
void chunked_gzip(FakeRequest&, Wire& wire) {
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
            "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk_of("hello") + "0\r\n\r\n");
}
void http10_chunked(FakeRequest&, Wire& wire) {
  wire.send("HTTP/1.0 200 OK\r\n" + std::string(kCacheable) + "Transfer-Encoding: chunked\r\n\r\n" +
            chunk_of("hello") + "0\r\n\r\n");
  wire.finish();
}
void not_http(FakeRequest&, Wire& wire) {
  wire.send("<html>no head at all</html>\r\n\r\n");
  wire.finish();
}
void switching(FakeRequest&, Wire& wire) {
  wire.send(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
  while (wire.sleep(60'000)) continue;
}
void not_modified(FakeRequest&, Wire& wire) {
  wire.send("HTTP/1.1 304 Not Modified\r\nETag: \"unasked\"\r\n" + std::string(kCacheable) +
            "\r\n");
}
void partial(FakeRequest&, Wire& wire) {
  wire.send("HTTP/1.1 206 Partial Content\r\n" + std::string(kCacheable) +
            "Content-Range: bytes 0-4/10\r\nContent-Length: 5\r\n\r\nhello");
}
void no_content_with_body(FakeRequest&, Wire& wire) {
  wire.send("HTTP/1.1 204 No Content\r\n" + std::string(kCacheable) +
            "Content-Length: 5\r\n\r\nhello");
}
void closes_idle(FakeRequest& request, Wire& wire) {
  wire.send(whole_response(size_body(request)));
  wire.finish();
}
void talks_idle(FakeRequest& request, Wire& wire) {
  // Kept for long, so that only what it says can end it.
  const std::string body = size_body(request);
  wire.send("HTTP/1.1 200 OK\r\n" + std::string(kCacheable) +
            "Keep-Alive: timeout=60\r\nContent-Length: " + number(body.size()) + "\r\n\r\n" + body);
  wire.sleep(20);
  wire.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
}

}  // namespace

std::optional<std::string> FakeRequest::query(std::string_view name) const {
  const std::vector<std::string> values = query_values(target, name);
  return values.empty() ? std::nullopt : std::optional(values.front());
}

uint64_t FakeRequest::query_number(std::string_view name, uint64_t otherwise) const {
  const std::optional<std::string> value = query(name);
  return value ? std::strtoull(value->c_str(), nullptr, 10) : otherwise;
}

std::string pattern_body(size_t size) {
  std::string body(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    body[i] = static_cast<char>('a' + (i * 7 + i / 251 + i / 65'521) % 26);
  }
  return body;
}

void send_reply(const FakeReply& reply, FakeRequest& request, Wire& wire) {
  if (!wire.read_body(request)) return;
  if (reply.early_hints && !wire.send("HTTP/1.1 103 Early Hints\r\nLink: </early.css>\r\n\r\n"))
    return;
  if (reply.delay_ms > 0 && !wire.sleep(reply.delay_ms)) return;
  const bool matches = !reply.etag.empty() && request.field("If-None-Match") == reply.etag;
  const unsigned status = matches ? 304 : reply.status;
  const bool bodiless = request.method == "HEAD" || status == 204 || status == 304;
  std::string head = (reply.http10 ? "HTTP/1.0 " : "HTTP/1.1 ") + number(status) + " Told\r\n";
  if (!reply.etag.empty()) head += "ETag: " + reply.etag + "\r\n";
  for (const std::string& field : reply.fields) head += field + "\r\n";
  if (reply.chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!reply.close && status != 204 && status != 304) {
    head += "Content-Length: " + number(reply.body.size()) + "\r\n";
  }
  head += "\r\n";
  if (bodiless) {
    wire.send(head);
  } else {
    if (reply.pause_ms > 0) {
      if (!wire.send(head) || !wire.sleep(reply.pause_ms)) return;
      head.clear();
    }
    wire.send(head + (reply.chunked ? chunk_of(reply.body) + (reply.body.empty() ? "" : "0\r\n\r\n")
                                    : reply.body));
  }
  if (reply.close || reply.http10) wire.finish();
}

std::span<const FaultMode> fault_modes() {
  static constexpr FaultMode kModes[] = {
      {"hang", "takes the request and never answers", hang},
      {"reset", "RST after `after` bytes of a whole response", reset_after},
      {"fin", "FIN after `after` bytes of a whole response", fin_after},
      {"fin-in-head", "FIN within the head", fin_in_head},
      {"long-length", "Content-Length is `after` more than comes, then FIN", long_length},
      {"short-length", "Content-Length is `after` less than comes", short_length},
      {"no-last-chunk", "chunked, FIN without the last chunk", no_last_chunk},
      {"bad-chunk", "chunked, the second size is not a number", bad_chunk},
      {"endless-head", "field lines without end", endless_head},
      {"large-head", "one field of `size` bytes", large_head},
      {"many-fields", "`size` fields", many_fields},
      {"endless-1xx", "103 after 103", endless_1xx},
      {"endless-body", "chunk after chunk", endless_body},
      {"trickle", "`size` bytes of content, one each `pause_ms`", trickle},
      {"trickle-head", "the head, one byte each `pause_ms`", trickle_head},
      {"gzip-bomb", "`size` zeros as gzip", gzip_bomb_response},
      {"wrong-coding", "says gzip and is not", wrong_coding},
      {"status", "the status code is the text `status`", status_line},
      {"two-responses", "a second response right behind the first", two_responses},
      {"early", "answers before it has read the request's content, then reads it", early_answer},
      {"early-close", "answers before it has read the request's content, then FIN", early_close},
      {"nul-in-head", "a NUL in a field value", nul_in_head},
      {"bare-lf", "lines end with LF alone", bare_lf},
      {"folded", "a folded field line", folded},
      {"space-before-colon", "a space before the colon of Content-Length", space_before_colon},
      {"two-lengths", "two different Content-Length lines", two_lengths},
      {"length-and-chunked", "both kinds of framing", length_and_chunked},
      {"chunked-gzip", "Transfer-Encoding: gzip, chunked", chunked_gzip},
      {"http10-chunked", "chunked in HTTP/1.0", http10_chunked},
      {"not-http", "no status line", not_http},
      {"switching", "a 101 that nobody asked for", switching},
      {"not-modified", "a 304 that nobody asked for", not_modified},
      {"partial", "a 206 that nobody asked for", partial},
      {"no-content-with-body", "a 204 with content", no_content_with_body},
      {"closes-idle", "a whole response without Connection: close, then FIN", closes_idle},
      {"talks-idle", "a whole response, then a 408 on the idle connection", talks_idle},
  };
  return kModes;
}

FakeScript default_script() {
  return [](FakeRequest& request, Wire& wire) {
    constexpr std::string_view kPrefix = "/fault/";
    if (!request.path.starts_with(kPrefix)) {
      return send_reply(reply_of_query(request), request, wire);
    }
    std::string_view name = std::string_view(request.path).substr(kPrefix.size());
    name = name.substr(0, name.find('/'));
    for (const FaultMode& mode : fault_modes()) {
      if (mode.name == name) return mode.run(request, wire);
    }
    FakeReply unknown;
    unknown.status = 404;
    unknown.body = "no such fault\n";
    send_reply(unknown, request, wire);
  };
}

}  // namespace perigee::tools
