// An origin at the other end of memory pipes: answers by target, remembers what it was asked.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/memory_channel.h"

namespace perigee::test {

using Lines = std::vector<std::pair<std::string, std::string>>;
/// The first line's value of that name in any case; empty: none.
std::string value_of(const Lines& lines, std::string_view name);

/// What the origin was asked.
struct Asked {
  std::string method;
  std::string target;
  Lines lines;
  std::string body;
  std::string operator[](std::string_view name) const { return value_of(lines, name); }
};

/// One answer as bytes on the wire, and how the connection goes on behind it.
class Reply {
 public:
  explicit Reply(uint16_t status = 200) : status_(status) {}
  Reply& line(std::string_view name, std::string_view value);
  Reply& cache(std::string_view directives) { return line("Cache-Control", directives); }
  Reply& etag(std::string_view tag) { return line("ETag", tag); }
  /// A body with its length.
  Reply& body(std::string text);
  /// A body without a length, in one chunk.
  Reply& chunked(std::string text);
  /// Only the first `bytes` of the body are sent, then nothing: the test goes on by
  /// ScriptedOrigin::send.
  Reply& stops_after(size_t bytes);
  /// A whole head sent before this one, such as "103 Early Hints\r\nLink: </a>\r\n".
  Reply& after_interim(std::string_view head);

  std::string wire(std::string_view method) const;

 private:
  uint16_t status_;
  Lines lines_;
  std::string body_;
  std::string interim_;
  size_t sent_ = SIZE_MAX;
  bool has_body_ = false;
  bool chunked_ = false;
};

/// Bytes under a strong ETag, as a file server answers for them: one range of them where the
/// request asks for that, and its If-Range allows it.
struct RangedFile {
  std::string text;
  std::string etag = "\"v1\"";
  std::string cache = "max-age=60";
  /// A 206 brings at most so many bytes.
  size_t most = SIZE_MAX;
  Reply operator()(const Asked& asked) const;
};

class ScriptedOrigin {
 public:
  using Script = std::function<Reply(const Asked&)>;

  /// Answers the connections of `env` from now on.
  explicit ScriptedOrigin(FakeEnv& env);
  ~ScriptedOrigin();

  /// What is answered for a target (404 elsewhere).
  void on(std::string target, Script script) { scripts_[std::move(target)] = std::move(script); }
  void on(std::string target, Reply reply) {
    on(std::move(target), [reply](const Asked&) { return reply; });
  }
  /// What is answered where nothing is said of a target (404).
  void otherwise(Reply reply) { otherwise_ = std::move(reply); }
  /// Requests wait until release(): all, or those of one method and target.
  void hold() { holding_ = true; }
  void hold(std::string method, std::string target) {
    hold();
    held_method_ = std::move(method);
    held_target_ = std::move(target);
  }
  void release();

  // By hand, on the connection of the last request.
  void send(std::string_view bytes);
  void finish();
  void reset();
  /// What came on the connection of the last request behind it, and is no whole request.
  std::string raw() const;
  /// The node ended that connection, in order or not.
  bool saw_end() const;
  /// Ends every connection that is open.
  void finish_all();
  size_t open_connections() const;
  /// Bytes sent and not yet read by the node, on the connection of the last request.
  size_t unread() const;

  std::vector<Asked> asked;
  size_t asked_for(std::string_view target) const;
  /// Connections are refused from now on; those that stand are closed.
  void go_away();
  void come_back() { away_ = false; }

 private:
  class Caller;
  void serve(Caller& caller);
  bool waits(const Asked& request) const;
  void answer(Caller& caller, const Asked& request);

  FakeEnv& env_;
  std::map<std::string, Script> scripts_;
  std::list<std::unique_ptr<Caller>> callers_;
  std::vector<std::pair<Caller*, Asked>> held_;
  Caller* last_ = nullptr;
  bool holding_ = false;
  std::string held_method_;  ///< empty: all
  std::string held_target_;
  Reply otherwise_{404};
  bool away_ = false;
};

}  // namespace perigee::test
