//! The echo server of `examples/graceful_shutdown.rs`, with real clients: when it is stopped
//! in the middle, what was accepted is answered, and nothing is cut or left open.
//!
//! Not on Windows, where the server is not known to work (under Wine it did not answer).
#![cfg(not(windows))]

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

#[cfg(target_os = "linux")]
#[test]
fn stopped_by_a_signal() {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };

    let _watchdog = watchdog();
    for round in 0..rounds(5) {
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
        let seen = talk(address.parse().unwrap(), round, || {
            let pid = libc::pid_t::try_from(child.id()).unwrap();
            // SAFETY: OWN-CHILD: it has not been waited for, so the number is still its own.
            assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
        });
        let (mut connections, mut bytes, mut runtimes) = (0, 0, 0);
        for line in lines.map(Result::unwrap) {
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
        assert!(child.wait().unwrap().success());
        assert_eq!(runtimes, RUNTIMES);
        assert_eq!(connections, seen.connections.load(Relaxed));
        assert_eq!(bytes, seen.bytes.load(Relaxed));
    }
}
