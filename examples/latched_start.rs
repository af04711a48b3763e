//! Workers on several compio runtimes that get ready in their own time, and a thread that gives
//! the first work only when all of them are.
//!
//! Each worker opens a socket of its own and reads the file that it is to serve lines of. A
//! [`Latch`] counts those that are not ready yet. One that cannot get ready counts as well, so
//! that nobody waits for it for ever, and its client is told.
//!
//! ```text
//! cargo run --example latched_start -- [FILE...]
//! ```

use std::{
    io::{self, BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    sync::Mutex,
    thread,
};

use compio::{io::AsyncWriteExt, runtime::Runtime};
use compio_sync::Latch;

/// Where a worker can be reached, or why not, once it is ready.
type Place = Mutex<Option<io::Result<SocketAddr>>>;

fn main() -> ExitCode {
    let mut files: Vec<_> = std::env::args().skip(1).collect();
    if files.is_empty() {
        files = ["Cargo.toml", "README.md", "LICENSE-MIT"]
            .map(String::from)
            .to_vec();
    }
    let ready = Latch::new(files.len());
    let places: Vec<_> = files.iter().map(|_| Place::new(None)).collect();
    let mut failed = false;
    thread::scope(|scope| {
        for (file, place) in files.iter().zip(&places) {
            let ready = &ready;
            scope.spawn(move || {
                let result = work(file, |address| {
                    *place.lock().unwrap() = Some(Ok(address));
                    ready.count_down();
                });
                if let Err(error) = result {
                    // It has counted down already if it failed later.
                    if place.lock().unwrap().replace(Err(error)).is_none() {
                        ready.count_down();
                    }
                }
            });
        }
        // All of them are listening, or never will.
        ready.blocking_wait();
        for (file, place) in files.iter().zip(&places) {
            let place = place.lock().unwrap().take().expect("it is ready");
            match place.and_then(ask) {
                Ok(line) => println!("{file} has {line} lines"),
                Err(error) => {
                    failed = true;
                    println!("{file}: {error}");
                }
            }
        }
    });
    ExitCode::from(u8::from(failed))
}

/// Gets ready, says so, and answers one client: how many lines the file has.
fn work(file: &str, is_ready: impl FnOnce(SocketAddr)) -> io::Result<()> {
    Runtime::new()?.block_on(async {
        let text = compio::fs::read(file).await?;
        let listener = compio::net::TcpListener::bind("127.0.0.1:0").await?;
        is_ready(listener.local_addr()?);
        let (mut client, _) = listener.accept().await?;
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        client.write_all(format!("{lines}\n")).await.0?;
        client.close().await
    })
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(TcpStream::connect(address)?).read_line(&mut line)?;
    match line.trim_end() {
        "" => Err(io::ErrorKind::UnexpectedEof.into()),
        line => Ok(line.to_owned()),
    }
}
