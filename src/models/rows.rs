//! The rows of the tables in the sources: by what an atomic was before and after or, where
//! that does not tell, by what the code says of itself.

use crate::{cancellation_token::state, sys::loom::Step, waiter_queue::status};

/// A row. A model that reaches it names it: if none does, it does not compile.
#[deny(dead_code)]
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    // waiter.rs
    Enters,
    Leaves,
    IsMoved,
    IsPosted,
    IsSent,
    IsWoken,
    IsCounted,
    IsDelivered,
    TakesMail,
    TakesSent,
    TakesWake,
    TakesCounted,
    IsPutBack,
    // send.rs
    EpochsBeginAnew,
    // home.rs
    HomeSleeps,
    HomeHasMore,
    HomeIsRung,
    HomeCloses,
    HomeClosesAsleep,
    WakesInVain,
    // shares.rs
    ShareGoesElsewhere,
    ShareIsLast,
    SharesSettle,
    // waiter_queue/linux.rs
    WordHasChanged,
    WaitIsEnded,
    // sys/slot.rs
    SlotWaits,
    SlotIsRung,
    SlotStaysRung,
    SlotIsAnswered,
    SlotPosts,
    SlotEndsNothing,
    SlotIsRefused,
    SlotIsRefusedAndRung,
    // permits.rs
    PermitsTaken,
    PermitsGiven,
    AskedOfNone,
    AskedOfTooFew,
    GivenToQueue,
    Distributed,
    NobodyLeft,
    // mutex/raw.rs
    Locks,
    Overtakes,
    QueuesFirst,
    Unlocks,
    UnlocksForHeir,
    KeepsForHeir,
    MakesHeir,
    MakesHeirAgain,
    KeepsForStarved,
    HeirTakesFree,
    HeirTakesKept,
    HeirInVain,
    HeirAsks,
    NewcomerAsks,
    KeepsForAsking,
    KeepsForLateAsking,
    AsksInVain,
    NewcomerAsksInVain,
    HeirGoesKept,
    HeirGoesKeptMeanwhile,
    HeirGoesFree,
    HeirGoesLocked,
    HeirGoesNext,
    LastLeaves,
    // rwlock/raw.rs
    ReaderComes,
    UpgradableComes,
    WriterComes,
    Upgrades,
    UpgradesBeforeOthers,
    LockIsWaitedFor,
    ReaderGoes,
    LastReaderGoes,
    OneOfManyGoes,
    WriterGoes,
    UpgradableGoes,
    WriterReads,
    WriterMayUpgrade,
    UpgradableReads,
    ReadersAreLetIn,
    WriterIsGivenIt,
    UpgradableIsGivenIt,
    UpgradeIsGiven,
    LockIsWaitedForNoMore,
    // notify.rs
    Stores,
    StoresAfterAll,
    TakesStored,
    NotifyWaits,
    CountsCall,
    // event.rs
    Sets,
    SetsForWaiters,
    Resets,
    EventWaits,
    EventVacates,
    // barrier.rs, of three parties
    BarrierArrives,
    BarrierCompletes,
    BarrierLeaves,
    BarrierLeavesEarlier,
    // once_cell/turn.rs
    TurnTaken,
    TurnAwaited,
    ValueAwaited,
    TurnInVain,
    TurnPassedOn,
    CandidatesHaveGone,
    ChosenGoes,
    CellSet,
    CellSetForCandidates,
    CellSetForWaiters,
    CandidatesVacate,
    WaitersVacate,
    // gate.rs
    GateAdds,
    GateTakes,
    GateAddedTo,
    GateOpens,
    GateAwaited,
    GateOpensForWaiters,
    GateOpenAlready,
    // cancellation_token/tree.rs
    TokenIsCancelled,
    HeldLeaves,
    HeldBecomesInner,
    HeldIsDoomed,
    InnerIsReplaced,
    InnerIsDoomed,
    DoomedEnds,
    DoomedIsAwaited,
    DroppedBeforeItsEnd,
    AwaitedIsDropped,
    // condvar.rs
    CondvarVacates,
    // condvar/wait.rs
    WaitingLeaves,
    NotifiedGoes,
    NotifiedWithAllGoes,
    LockingGoes,
    LockingNotifiedGoes,
}

impl Row {
    pub(super) fn is(self, step: &Step) -> bool {
        let (b, a) = (step.before, step.after);
        let file = step.file.replace('\\', "/");
        let among = |word, name| step.word == word && file.ends_with(name);
        // Below the level.
        let phases = |from, to| among("AtomicU8", "waiter.rs") && (b & 7, a & 7) == (from, to);
        let home = |from, to| step.word == "Status" && (b, a) == (from, to);
        let shares = |is| among("AtomicUsize", "shares.rs") && is;
        let slot = |is| among("AtomicUsize", "sys/slot.rs") && is;
        let permits = |is| among("AtomicUsize", "permits.rs") && is;
        let mutex = |is| among("AtomicUsize", "mutex/raw.rs") && is;
        let rwlock = |is| among("AtomicUsize", "rwlock/raw.rs") && is;
        let notify = |is| among("AtomicUsize", "notify.rs") && is;
        let event = |is| among("AtomicUsize", "event.rs") && is;
        let barrier = |is| among("AtomicUsize", "barrier.rs") && is;
        let once = |is| among("AtomicUsize", "once_cell/turn.rs") && is;
        let gate = |is| among("AtomicUsize", "gate.rs") && is;
        let said = |word| step.word == word;
        let entry = |from, to| step.word == "Entry" && (b, a) == (from, to);
        // The bits of `permits`, and of `mutex/raw`.
        let queued = |state| state & 1 != 0;
        let (locked, has_heir) = (|s: usize| s & 1 != 0, |s: usize| s & 4 != 0);
        let (waited, kept) = (|s: usize| s & 2 != 0, |s: usize| s & 8 != 0);
        let asks = |s: usize| s & 16 != 0;
        match self {
            Self::Enters => phases(0, 1),
            Self::Leaves => phases(1, 0),
            Self::IsMoved => phases(1, 1) && a > b,
            Self::IsPosted => phases(1, 2),
            Self::IsWoken => phases(1, 3),
            Self::IsCounted => phases(1, 4),
            // Who does it is not in the phases.
            Self::IsDelivered => said("the home delivers"),
            Self::TakesMail => said("the owner takes its mail"),
            Self::IsSent => said("all are sent"),
            Self::TakesSent => said("the owner takes what was sent"),
            Self::EpochsBeginAnew => said("the first epoch comes again"),
            Self::TakesWake => phases(3, 0),
            Self::TakesCounted => phases(4, 0),
            Self::IsPutBack => phases(0, 3),

            Self::HomeSleeps => home(status::AWAKE, status::ASLEEP),
            Self::HomeHasMore => home(status::AWAKE, status::AWAKE),
            Self::HomeIsRung => home(status::ASLEEP, status::AWAKE),
            Self::HomeCloses => home(status::AWAKE, status::CLOSED),
            Self::HomeClosesAsleep => home(status::ASLEEP, status::CLOSED),
            Self::WakesInVain => home(status::CLOSED, status::IN_VAIN),

            Self::ShareGoesElsewhere => shares(b > 1 && a == b - 1),
            Self::ShareIsLast => shares(b == 1 && a == 0),
            Self::SharesSettle => shares(b > a + 1),

            Self::WordHasChanged => said("the word has changed"),
            Self::WaitIsEnded => said("a ring ends the wait"),

            Self::SlotWaits => slot(b == 0 && a > 1),
            Self::SlotIsRung => slot((b, a) == (0, 1)),
            Self::SlotStaysRung => slot((b, a) == (1, 1)),
            Self::SlotIsAnswered => slot((b, a) == (1, 0)),
            Self::SlotPosts => slot(b > 1 && a == 0),
            Self::SlotEndsNothing => slot((b, a) == (0, 0)),
            Self::SlotIsRefused => said("the packet is refused"),
            Self::SlotIsRefusedAndRung => slot(b == 1 && a > 1),

            Self::PermitsTaken => permits(!queued(b) && !queued(a) && a < b),
            Self::PermitsGiven => permits(!queued(b) && !queued(a) && a > b),
            Self::AskedOfNone => permits(b == 0 && a == 1),
            Self::AskedOfTooFew => permits(!queued(b) && b > 0 && a == 1),
            Self::GivenToQueue => permits(queued(b) && queued(a) && a > b),
            Self::Distributed => permits(queued(b) && b > 1 && a == 1),
            Self::NobodyLeft => permits(queued(b) && !queued(a)),

            Self::Locks => mutex(!locked(b) && !has_heir(b) && a == b | 1),
            Self::Overtakes => mutex(!locked(b) && has_heir(b) && a == b | 1),
            Self::QueuesFirst => mutex(locked(b) && !waited(b) && a == b | 2),
            Self::Unlocks => mutex(b == 1 && a == 0),
            Self::UnlocksForHeir => mutex(locked(b) && has_heir(b) && a == (b & !1) + 32),
            Self::KeepsForHeir => mutex(has_heir(b) && !asks(b) && !kept(b) && a == b | 8),
            Self::MakesHeir => mutex(b == 3 && a & !2 == 4),
            Self::MakesHeirAgain => mutex(b == 3 + 32 && a & !2 == 4 + 32),
            Self::KeepsForStarved => mutex(b == 3 + 64 && a & !2 == 13 + 64),
            Self::HeirTakesFree => mutex(has_heir(b) && !locked(b) && locked(a) && !has_heir(a)),
            Self::HeirTakesKept => mutex(kept(b) && locked(a) && !has_heir(a)),
            Self::HeirInVain => mutex(has_heir(b) && !asks(b) && a == ((b | 2) & !4) + 32),
            Self::HeirAsks => mutex(has_heir(b) && has_heir(a) && !asks(b) && a == b | 16),
            Self::NewcomerAsks => mutex(b == 1 && a == 1 | 4 | 16),
            Self::KeepsForAsking => mutex(asks(b) && !kept(b) && a == b | 8),
            Self::KeepsForLateAsking => said("a newcomer asks who came when all had left"),
            Self::AsksInVain => mutex(asks(b) && a == ((b | 2) & !20) + 32),
            Self::NewcomerAsksInVain => mutex(b == 1 | 4 | 16 && a == 1 | 2),
            Self::HeirGoesKept => said("the heir goes from the kept lock"),
            Self::HeirGoesKeptMeanwhile => said("the heir goes, and meanwhile the lock was kept"),
            Self::HeirGoesFree => mutex(has_heir(b) && !locked(b) && a == 0),
            Self::HeirGoesLocked => mutex(has_heir(b) && locked(b) && !kept(b) && a == b & 3),
            Self::HeirGoesNext => mutex(!locked(b) && has_heir(b) && waited(b) && a & !2 == 4),
            Self::LastLeaves => mutex(waited(b) && a == b & if has_heir(b) { !2 } else { 1 }),

            Self::ReaderComes => rwlock(b & 3 == 0 && a == b + 8),
            Self::UpgradableComes => rwlock(b & 7 == 0 && a == b + 4),
            Self::WriterComes => rwlock(b == 0 && a == 2),
            Self::Upgrades => rwlock(b == 4 && a == 2),
            Self::UpgradesBeforeOthers => rwlock(b == 5 && a == 3),
            Self::LockIsWaitedFor => rwlock(b & 1 == 0 && a == b | 1),
            Self::ReaderGoes => rwlock(b & 1 == 0 && a + 8 == b),
            Self::LastReaderGoes => rwlock(b & !4 == 9 && a + 8 == b),
            Self::OneOfManyGoes => rwlock(b & 1 != 0 && b / 8 >= 3 && a + 8 == b),
            Self::WriterGoes => rwlock(b & 2 != 0 && a + 2 == b),
            Self::UpgradableGoes => rwlock(b & 4 != 0 && a + 4 == b),
            Self::WriterReads => rwlock(b & 2 != 0 && a == b - 2 + 8),
            Self::WriterMayUpgrade => rwlock(b & 2 != 0 && a == b + 2),
            Self::UpgradableReads => rwlock(b & 4 != 0 && a == b + 4),
            Self::ReadersAreLetIn => rwlock(b & 3 == 1 && a > b && (a - b) % 8 == 0),
            Self::WriterIsGivenIt => rwlock(b == 1 && a & !1 == 2),
            Self::UpgradableIsGivenIt => rwlock(b & 7 == 1 && a & 6 == 4 && a / 8 == b / 8),
            Self::UpgradeIsGiven => rwlock(b == 5 && a & !1 == 2),
            Self::LockIsWaitedForNoMore => rwlock(b & 1 != 0 && a == b - 1),

            Self::Stores => notify(b & 3 == 0 && a == b | 1),
            Self::StoresAfterAll => notify(b & 2 != 0 && a == b & !2 | 1),
            Self::TakesStored => notify(b & 1 != 0 && a == b & !1),
            Self::NotifyWaits => notify(b & 2 == 0 && a == b | 2),
            Self::CountsCall => notify(a == b + 4),

            Self::Sets => event(b == 0 && a == 1),
            Self::SetsForWaiters => event(b & 3 == 2 && a == 3),
            Self::Resets => event(b & 1 != 0 && a == b & !1),
            Self::EventWaits => event(b == 0 && a == 2),
            Self::EventVacates => event(b & 2 != 0 && a == b & !2),

            Self::BarrierArrives => barrier((b, a) == (1, 2)),
            Self::BarrierCompletes => barrier((b, a) == (2, 0)),
            Self::BarrierLeaves => barrier(b > 0 && a == b - 1),
            Self::BarrierLeavesEarlier => said("leaves an earlier generation"),

            Self::TurnTaken => once(b & 3 == 0 && a == b | 1),
            Self::TurnAwaited => once(b & 5 == 1 && a == b | 4),
            Self::ValueAwaited => once(b & 10 == 0 && a == b | 8),
            Self::TurnInVain => once(b & 7 == 1 && a == b & !1),
            Self::TurnPassedOn => said("the turn is passed on"),
            Self::CandidatesHaveGone => said("the candidates have gone"),
            Self::ChosenGoes => said("the chosen candidate goes"),
            Self::CellSet => once(b == 1 && a == 2),
            Self::CellSetForCandidates => once(b & 5 == 5 && a == 2),
            Self::CellSetForWaiters => once(b & 9 == 9 && a == 2),
            // By who leaves, or is given the turn.
            Self::CandidatesVacate => once(b & 7 == 5 && a == b & !4),
            Self::WaitersVacate => once(b & 8 != 0 && a == b & !8),
            Self::GateAdds => gate(a == b + 2),
            Self::GateTakes => gate(a < b && a > 1),
            Self::GateAddedTo => said("more was added to the gate"),
            Self::GateOpens => gate(b > 1 && b & 1 == 0 && a == 0),
            Self::GateAwaited => gate(b > 1 && b & 1 == 0 && a == b | 1),
            Self::GateOpensForWaiters => gate(b > 1 && b & 1 == 1 && a == 0),
            Self::GateOpenAlready => said("the gate is open already"),

            Self::TokenIsCancelled => {
                among("AtomicUsize", "cancellation_token/tree.rs") && b != a && a == usize::MAX
            }
            Self::HeldLeaves => entry(state::HELD, state::FREE),
            Self::HeldBecomesInner => entry(state::HELD, state::INNER),
            Self::HeldIsDoomed => {
                entry(state::HELD, state::DOOMED) || entry(state::HELD, state::DOOMED_AND_AWAITED)
            }
            Self::InnerIsReplaced => entry(state::INNER, state::FREE),
            Self::InnerIsDoomed => entry(state::INNER, state::DOOMED),
            Self::DoomedEnds => entry(state::DOOMED, state::FREE),
            Self::DoomedIsAwaited => entry(state::DOOMED_AND_AWAITED, state::AWAITED),
            Self::DroppedBeforeItsEnd => entry(state::DOOMED_AND_AWAITED, state::DOOMED),
            Self::AwaitedIsDropped => entry(state::AWAITED, state::FREE),

            Self::CondvarVacates => said("the condition variable is vacated"),
            Self::WaitingLeaves => said("leaves the condition variable"),
            Self::NotifiedGoes => said("goes notified"),
            Self::NotifiedWithAllGoes => said("goes notified with all"),
            Self::LockingGoes => said("goes from the mutex"),
            Self::LockingNotifiedGoes => said("goes from the mutex notified"),
        }
    }
}
