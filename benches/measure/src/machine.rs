//! Under which conditions was measured.

use std::{env, fmt, fs, process::Command};

/// What a result depends on, besides the program.
#[derive(Clone, Debug)]
pub struct Machine {
    processor: String,
    processors: usize,
    virtual_machine: bool,
    kernel: String,
    rustc: String,
    priority: String,
    date: String,
    commit: String,
}

fn said_by(program: &str, args: &[&str]) -> String {
    Command::new(program)
        .args(args)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(
            || "unknown".into(),
            |output| String::from_utf8_lossy(&output.stdout).trim().into(),
        )
}

impl Machine {
    /// Looks at this one.
    #[must_use]
    pub fn this() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = cpus
            .lines()
            .find(|line| line.starts_with("model name"))
            .and_then(|line| line.split(": ").nth(1))
            .unwrap_or("unknown")
            .trim();
        Self {
            processor: processor.into(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            virtual_machine: cpus.contains(" hypervisor"),
            kernel: said_by("uname", &["-sr"]),
            rustc: said_by("rustc", &["-V"]),
            priority: env::var("PRIORITY").unwrap_or_else(|_| "as other programs".into()),
            date: said_by("date", &["-u", "+%Y-%m-%d"]),
            commit: said_by("git", &["describe", "--always", "--dirty", "--exclude=*"]),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            processors,
            kernel,
            rustc,
            priority,
            date,
            commit,
            ..
        } = self;
        let machine = if self.virtual_machine {
            "virtual machine"
        } else {
            "machine"
        };
        writeln!(f, "- {machine} with {processors} processors ({processor})")?;
        writeln!(f, "- {kernel}; {rustc}; priority: {priority}; {date}")?;
        writeln!(f, "- commit {commit}")
    }
}

/// The versions of these crates in a `Cargo.lock`.
#[must_use]
pub fn versions(lock: &str, crates: &[&str]) -> String {
    let version = |name: &&str| {
        let mut lines = lock.lines();
        lines.find(|line| *line == format!("name = \"{name}\""))?;
        let version = lines.next()?.strip_prefix("version = \"")?;
        Some(format!("{name} {}", version.trim_end_matches('"')))
    };
    let found: Vec<_> = crates.iter().filter_map(version).collect();
    found.join(", ")
}
