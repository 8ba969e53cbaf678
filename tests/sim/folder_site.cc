#include "tests/sim/folder_site.h"

#include <algorithm>

#include "tests/sim/content.h"
#include "tests/sim/origins.h"

namespace perigee::sim {

namespace {

constexpr int64_t kPatienceMs = 300'000;
/// max-age=10 (http-rules 3.10), a second of rounding, and what passes between the look at a file
/// and its answer.
constexpr int64_t kFreshMs = 10'000 + 1'000 + 2'000;

/// A file that was just written has another tag than later.
std::string settled(std::string tag) {
  if (tag.starts_with("W/")) tag.erase(0, 2);
  if (const size_t end = tag.rfind("-new\""); end != std::string::npos) tag.erase(end, 4);
  return tag;
}

std::string name_of(size_t file) { return "f" + std::to_string(file) + ".txt"; }

class OpenFile final : public origin::FolderFile {
 public:
  OpenFile(FolderHistory& history, size_t file, const FolderHistory::Version& opened)
      : history_(history), file_(file), opened_(opened) {
    info_.size = opened_.size;
    info_.modified_ms = opened_.modified_ms;
    info_.modified_ns = static_cast<int64_t>(opened_.stamp % 1'000'000);
    info_.inode = opened_.inode;
  }
  const origin::FileInfo& info() const override { return info_; }
  base::Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
    history_.world().scheduler.may_pause();
    history_.meddle(file_);
    // An inode that was written in place shows what it holds now; one that was replaced stays.
    const FolderHistory::Version& now = history_.now(file_);
    const FolderHistory::Version& shown = now.inode == opened_.inode ? now : opened_;
    const uint64_t end = std::min(offset + into.size(), shown.size);
    if (offset >= end) return size_t{0};
    const std::string bytes = content_bytes(shown.content, offset, end);
    std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), into.data());
    history_.meddle(file_);
    return bytes.size();
  }
  bool unchanged() override {
    const FolderHistory::Version& now = history_.now(file_);
    return now.inode != opened_.inode || now.writes == opened_.writes;
  }

 private:
  FolderHistory& history_;
  const size_t file_;
  const FolderHistory::Version opened_;
  origin::FileInfo info_;
};

class SimFolder final : public origin::FolderIo {
 public:
  explicit SimFolder(FolderHistory& history) : history_(history), release_(history.release()) {}
  base::Result<std::unique_ptr<origin::FolderFile>> open(std::string_view path) override {
    history_.world().scheduler.may_pause();
    // A release that was replaced may be removed at any time.
    const bool removed = replaced() && history_.world().random.chance(500);
    for (size_t file = 0; file < FolderHistory::kFiles && !removed; ++file) {
      const FolderHistory::Version& version = history_.in_release(file, release_);
      if (path != name_of(file) || version.content == 0) continue;
      return std::unique_ptr<origin::FolderFile>(
          std::make_unique<OpenFile>(history_, file, version));
    }
    return base::Error{base::ErrorCode::kNotFound, 0, "no such file"};
  }
  bool replaced() override { return history_.is_away() || history_.release() != release_; }

 private:
  FolderHistory& history_;
  const uint64_t release_;
};

class SimPlace final : public origin::FolderPlace {
 public:
  explicit SimPlace(FolderHistory& history) : history_(history) {}
  base::Result<std::unique_ptr<origin::FolderIo>> open() const override {
    if (history_.is_away()) {
      history_.missed();
      return base::Error{base::ErrorCode::kNotFound, 0, "the folder is away"};
    }
    return std::unique_ptr<origin::FolderIo>(std::make_unique<SimFolder>(history_));
  }

 private:
  FolderHistory& history_;
};

}  // namespace

FolderHistory::FolderHistory(World& world) : world_(world) {
  for (std::deque<Version>& file : versions_) file.push_back({});
  for (int i = 0; i < 6; ++i) change();
}

void FolderHistory::change() {
  Random& random = world_.random;
  const size_t file = random.below(kFiles);
  if (random.chance(100)) {
    world_.trace("folder: release ", ++release_);
    for (size_t each = 0; each < kFiles; ++each) {
      if (random.chance(200)) {
        remove(each);
      } else {
        write(each, false);
      }
    }
  } else if (random.chance(50)) {
    away_until_ms_ = world_.scheduler.now_ms() + random.between(1, 20'000);
    world_.trace("folder: away until ", away_until_ms_);
  } else if (now(file).content != 0 && random.chance(150)) {
    remove(file);
  } else {
    write(file, now(file).content != 0 && random.chance(300));
  }
}

bool FolderHistory::is_away() const {
  return !world_.calm && world_.scheduler.now_ms() < away_until_ms_;
}

const FolderHistory::Version& FolderHistory::in_release(size_t file, uint64_t release) const {
  const std::deque<Version>& all = versions_[file];
  return *std::find_if(all.rbegin(), all.rend(),
                       [&](const Version& version) { return version.release <= release; });
}

void FolderHistory::remove(size_t file) {
  world_.trace("folder: ", name_of(file), " goes");
  versions_[file].push_back({.release = release_, .since_tick_ms = world_.scheduler.now_ms()});
}

void FolderHistory::meddle(size_t file) {
  if (!world_.calm && now(file).content != 0 && world_.random.chance(60)) write(file, true);
}

void FolderHistory::write(size_t file, bool in_place) {
  Random& random = world_.random;
  const Version& before = now(file);
  Version next;
  next.since_tick_ms = world_.scheduler.now_ms();
  // Numbers of their own, beside those of the catalogue.
  next.content = 500'000 + ++inodes_;
  next.size = before.size > 0 && random.chance(300) ? before.size
              : random.chance(300) ? static_cast<uint64_t>(random.between(60'000, 200'000))
                                   : static_cast<uint64_t>(random.between(64, 9'000));
  next.modified_ms = world_.scheduler.wall_ms();
  next.inode = in_place ? before.inode : inodes_;
  next.writes = in_place ? before.writes + 1 : 0;
  next.stamp = ++stamps_;
  next.release = release_;
  world_.trace("folder: ", name_of(file), " is now content ", next.content,
               in_place ? " (in place)" : "");
  versions_[file].push_back(next);
}

std::unique_ptr<origin::FolderPlace> make_sim_folder(FolderHistory& history) {
  return std::make_unique<SimPlace>(history);
}

FolderVisitor::FolderVisitor(FolderHistory& history, Acceptor& acceptor, unsigned requests)
    : history_(history), world_(history.world()), acceptor_(acceptor), left_(requests) {
  next_ms_ = world_.scheduler.now_ms();
  world_.scheduler.add(*this);
}

FolderVisitor::~FolderVisitor() { world_.scheduler.remove(*this); }

int64_t FolderVisitor::due() const {
  if (link_ == nullptr) return left_ > 0 ? next_ms_ : kNever;
  if (link_->pipes[kFromNode].waiting() > 0 || link_->peer_sees_end()) return next_ms_;
  return asked_ms_ + kPatienceMs;
}

void FolderVisitor::act() {
  next_ms_ = world_.scheduler.now_ms() + (world_.random.chance(200) ? 10 : 0);
  if (!world_.calm && world_.random.chance(50)) history_.change();
  if (link_ == nullptr) return ask();
  if (link_->pipes[kFromNode].waiting() > 0) return read();
  if (!link_->peer_sees_end()) {
    if (calm_) fail("was never answered");
  } else if (reader_.started() && reader_.state() == MessageReader::State::kBody) {
    judge(false);
  }
  leave();
}

/// A connection for each request: what stays open is the other clients' matter.
void FolderVisitor::ask() {
  Random& random = world_.random;
  LinkPtr link = make_link(world_);
  if (!acceptor_.accept(link)) {
    next_ms_ = world_.scheduler.now_ms() + random.between(10, 2'000);
    return;
  }
  --left_;
  link_ = std::move(link);
  file_ = random.below(FolderHistory::kFiles);
  method_ = random.chance(200) ? "HEAD" : "GET";
  tag_ = range_ = "";
  const std::deque<Version>& versions = history_.of(file_);
  if (random.chance(400)) tag_ = versions[random.below(versions.size())].tag;
  if (tag_.empty() && random.chance(200)) range_ = "bytes=16-47";
  std::string head = method_ + " /" + name_of(file_) + " HTTP/1.1\r\nHost: " + kFolderHost +
                     "\r\nConnection: close\r\n";
  if (!tag_.empty()) head += "If-None-Match: " + tag_ + "\r\n";
  if (!range_.empty()) head += "Range: " + range_ + "\r\n";
  link_->peer_write(head + "\r\n", world_.scheduler);
  asked_ms_ = world_.scheduler.now_ms();
  calm_ = world_.calm;
  reader_.begin(method_);
  world_.trace("folder: ", method_, " ", name_of(file_), " inm=", tag_, " range=", range_);
}

void FolderVisitor::read() {
  const std::string bytes = link_->pipes[kFromNode].take(40'000, world_.scheduler.stamp());
  reader_.read(bytes);
  if (reader_.state() == MessageReader::State::kBroken) {
    fail(reader_.error());
    leave();
  } else if (reader_.state() == MessageReader::State::kDone) {
    judge(true);
    leave();
  }
}

void FolderVisitor::judge(bool whole) {
  world_.trace("folder: got ", reader_.status, " ", reader_.body.size(), " bytes, ETag ",
               first_of(reader_.fields, "ETag").value_or("-"), whole ? "" : ", cut");
  if (const std::string why = wrong(whole); !why.empty()) fail(why);
  if (whole && reader_.status == 200) ++files;
  if (whole && reader_.status == 304) ++not_modified;
}

/// Whether what the file was until then may still be shown.
bool FolderVisitor::may_show(int64_t until_tick_ms) const {
  // A clock that was set back lets responses live longer, and where the pool has no room for a look
  // at the folder, they cover it when they are stale (http-rules 2.8).
  if (world_.options.wall_steps > 0 || world_.options.full_lanes > 0) return true;
  // What is stored covers a folder that is away.
  if (history_.last_missed_ms() >= asked_ms_) return true;
  return until_tick_ms + kFreshMs >= asked_ms_;
}

/// What a power cut did to a fragment is found when the body has come to it.
bool FolderVisitor::may_be_damaged() const {
  const auto length = number(first_of(reader_.fields, "Content-Length").value_or(""));
  return world_.options.power_cuts > 0 && length &&
         static_cast<uint64_t>(*length) > world_.options.most_stored();
}

/// Empty: some version that the file had lately explains the answer.
std::string FolderVisitor::wrong(bool whole) {
  const int status = reader_.status;
  if (!whole) {
    const bool expected = !calm_ || link_->killed || may_be_damaged();
    return expected ? "" : "cut, though nothing was wrong";
  }
  if (status >= 500)
    return calm_ && world_.options.full_lanes == 0 ? "an error without reason" : "";
  std::deque<Version>& versions = history_.of(file_);
  std::string why = "nothing that the file was explains this answer";
  for (size_t i = 0; i < versions.size(); ++i) {
    const int64_t until =
        i + 1 < versions.size() ? versions[i + 1].since_tick_ms : world_.scheduler.now_ms();
    Version& version = versions[i];
    if (!may_show(until)) continue;
    if (status == 404 && version.content == 0) return "";
    if (version.content == 0) continue;
    const std::string tag = settled(first_of(reader_.fields, "ETag").value_or(""));
    if (status == 304 && tag_ == version.tag && (tag.empty() || tag == tag_)) return "";
    if (status != 200 && status != 206) continue;
    why = wrong_part(version);
    if (!why.empty()) continue;
    if (tag.empty()) return "no ETag";
    // Versions of one size look alike to HEAD.
    if (version.tag.empty() && method_ == "HEAD") return "";
    if (!version.tag.empty() && version.tag != tag) {
      why = "another ETag";
      continue;
    }
    version.tag = tag;
    return "";
  }
  return std::to_string(status) + ": " + why;
}

/// Empty: the head and the bytes are those of that version.
std::string FolderVisitor::wrong_part(const Version& version) const {
  uint64_t begin = 0;
  uint64_t end = version.size;
  if (reader_.status == 206) {
    begin = 16;
    end = std::min<uint64_t>(48, version.size);
    const std::string right =
        "bytes 16-" + std::to_string(end - 1) + "/" + std::to_string(version.size);
    if (range_.empty() || first_of(reader_.fields, "Content-Range") != right) {
      return "another Content-Range";
    }
  }
  const auto length = first_of(reader_.fields, "Content-Length");
  if (length != std::to_string(end - begin)) return "another length";
  if (method_ == "HEAD") return "";
  if (reader_.body.size() != end - begin) return "another size";
  return is_content(version.content, begin, reader_.body) ? ""
                                                          : "bytes that are not this version's";
}

void FolderVisitor::fail(const std::string& why) {
  world_.trace("folder: wrong: ", why);
  violations.push_back("folder: " + method_ + " " + name_of(file_) + " (" +
                       std::to_string(reader_.status) + "): " + why);
}

void FolderVisitor::leave() {
  link_->peer_close();
  link_.reset();
  reader_.begin();
  next_ms_ = world_.scheduler.now_ms() + (world_.calm ? 0 : world_.random.between(0, 6'000));
}

}  // namespace perigee::sim
