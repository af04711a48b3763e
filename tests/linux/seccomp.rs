//! Filters on system calls, for a child process to show what it does and does not call.

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

fn install(program: &mut [libc::sock_filter]) {
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
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
    let allow = libc::SECCOMP_RET_ALLOW;
    install(&mut [
        load(NUMBER),
        jump(libc::BPF_JEQ, libc::SYS_futex as u32, 0, 2),
        load(SECOND_ARGUMENT),
        // Without the private flag, `FUTEX_WAKE` is 1.
        jump(libc::BPF_JEQ, libc::FUTEX_WAKE as u32, 1, 0),
        end(allow),
        end(then.action()),
    ]);
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
