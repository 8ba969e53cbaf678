// The bounds whose overload is shown by tests of other folders. All others are shown in
// limits_test.cc.
//
// The tidy test checks that this folder names every bound of base/limits.h, and that every test
// named here exists.
#pragma once

#include <string_view>

namespace perigee::test {

struct Shown {
  std::string_view bound;
  std::string_view test;
};

inline constexpr Shown kShownElsewhere[] = {
    // client to us
    {"kRequestLineBytesMost", "ConfigTest.ABadValueNamesItsPlace"},
    {"kChunkSizeDigits", "Http1Chunked.BadSizesAre400"},
    {"kSpillBytes", "ConnectionBounds.PipelinedBytesBehindABlockedRequestAreBounded"},
    {"kReadBufferBytes", "ConnectionBounds.PipelinedBytesBehindABlockedRequestAreBounded"},
    {"kLingerBytes", "ConnectionClosing.LingeringDrainsAtMostItsBound"},
    // us to client
    {"kOutHighBytes", "ConnectionBounds.AClientThatDoesNotReadStopsBeingRead"},
    {"kOutLowBytes", "ConnectionBounds.AClientThatDoesNotReadStopsBeingRead"},
    {"kSendBytes", "ConnectionBounds.OneConnectionDoesNotTakeTheWholeTurn"},
    {"kSendfileBytes", "SocketChannel.WritesPiecesOfAFileThatAreSmallOrMustNotBeLent"},
    // origin to us
    {"kRelayShare", "EightConnections.RelaysNeverTakeWhatFillsNeed"},
    {"kClientShare", "EightConnections.OneClientHasAPartOfTheRelaysAndOthersPassIt"},
    {"kLaggardBytesPerSecond", "EightConnections.AReaderAtTheLeastPaceIsNotCut"},
    {"kOriginWaiters", "TwoPermits.OnlySoManyMayWait"},
    {"kNamesCached", "ResolverCacheTest.KeepsOnlySoManyNamesTheLastUsed"},
    {"kAddressesTried", "ConnectorTest.TriesOnlySoManyAddresses"},
    {"kTunnels", "FlowUpgrade.SoManyTunnelsStandAndOneClientHasAShareOfThem"},
    {"kInterimResponses", "OriginStreamTest.TooManyInterimResponsesAreRefused"},
    {"kPartRequests", "Broken.AgainAndAgainItIsCut"},
    {"kNearFragments", "Filling.WhoWantsWhatComesSoonWaitsForIt"},
    {"kFillBytes", "LittleMemory.WaitingForMemoryEndsIn503"},
    {"kWaiters", "OneLoop.BeyondTheBoundOfWaitersEachGoesAlone"},
    {"kWaitersTurn", "OneLoop.TellsABoundedNumberOfWaitersATurn"},
    // content codings
    {"kCodedBytesLeast", "Codable.IsWhatIsWorthItAndAllowed"},
    {"kCodedGainShare", "CodersTest.ACodingIsKeptIfItIsShorterByAShare"},
    {"kCodingWishes", "CodersTest.WaitingWishesAreBounded"},
    {"kCodingsSettled", "CodersTest.SoManyAreRemembered"},
    {"kDecodedTimes", "CodingJobTest.WhatBlowsUpIsLeft"},
    {"kCodingHits", "CodersTest.TheBestCodingIsMadeForWhatIsAskedForAgain"},
    {"kCodingStepBytes", "CodingJobTest.LooksAtItsBoundsBeforeEachStep"},
    {"kCodingCpuMs", "CodingJobTest.TakesNoMoreCpuThanOneJobMay"},
    {"kCodingCpuPercent", "CodersTest.RestsInProportionToItsWork"},
    // start
    {"kConfigBytes", "ConfigFile.HasABoundedSize"},
    {"kProblemsTold", "Problems.AreToldUpToABoundAndThenCounted"},
    // loop to pool
    {"kStoreJobsHeldUp", "ThreadPool.BehindAStoreJobThatIsHeldUpAnotherThreadHelps"},
    {"kBackgroundJobs", "Lanes.EachHoldsSoManyJobsAndRefusesMore"},
    {"kLoops", "ConfigTest.AWrongTypeNamesItsPlace"},
    {"kAcceptTurn", "Listener.AcceptsABoundedNumberATurn"},
    {"kDescriptorsReserved", "ClientBound.IsWhatTheNodeItselfDoesNotNeed"},
    {"kRunListTurn", "ConnectionBounds.ATurnEntersAtMostItsShareOfConnections"},
    {"kAccessLogBytes", "LogFile.KeepsLinesUpToABoundAndCountsTheRest"},
    // the store
    {"kPurgesRemembered", "StoreTest.ATicketOlderThanTheRingIsRefused"},
    {"kPurgesPending", "StoreTest.ManyPurgesFoldIntoAFloorAndNothingComesBack"},
    {"kPredicates", "PredicateTableTest.AtTheBoundNothingIsFoldedAndBeyondItTheOlderHalf"},
    {"kPredicatesRecent", "PredicateTableTest.SaysWhatAListOfAllWouldSay"},
    {"kPrefixShapes", "PredicateTableTest.BeyondTheBoundOfLengthsTheOlderHalfIsFolded"},
    {"kPrefixBytes", "KeyPrefix.ALongerOneThanIsComparedMatchesMore"},
    {"kSweepRecords", "PredicatesTest.AStepOfTheSweepTestsABoundedNumberOfRecords"},
    {"kSweepBatch", "PredicatesTest.AStepOfTheSweepTestsABoundedNumberOfRecords"},
    {"kSweepShards", "PredicatesTest.ALongSweepIsMadeOfBoundedSteps"},
    {"kPurgesCounted", "PurgeLogTest.CountsAreToldWhenTheSweepHasPassed"},
    {"kSlabsReady", "StoreTest.MakesSoManySlabsReadyAndNoMore"},
    {"kSlabsForSurvivors", "EvictionTest.WhatIsUsedIsCopiedAlsoWhenPutsMakeRoom"},
    {"kProbationSlabs", "EvictionTest.ProbationHasItsShareAndFourSlabsAtLeast"},
    {"kProbationPercentMost", "EvictionTest.AShareThatLeavesNothingIsRefused"},
    {"kSurvivorShare", "EvictionTest.WhatIsUsedLeavesRoomAllTheSame"},
    {"kSurvivorSlabs", "EvictionTest.WhatIsUsedLeavesRoomAllTheSame"},
    {"kReclaimStepBytes", "LargeSlabs.AStepCopiesSoMuchAndNoMore"},
    {"kReclaimSteps", "ManySlabs.APutEmptiesSoManySlabsThatAreReadAndNoMore"},
    {"kGhostsLeast", "GhostsTest.RemembersAboutAsManyAsItHasRoomFor"},
    {"kGhostsMost", "GhostsTest.TakesSoMuchMemoryAndNoMore"},
    {"kDrainingShare", "FailingWritesTest.AReaderKeepsItsBytesAndAStoreFullOfReadersRefuses"},
    {"kScrubBytesPerSecond", "ScrubberTest.KeepsItsPace"},
    {"kScrubSlabsLooked", "ScrubberTest.LooksAtABoundedNumberOfSlabsAStep"},
    {"kMemoryShare", "ResidencyTest.ALargeStoreIsLookedAtEachSecondAndOthersEachTen"},
    {"kResidencyMs", "ResidencyTest.ALargeStoreIsLookedAtEachSecondAndOthersEachTen"},
    {"kResidencyBusyMs", "ResidencyTest.WhilePagesOfVerifiedRecordsGoItLooksMoreOften"},
    {"kResidencyCalmMs", "ResidencyTest.ALargeStoreIsLookedAtEachSecondAndOthersEachTen"},
    {"kResidencySlabs", "ResidencyTest.AStepLooksAtABoundedNumberOfSlabs"},
    {"kResidencyRecords", "ResidencyTest.AStepLooksAtABoundedNumberOfRecords"},
    {"kWarmBytesPerSecond", "WarmerTest.KeepsItsPace"},
    {"kSyncMs", "FailingWritesTest.WhatWasWrittenIsSyncedInItsTime"},
    {"kSyncFailuresMs", "FailingWritesTest.TwoFailedSyncsEndStoringOnlyWhenTheyAreClose"},
    {"kWriteFailures", "FailingWritesTest.OnlySoManyFailuresInARowEndStoring"},
    // times
    {"kRequestHeadMs", "ConnectionTimers.AHeadThatComesTooSlowlyIs408"},
    {"kIdleMs", "ConnectionTimers.AnIdleConnectionIsClosedSilently"},
    {"kBodyGraceMs", "ConnectionTimers.ContentThatComesTooSlowlyIs408"},
    {"kBodyBytesPerSecond", "ConnectionTimers.ContentThatComesTooSlowlyIs408"},
    {"kStallCheckMs", "ConnectionTimers.AClientThatTakesNothingIsCutAfterTheStallTime"},
    {"kParkMs", "Parking.WhoIsBlockedForLongHoldsNothingAndGoesOn"},
    {"kRoomMs", "InFragments.TheWaitForRoomBeginsAnewWithEachFragment"},
    {"kStallMs", "ConnectionTimers.AClientThatTakesNothingIsCutAfterTheStallTime"},
    {"kRateWindowMs", "ConnectionTimers.AClientBelowTheMinimumRateIsCut"},
    {"kLingerMs", "ConnectionClosing.AnErrorLingersSoThatItIsRead"},
    {"kLingerMostMs", "ConnectionClosing.LingeringGoesOnWhileTheClientSendsForAWhile"},
    {"kAcceptRetryMs", "Listener.WhenTheSystemHasNoDescriptorItPausesAndTriesAgain"},
    {"kStopMs", "Stopping.AThreadThatHangsDoesNotKeepTheNodeFromEnding"},
    {"kLogFlushMs", "PrintTest.APipeThatNobodyReadsDoesNotHoldIt"},
    {"kAccessLogFlushMs", "AccessLogFile.ALineIsThereWithinASecondOrSo"},
    {"kDrainMs", "ConnectionDrain.WhatIsLeftAtTheDeadlineIsCut"},
    {"kNameAgainMs", "ConnectorTest.ANameThatWasJustLearntIsNotAskedForAgain"},
    {"kStreamQuietMs", "OwnStreamTest.AnEventStreamMayBeQuietWhereALengthMayNot"},
    {"kResolveMs", "ResolverCacheTest.AHangingNameServerCostsItsTimeOnce"},
    {"kConnectMs", "ConnectorTest.EachAddressHasItsOwnTime"},
    {"kOriginTlsMs", "ConnectorTest.ASecureOriginIsConnectedWithItsTlsOptions"},
    {"kPermitMs", "TwoPermits.WaitingEndsIn503AfterItsTime"},
    {"kPermitYieldMs", "TwoLoops.ALoopThatWaitedLongGoesBeforeTheOwnersOwn"},
    {"kFirstByteMs", "OriginStreamTest.NoFirstByteInTimeIsATimeout"},
    {"kBetweenBytesMs", "OriginStreamTest.ContentThatStopsIsCut"},
    {"kOriginHeadMs", "OriginStreamTest.AHeadThatCreepsEndsAtItsTotal"},
    {"kFreshConnectionMs",
     "OriginStreamTest.AnUnsafeMethodNeverTakesAConnectionThatHasEndedUnseen"},
    {"kNameFloorMs", "NameLifetime.IsTheServersWithinBounds"},
    {"kNameCapMs", "NameLifetime.IsTheServersWithinBounds"},
    {"kFolderLooks", "ReplacedInTime.FoldersThatAreReplacedAllTheTimeAreLookedAtSoManyTimes"},
    {"kFolderRaces", "FolderIoTest.RenamesElsewhereDoNotDisturb"},
    {"kFolderIndexes", "FolderConfigTest.HasSoManyIndexes"},
    {"kContentTags", "ContentTags.HaveABound"},
    {"kHashStepBytes", "ContentTagTest.OfALongFileIsMadeInStepsBetweenOtherJobs"},
    {"kUnsettledMs", "PlayedFolderTest.ATagIsWeakWhileTheFileMayBeWrittenUnseen"},
    {"kPathsTold", "OriginWatchTest.TellsOfPagesInPlaceOfAssetsOncePerPath"},
    {"kFailureLogMs", "OriginWatchTest.TellsWhyAnOriginDoesNotAnswerOnceASiteAndKindInItsTime"},
    {"kReserveMs", "LittleMemory.WaitingForMemoryEndsIn503"},
    {"kLaggardMs", "Storing.ALaggardThatHoldsOthersUpIsCutLoose"},
    {"kWaiterPatienceMs", "Patience.WhatTheFurtherFetchStoresRelievesTheOthers"},
    {"kFillOutlivesBytes", "Storing.MuchThatIsMissingIsDroppedWithTheLastWaiter"},
    {"kUnreachableStaleSeconds", "FlowOrigin.AnUnreachableOriginIsCoveredByAStaleCopy"},
};

}  // namespace perigee::test
