//! The auto traits of every public type, pinned: losing one would break users, gaining
//! one could be unsound.

use std::{
    cell::Cell,
    marker::PhantomData,
    panic::{RefUnwindSafe, UnwindSafe},
    rc::Rc,
};

use compio_sync as ours;
use tokio::sync as tokios;

/// Whether a concrete type implements a trait: the inherent constant, if there is one,
/// hides that of the trait.
macro_rules! implements {
    ($type:ty: $trait:path) => {{
        #[allow(dead_code)]
        trait Otherwise {
            const ANSWER: bool = false;
        }
        #[allow(dead_code)]
        struct Is<T: ?Sized>(PhantomData<T>);
        impl<T: ?Sized> Otherwise for Is<T> {}
        #[allow(dead_code)]
        impl<T: ?Sized + $trait> Is<T> {
            const ANSWER: bool = true;
        }
        <Is<$type>>::ANSWER
    }};
}

/// Send, Sync, Unpin; UnwindSafe, RefUnwindSafe.
macro_rules! traits {
    ($type:ty) => {
        [
            implements!($type: Send),
            implements!($type: Sync),
            implements!($type: Unpin),
            implements!($type: UnwindSafe),
            implements!($type: RefUnwindSafe),
        ]
    };
}

macro_rules! pin_traits {
    ($($type:ty => $($name:ident)*;)*) => {$({
        let expected: &[&str] = &[$(stringify!($name)),*];
        let names = ["Send", "Sync", "Unpin", "UnwindSafe", "RefUnwindSafe"];
        let actual: Vec<_> = names
            .into_iter()
            .zip(traits!($type))
            .filter_map(|(name, has)| has.then_some(name))
            .collect();
        assert_eq!(actual, expected, "{}", stringify!($type));
    })*};
}

/// Is `Send` and not `Sync`.
type NotSync = Cell<u8>;
/// Is neither.
type NotSend = Rc<u8>;
/// Is both.
type Plain = u8;

#[test]
fn without_data() {
    pin_traits! {
        ours::Semaphore => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::SemaphorePermit<'static> => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::OwnedSemaphorePermit => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::Condvar => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::Notify => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::Event => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::Barrier => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::BarrierWaitResult => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::SetError<Plain> => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::Latch => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::WaitGroup => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::LatchGuard<'static> => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::OwnedLatchGuard => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::WaitGroupGuard<'static> => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::OwnedWaitGroupGuard => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::CancellationToken => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::DropGuard => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::Backend => Send Sync Unpin UnwindSafe RefUnwindSafe;
    }
}

#[test]
fn futures_are_send_and_stay_where_they_are() {
    pin_traits! {
        ours::Acquire<'static> => Send Sync;
        ours::AcquireOwned => Send Sync;
        ours::Notified<'static> => Send Sync;
        ours::OwnedNotified => Send Sync;
        ours::EventWait<'static> => Send Sync;
        ours::BarrierWait<'static> => Send Sync;
        ours::Cancelled<'static> => Send Sync;
        ours::CancelledOwned => Send Sync;
        ours::RunUntilCancelled<'static, std::future::Ready<NotSync>> => Send;
        ours::RunUntilCancelled<'static, std::future::Ready<NotSend>> => ;
        ours::RunUntilCancelledOwned<std::future::Ready<Plain>> => Send Sync;
        ours::LatchWait<'static> => Send Sync;
        ours::WaitGroupWait<'static> => Send Sync;
        ours::Lock<'static, Plain> => Send Sync;
        ours::Lock<'static, NotSync> => Send Sync;
        ours::Lock<'static, NotSend> => ;
        ours::LockOwned<Plain> => Send Sync;
        ours::LockOwned<NotSync> => Send Sync;
        ours::LockOwned<NotSend> => ;
        ours::RwLockRead<'static, Plain> => Send Sync;
        ours::RwLockRead<'static, NotSync> => ;
        ours::RwLockReadOwned<Plain> => Send Sync;
        ours::RwLockReadOwned<NotSync> => ;
        ours::RwLockWrite<'static, Plain> => Send Sync;
        ours::RwLockWrite<'static, NotSync> => ;
        ours::RwLockWriteOwned<Plain> => Send Sync;
        ours::RwLockWriteOwned<NotSend> => ;
        ours::RwLockUpgradableRead<'static, Plain> => Send Sync;
        ours::RwLockUpgradableRead<'static, NotSync> => ;
        ours::RwLockUpgradableReadOwned<Plain> => Send Sync;
        ours::RwLockUpgradableReadOwned<NotSend> => ;
        ours::RwLockUpgrade<'static, Plain> => Send Sync;
        ours::RwLockUpgrade<'static, NotSync> => ;
        ours::RwLockUpgradeOwned<Plain> => Send Sync;
        ours::RwLockUpgradeOwned<NotSync> => ;
        ours::CondvarWait<'static, Plain> => Send Sync;
        ours::CondvarWait<'static, NotSync> => Send;
        ours::CondvarWait<'static, NotSend> => ;
        ours::CondvarWaitWhile<'static, Plain, fn(&mut Plain) -> bool> => Send Sync;
        ours::CondvarWaitWhile<'static, Plain, NotSync> => Send;
        ours::CondvarWaitWhile<'static, Plain, NotSend> => ;
    }
}

#[test]
fn the_mutex_shares_what_may_be_sent() {
    pin_traits! {
        ours::Mutex<Plain> => Send Sync Unpin UnwindSafe;
        ours::Mutex<NotSync> => Send Sync Unpin UnwindSafe;
        ours::Mutex<NotSend> => Unpin UnwindSafe;
        ours::Mutex<std::marker::PhantomPinned> => Send Sync UnwindSafe;
        ours::Mutex<dyn Send> => Send Sync;
    }
}

#[test]
fn the_read_write_lock_shares_what_may_be_sent_and_shared() {
    pin_traits! {
        ours::RwLock<Plain> => Send Sync Unpin UnwindSafe;
        ours::RwLock<NotSync> => Send Unpin UnwindSafe;
        ours::RwLock<NotSend> => Unpin UnwindSafe;
        ours::RwLock<std::marker::PhantomPinned> => Send Sync UnwindSafe;
        ours::RwLock<dyn Send> => Send;
        ours::RwLock<dyn Send + Sync> => Send Sync;
    }
}

#[test]
fn guards_of_the_read_write_lock_share_what_may_be_shared() {
    pin_traits! {
        ours::RwLockReadGuard<'static, Plain> => Send Sync Unpin;
        ours::RwLockReadGuard<'static, NotSync> => Unpin;
        ours::RwLockReadGuard<'static, NotSend> => Unpin;
        ours::RwLockWriteGuard<'static, Plain> => Send Sync Unpin;
        ours::RwLockWriteGuard<'static, NotSync> => Unpin;
        ours::RwLockWriteGuard<'static, NotSend> => Unpin;
        ours::RwLockUpgradableReadGuard<'static, Plain> => Send Sync Unpin;
        ours::RwLockUpgradableReadGuard<'static, NotSync> => Unpin;
        ours::OwnedRwLockReadGuard<Plain> => Send Sync Unpin;
        ours::OwnedRwLockReadGuard<NotSync> => Unpin;
        ours::OwnedRwLockWriteGuard<Plain> => Send Sync Unpin;
        ours::OwnedRwLockWriteGuard<NotSync> => Unpin;
        ours::OwnedRwLockUpgradableReadGuard<Plain> => Send Sync Unpin;
        ours::OwnedRwLockUpgradableReadGuard<NotSend> => Unpin;
        ours::MappedRwLockReadGuard<'static, Plain> => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::MappedRwLockReadGuard<'static, NotSync> => Unpin;
        ours::MappedRwLockReadGuard<'static, NotSend> => Unpin UnwindSafe RefUnwindSafe;
        ours::MappedRwLockWriteGuard<'static, Plain> => Send Sync Unpin RefUnwindSafe;
        ours::MappedRwLockWriteGuard<'static, NotSync> => Unpin;
        ours::MappedRwLockWriteGuard<'static, NotSend> => Unpin RefUnwindSafe;
        ours::OwnedMappedRwLockReadGuard<Plain> => Send Sync Unpin;
        ours::OwnedMappedRwLockReadGuard<Plain, NotSync> => Unpin;
        ours::OwnedMappedRwLockReadGuard<NotSync, Plain> => Unpin;
        ours::OwnedMappedRwLockReadGuard<NotSend, Plain> => Unpin;
        ours::OwnedMappedRwLockWriteGuard<Plain> => Send Sync Unpin;
        ours::OwnedMappedRwLockWriteGuard<Plain, NotSync> => Unpin;
        ours::OwnedMappedRwLockWriteGuard<NotSync, Plain> => Unpin;
        ours::OwnedMappedRwLockWriteGuard<NotSend, Plain> => Unpin;
    }
}

#[test]
fn guards_share_what_may_be_shared() {
    pin_traits! {
        ours::MutexGuard<'static, Plain> => Send Sync Unpin;
        ours::MutexGuard<'static, NotSync> => Send Unpin;
        ours::MutexGuard<'static, NotSend> => Unpin;
        ours::OwnedMutexGuard<Plain> => Send Sync Unpin;
        ours::OwnedMutexGuard<NotSync> => Send Unpin;
        ours::OwnedMutexGuard<NotSend> => Unpin;
        ours::MappedMutexGuard<'static, Plain> => Send Sync Unpin RefUnwindSafe;
        ours::MappedMutexGuard<'static, NotSync> => Send Unpin;
        ours::MappedMutexGuard<'static, NotSend> => Unpin RefUnwindSafe;
        ours::OwnedMappedMutexGuard<Plain> => Send Sync Unpin;
        ours::OwnedMappedMutexGuard<Plain, NotSync> => Send Unpin;
        ours::OwnedMappedMutexGuard<NotSync, Plain> => Send Unpin;
        ours::OwnedMappedMutexGuard<Plain, NotSend> => Unpin;
        ours::OwnedMappedMutexGuard<NotSend, Plain> => Unpin;
    }
}

/// A function that makes a `T` and one that cannot be sent, and their future.
type Makes<T> = fn() -> std::future::Ready<T>;
type MakesHere<T> = (Makes<T>, PhantomData<NotSend>);
type Made<T> = std::future::Ready<T>;

#[test]
fn cells_share_what_may_be_sent_and_shared() {
    pin_traits! {
        ours::OnceCell<Plain> => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::OnceCell<NotSync> => Send Unpin UnwindSafe;
        ours::OnceCell<NotSend> => Unpin UnwindSafe RefUnwindSafe;
        ours::OnceCell<std::sync::MutexGuard<'static, Plain>> => Unpin UnwindSafe RefUnwindSafe;
        ours::OnceCell<std::marker::PhantomPinned> => Send Sync UnwindSafe RefUnwindSafe;
        ours::Lazy<Plain> => Send Sync Unpin UnwindSafe RefUnwindSafe;
        ours::Lazy<Plain, NotSync> => Send Unpin UnwindSafe;
        ours::Lazy<Plain, NotSend> => Unpin UnwindSafe RefUnwindSafe;
        ours::Lazy<NotSync> => Send Unpin UnwindSafe;
        ours::Lazy<NotSend> => Unpin UnwindSafe RefUnwindSafe;
        ours::OnceCellWait<'static, Plain> => Send Sync;
        ours::OnceCellWait<'static, NotSync> => ;
        ours::OnceCellWait<'static, NotSend> => ;
        ours::GetOrInit<'static, Plain, Makes<Plain>, Made<Plain>> => Send Sync;
        ours::GetOrInit<'static, Plain, MakesHere<Plain>, Made<Plain>> => ;
        ours::GetOrInit<'static, Plain, Makes<Plain>, MakesHere<Plain>> => ;
        ours::GetOrInit<'static, NotSync, Makes<NotSync>, Made<NotSync>> => ;
        ours::GetOrTryInit<'static, Plain, Makes<Plain>, Made<Plain>> => Send Sync;
        ours::GetOrTryInit<'static, Plain, MakesHere<Plain>, Made<Plain>> => ;
        ours::GetOrTryInit<'static, NotSend, Makes<NotSend>, Made<NotSend>> => ;
    }
}

/// Send and Sync of ours and of tokio's type of that name.
macro_rules! as_tokio {
    ($($ours:ty, $tokios:ty;)*) => {$({
        let [send, sync, ..] = traits!($ours);
        let [tokio_send, tokio_sync, ..] = traits!($tokios);
        assert_eq!((send, sync), (tokio_send, tokio_sync), "{}", stringify!($ours));
    })*};
}

#[test]
fn send_and_sync_are_as_tokios() {
    as_tokio! {
        ours::Semaphore, tokios::Semaphore;
        ours::SemaphorePermit<'static>, tokios::SemaphorePermit<'static>;
        ours::OwnedSemaphorePermit, tokios::OwnedSemaphorePermit;
        ours::Notify, tokios::Notify;
        ours::Barrier, tokios::Barrier;
        ours::BarrierWaitResult, tokios::BarrierWaitResult;
        ours::OnceCell<Plain>, tokios::OnceCell<Plain>;
        ours::OnceCell<NotSync>, tokios::OnceCell<NotSync>;
        ours::OnceCell<NotSend>, tokios::OnceCell<NotSend>;
        ours::Notified<'static>, tokios::futures::Notified<'static>;
        ours::Mutex<Plain>, tokios::Mutex<Plain>;
        ours::Mutex<NotSync>, tokios::Mutex<NotSync>;
        ours::Mutex<NotSend>, tokios::Mutex<NotSend>;
        ours::RwLock<Plain>, tokios::RwLock<Plain>;
        ours::RwLock<NotSync>, tokios::RwLock<NotSync>;
        ours::RwLock<NotSend>, tokios::RwLock<NotSend>;
        ours::RwLockReadGuard<'static, Plain>, tokios::RwLockReadGuard<'static, Plain>;
        ours::RwLockReadGuard<'static, NotSync>, tokios::RwLockReadGuard<'static, NotSync>;
        ours::RwLockReadGuard<'static, NotSend>, tokios::RwLockReadGuard<'static, NotSend>;
        ours::RwLockWriteGuard<'static, Plain>, tokios::RwLockWriteGuard<'static, Plain>;
        ours::RwLockWriteGuard<'static, NotSync>, tokios::RwLockWriteGuard<'static, NotSync>;
        ours::OwnedRwLockReadGuard<Plain>, tokios::OwnedRwLockReadGuard<Plain>;
        ours::OwnedRwLockReadGuard<NotSync>, tokios::OwnedRwLockReadGuard<NotSync>;
        ours::OwnedRwLockWriteGuard<Plain>, tokios::OwnedRwLockWriteGuard<Plain>;
        ours::OwnedRwLockWriteGuard<NotSync>, tokios::OwnedRwLockWriteGuard<NotSync>;
        ours::MappedRwLockWriteGuard<'static, NotSync>, tokios::RwLockMappedWriteGuard<'static, NotSync>;
        ours::OwnedMappedRwLockWriteGuard<Plain, NotSync>, tokios::OwnedRwLockMappedWriteGuard<Plain, NotSync>;
        ours::MutexGuard<'static, Plain>, tokios::MutexGuard<'static, Plain>;
        ours::MutexGuard<'static, NotSync>, tokios::MutexGuard<'static, NotSync>;
        ours::MutexGuard<'static, NotSend>, tokios::MutexGuard<'static, NotSend>;
        ours::OwnedMutexGuard<Plain>, tokios::OwnedMutexGuard<Plain>;
        ours::OwnedMutexGuard<NotSync>, tokios::OwnedMutexGuard<NotSync>;
        ours::MappedMutexGuard<'static, Plain>, tokios::MappedMutexGuard<'static, Plain>;
        ours::MappedMutexGuard<'static, NotSync>, tokios::MappedMutexGuard<'static, NotSync>;
        ours::OwnedMappedMutexGuard<Plain>, tokios::OwnedMappedMutexGuard<Plain>;
        ours::OwnedMappedMutexGuard<Plain, NotSync>, tokios::OwnedMappedMutexGuard<Plain, NotSync>;
    }
}
