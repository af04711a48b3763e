//! The echo server of `examples/graceful_shutdown.rs`, with real clients: when it is stopped
//! in the middle, what was accepted is answered, and nothing is cut or left open.
//!
//! Not on Windows, where the server is not known to work (under Wine it did not answer), nor under
//! Miri, which has no sockets for the poll driver and no processes.
#![cfg(not(any(windows, miri)))]

mod common;

#[allow(dead_code, reason = "the test takes the place of its main")]
#[path = "../examples/graceful_shutdown.rs"]
mod server;

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use common::{Random, rounds, watchdog};
use server::Server;

const BOUND: usize = 6;
const CLIENTS: usize = 4 * BOUND;
const RUNTIMES: usize = 3;

/// Set for the child that is to be the server.
const IS_SERVER: &str = "COMPIO_SYNC_TEST_SERVER";

/// What the clients saw.
#[derive(Debug, Default)]
struct Seen {
    /// Set before the server is told.
    stopping: AtomicBool,
    now: AtomicUsize,
    most: AtomicUsize,
    connections: AtomicUsize,
    bytes: AtomicUsize,
    /// Connections that the server ended, in good order.
    ended: AtomicUsize,
}

impl Seen {
    /// Connects again and again until it is refused.
    fn client(&self, address: SocketAddr, mut random: Random, answered: mpsc::Sender<()>) {
        loop {
            let before = !self.stopping.load(SeqCst);
            match TcpStream::connect(address) {
                Ok(stream) => self.connection(stream, &mut random, &answered),
                Err(error) => {
                    assert!(!before || self.stopping.load(SeqCst), "refused: {error}");
                    return;
                }
            }
        }
    }

    fn connection(&self, mut stream: TcpStream, random: &mut Random, answered: &mpsc::Sender<()>) {
        let mut accepted = false;
        for _ in 0..=random.below(40) {
            let message: Vec<u8> = (0..=random.below(4000))
                .map(|_| random.below(256) as u8)
                .collect();
            let written = stream.write_all(&message);
            let answer = written.and_then(|()| answer(&mut stream, message.len()));
            match answer {
                Ok(answer) if answer.len() == message.len() => assert_eq!(answer, message),
                Ok(answer) => {
                    assert!(answer.is_empty(), "{} of {}", answer.len(), message.len());
                    // What was written may not have arrived when the server looked.
                    assert!(self.stopping.load(SeqCst), "ended before the stop");
                    self.ended.fetch_add(usize::from(accepted), Relaxed);
                    break;
                }
                // It had never been accepted.
                Err(_) if !accepted && self.stopping.load(SeqCst) => break,
                Err(error) => panic!("cut: {error}"),
            }
            self.bytes.fetch_add(message.len(), Relaxed);
            if !accepted {
                accepted = true;
                self.connections.fetch_add(1, Relaxed);
                let now = self.now.fetch_add(1, SeqCst) + 1;
                self.most.fetch_max(now, SeqCst);
            }
            // Nobody counts them any more.
            let _ = answered.send(());
        }
        if accepted {
            // Before it is closed, so that none is counted that is no longer served.
            self.now.fetch_sub(1, SeqCst);
        }
    }
}

/// Reads an answer, or less if the stream ends before.
fn answer(stream: &mut TcpStream, len: usize) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.take(len as u64).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Has clients talk to the server, calls `stop` while they do, and waits for their end.
fn talk(address: SocketAddr, seed: usize, stop: impl FnOnce()) -> Seen {
    let seen = Seen::default();
    thread::scope(|scope| {
        let (answered, answers) = mpsc::channel();
        for client in 0..CLIENTS {
            let (seen, answered) = (&seen, answered.clone());
            let random = Random::new((seed * CLIENTS + client + 1) as u64);
            scope.spawn(move || seen.client(address, random, answered));
        }
        drop(answered);
        for _ in 0..500 + 37 * seed {
            answers.recv().expect("the clients go on until the stop");
        }
        seen.stopping.store(true, SeqCst);
        stop();
    });
    let most = seen.most.load(SeqCst);
    assert!((1..=BOUND).contains(&most), "{most} served at once");
    assert_eq!(seen.now.load(SeqCst), 0);
    assert!(TcpStream::connect(address).is_err(), "it still listens");
    seen
}

#[test]
fn stopped_by_its_token() {
    let _watchdog = watchdog();
    let mut ended = 0;
    for round in 0..rounds(10) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(BOUND);
        thread::scope(|scope| {
            let serving = scope.spawn(|| server.run(listener, RUNTIMES).unwrap());
            let seen = talk(address, round, || server.stop.cancel());
            let served = serving.join().unwrap();
            assert_eq!(served.len(), RUNTIMES);
            let connections: u64 = served.iter().map(|one| one.connections.load(Relaxed)).sum();
            let bytes: u64 = served.iter().map(|one| one.bytes.load(Relaxed)).sum();
            assert_eq!(connections, seen.connections.load(Relaxed) as u64);
            assert_eq!(bytes, seen.bytes.load(Relaxed) as u64);
            assert_eq!(server.cut.load(Relaxed), 0);
            ended += seen.ended.load(Relaxed);
        });
    }
    // Else it was never stopped in the middle.
    assert!(ended > 0);
}

#[test]
fn a_client_that_goes_on_is_not_reset() {
    let _watchdog = watchdog();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(1);
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.run(listener, 1).unwrap());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"before").unwrap();
        assert_eq!(answer(&mut stream, 6).unwrap(), b"before");
        server.stop.cancel();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        for _ in 0..1000 {
            stream.write_all(b"after").unwrap();
        }
        drop(stream);
        serving.join().unwrap();
        assert_eq!(server.cut.load(Relaxed), 0);
    });
}

#[test]
#[ignore = "what the other tests stop by a signal"]
fn the_server() {
    if std::env::var_os(IS_SERVER).is_none() {
        return;
    }
    let args = server::Args {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        bound: BOUND,
        threads: RUNTIMES,
    };
    // Nothing of the harness after what it printed.
    std::process::exit(match server::run(&args) {
        Ok(false) => 0,
        Ok(true) => 1,
        Err(fault) => panic!("{fault}"),
    });
}

/// The server in a process of its own, stopped by a signal.
#[cfg(target_os = "linux")]
mod in_a_process {
    use std::{
        io::{BufRead, BufReader, Lines},
        process::{Child, ChildStdout, Command, Stdio},
    };

    use super::*;

    struct Process {
        child: Child,
        lines: Lines<BufReader<ChildStdout>>,
        address: SocketAddr,
    }

    impl Process {
        fn start() -> Self {
            // This program again, which runs `the_server`: an example need not have been built.
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["the_server", "--exact", "--ignored", "--nocapture"])
                .env(IS_SERVER, "1")
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // What the harness says comes first, perhaps on the same line.
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let address = lines
                .by_ref()
                .map(Result::unwrap)
                .find_map(|line| Some(line.split_once("listening on ")?.1.to_owned()))
                .expect("it listens");
            let address = address.parse().unwrap();
            Self {
                child,
                lines,
                address,
            }
        }

        fn signal(&self, signal: i32) {
            let pid = libc::pid_t::try_from(self.child.id()).unwrap();
            // SAFETY: OWN-CHILD: it has not been waited for, so the number is still its own.
            assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        }

        /// Waits until none of its threads runs.
        fn suspend(&self) {
            self.signal(libc::SIGSTOP);
            let tasks = format!("/proc/{}/task", self.child.id());
            let runs = || {
                std::fs::read_dir(&tasks).unwrap().any(|task| {
                    let stat = std::fs::read_to_string(task.unwrap().path().join("stat"));
                    !stat.unwrap().rsplit(')').next().unwrap().starts_with(" T")
                })
            };
            while runs() {
                thread::yield_now();
            }
        }

        /// What it says that it served: connections and bytes.
        fn end(mut self) -> (usize, usize) {
            let (mut connections, mut bytes, mut runtimes) = (0, 0, 0);
            for line in self.lines.map(Result::unwrap) {
                let words: Vec<_> = line.split(' ').collect();
                match words[..] {
                    ["runtime", _, one, "connections,", these, "bytes"] => {
                        runtimes += 1;
                        connections += one.parse::<usize>().unwrap();
                        bytes += these.parse::<usize>().unwrap();
                    }
                    ["cut:", cut] => assert_eq!(cut, "0"),
                    ["most", .., "once:", most, "(bound", _] => {
                        assert!(most.parse::<usize>().unwrap() <= BOUND);
                    }
                    _ => panic!("{line}"),
                }
            }
            assert!(self.child.wait().unwrap().success());
            assert_eq!(runtimes, RUNTIMES);
            (connections, bytes)
        }
    }

    /// How much has come for the other end of a connection and was not read yet.
    fn unread(stream: &TcpStream) -> usize {
        let ports =
            [stream.peer_addr(), stream.local_addr()].map(|address| address.unwrap().port());
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let hex = |text: &str| usize::from_str_radix(text, 16).unwrap();
        let of = |address: &str| hex(address.rsplit(':').next().unwrap());
        table
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|row| [of(row[1]), of(row[2])] == ports.map(usize::from))
            .map_or(0, |row| of(row[4]))
    }

    #[test]
    fn stopped_by_a_signal() {
        let _watchdog = watchdog();
        for round in 0..rounds(5) {
            let server = Process::start();
            let seen = talk(server.address, round, || server.signal(libc::SIGINT));
            let served = server.end();
            assert_eq!(served.0, seen.connections.load(Relaxed));
            assert_eq!(served.1, seen.bytes.load(Relaxed));
        }
    }

    /// On some kernels (seen with Linux 6.1) what was written need not have arrived when the call
    /// returns, not even over loopback. Here it has, before the server can find out that it is
    /// to stop.
    #[test]
    fn what_came_before_the_stop_is_answered() {
        let _watchdog = watchdog();
        for round in 0..rounds(20) {
            let server = Process::start();
            let mut random = Random::new(round as u64 + 1);
            let mut message = |most: usize| -> Vec<u8> {
                let len = 1 + random.below(most);
                (0..len).map(|_| random.below(256) as u8).collect()
            };
            let mut streams: Vec<_> = (0..BOUND)
                .map(|_| {
                    let mut stream = TcpStream::connect(server.address).unwrap();
                    let hello = message(100);
                    stream.write_all(&hello).unwrap();
                    assert_eq!(answer(&mut stream, hello.len()).unwrap(), hello);
                    (stream, hello.len())
                })
                .collect();
            server.suspend();
            let sent: Vec<_> = streams
                .iter_mut()
                .enumerate()
                .map(|(i, (stream, all))| {
                    // Also nothing, and more than it reads in one go.
                    let message = if i == 0 { Vec::new() } else { message(40_000) };
                    stream.write_all(&message).unwrap();
                    while unread(stream) < message.len() {
                        thread::yield_now();
                    }
                    *all += message.len();
                    message
                })
                .collect();
            server.signal(libc::SIGINT);
            server.signal(libc::SIGCONT);
            let mut bytes = 0;
            for ((stream, all), message) in streams.iter_mut().zip(sent) {
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                assert!(answer == message, "{} of {}", answer.len(), message.len());
                bytes += *all;
            }
            drop(streams);
            assert_eq!(server.end(), (BOUND, bytes));
        }
    }
}
