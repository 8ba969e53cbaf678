// Builds the node from a configuration file in a temporary folder, as the server does.
#include "tests/support/edge/stand.h"

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "edge/log.h"
#include "http/cache_key.h"
#include "tests/support/edge/config_files.h"
#include "tests/support/temp_folder.h"

namespace perigee::test {

namespace {
constexpr uint64_t kStoreBytes = 18 << 20;
constexpr int64_t kStepMs = 50;

std::vector<std::string> told;
void keep(std::string_view sentence) {
  told.emplace_back(sentence);
  edge::log_warning(sentence);
}
}  // namespace

size_t Answer::count(std::string_view name) const {
  size_t found = 0;
  for (const auto& line : lines) found += base::iequals(line.first, name) ? 1 : 0;
  return found;
}

base::Status FaultyIo::pwrite(uint64_t offset, std::span<const std::byte> bytes) {
  if (refuse_writes) return base::Error{base::ErrorCode::kIo, EIO, "the disk refuses"};
  return file_->pwrite(offset, bytes);
}

base::Status FaultyIo::pwrite_durable(uint64_t offset, std::span<const std::byte> bytes) {
  if (refuse_writes) return base::Error{base::ErrorCode::kIo, EIO, "the disk refuses"};
  return file_->pwrite_durable(offset, bytes);
}

Stand::Stand(const std::string& site) {
  told.clear();
  configure(site);
  start();
}

void Stand::configure(const std::string& site) {
  std::ofstream(folder_.file("perigee.toml"))
      << "[[site]]\nhosts = [\"site.test\"]\norigin = \"http://127.0.0.1:9\"\n"
      << site << "\n";
  base::Result<edge::Config> config =
      edge::config_or_mistake(edge::read_config_file(folder_.file("perigee.toml")));
  if (!config.ok()) std::fprintf(stderr, "%s\n", config.error().message.c_str());
  config_ = std::move(config).value();
  config_.store.size_bytes = kStoreBytes;
}

Stand::~Stand() { stop(); }

void Stand::start() {
  io_ = std::make_unique<FaultyIo>();
  io = io_.get();
  const cache_store::StoreOptions options{.path = folder_.file("store"), .size_bytes = kStoreBytes};
  auto opened = cache_store::Store::open(options, *io_, *this, env.wall().ms);
  store_ = std::move(opened).value();
  access_log_ = std::make_unique<edge::AccessLog>(config_.log);
  node_ = std::make_unique<edge::Node>(
      config_, *store_, metrics, *access_log_, [] { return int64_t{0}; }, keep);
  worker = std::make_unique<edge::Worker>(*node_, snapshot(), env);
  env.each_turn = [this] { return worker->turn(); };
}

edge::SnapshotPtr Stand::snapshot() {
  edge::Config config = config_;
  edge::name_node(store_->identity(), config);
  const edge::Snapshot* former = worker != nullptr ? &worker->snapshot() : nullptr;
  return edge::Snapshot::make(config, former, metrics, keep);
}

const std::vector<std::string>& Stand::warnings() { return told; }

void Stand::reload(const std::string& site) {
  configure(site);
  worker->use(snapshot());
}

void Stand::stop() {
  client_.reset();
  worker->stop();
  run();
  env.each_turn = nullptr;
  worker.reset();
  env.run();
  node_.reset();
  access_log_.reset();
  store_.reset();
  io_.reset();
}

void Stand::restart() {
  stop();
  start();
}

void Stand::restart(const std::string& site) {
  stop();
  configure(site);
  start();
}

void Stand::pass_ms(int64_t ms) {
  for (; ms > 0; ms -= kStepMs) env.advance(std::min(ms, kStepMs));
}

Answer Stand::ask(std::string_view method, std::string_view target, std::string_view lines,
                  std::string_view body) {
  if (client_ == nullptr || client_->saw_end()) client_ = std::make_unique<Client>(*this);
  const Answer answer = client_->ask(method, target, lines, body).answer();
  run();
  return answer;
}

cache_store::Found Stand::stored(std::string_view target) {
  std::string key;
  http::make_cache_key("http", "site.test", target, key);
  const cache_store::Digest digest = store_->digest(key);
  return store_->lookup(digest, key, 0);
}

uint64_t Stand::pins(std::string_view target) {
  const cache_store::Found found = stored(target);
  CHECK(found.head);
  return (found.head->pin.word()->life_pins.load() & UINT32_MAX) - 1;
}

void Stand::damage(std::string_view bytes) {
  std::fstream file(folder_.file("store"), std::ios::in | std::ios::out | std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  for (size_t at = content.find(bytes); at != std::string::npos; at = content.find(bytes, at + 1)) {
    file.seekp(static_cast<std::streamoff>(at));
    file << std::string(bytes.size(), '?');
  }
}

void Stand::poison(std::string_view target) {
  const cache_store::Found found = stored(target);
  CHECK(found.head);
  // What the SIGBUS handler does.
  const_cast<cache_store::SlabWord*>(found.head->pin.word())->poisoned.store(true);
}

Client::Client(Stand& stand, std::string_view address) : stand_(stand) {
  MemoryPipe pipe = make_memory_pipe(stand.env);
  pipe.near->mutable_peer().remote = base::Address::parse(address).value();
  pipe_ = std::move(pipe.far);
  stand.worker->adopt(std::move(pipe.near), stand.worker->site_service());
}

Client& Client::write(std::string_view bytes) {
  pipe_->write(bytes);
  return *this;
}

Client& Client::ask(std::string_view method, std::string_view target, std::string_view lines,
                    std::string_view body) {
  heads_.push_back(method == "HEAD");
  std::string request = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\n";
  if (lines.find("Host:") == std::string_view::npos) request += "Host: site.test\r\n";
  request += lines;
  if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return write(request + "\r\n" + std::string(body));
}

std::string Client::arrived() {
  stand_.run();
  return std::exchange(bytes_, {}) + pipe_->read();
}

Answer Client::answer() {
  // What it takes makes room for more.
  for (size_t before = SIZE_MAX; bytes_.size() != before;) {
    before = bytes_.size();
    stand_.run();
    bytes_ += pipe_->read();
  }
  const bool head = !heads_.empty() && heads_.front();
  const auto kind = head ? MessageKind::kAnswerToHead : MessageKind::kAnswer;
  std::optional<WireMessage> message = take_message(bytes_, kind, saw_end());
  if (!message) return {};
  Answer answer;
  answer.status = std::atoi(message->first_line.c_str() + 9);
  answer.lines = std::move(message->lines);
  answer.body = std::move(message->body);
  if (answer.status >= 200 && !heads_.empty()) heads_.pop_front();
  return answer;
}

}  // namespace perigee::test
