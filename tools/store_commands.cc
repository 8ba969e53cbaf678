#include "tools/store_commands.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <vector>

#include "cache_store/fragment_key.h"
#include "cache_store/inspection.h"
#include "cache_store/read_only_io.h"
#include "cache_store/store.h"
#include "http/cache_key.h"
#include "tools/json_text.h"

namespace perigee::tools {

namespace {

using cache_store::FiledRecord;
using cache_store::Inspection;
using cache_store::PartReport;
using cache_store::ReadOnlyIo;
using cache_store::RecordCount;
using cache_store::RecordKind;
using cache_store::RecordText;
using cache_store::Recovery;

constexpr int kWhole = 0;
constexpr int kDamaged = 1;
constexpr int kUnreadable = 2;

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

std::string number(uint64_t value) { return std::to_string(value); }

std::string counted(const RecordCount& count) {
  return number(count.records) + " (" + number(count.bytes) + " bytes)";
}

const char* name_of(uint8_t kind) {
  switch (static_cast<RecordKind>(kind)) {
    case RecordKind::kObject:
      return "object";
    case RecordKind::kHead:
      return "head";
    case RecordKind::kCoded:
      return "coding";
    case RecordKind::kFragment:
      return "fragment";
    case RecordKind::kVarySpec:
      return "vary";
    case RecordKind::kShell:
      return "shell";
  }
  return "unknown";
}

const char* name_of(FiledRecord::Standing standing) {
  switch (standing) {
    case FiledRecord::Standing::kLive:
      return "live";
    case FiledRecord::Standing::kSuperseded:
      return "superseded";
    case FiledRecord::Standing::kPurged:
      return "purged";
    case FiledRecord::Standing::kOrphan:
      return "orphan";
  }
  return "";
}

/// "2026-01-31 12:00:00Z"
std::string time_text(int64_t wall_ms) {
  const auto seconds = static_cast<time_t>(wall_ms / 1000);
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts) == 0) {
    return number(static_cast<uint64_t>(wall_ms)) + " ms";
  }
  return text.data();
}

class StoreCommands {
 public:
  explicit StoreCommands(const std::string& path) : path_(escaped(path)) {}

  int run(Command command, const std::string& path, bool all) {
    const auto facts = io_.open(path);
    if (!facts.ok()) return fail(escaped(facts.error().message), kUnreadable);
    writer_ = io_.is_writer_there();
    auto begun = Inspection::begin(io_, facts->size);
    if (!begun.ok()) {
      const bool ours = begun.error().code == base::ErrorCode::kCorrupt;
      return fail(path_ + ": " + begun.error().message, ours ? kDamaged : kUnreadable);
    }
    inspection_ = std::move(*begun);
    const int status = command == Command::kVerify ? verify()
                       : command == Command::kDump ? dump(all)
                                                   : stat();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      return fail("the output cannot be written", kUnreadable);
    }
    return status;
  }

 private:
  static int fail(const std::string& why, int status) {
    std::fprintf(stderr, "perigeectl: %s\n", why.c_str());
    return status;
  }
  std::string writer_line() const {
    return writer_ ? "node: running: it holds the writer's lock, so the file may change meanwhile\n"
                   : "node: none seen that holds the writer's lock\n";
  }

  int verify();
  int dump(bool all);
  bool print_record(const FiledRecord& record) const;
  int stat();
  void print_slabs(size_t empty_slabs) const;
  void print_records(const std::vector<FiledRecord>& records) const;
  void print_ages(std::vector<int64_t> times) const;
  void print_journal() const;

  const std::string path_;
  ReadOnlyIo io_;
  bool writer_ = false;
  std::unique_ptr<Inspection> inspection_;
};

int StoreCommands::verify() {
  PartReport all;
  uint64_t changing = 0;
  uint64_t problems = 0;
  const auto take = [&](const PartReport& part) {
    for (const PartReport::Problem& problem : part.problems) print(problem.text + "\n");
    problems += part.problems.size();
    changing += part.changing ? 1 : 0;
    for (const auto kind : {&PartReport::good, &PartReport::damaged, &PartReport::unknown}) {
      (all.*kind).records += (part.*kind).records;
      (all.*kind).bytes += (part.*kind).bytes;
    }
  };
  take(inspection_->check_frame());
  const uint64_t slabs = inspection_->geometry().slab_count;
  for (uint32_t slab = 0; slab < slabs; ++slab) take(inspection_->check_slab(slab));
  // It may have begun since.
  writer_ = writer_ || io_.is_writer_there();
  print("store: " + path_ + "\n" + writer_line());
  print("slabs: " + number(slabs) + " of " + number(inspection_->geometry().slab_bytes) +
        " bytes\n");
  print("records: good " + counted(all.good) + ", damaged " + counted(all.damaged) + ", unknown " +
        counted(all.unknown) + "\n");
  print("changing: " + number(changing) + " parts were written while they were read\n");
  print(problems == 0 ? "result: whole\n" : "result: damaged, " + number(problems) + " problems\n");
  return problems == 0 ? kWhole : kDamaged;
}

int StoreCommands::dump(bool all) {
  size_t empty_slabs = 0;
  uint64_t unread = 0;
  for (const FiledRecord& record : inspection_->records(empty_slabs)) {
    if (!all && record.standing != FiledRecord::Standing::kLive) continue;
    if (!print_record(record)) ++unread;
  }
  if (unread == 0) return kWhole;
  return fail(number(unread) + (writer_ ? " records changed while they were read, or are damaged"
                                        : " records are damaged: see store verify"),
              writer_ ? kWhole : kDamaged);
}

/// False: it cannot be read.
bool StoreCommands::print_record(const FiledRecord& record) const {
  const std::optional<RecordText> text = inspection_->read(record);
  if (!text) return false;
  const cache_store::format::RecordHeader& header = text->header;
  JsonLine line;
  line.add("kind", name_of(header.kind));
  line.add("slot", int64_t{header.slot});
  line.add("standing", name_of(record.standing));
  const auto fragment = cache_store::FragmentKey::parse(text->key);
  if (fragment) {
    line.add("number", static_cast<int64_t>(fragment->number));
    if (fragment->coding != 0) line.add("coding", static_cast<int64_t>(fragment->coding));
  } else if (const auto key = http::read_key(text->key)) {
    line.add("url", key->url);
    if (!key->selected.empty()) line.add("selected", key->selected);
  } else {
    line.add("key", text->key);
  }
  line.add("status", int64_t{header.status});
  line.add("body_bytes", static_cast<int64_t>(header.body_length));
  line.add("whole_bytes", static_cast<int64_t>(header.whole_length));
  line.add("tags", text->tags);
  line.add("response_time_ms", header.response_time_ms);
  line.add("initial_age_ms", header.initial_age_ms);
  line.add_unless_absent("lifetime_ms", header.lifetime_ms);
  line.add_unless_absent("stale_while_revalidate_ms", header.stale_while_revalidate_ms);
  line.add_unless_absent("stale_if_error_ms", header.stale_if_error_ms);
  line.add_unless_absent("stale_since_ms",
                         record.stale_since_s == 0 ? -1 : int64_t{record.stale_since_s} * 1000);
  line.add("slab", int64_t{record.slab});
  line.add("offset",
           int64_t{record.entry.offset64} * static_cast<int64_t>(cache_store::format::kAlignment));
  line.add_wide("seq", header.seq);
  line.add_wide("rid", header.rid);
  print(line.line());
  return true;
}

int StoreCommands::stat() {
  const cache_store::format::Superblock& block = inspection_->superblock();
  size_t empty_slabs = 0;
  const std::vector<FiledRecord> records = inspection_->records(empty_slabs);
  std::string uuid;
  for (const uint8_t byte : block.uuid) uuid += hex(byte).substr(14);
  print("store: " + path_ + "\n" + writer_line());
  print("format: " + number(block.major) + "." + number(block.minor) + "\nuuid: " + uuid +
        "\nepoch: " + number(block.epoch) + "\n");
  print_slabs(empty_slabs);
  print_records(records);
  print_journal();
  return kWhole;
}

void StoreCommands::print_slabs(size_t empty_slabs) const {
  const cache_store::Geometry& geometry = inspection_->geometry();
  uint64_t sealed = 0;
  uint64_t open = 0;
  std::map<unsigned, RecordCount> rings;
  for (uint32_t number = 0; number < geometry.slab_count; ++number) {
    const auto slab = inspection_->read_slab(number);
    if (!slab || slab->table.empty()) continue;
    (slab->ending == Recovery::Ending::kTable ? sealed : open) += 1;
    RecordCount& ring = rings[slab->header.ring];
    for (const auto& entry : slab->table) {
      ring.add(cache_store::format::bytes_of(entry));
    }
  }
  print("slabs: " + number(geometry.slab_count) + " of " + number(geometry.slab_bytes) +
        " bytes: " + number(sealed) + " sealed, " + number(open) + " without a table, " +
        number(empty_slabs) + " empty\n");
  for (const auto& [ring, records] : rings) {
    // An unknown ring counts as probation (FORMAT.md).
    const char* name =
        ring == static_cast<unsigned>(cache_store::format::Ring::kMain) ? "main" : "probation";
    print(std::string(name) + ": " + counted(records) + "\n");
  }
}

void StoreCommands::print_records(const std::vector<FiledRecord>& records) const {
  RecordCount live;
  std::map<std::string, RecordCount> dead;
  std::map<std::string, RecordCount> kinds;
  for (const char* kind : {"object", "head", "fragment", "vary"}) kinds[kind] = {};
  std::vector<int64_t> times;
  for (const FiledRecord& record : records) {
    const uint64_t bytes = cache_store::format::bytes_of(record.entry);
    if (record.standing != FiledRecord::Standing::kLive) {
      dead[name_of(record.standing)].add(bytes);
      continue;
    }
    live.add(bytes);
    kinds[name_of(record.entry.kind)].add(bytes);
    const auto kind = static_cast<RecordKind>(record.entry.kind);
    const bool response =
        kind == RecordKind::kObject || kind == RecordKind::kHead || kind == RecordKind::kShell;
    if (!response) continue;
    if (const auto text = inspection_->read(record)) times.push_back(text->header.response_time_ms);
  }
  print("live: " + counted(live) + "\n");
  for (const auto& [kind, count] : kinds) print("  " + kind + ": " + counted(count) + "\n");
  RecordCount all_dead;
  for (const auto& [why, count] : dead) {
    all_dead.records += count.records;
    all_dead.bytes += count.bytes;
  }
  print("dead: " + counted(all_dead) + "\n");
  for (const auto& [why, count] : dead) print("  " + why + ": " + counted(count) + "\n");
  print_ages(std::move(times));
}

void StoreCommands::print_ages(std::vector<int64_t> times) const {
  if (times.empty()) return;
  std::sort(times.begin(), times.end());
  constexpr std::array<std::pair<const char*, size_t>, 5> kQuantiles = {
      {{"oldest", 0}, {"10 %", 10}, {"median", 50}, {"90 %", 90}, {"newest", 100}}};
  print("received:\n");
  for (const auto& [name, percent] : kQuantiles) {
    const size_t at = (times.size() - 1) * percent / 100;
    print("  " + std::string(name) + ": " + time_text(times[at]) + "\n");
  }
}

void StoreCommands::print_journal() const {
  const cache_store::format::Superblock& block = inspection_->superblock();
  const uint64_t room = block.journal_bytes / sizeof(cache_store::format::JournalUnit);
  print("journal: half " + number(block.journal_half) + ", " +
        number(inspection_->journal_units()) + " of " + number(room) + " units used\n");
  if (block.stale_floor != 0) {
    print("journal: what was fetched before purge " + number(block.stale_floor) +
          " waits for its origin\n");
  }
  if (block.journal_bad != 0) print("journal: the last purges could not be written\n");
}

}  // namespace

int run_store_command(Command command, const std::string& path, bool all) {
  return StoreCommands(path).run(command, path, all);
}

}  // namespace perigee::tools
