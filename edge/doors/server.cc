#include "edge/doors/server.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "cache_store/geometry.h"
#include "cache_store/store.h"
#include "cache_store/store_io.h"
#include "edge/access_log.h"
#include "edge/background.h"
#include "edge/doors/origin_check.h"
#include "edge/doors/random.h"
#include "edge/doors/thread_pool.h"
#include "edge/doors/uv_env.h"
#include "edge/doors/uv_listener.h"
#include "edge/log.h"
#include "edge/metrics.h"
#include "edge/node.h"
#include "edge/store_size.h"
#include "edge/worker.h"

namespace perigee::edge {

namespace limits = base::limits;

namespace {

constexpr int64_t kStepMs = 20;  ///< between two looks at whether workers have ended

class LoggedStoreEvents final : public cache_store::StoreObserver {
 public:
  void on_store_event(std::string_view sentence) override { log_warning(sentence); }
};

/// Every descriptor the system lets us have: connections are what a node is for.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

size_t descriptor_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : SIZE_MAX;
}

/// How many are open now: the loops', the listeners', the store's, and what we were started with.
size_t open_descriptors() {
  std::error_code ignored;
  const std::filesystem::directory_iterator all("/proc/self/fd", ignored);
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

/// Those that are for the node. Blocked before any thread begins, the log's included, so that only
/// sigtimedwait() sees them.
sigset_t block_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  // A file size limit is an error of the store's writes, not the end of the node.
  ::signal(SIGXFSZ, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

unsigned worker_count(const Config& config) {
  if (config.workers != 0) return config.workers;
  return std::max(1u, std::thread::hardware_concurrency());
}

/// A worker, its loop and its thread.
struct WorkerThread {
  WorkerThread(unsigned index, ThreadPool& pool) : env(std::make_unique<UvEnv>(index, pool)) {}
  std::unique_ptr<UvEnv> env;
  std::unique_ptr<Worker> worker;
  std::vector<std::unique_ptr<UvListener>> listeners;
  std::thread thread;
};

class Server {
 public:
  Server(const Config& config, const sigset_t& signals)
      : config_(config),
        signals_(signals),
        io_(cache_store::make_file_io()),
        metrics_(worker_count(config)),
        access_log_(config.log) {}

  /// At any time, from one thread. The signal that came within the time and asks the node to stop,
  /// or 0. What other signals ask for is done here.
  int stop_signal_within(int64_t ms);

  base::Status start();
  /// Serves until a signal asks the node to stop.
  int serve();
  /// Lets what is in flight finish.
  void drain(int signal);
  void stop();

 private:
  /// No file is there yet, or an empty one.
  bool makes_store() const;
  base::Status open_store();
  base::Status listen();
  void make_workers();

  Config config_;
  const sigset_t signals_;
  LoggedStoreEvents store_events_;
  std::unique_ptr<cache_store::StoreIo> io_;
  std::unique_ptr<cache_store::Store> store_;
  Metrics metrics_;
  AccessLog access_log_;
  SnapshotPtr snapshot_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<ThreadPool> pool_;
  std::vector<ListeningSockets> sockets_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
  std::atomic<unsigned> busy_workers_{0};
};

int Server::stop_signal_within(int64_t ms) {
  const timespec step{ms / 1000, ms % 1000 * 1'000'000};
  const int signal = sigtimedwait(&signals_, nullptr, &step);
  switch (signal) {
    case SIGHUP:
      log_info("SIGHUP is ignored: the configuration is read at start only");
      return 0;
    case SIGUSR1:
      log_info("SIGUSR1: opening the access log again");
      access_log_.reopen();
      return 0;
    case SIGUSR2:
      log_info("SIGUSR2 is ignored: it has no meaning");
      return 0;
    default:
      return std::max(signal, 0);
  }
}

int Server::serve() {
  for (;;) {
    if (const int signal = stop_signal_within(limits::kAccessLogFlushMs); signal != 0)
      return signal;
    access_log_.flush();
  }
}

bool Server::makes_store() const {
  std::error_code none;
  const uintmax_t size = std::filesystem::file_size(config_.store.path, none);
  return none || size == 0;
}

base::Status Server::open_store() {
  cache_store::StoreOptions options;
  options.path = config_.store.path;
  options.size_bytes = config_.store.size_bytes;
  options.memory_bytes = look_at_ground(options.path).memory_bytes;
  options.lock_memory = config_.store.lock_memory;
  fill_random(options.entropy);
  base::Result<std::unique_ptr<cache_store::Store>> store =
      cache_store::Store::open(options, *io_, store_events_, system_wall_ms());
  if (!store.ok()) {
    base::Error error = store.error();
    if (options.size_bytes < cache_store::kLeastStoreBytes) {
      error.message += "; this is " + std::string(config_.store.size_why);
    }
    return error;
  }
  store_ = std::move(*store);
  name_node(store_->identity(), config_);
  const cache_store::StoreStats stats = store_->stats();
  std::error_code unknown;
  const uintmax_t mib = std::filesystem::file_size(options.path, unknown) >> 20;
  log_info("the store " + options.path + " takes " + (unknown ? "?" : std::to_string(mib)) +
           " MiB of disk, " + std::string(config_.store.size_why) + ": " +
           std::to_string(stats.recovered) + " objects, " + std::to_string(stats.slabs) +
           " slabs of " + std::to_string(stats.slab_bytes >> 10) + " KiB" +
           (store_->can_lend_pages() ? "" : ", pages are copied to sockets"));
  return base::Done{};
}

base::Status Server::listen() {
  for (const ListenerConfig& listener : config_.listeners) {
    base::Result<ListeningSockets> sockets =
        open_listeners(listener.address, worker_count(config_));
    if (!sockets.ok()) return sockets.error();
    sockets_.push_back(std::move(*sockets));
  }
  return base::Done{};
}

base::Status Server::start() {
  if (!access_log_.status().ok()) return access_log_.status();
  raise_descriptor_limit();
  pool_ = std::make_unique<ThreadPool>(std::clamp(std::thread::hardware_concurrency(), 2u, 4u));
  // The sockets first: a second perigee is told before it asks for the store. The store last: a
  // mistyped origin or folder must not leave one behind.
  base::Status status = listen();
  for (const std::string& sentence : absent_folders(config_)) log_warning(sentence);
  if (status.ok() && makes_store()) status = check_origins(config_, *pool_);
  if (status.ok()) status = open_store();
  if (!status.ok()) return status;
  snapshot_ = Snapshot::make(config_, nullptr, metrics_, log_warning);
  node_ =
      std::make_unique<Node>(config_, *store_, metrics_, access_log_, thread_cpu_us, log_warning);
  make_workers();
  return base::Done{};
}

void Server::make_workers() {
  const unsigned count = worker_count(config_);
  busy_workers_ = count;
  for (unsigned i = 0; i < count; ++i) {
    threads_.push_back(std::make_unique<WorkerThread>(i, *pool_));
    WorkerThread& thread = *threads_.back();
    thread.worker = std::make_unique<Worker>(*node_, snapshot_, *thread.env);
    thread.env->set_turn([worker = thread.worker.get()] { return worker->turn(); });
    for (const ListeningSockets& sockets : sockets_) {
      thread.listeners.push_back(std::make_unique<UvListener>(
          *thread.env, sockets.fds[i], node_->client_slots(),
          [worker = thread.worker.get()](std::unique_ptr<base::Channel> c) {
            worker->adopt(std::move(c), worker->site_service());
          }));
    }
  }
  const size_t bound = client_bound(config_, descriptor_limit(), open_descriptors());
  node_->client_slots().set_bound(bound);
  log_info("room for " + std::to_string(bound) + " connections of clients");
  for (const auto& each : threads_) {
    each->thread = std::thread([env = each->env.get()]() noexcept { env->run(); });
  }
  std::string ready;
  for (const ListeningSockets& sockets : sockets_) {
    ready += "perigee: listening on http://" + sockets.bound.text() + "\n";
  }
  print(STDOUT_FILENO, std::move(ready));
}

void Server::drain(int signal) {
  log_info(std::string(strsignal(signal)) +
           ": finishing what is in flight; a second signal stops at once");
  for (const auto& each : threads_) {
    each->env->post([this, each = each.get()] {
      for (const auto& listener : each->listeners) listener->accept_waiting();
      each->listeners.clear();
      each->worker->on_idle([this] { --busy_workers_; });
      each->worker->drain(each->env->now() + config_.drain_ms);
    });
  }
  // Waits for the workers or for a second signal, whichever comes first. Whoever does not keep the
  // time is left to stop(), which is bounded.
  for (int64_t left_ms = config_.drain_ms + limits::kStopMs; left_ms > 0 && busy_workers_ > 0;
       left_ms -= kStepMs) {
    access_log_.flush();
    if (stop_signal_within(kStepMs) != 0) {
      log_info("second signal: stopping at once");
      return;
    }
  }
}

/// In this order: connections and fills, the pool, the loops, then what they shared.
void Server::stop() {
  std::atomic<size_t> stopped{0};
  for (const auto& each : threads_) {
    each->env->post([each = each.get(), &stopped] {
      each->listeners.clear();
      each->worker->stop();
      stopped.fetch_add(1);
      stopped.notify_one();
    });
  }
  for (size_t seen = 0; seen < threads_.size(); seen = stopped.load()) stopped.wait(seen);
  pool_->stop();
  for (const auto& each : threads_) {
    each->env->post([env = each->env.get()] { env->quit(); });
  }
  for (const auto& each : threads_) each->thread.join();
  // Nothing runs any more: what is still posted is run here, then the loops close.
  for (const auto& each : threads_) each->worker.reset();
  for (const auto& each : threads_) each->env->close();
  threads_.clear();
  node_.reset();
  snapshot_.reset();
  log_info("the store: " + summary_of(store_->stats()));
  store_.reset();
  log_info("stopped: " + metrics_.summary());
}

/// As kill -9 would: the store is as good as after an orderly end.
[[noreturn]] void end_now(std::string_view what) {
  print(STDERR_FILENO, "perigee: " + std::string(what) + " is cut off\n");
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

base::Status run_server(const Config& config) {
  const sigset_t signals = block_signals();
  start_log(config.log.level);
  // On the heap: a step that hangs keeps it, until the process ends.
  auto server = std::make_unique<Server>(config, signals);
  base::Status started = base::Done{};
  Background starting([&] { started = server->start(); });
  int signal = 0;
  while (signal == 0 && !starting.wait(kStepMs)) signal = server->stop_signal_within(0);
  if (!starting.wait(limits::kStopMs)) end_now("a start that does not end");
  if (!started.ok()) return started;
  if (signal == 0) server->drain(server->serve());
  Background stopping([&] { server->stop(); });
  if (!stopping.wait(limits::kStopMs)) end_now("a stop that does not end");
  return base::Done{};
}

}  // namespace perigee::edge
