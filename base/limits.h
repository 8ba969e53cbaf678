// Every bound of Perigee, and what happens at it. A queue, buffer, loop or wait without a line here
// is a bug. "Beyond" and "more" mean the first value above the bound, "at it" the bound itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace perigee::base::limits {

inline constexpr size_t kKiB = 1024;
inline constexpr size_t kMiB = 1024 * kKiB;

// --- client to us -------------------------------------------------------------------------------
inline constexpr size_t kRequestHeadBytes = 16 * kKiB;      ///< beyond: 431 and close
inline constexpr size_t kRequestLineBytes = 8 * kKiB;       ///< beyond: 414 and close
inline constexpr size_t kRequestLineBytesMost = 12 * kKiB;  ///< what the option may raise it to
inline constexpr size_t kFieldBytes = 8 * kKiB;  ///< name and value of one field; beyond: 431
inline constexpr size_t kFieldCharge = 32;       ///< added to each field's size (RFC 9113 §6.5.2)
inline constexpr size_t kRequestFields = 100;    ///< beyond: 431 and close
inline constexpr size_t kChunkSizeDigits = 16;   ///< of one chunk, zeros too; beyond: 400
inline constexpr size_t kChunkExtensionBytes = 256;  ///< of one chunk line; beyond: 400 and close
inline constexpr size_t kChunkExtensionsBytes = 4 * kKiB;  ///< of one body; beyond: 400 and close
inline constexpr size_t kTrailerBytes = 16 * kKiB;         ///< of one body; beyond: 431 and close
inline constexpr size_t kSpillBytes = 64 * kKiB;  ///< pipelined bytes kept; at it: stop reading
/// Drained before a close behind an answer that came before the request's end; then a reset.
inline constexpr size_t kLingerBytes = 256 * kMiB;
inline constexpr size_t kReadBufferBytes = 64 * kKiB;  ///< one per loop, shared by its connections
/// Target and field lines; an error that answers more is not stored.
inline constexpr size_t kUsualRequestBytes = 2 * kKiB;
/// Of a path that origins may read in several ways; beyond: the strictest rule.
inline constexpr size_t kOddPathBytes = 1 * kKiB;
/// Fields that Connection names in one head, both directions; more: 400 or 502.
inline constexpr size_t kConnectionMembers = 32;
/// Of one answer, whatever it costs. More are sent if that is shorter than the whole, else the
/// whole is.
inline constexpr size_t kRangePartsFree = 16;
inline constexpr size_t kVaryNames = 32;     ///< names in one Vary; more: not stored
inline constexpr size_t kVaryMembers = 256;  ///< of Vary, repeated ones too; more: as if `*`
/// In one Range, before they are joined; more: the whole.
inline constexpr size_t kRangeSpecs = 256;
/// Of Connection in one head, well-known and repeated ones too; more: 400 or 502.
inline constexpr size_t kConnectionWords = 256;
inline constexpr size_t kCookiePairs = 512;  ///< of one request, for vary_cookies; more: all counts
/// Of one request, for vary_accept; more: as if it named no type.
inline constexpr size_t kAcceptMembers = 128;
/// Sorted or stripped in one query; more: it stays as it is.
inline constexpr size_t kQueryParameters = 256;
inline constexpr size_t kForwardedHops = 32;  ///< trusted proxies before us; more: nobody's request
/// Of one condition; more: as if the rest did not match.
inline constexpr size_t kTagsCompared = 512;
inline constexpr size_t kDirectives = 256;  ///< of Cache-Control; more: no-store and no-cache
inline constexpr size_t kNamedFields = 32;  ///< by no-cache and private; more: unqualified
/// Of one structured field, repeated ones too; more: it is invalid.
inline constexpr size_t kDictionaryMembers = 1'024;

// --- us to client -------------------------------------------------------------------------------
inline constexpr size_t kOutHighBytes = 256 * kKiB;  ///< copied memory queued; at it: stop pulling
inline constexpr size_t kOutLowBytes = 64 * kKiB;    ///< below it pulling goes on
/// Bodies up to this are copied behind their head.
inline constexpr size_t kCopyBodyBytes = 4 * kKiB;
/// File pieces from this size leave by sendfile.
inline constexpr size_t kSendfileBytes = 64 * kKiB;
inline constexpr size_t kSendBytes = 1 * kMiB;  ///< per connection and turn; then the next one
inline constexpr size_t kFreshFields = 8;       ///< fields of our own on one response
inline constexpr size_t kArenaBlockBytes = 4 * kKiB;
inline constexpr size_t kExchangeArenaBytes = 64 * kKiB;  ///< of one blocked exchange; beyond: 503

// --- origin to us -------------------------------------------------------------------------------
inline constexpr size_t kOriginHeadBytes = 32 * kKiB;  ///< read in 100 µs; beyond: 502
inline constexpr size_t kOriginFields = 200;           ///< beyond: 502
/// Of what a 1xx gives to each who waits; beyond: it is left out.
inline constexpr size_t kInterimBytes = 4 * kKiB;
inline constexpr size_t kInterimResponses = 10;   ///< 1xx heads of one exchange; beyond: 502
inline constexpr size_t kOriginConnections = 64;  ///< per origin and process; at it: wait in turn
inline constexpr size_t kOriginWaiters = 1'024;   ///< fetches per loop that wait; beyond: 503
inline constexpr size_t kRelayShare = 2;  ///< relays take 1/2 of an origin's connections; then wait
inline constexpr size_t kClientShare = 2;  ///< one client network 1/2 of the relays'; then waits
/// Switched connections of one origin and process, beside its connections; beyond: 503.
inline constexpr size_t kTunnels = 1'024;
inline constexpr size_t kFills = 256;  ///< of one site that ask its origin; at it: wait in turn
/// Of one site for their turn; beyond: 503 or stale.
inline constexpr size_t kFillsWaiting = 1'024;
inline constexpr size_t kFillChunkBytes = 64 * kKiB;
/// Of all fills (or store/4); at it: wait, then 503.
inline constexpr size_t kFillBytes = 256 * kMiB;
inline constexpr size_t kUnstoredWindowBytes = 128 * kKiB;  ///< of a fill that will not be stored
inline constexpr size_t kWaiters = 20'000;                  ///< of one key; beyond: each goes alone
inline constexpr int kPartRequests = 3;  ///< for one body or part that ends early; then: cut
/// Who wants what is so far ahead in a fill waits for it; else the part is asked for.
inline constexpr uint64_t kNearFragments = 2;
inline constexpr size_t kHitForMissMarks = 16'384;  ///< remembered; beyond: the oldest goes
inline constexpr size_t kNamesCached = 1'024;       ///< resolved names; beyond: the oldest goes
inline constexpr size_t kAddressesTried = 8;  ///< of one name, in turn; the rest are not tried

// --- a folder as origin -------------------------------------------------------------------------
/// At folders that take each other's place while one file is looked for; then what the last had.
inline constexpr size_t kFolderLooks = 3;
/// Of one open, while files elsewhere are renamed; then 500.
inline constexpr size_t kFolderRaces = 64;
inline constexpr size_t kFolderIndexes = 8;  ///< names in `index`; more: a configuration error
/// Hashes of files, of one folder, that are remembered; beyond: the oldest goes.
inline constexpr size_t kContentTags = 16'384;
inline constexpr size_t kHashStepBytes = 4 * kMiB;  ///< of a file per job; then others' jobs

// --- content codings ----------------------------------------------------------------------------
inline constexpr uint64_t kCodedBytesLeast = 1 * kKiB;   ///< of content; shorter: not coded
inline constexpr uint64_t kCodedBytesMost = 256 * kMiB;  ///< of content; longer: not coded
/// A coding that is not shorter by 1/20 is not kept.
inline constexpr uint64_t kCodedGainShare = 20;
/// Per loop, codings that wait for a coder; at it: what is asked for seldom is forgotten.
inline constexpr size_t kCodingWishes = 256;
/// Per loop, codings that need not be tried again; beyond: one is tried again.
inline constexpr size_t kCodingsSettled = 4'096;
/// What an origin coded may become so many times as long, if the store keeps it; more: it is passed
/// on as it came.
inline constexpr uint64_t kDecodedTimes = 200;
/// Requests for a coding that was made fast; then it is made with the most effort.
inline constexpr uint64_t kCodingHits = 2;
inline constexpr size_t kCodingStepBytes = 64 * kKiB;  ///< coded between two looks at the bounds
inline constexpr int64_t kCodingCpuMs = 10'000;        ///< of one coding; then it is given up
/// A coding that would take so many times kCodingCpuMs, judged by how far it has come after a
/// fragment or more, is given up.
inline constexpr uint64_t kCodingTooLongTimes = 2;
inline constexpr unsigned kCodingCpuPercent = 50;  ///< of one core per worker, unless configured
/// The same where nothing is to be encoded, for what an origin has ready: it is decoded once.
inline constexpr unsigned kReadyCpuPercent = 5;

// --- start ---------------------------------------------------------------------------------------
inline constexpr size_t kConfigBytes = 1 * kMiB;  ///< of a configuration file; beyond: an error
/// Errors in a configuration, and as many warnings; more are counted.
inline constexpr size_t kProblemsTold = 50;

// --- loop to pool -------------------------------------------------------------------------------
inline constexpr size_t kLatencyJobs = 1'024;   ///< at it: 503, or the uncached path
inline constexpr size_t kStoreJobs = 4'096;     ///< at it: the response is not stored
inline constexpr size_t kStoreJobsHeldUp = 64;  ///< more behind one thread: another helps
inline constexpr size_t kBackgroundJobs = 256;  ///< at it: not coded, not scrubbed now
inline constexpr size_t kRunListTurn = 64;      ///< connections entered per turn, before I/O
inline constexpr size_t kLoops = 256;           ///< workers; more are a configuration error
/// Waiters of a fill that are told per turn, before I/O goes on.
inline constexpr size_t kWaitersTurn = 256;
inline constexpr size_t kAcceptTurn = 64;  ///< connections accepted per turn and listener
/// Beside the origins' connections; at them: a quiet client makes room, or new ones wait.
inline constexpr size_t kDescriptorsReserved = 64;

/// Of lines that the access log's file does not take; beyond: they are lost.
inline constexpr size_t kAccessLogBytes = 1 * kMiB;

// --- the store ----------------------------------------------------------------------------------
inline constexpr size_t kKeyBytes = 16 * kKiB;        ///< of one record; beyond: not stored
inline constexpr size_t kHeadImageBytes = 64 * kKiB;  ///< of one response as it is kept; then: 502
inline constexpr size_t kTags = 64;                   ///< of one record; beyond: not stored
/// By the fence; a fill that is older is not stored.
inline constexpr size_t kPurgesRemembered = 4'096;
/// Not written yet; beyond: the oldest are folded.
inline constexpr size_t kPurgesPending = 65'536;
/// Purges by tag, prefix and of everything, one by one; beyond: the older half is folded.
inline constexpr size_t kPredicates = 16'384;
/// Of them, those that are copied at each purge; beyond: they join the others.
inline constexpr size_t kPredicatesRecent = 128;
/// Lengths of prefixes, by the number of their parts; beyond: the older half is folded.
inline constexpr size_t kPrefixShapes = 64;
inline constexpr size_t kPrefixBytes = 2 * kKiB;  ///< of a prefix's last part; the rest is ignored
/// Of one step of the sweep: records that are tested, and shards of the index that are looked
/// through. More at the next one.
inline constexpr size_t kSweepRecords = 1'024;
inline constexpr size_t kSweepShards = 32;
inline constexpr size_t kSweepBatch = 64;  ///< found under one lock of a shard
/// Purges whose records are counted; beyond: the oldest count is forgotten.
inline constexpr size_t kPurgesCounted = 256;
inline constexpr size_t kSlabsReady = 2;  ///< detached ahead, so that a put does not wait
/// Free slabs that puts leave to what is copied out of others.
inline constexpr size_t kSlabsForSurvivors = 1;
inline constexpr size_t kProbationSlabs = 4;  ///< at least, whatever its share is
inline constexpr size_t kProbationPercentMost = 90;
/// For each slab that is emptied, 1/2 slab of what is used in main may be copied; the rest goes.
inline constexpr size_t kSurvivorShare = 2;
/// Slabs' worth of it that may be saved up for slabs of which more is in use.
inline constexpr size_t kSurvivorSlabs = 2;
inline constexpr size_t kReclaimStepBytes = 256 * kKiB;  ///< copied; then others get their turn
/// Of one put that finds no slab free; then it is not stored.
inline constexpr size_t kReclaimSteps = 64;
inline constexpr size_t kGhostsLeast = 1'024;
inline constexpr size_t kGhostsMost = 4'194'304;  ///< 4 bytes each; beyond: the oldest go
inline constexpr size_t kDrainingShare = 8;  ///< 1/8 of the slabs emptied and still read: no room
inline constexpr int64_t kSyncMs = 2'000;    ///< what a power cut may take
/// Read of what is stored, to compare its checksums: 1 GiB in a quarter of an hour.
inline constexpr int64_t kScrubBytesPerSecond = 1 * kMiB;
/// Slabs that one step of the scrubber looks at; more at the next one.
inline constexpr size_t kScrubSlabsLooked = 64;
/// The store is large beside the memory from 1/2 of it on: its pages may go at any time.
inline constexpr uint64_t kMemoryShare = 2;
/// Between two looks at which pages of a store are in memory: of a large one, and of others.
inline constexpr int64_t kResidencyMs = 1'000;
inline constexpr int64_t kResidencyCalmMs = 10'000;
inline constexpr int64_t kResidencyBusyMs = 100;  ///< after a look that missed pages of use
/// Slabs that one step of it counts the pages of, and records that it looks at, and those of one
/// slab more; then others get their turn.
inline constexpr size_t kResidencySlabs = 1'024;
inline constexpr size_t kResidencyRecords = 16'384;
/// Read by `warm` after a start: 1 GiB in 16 seconds; in all, half of the memory.
inline constexpr int64_t kWarmBytesPerSecond = 64 * kMiB;
/// Two failed syncs within: nothing is stored any more.
inline constexpr int64_t kSyncFailuresMs = 60'000;
inline constexpr int kWriteFailures = 2;  ///< in a row: nothing is stored any more

// --- times, milliseconds ------------------------------------------------------------------------
/// First byte to end of head; then 408 and close.
inline constexpr int64_t kRequestHeadMs = 10'000;
/// Between requests; then a silent close. Above the 60 s after which load balancers let go of a
/// connection, so that they never use one that is about to be closed.
inline constexpr int64_t kIdleMs = 75'000;
inline constexpr int64_t kBodyGraceMs = 5'000;       ///< before the minimum rate is asked for
inline constexpr int64_t kBodyBytesPerSecond = 500;  ///< minimum, both directions; below: cut
/// A reader that is blocked for so long holds no slab any more; at once where they run short.
inline constexpr int64_t kParkMs = 1'000;
/// A fill waits for room for its next fragment, as long as readers that are blocked may be in the
/// way; then it goes on unstored.
inline constexpr int64_t kRoomMs = 2'000;
inline constexpr int64_t kStallCheckMs = 15'000;  ///< unacknowledged bytes are looked at this often
inline constexpr int64_t kStallMs = 30'000;       ///< without progress; then cut
inline constexpr int64_t kLingerMs = 2'000;       ///< half-closed, without a byte; then closed
inline constexpr int64_t kLingerMostMs = 30'000;  ///< half-closed, draining; then closed
inline constexpr int64_t kResolveMs = 2'000;
/// A name of which no address works is asked for again, if it was learnt so long ago.
inline constexpr int64_t kNameAgainMs = 1'000;
inline constexpr int64_t kConnectMs = 3'000;  ///< per address; then the next one
inline constexpr int64_t kOriginTlsMs = 5'000;
/// A fetch waits for a connection to be free; then 503.
inline constexpr int64_t kPermitMs = 15'000;
/// A loop that waited longer goes before another's own.
inline constexpr int64_t kPermitYieldMs = 200;
inline constexpr int64_t kFirstByteMs = 15'000;     ///< request sent to first byte; then 504
inline constexpr int64_t kBetweenBytesMs = 15'000;  ///< then the body is cut
/// Content without a declared end for one client, such as an event stream, is silent; then cut.
inline constexpr int64_t kStreamQuietMs = 3'600'000;
inline constexpr int64_t kOriginHeadMs = 60'000;  ///< the final head in all, 1xx included; then 504
/// Over which the minimum rate of a body is taken.
inline constexpr int64_t kRateWindowMs = 60'000;
inline constexpr int64_t kOriginIdleMs = 4'000;  ///< an idle origin connection, without Keep-Alive
/// Idle at most this: fit for what is never retried.
inline constexpr int64_t kFreshConnectionMs = 1'000;
inline constexpr int64_t kWaiterPatienceMs = 5'000;  ///< then one further fetch is tried at a time
inline constexpr int64_t kReserveMs = 15'000;        ///< a fill waits for memory; then 503 or stale
/// A reader that holds a full window this long is cut loose.
inline constexpr int64_t kLaggardMs = 2'000;
/// Moved for a client per second; below it, for kLaggardMs, it is cut while others wait for the
/// connection to the origin that it holds.
inline constexpr int64_t kLaggardBytesPerSecond = 16 * kKiB;
inline constexpr int64_t kHitForMissMs = 30'000;
/// Accepting pauses when the system has no descriptor or memory for it.
inline constexpr int64_t kAcceptRetryMs = 100;
/// One log line per site and kind of failure; others are counted.
inline constexpr int64_t kFailureLogMs = 60'000;
/// Per site and reason, paths that the log names, and of the node, files and URLs that do not
/// decode: one log line each; more: counted alone.
inline constexpr size_t kPathsTold = 100;
inline constexpr int64_t kDrainMs = 30'000;  ///< after SIGTERM; then connections are cut
/// To stop in order, after the drain; then the process ends as it stands.
inline constexpr int64_t kStopMs = 10'000;
/// At the end and at start, for lines that nobody reads; then they are left.
inline constexpr int64_t kLogFlushMs = 1'000;
inline constexpr int64_t kAccessLogFlushMs = 1'000;  ///< a line is written at most so late
inline constexpr int64_t kMaintainMs = 50;           ///< between maintenance steps of the store
inline constexpr int64_t kNameFloorMs = 5'000;       ///< a resolved name is kept at least
inline constexpr int64_t kNameCapMs = 300'000;       ///< and at most
/// A file that was written to less long ago may be written to again with the same time: its ETag is
/// weak, and it is never "not modified".
inline constexpr int64_t kUnsettledMs = 2'000;
/// An unreachable origin is covered this long.
inline constexpr int64_t kUnreachableStaleSeconds = 86'400;
/// Missing at most this, a fill without waiters ends.
inline constexpr int64_t kFillOutlivesBytes = 8 * 1'048'576;

}  // namespace perigee::base::limits
