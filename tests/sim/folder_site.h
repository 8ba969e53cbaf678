// A `dir:` site of the node: a folder in memory whose files are replaced, written in place and
// taken away, whose releases take each other's place, and which is away at times; and a visitor who
// judges each answer at once by what the folder held.
//
// It stands beside the other sites: nothing of it passes through an origin's connection, so the
// ledger does not know it.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "origin/folder_io.h"
#include "tests/sim/client.h"
#include "tests/sim/fields.h"
#include "tests/sim/world.h"

namespace perigee::sim {

inline constexpr const char* kFolderHost = "folder.test";

/// What the files held, and when.
class FolderHistory {
 public:
  static constexpr size_t kFiles = 3;
  struct Version {
    uint64_t content = 0;  ///< 0: there is no such file
    uint64_t size = 0;
    int64_t modified_ms = 0;
    uint64_t inode = 0;
    uint64_t writes = 0;   ///< in place, to this inode
    uint64_t stamp = 0;    ///< no two writes have one
    uint64_t release = 0;  ///< of the folder
    int64_t since_tick_ms = 0;
    std::string tag;  ///< as a client saw it, or will see it when the file is settled
  };

  explicit FolderHistory(World& world);
  /// A file is replaced by a new one, written in place, or taken away; or a new release takes the
  /// folder's place; or the folder is away for a while.
  void change();
  /// Somebody may write this file while it is read.
  void meddle(size_t file);
  const Version& now(size_t file) const { return versions_[file].back(); }
  /// As an open folder of that release has it.
  const Version& in_release(size_t file, uint64_t release) const;
  uint64_t release() const { return release_; }
  bool is_away() const;
  /// Somebody looked for the folder in vain.
  void missed() { missed_ms_ = world_.scheduler.now_ms(); }
  int64_t last_missed_ms() const { return missed_ms_; }
  std::deque<Version>& of(size_t file) { return versions_[file]; }
  World& world() { return world_; }

 private:
  void write(size_t file, bool in_place);
  void remove(size_t file);

  World& world_;
  uint64_t inodes_ = 0;
  uint64_t stamps_ = 0;
  uint64_t release_ = 0;
  int64_t away_until_ms_ = 0;
  int64_t missed_ms_ = -1;
  std::array<std::deque<Version>, kFiles> versions_;
};

/// The folder as the node's process finds it.
std::unique_ptr<origin::FolderPlace> make_sim_folder(FolderHistory& history);

/// Asks for the files, one request after the other, and changes them in between.
class FolderVisitor final : public Actor {
 public:
  FolderVisitor(FolderHistory& history, Acceptor& acceptor, unsigned requests);
  ~FolderVisitor() override;

  int64_t due() const override;
  void act() override;
  /// A few more requests are to be made.
  void ask_more(unsigned requests) { left_ += requests; }
  bool done() const { return left_ == 0 && link_ == nullptr; }
  std::vector<std::string> violations;
  unsigned files = 0;         ///< that were got whole
  unsigned not_modified = 0;  ///< answers

 private:
  using Version = FolderHistory::Version;
  void ask();
  void read();
  void judge(bool whole);
  void leave();
  std::string wrong(bool whole);
  std::string wrong_part(const Version& version) const;
  bool may_be_damaged() const;
  bool may_show(int64_t until_tick_ms) const;
  void fail(const std::string& why);

  FolderHistory& history_;
  World& world_;
  Acceptor& acceptor_;
  unsigned left_;
  LinkPtr link_;
  MessageReader reader_{MessageReader::Kind::kResponse};
  size_t file_ = 0;
  std::string method_;
  std::string tag_;    ///< sent in If-None-Match
  std::string range_;  ///< sent
  bool calm_ = false;  ///< there were no faults when it asked
  int64_t asked_ms_ = 0;
  int64_t next_ms_ = 0;
};

}  // namespace perigee::sim
