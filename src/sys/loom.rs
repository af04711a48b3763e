//! What the model checker puts in place of std's atomics and threads, and what it
//! notes about them. Only there with `--cfg loom`.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    mem::ManuallyDrop,
    ops::Deref,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicUsize as Shadow, Ordering},
    },
};

use ::loom::sync::atomic as checked;

pub(crate) use ::loom::{
    self as checker,
    cell::UnsafeCell,
    sync::{Mutex, MutexGuard},
};

/// A change of an atomic: which type, in which file, from what to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    pub(crate) word: &'static str,
    pub(crate) file: &'static str,
    pub(crate) before: usize,
    pub(crate) after: usize,
}

thread_local! {
    /// All threads of a model run on one thread of the system, which this belongs to.
    static STEPS: RefCell<BTreeSet<Step>> = const { RefCell::new(BTreeSet::new()) };
}

/// The steps taken since this was last called.
pub(crate) fn take_steps() -> BTreeSet<Step> {
    STEPS.take()
}

#[track_caller]
pub(crate) fn note(word: &'static str, before: usize, after: usize) {
    let file = Location::caller().file();
    STEPS.with_borrow_mut(|steps| {
        steps.insert(Step {
            word,
            file,
            before,
            after,
        })
    });
}

/// Makes loom try each order of reads with writes. To find what a write may be
/// exchanged with, loom looks at the last access alone; so a thread that reads and then
/// writes hides from it that another has read before.
#[derive(Debug)]
struct Order(checked::AtomicBool);

impl Order {
    fn new() -> Self {
        Self(checked::AtomicBool::new(false))
    }

    /// Before a read.
    fn branch(&self) {
        self.0.swap(false, Ordering::Relaxed);
    }
}

macro_rules! atomic {
    ($name:ident, $int:ty) => {
        /// loom's, noting each change.
        #[derive(Debug)]
        pub(crate) struct $name {
            inner: checked::$name,
            /// Shared: a store that others see may be the end of this.
            order: Arc<Order>,
            /// What was stored last, for plain stores, which do not read.
            last: Shadow,
        }

        #[allow(dead_code, reason = "std's interface, as far as it was ever needed")]
        impl $name {
            pub(crate) fn new(value: $int) -> Self {
                Self {
                    inner: checked::$name::new(value),
                    order: Arc::new(Order::new()),
                    last: Shadow::new(value as usize),
                }
            }

            #[track_caller]
            fn note(&self, before: $int, after: $int) {
                self.last.store(after as usize, Ordering::SeqCst);
                note(stringify!($name), before as usize, after as usize);
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $int {
                self.order.branch();
                self.inner.load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                let branch = Arc::clone(&self.order);
                self.inner.store(value, order);
                self.note(self.last.load(Ordering::SeqCst) as $int, value);
                // Who reads this may run before our next step, even if that is one
                // where loom would not switch, such as unlocking.
                branch.branch();
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                let before = self.inner.swap(value, order);
                self.note(before, value);
                before
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                before: $int,
                after: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                let result = self.inner.compare_exchange(before, after, success, failure);
                if result.is_ok() {
                    self.note(before, after);
                }
                result
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                before: $int,
                after: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.compare_exchange(before, after, success, failure)
            }

            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut f: impl FnMut($int) -> Option<$int>,
            ) -> Result<$int, $int> {
                let mut after = 0;
                self.order.branch();
                let result = self.inner.fetch_update(success, failure, |before| {
                    f(before).inspect(|value| after = *value)
                });
                if let Ok(before) = result {
                    self.note(before, after);
                }
                result
            }

            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                let before = self.inner.fetch_add(value, order);
                self.note(before, before.wrapping_add(value));
                before
            }

            #[track_caller]
            pub(crate) fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                let before = self.inner.fetch_sub(value, order);
                self.note(before, before.wrapping_sub(value));
                before
            }

            #[track_caller]
            pub(crate) fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                let before = self.inner.fetch_and(value, order);
                self.note(before, before & value);
                before
            }

            #[track_caller]
            pub(crate) fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                let before = self.inner.fetch_or(value, order);
                self.note(before, before | value);
                before
            }
        }
    };
}

atomic!(AtomicU8, u8);
atomic!(AtomicUsize, usize);

/// loom's.
#[derive(Debug)]
pub(crate) struct AtomicBool {
    inner: checked::AtomicBool,
    order: Order,
}

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self {
            inner: checked::AtomicBool::new(value),
            order: Order::new(),
        }
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> bool {
        self.order.branch();
        self.inner.load(order)
    }

    #[track_caller]
    pub(crate) fn store(&self, value: bool, order: Ordering) {
        if value {
            // loom lets a swap overlook a plain store that was made before it.
            self.inner.swap(value, order);
        } else {
            self.inner.store(value, order);
        }
    }

    #[track_caller]
    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.inner.swap(value, order)
    }
}

/// loom's, noting whether a store changed one address into another.
#[derive(Debug)]
pub(crate) struct AtomicPtr<T> {
    inner: checked::AtomicPtr<T>,
    last: Shadow,
}

impl<T> AtomicPtr<T> {
    pub(crate) fn new(value: *mut T) -> Self {
        Self {
            inner: checked::AtomicPtr::new(value),
            last: Shadow::new(value.addr()),
        }
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        self.inner.load(order)
    }

    #[track_caller]
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        self.inner.store(value, order);
        let before = self.last.swap(value.addr(), Ordering::SeqCst);
        let changed = before != 0 && before != value.addr();
        note("AtomicPtr", usize::from(changed), 1);
    }
}

/// Parking. loom's own forgets an unparking that comes while the thread waits for
/// a lock.
pub(crate) mod thread {
    use std::{
        future::poll_fn,
        sync::{Arc, Mutex, PoisonError, atomic::Ordering},
        task::{Poll, Waker},
    };

    use ::loom::sync::atomic::AtomicBool;

    #[derive(Debug, Default)]
    struct Token {
        unparked: AtomicBool,
        parked: Mutex<Option<Waker>>,
    }

    impl Token {
        fn set_parked(&self, waker: Option<Waker>) -> Option<Waker> {
            let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut parked, waker)
        }
    }

    ::loom::thread_local! {
        static TOKEN: Arc<Token> = Arc::default();
    }

    #[derive(Clone, Debug)]
    pub(crate) struct Thread(Arc<Token>);

    pub(crate) fn current() -> Thread {
        Thread(TOKEN.with(Arc::clone))
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            // As with std's: what lies before this lies before the end of `park`.
            self.0.unparked.swap(true, Ordering::Release);
            if let Some(waker) = self.0.set_parked(None) {
                waker.wake();
            }
        }
    }

    pub(crate) fn park() {
        let Thread(token) = current();
        ::loom::future::block_on(poll_fn(|cx| {
            drop(token.set_parked(Some(cx.waker().clone())));
            if token.unparked.swap(false, Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        drop(token.set_parked(None));
    }
}

/// Something that is spoilt when it is dropped. Who still uses it then meets loom
/// objects that do not exist, and the model fails: how models see a use after free.
#[derive(Debug)]
pub(crate) struct Mortal<T>(ManuallyDrop<T>);

impl<T> Mortal<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T> Deref for Mortal<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Mortal<T> {
    pub(crate) fn as_pin_mut(self: std::pin::Pin<&mut Self>) -> std::pin::Pin<&mut T> {
        // SAFETY: the value is pinned with `self`, and dropped in place.
        unsafe { self.map_unchecked_mut(|this| &mut *this.0) }
    }
}

impl<T> Drop for Mortal<T> {
    fn drop(&mut self) {
        let value: *mut T = &raw mut *self.0;
        // SAFETY: dropped once, here; then the bytes are nobody's. Volatile, since
        // nobody may read them.
        unsafe {
            value.drop_in_place();
            for at in 0..size_of::<T>() {
                value.cast::<u8>().add(at).write_volatile(0xA5);
            }
        }
    }
}
