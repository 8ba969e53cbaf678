// The played origin and the look-up that a request flow would do before it joins.
#include "tests/unit/origin/fill_fixture.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace perigee::origin {

PlayedFetch::PlayedFetch(PlayedOrigin& origin, const FetchRequest& request, FetchUser& user)
    : origin_(origin), user_(&user) {
  origin_.open.push_back(this);
  for (const http::Field& field : request.fields) fields_.emplace_back(field.name, field.value);
}

PlayedFetch::~PlayedFetch() { origin_.open.remove(this); }

std::string PlayedFetch::asked(std::string_view name) const {
  for (const auto& [known, value] : fields_) {
    if (base::iequals(known, name)) return value;
  }
  return "";
}

void PlayedFetch::head(uint16_t status, const std::string& lines) {
  const test::FieldLines fields(lines);
  http::ReceivedResponse head;
  head.status = status;
  head.fields = fields.list();
  head.has_body = !http::never_has_body(http::Method::kGet, status);
  const std::string length(fields.list().value(http::FieldName::kContentLength));
  if (!length.empty()) head.content_length = std::stoull(length);
  const int64_t now_ms = origin_.env.wall().ms;
  user_->on_fetch_head(head, {now_ms, now_ms});
}

void PlayedFetch::interim(uint16_t status, const std::string& lines) {
  const test::FieldLines fields(lines);
  http::ReceivedResponse head;
  head.status = status;
  head.fields = fields.list();
  user_->on_fetch_interim(head);
}

void PlayedFetch::feed(std::string_view bytes) {
  bytes_ += bytes;
  tell();
}
void PlayedFetch::end() {
  state_ = http::Chunk::kEnd;
  tell();
}
void PlayedFetch::cut() {
  state_ = http::Chunk::kFail;
  tell();
}
void PlayedFetch::tell() {
  if (std::exchange(waiting_, false)) wake();
}
void PlayedFetch::answer(uint16_t status, const std::string& lines, std::string_view body) {
  bytes_ = body;
  state_ = http::Chunk::kEnd;
  head(status, lines);
}

http::Chunk PlayedFetch::peek(size_t max) {
  const size_t n = std::min(max, bytes_.size());
  const base::Piece piece{reinterpret_cast<const std::byte*>(bytes_.data()), n};
  if (n > 0) {
    const bool last = state_ == http::Chunk::kEnd && n == bytes_.size();
    return {piece, last ? http::Chunk::kEnd : http::Chunk::kMore};
  }
  if (state_ != http::Chunk::kMore) return {{}, state_};
  waiting_ = true;
  return {{}, http::Chunk::kLater};
}

FillsTest::FillsTest(size_t loops, size_t memory) : budget_(memory) {
  for (unsigned i = 0; i < loops; ++i) loops_.push_back(std::make_unique<TestLoop>(table_, i));
}

FillsTest::~FillsTest() {
  waiters_.clear();
  run();
  for (const auto& loop : loops_) loop->fills.cancel();
  run();
  for (const auto& loop : loops_) {
    EXPECT_FALSE(loop->fills.busy());
    EXPECT_TRUE(loop->origin.open.empty()) << "a fetch stayed behind";
    EXPECT_EQ(loop->env.timers(), 0u) << "a timer stayed behind";
  }
  EXPECT_EQ(begun_, ended_);
  EXPECT_EQ(budget_.used(), 0u) << "memory was not given back";
  loops_.clear();
}

FillRequest FillsTest::request(size_t loop, const std::string& target, const std::string& lines) {
  FillRequest request;
  request.key = request.join_key = key(target);
  request.base = request.join = store_.digest(request.key);
  request.target = target;
  request.host = "h";
  request.policy = policy_;
  request.site = std::make_shared<PlayedSite>(loops_[loop]->origin, asking_);
  request.arena = std::make_unique<http::Arena>();
  const test::FieldLines fields(lines);
  http::RequestHead head;
  head.method_text = "GET";
  head.scheme = "http";
  head.target = target;
  head.fields = fields.list();
  EXPECT_TRUE(http::copy_head(head, request.head, *request.arena));
  request.fields = http::HeaderList(request.arena->alloc_span<http::Field>(20));
  for (const http::Field& field : request.head.fields) request.fields.add(field);
  request.stored = store_.lookup(request.base, request.key, 0);
  if (request.stored.state == cache_store::Found::kVary) {
    const auto& bytes = request.stored.vary->body;
    request.varies = true;
    http::VarySpec spec;
    EXPECT_TRUE(
        http::decode_vary_spec({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, spec));
    std::string selected;
    http::append_selected(spec, request.head.fields, selected);
    request.join_key.clear();
    http::make_variant_key(request.key, request.stored.vary->rid, selected, request.join_key);
    request.join = store_.digest(request.join_key);
    request.stored = store_.lookup(request.join, request.join_key, 0);
  }
  return request;
}

TestWaiter& FillsTest::join(const std::string& target, const std::string& lines, size_t loop,
                            JoinMode mode) {
  TestWaiter& waiter = waiters_.emplace_back(*loops_[loop], target, lines);
  if (!loops_[loop]->fills.join(request(loop, target, lines), waiter, mode))
    waiter.said = "refused";
  run();
  return waiter;
}

TestWaiter& FillsTest::join(FillRequest&& judged, size_t loop, JoinMode mode) {
  TestWaiter& waiter = waiters_.emplace_back(*loops_[loop], judged.target, "");
  if (!loops_[loop]->fills.join(std::move(judged), waiter, mode)) waiter.said = "refused";
  run();
  return waiter;
}

void FillsTest::drop(TestWaiter& waiter) {
  waiters_.remove_if([&](const TestWaiter& known) { return &known == &waiter; });
  run();
}

void FillsTest::run() {
  bool ran = true;
  for (int turns = 0; ran; ++turns) {
    ASSERT_LT(turns, 200'000) << "the loops spin";
    ran = false;
    for (const auto& loop : loops_) ran = loop->env.turn() || ran;
  }
}

void FillsTest::advance(int64_t ms) {
  for (; ms > 0; ms -= 100) {
    for (const auto& loop : loops_) loop->env.advance(std::min<int64_t>(ms, 100));
    run();
  }
}

size_t FillsTest::fetches() const {
  size_t all = 0;
  for (const auto& loop : loops_) all += loop->origin.count;
  return all;
}

void FillsTest::keep(const std::string& target, const std::string& lines, std::string_view body) {
  TestWaiter& waiter = join(target);
  fetch().answer(200, lines, body);
  run();
  drop(waiter);
  ASSERT_NE(stored(target), nullptr);
}

}  // namespace perigee::origin
