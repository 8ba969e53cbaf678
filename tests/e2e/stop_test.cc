// A node whose log or access log goes to a pipe that nobody reads: it starts, serves, and ends when
// it is told to.
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/e2e/harness/site.h"

namespace perigee::e2e {
namespace {

/// A pipe that takes nothing any more.
class FullPipe {
 public:
  FullPipe() {
    EXPECT_EQ(::pipe2(fds_, O_CLOEXEC), 0);
    const int flags = ::fcntl(fds_[1], F_GETFL);
    ::fcntl(fds_[1], F_SETFL, flags | O_NONBLOCK);
    for (const size_t size : {size_t{4096}, size_t{1}}) {
      while (::write(fds_[1], std::string(size, '.').data(), size) > 0) {
      }
    }
    // As the program finds it: a write waits.
    ::fcntl(fds_[1], F_SETFL, flags);
  }
  ~FullPipe() {
    ::close(fds_[0]);
    ::close(fds_[1]);
  }
  int end() const { return fds_[1]; }

 private:
  int fds_[2] = {-1, -1};
};

/// Nothing tells where the node listens, so the port is chosen before.
class Stopping : public testing::Test {
 protected:
  Stopping() { origin.reply("/a", {.fields = {max_age(600)}, .body = "one"}); }
  /// The arguments for a node; its access log goes to stdout.
  std::vector<std::string> arguments(uint16_t at) {
    const std::string config = folder.write(
        "perigee.toml", "[log]\naccess = \"stdout\"\n[[site]]\ndefault = true\norigin = \"" +
                            origin.url() + "\"\n");
    return {binary(),
            "-c",
            config,
            "--listen",
            "127.0.0.1:" + std::to_string(at),
            "--store",
            folder.file("store"),
            "--store-size",
            "144MiB",
            "--workers",
            "2"};
  }
  /// Starts, on the same port each time, and waits until it can be connected to.
  void start(int out, int err, std::vector<std::pair<int, rlim_t>> limits = {}) {
    if (port == 0) port = free_port();
    node = std::make_unique<Process>(ProcessOptions{
        .arguments = arguments(port), .limits = std::move(limits), .out = out, .err = err});
    ASSERT_TRUE(eventually([this] { return listens(); }));
  }
  bool listens() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const bool there =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return there;
  }
  void ask_often() {
    for (int i = 0; i < 50; ++i) Client(port).get("/a").expect(200).expect_body("one");
  }

  tools::FakeOrigin origin;
  TempFolder folder;
  FullPipe full;
  uint16_t port = 0;
  std::unique_ptr<Process> node;
};

TEST_F(Stopping, OneSignalEndsANodeWhoseLogNobodyReads) {
  start(-1, full.end());
  ask_often();
  node->signal(SIGTERM);
  EXPECT_EQ(node->wait(), 0);
}

TEST_F(Stopping, OneSignalEndsANodeWhoseAccessLogNobodyReads) {
  start(full.end(), -1);
  ask_often();
  node->signal(SIGTERM);
  EXPECT_EQ(node->wait(), 0) << node->err();
}

TEST_F(Stopping, ANodeWhoseLogsLostTheirReaderServesOnAndEnds) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  start(ends[1], ends[1]);
  ::close(ends[1]);
  ask_often();
  EXPECT_TRUE(node->running()) << "a broken pipe is no reason to end";
  node->signal(SIGTERM);
  EXPECT_EQ(node->wait(), 0);
}

TEST_F(Stopping, OneSignalEndsANodeThatDidNothingAndThatNobodyReads) {
  start(full.end(), full.end());
  node->signal(SIGTERM);
  EXPECT_EQ(node->wait(), 0);
}

TEST_F(Stopping, TwoSignalsEndANodeThatNobodyReadsWithAResponseInFlight) {
  origin.hold("/slow");
  start(full.end(), full.end());
  ask_often();
  Client waiting(port);
  waiting.send(waiting.bytes("GET", "/slow"));
  ASSERT_TRUE(origin.wait_for("/slow", 1));
  node->signal(SIGTERM);
  // The drain has begun when nobody can connect any more.
  ASSERT_TRUE(eventually([this] { return !listens(); }));
  node->signal(SIGTERM);
  EXPECT_EQ(node->wait(), 0);
  // The store was closed in order before.
  start(-1, -1);
  Client(port).get("/a").expect(200).expect_cache("hit");
  node->signal(SIGTERM);
  EXPECT_EQ(node->wait(), 0);
}

/// A node that is held still, so that its clients wait in the kernel's queue.
class FullBacklog : public Stopping {
 protected:
  static constexpr size_t kWaiting = 500;

  /// All of them are there, and have asked, before the node sees the first.
  void let_many_wait() {
    node->signal(SIGSTOP);
    for (size_t i = 0; i < kWaiting; ++i) {
      Client& client = waiting.emplace_back(port);
      ASSERT_TRUE(client.send(client.bytes("GET", "/a")));
    }
  }
  void go_on_with(int number) {
    node->signal(number);
    node->signal(SIGCONT);
  }

  std::vector<Client> waiting;
};

TEST_F(FullBacklog, IsAnsweredBeforeTheNodeEnds) {
  start(-1, -1);
  ask_often();
  let_many_wait();
  go_on_with(SIGTERM);
  for (Client& client : waiting) client.read().expect(200).expect_body("one");
  for (Client& client : waiting) EXPECT_EQ(client.end(), Response::State::kNone);
  EXPECT_EQ(node->wait(), 0);
}

// Only who has a slot is a client; the others see their connection end, and nobody is left hanging.
TEST_F(FullBacklog, BeyondTheBoundOfClientsIsClosed) {
  start(-1, -1, {{RLIMIT_NOFILE, 256}});
  ask_often();
  std::vector<Client> idle;
  for (size_t i = 0; i < 120; ++i) {
    idle.emplace_back(port).get("/a").expect(200);
  }
  let_many_wait();
  go_on_with(SIGTERM);
  // How many of them get a slot in time depends on who is first: the idle ones or the signal.
  for (Client& client : waiting) {
    Response response = client.read();
    if (response.state == Response::State::kWhole) {
      response.expect(200).expect_body("one");
      continue;
    }
    EXPECT_TRUE(response.state == Response::State::kReset ||
                response.state == Response::State::kNone)
        << static_cast<int>(response.state);
  }
  EXPECT_EQ(node->wait(), 0) << node->err();
}

TEST_F(Stopping, AStartThatFailsEndsThoughNobodyReadsWhy) {
  start(-1, -1);
  Process second({.arguments = arguments(port), .out = full.end(), .err = full.end()});
  EXPECT_EQ(second.wait(), 1);
  node->signal(SIGTERM);
  EXPECT_EQ(node->wait(), 0);
}

TEST_F(Stopping, ASignalDuringTheStartIsKept) {
  // Sent at any instant of it, also before it can be taken: then it ends the process itself.
  for (int i = 0; i < 20; ++i) {
    Process early({.arguments = arguments(free_port())});
    ::usleep(static_cast<useconds_t>(i * 1000));
    early.signal(SIGTERM);
    const std::optional<int> end = early.wait();
    EXPECT_TRUE(end == 0 || end == -SIGTERM) << end.value_or(-1) << early.err();
  }
}

/// The threads of a process but its first one, held still from outside: as if each hung in a call
/// to a disk that does not answer.
class FrozenThreads {
 public:
  explicit FrozenThreads(pid_t pid) {
    const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      const pid_t thread = std::stoi(task.path().filename().string());
      if (thread == pid) continue;
      if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) return;
      threads_.push_back(thread);
      if (::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0) return;
      if (::waitpid(thread, nullptr, __WALL) != thread) return;
    }
    all_ = true;
  }
  /// False: this system does not let us.
  bool all() const { return all_; }
  /// Those that have died are buried by who holds them: us.
  void bury() const {
    for (const pid_t thread : threads_) ::waitpid(thread, nullptr, __WALL | WNOHANG);
  }

 private:
  std::vector<pid_t> threads_;
  bool all_ = false;
};

TEST_F(Stopping, AThreadThatHangsDoesNotKeepTheNodeFromEnding) {
  start(-1, -1);
  ask_often();
  const FrozenThreads frozen(node->pid());
  if (!frozen.all()) GTEST_SKIP() << "no thread can be held here";
  // The second one waits for no drain.
  node->signal(SIGTERM);
  ASSERT_TRUE(eventually([&] {
    node->signal(SIGTERM);
    frozen.bury();
    return !node->running();
  }));
  EXPECT_EQ(node->wait(), 1);
  EXPECT_NE(node->err().find("is cut off"), std::string::npos) << node->err();
}

TEST_F(Stopping, WithoutStandardDescriptorsNothingIsPrintedIntoItsFiles) {
  port = free_port();
  std::string command = "exec";
  for (const std::string& argument : arguments(port)) command += " '" + argument + "'";
  node = std::make_unique<Process>(
      ProcessOptions{.arguments = {"sh", "-c", command + " <&- >&- 2>&-"}});
  ASSERT_TRUE(eventually([this] { return listens(); }));
  ask_often();
  for (const char* number : {"0", "1", "2"}) {
    const std::string path = "/proc/" + std::to_string(node->pid()) + "/fd/" + number;
    EXPECT_EQ(std::filesystem::read_symlink(path), "/dev/null") << number;
  }
  node->signal(SIGTERM);
  EXPECT_EQ(node->wait(), 0);
}

TEST_F(Stopping, AnAccessLogThatIsAFifoWithoutAReaderIsAnErrorAtOnce) {
  const std::string fifo = folder.file("access");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const std::string folder_name = folder.file("a-folder");
  ASSERT_EQ(::mkdir(folder_name.c_str(), 0700), 0);
  for (const std::string& path : {fifo, folder_name}) {
    const std::string config = folder.write(
        "other.toml", "[log]\naccess = \"" + path + "\"\n[[site]]\ndefault = true\norigin = \"" +
                          origin.url() + "\"\n");
    const Finished done = run({.arguments = {binary(), "-c", config, "--listen", "127.0.0.1:0",
                                             "--store", folder.file("store")}});
    EXPECT_EQ(done.exit, 1) << done.err;
    EXPECT_NE(done.err.find(path), std::string::npos) << done.err;
  }
}

}  // namespace
}  // namespace perigee::e2e
