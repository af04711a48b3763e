//! Filters on system calls, for a child process to show what it does and does not call.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    sync::{atomic::AtomicU32, mpsc},
    thread,
};

/// What happens to a call that is filtered.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// The process dies by `SIGSYS`.
    Die,
    /// The call does nothing and returns this error; none for 0.
    Fail(i32),
}

impl Then {
    fn action(self) -> u32 {
        match self {
            Self::Die => libc::SECCOMP_RET_KILL_PROCESS,
            Self::Fail(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
        }
    }
}

const NUMBER: u32 = 0;
/// The low half of the second argument, on little-endian machines.
const SECOND_ARGUMENT: u32 = 24;

fn load(offset: u32) -> libc::sock_filter {
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn jump(test: u32, value: u32, yes: u8, no: u8) -> libc::sock_filter {
    step(libc::BPF_JMP | test | libc::BPF_K, yes, no, value)
}

fn end(action: u32) -> libc::sock_filter {
    step(libc::BPF_RET | libc::BPF_K, 0, 0, action)
}

fn step(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

fn program(steps: &mut [libc::sock_filter]) -> libc::sock_fprog {
    libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    }
}

fn install(steps: &mut [libc::sock_filter]) {
    let filter = program(steps);
    // SAFETY: plain system calls on memory that outlives them.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter),
            0
        );
    }
}

/// Filters wakes of shared futexes, in this thread and those it starts. The standard library
/// and libc wake private ones.
pub(crate) fn filter_shared_futex_wakes(then: Then) {
    install(&mut shared_futex_wakes(then.action()));
}

fn shared_futex_wakes(action: u32) -> [libc::sock_filter; 6] {
    [
        load(NUMBER),
        jump(libc::BPF_JEQ, libc::SYS_futex as u32, 0, 2),
        load(SECOND_ARGUMENT),
        // Without the private flag, `FUTEX_WAKE` is 1.
        jump(libc::BPF_JEQ, libc::FUTEX_WAKE as u32, 1, 0),
        end(libc::SECCOMP_RET_ALLOW),
        end(action),
    ]
}

/// Runs `f` on a thread of its own, and counts the wakes of shared futexes that it makes there.
/// They do happen. The error is why they cannot be counted; `f` was not run then.
pub(crate) fn count_shared_futex_wakes(f: impl FnOnce() + Send) -> io::Result<usize> {
    let last = AtomicU32::new(0);
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let last = &last;
        scope.spawn(move || {
            let listener = listen_to_shared_futex_wakes();
            let is_heard = listener.is_ok();
            tell.send(listener).expect("it is waited for");
            if is_heard {
                f();
                // Tells the listener that this was all.
                // SAFETY: a wake of our own word, for which nobody waits.
                unsafe { libc::syscall(libc::SYS_futex, last.as_ptr(), libc::FUTEX_WAKE, 1) };
            }
        });
        let listener = told.recv().expect("it tells")?;
        let mut count = 0;
        while allow_one(&listener)? != last.as_ptr() as u64 {
            count += 1;
        }
        Ok(count)
    })
}

/// This thread's wakes of shared futexes wait from now on until somebody allows them.
fn listen_to_shared_futex_wakes() -> io::Result<OwnedFd> {
    let mut steps = shared_futex_wakes(libc::SECCOMP_RET_USER_NOTIF);
    let filter = program(&mut steps);
    // SAFETY: plain system calls on memory that outlives them; the descriptor is a new one.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let descriptor = libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const filter,
        );
        match descriptor {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor as RawFd)),
        }
    }
}

/// Waits for a call, and allows it. Returns its first argument.
fn allow_one(listener: &OwnedFd) -> io::Result<u64> {
    // SAFETY: plain numbers, for which 0 is a value; the two calls take these structures.
    unsafe {
        let mut call: libc::seccomp_notif = std::mem::zeroed();
        let is_done = |result| match result {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        let listener = listener.as_raw_fd();
        is_done(libc::ioctl(
            listener,
            libc::SECCOMP_IOCTL_NOTIF_RECV,
            &raw mut call,
        ))?;
        let mut answer: libc::seccomp_notif_resp = std::mem::zeroed();
        answer.id = call.id;
        answer.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as _;
        is_done(libc::ioctl(
            listener,
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw mut answer,
        ))?;
        Ok(call.data.args[0])
    }
}

/// Denies io_uring, as containers do.
pub(crate) fn deny_io_uring(errno: i32) {
    install(&mut [
        load(NUMBER),
        jump(libc::BPF_JEQ, libc::SYS_io_uring_setup as u32, 0, 1),
        end(Then::Fail(errno).action()),
        end(libc::SECCOMP_RET_ALLOW),
    ]);
}
