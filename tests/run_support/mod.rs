//! `perso run` as a process of its own, on simulated cards in files, held at a known exchange.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub const KEYS: &str = "tests/samples/keys.test.json";
pub const NAME: &str = "debit-aes-scp03";
pub const RECORD: &str = "tests/samples/debit-aes-scp03.record.json";

/// Longest time that anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Bench(pub TempDir);

impl Bench {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a blank in `card.json`.
    pub fn with_card() -> Self {
        let bench = Self::new();
        bench.card("card.json");
        bench
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn card(&self, name: &str) -> String {
        let path = self.path(name);
        let made = done(&["sim", "new", NAME, "--keys", KEYS, "--record", RECORD, "-o", &path]);
        assert_eq!(made.code, Some(0), "{}", made.text);
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        let entries = self.0.path().read_dir().unwrap();
        let mut names: Vec<String> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `perso run RECORD --reader sim:CARD --journal journal`, and more.
    pub fn job(&self, card: &str, more: &[&str]) -> Vec<String> {
        let reader = format!("sim:{}", self.path(card));
        let journal = self.path("journal");
        let job = ["run", RECORD, "--keys", KEYS, "--reader", &reader, "--journal", &journal];
        job.iter().chain(more).map(|&text| text.to_owned()).collect()
    }

    pub fn run(&self, card: &str, more: &[&str]) -> Done {
        let job = self.job(card, more);
        done(&job.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Starts a job and returns when its card has been sent this exchange, which takes so long.
    pub fn held(&self, at: usize, millis: u32, more: &[&str]) -> Held {
        let (rule, trace) = (format!("delay {millis} at {at}"), self.path("trace"));
        let job = self.job("card.json", &["--fault", &rule, "--trace", &trace]);
        let child = start(&job.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>());
        let part = PathBuf::from(trace + ".part");
        wait(|| std::fs::read_to_string(&part).is_ok_and(|text| answers(&text) == at - 1));
        Held { child, since: Instant::now() }
    }

    /// Instruction bytes of the commands that a card has executed, from its file.
    pub fn executed(&self, card: &str) -> Vec<u64> {
        let file = self.json(card);
        let diary = file["state"]["diary"].as_array().unwrap();
        diary.iter().filter(|it| it["executed"] == true).map(|it| it["ins"].as_u64().unwrap()).collect()
    }

    /// STORE DATA and SET STATUS that a card has executed.
    pub fn changes(&self, card: &str) -> usize {
        self.executed(card).iter().filter(|ins| matches!(ins, 0xE2 | 0xF0)).count()
    }
}

fn answers(trace: &str) -> usize {
    trace.lines().filter(|line| line.starts_with('<')).count()
}

pub fn wait(reached: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < until, "it did not come to that");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub struct Held {
    pub child: Child,
    pub since: Instant,
}

impl Held {
    pub fn signal(&self, signal: &str) {
        signal_to(&self.child, signal);
    }

    pub fn end(self) -> Done {
        Done::of(self.child.wait_with_output().unwrap())
    }
}

pub fn signal_to(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "{signal}");
}

#[derive(Debug)]
pub struct Done {
    /// None: a signal has ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub out: String,
    pub text: String,
}

impl Done {
    pub fn of(output: Output) -> Self {
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Self {
            code: output.status.code(),
            signal: std::os::unix::process::ExitStatusExt::signal(&output.status),
            out: out.clone().into_owned(),
            text: format!("{out}{error}"),
        }
    }
}

pub fn start(arguments: &[&str]) -> Child {
    command(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perso"));
    command.current_dir(root()).args(arguments);
    command
}

pub fn done(arguments: &[&str]) -> Done {
    Done::of(command(arguments).output().unwrap())
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn fifo(path: &str) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
