//! The journal: an append-only file of events, durable before effect.
//!
//! One JSON object a line. A line is complete when it ends with a line feed; a half line at the end is what a power
//! cut leaves, and is cut off when the file is opened again, since nothing was done on the strength of it. The file is
//! locked for as long as it is open, so that two runs never decide at the same time. It holds no secret and no PAN.
//!
//! The journal serves until the ledger does; its events are the ledger's.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chip_id;
pub use super::journal_error::JournalError;
use super::state::State;

/// How every event begins.
const EVENT: &[u8] = b"{\"event\":";
/// No event is longer, in bytes.
const LONGEST: usize = 4096;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A record is taken up. Nothing has been sent to a card.
    Opened {
        /// Identity of the job, unique in the journal.
        job: String,
        /// The record's id.
        record: String,
        /// Profile hash, hexadecimal.
        profile: String,
    },
    /// The chip in the reader has been identified.
    Chip {
        /// The job.
        job: String,
        /// Chip identity.
        chip: String,
    },
    /// A step that changes the card is about to begin: durable before its first byte.
    AboutTo {
        /// The job.
        job: String,
        /// The step, e.g. `store A0000000031010`.
        step: String,
    },
    /// The step has ended.
    Did {
        /// The job.
        job: String,
        /// The step.
        step: String,
        /// `done`, or the code of what went wrong.
        outcome: String,
    },
    /// The job has ended.
    Settled {
        /// The job.
        job: String,
        /// Name of the [`State`].
        state: String,
        /// Code of the fault, where there is one.
        code: Option<String>,
    },
}

impl Event {
    fn job(&self) -> &str {
        match self {
            Event::Opened { job, .. }
            | Event::Chip { job, .. }
            | Event::AboutTo { job, .. }
            | Event::Did { job, .. }
            | Event::Settled { job, .. } => job,
        }
    }
}

/// What the events say of one job.
#[derive(Debug, Clone)]
struct Job {
    record: String,
    chip: Option<String>,
    /// A step has begun, and so the card may be changed.
    begun: bool,
    settled: Option<State>,
}

impl Job {
    /// A job that began a step and never settled died on the way: it is in doubt like one that says so.
    fn state(&self) -> State {
        match (self.settled, self.begun) {
            (Some(state), _) => state,
            (None, true) => State::InDoubt,
            (None, false) => State::Untouched,
        }
    }
}

/// The journal, opened and locked.
pub struct Journal {
    path: PathBuf,
    sink: Sink,
    /// A write has failed: the file may end in half a line, and nothing is added to it any more.
    broken: bool,
    jobs: HashMap<String, Job>,
}

enum Sink {
    File(File),
    /// A file that is not there yet: it is made, and locked, with its first event.
    New,
    /// For a simulated card that lives no longer than the process.
    Memory(Vec<String>),
}

impl Journal {
    /// A journal that lives as long as the process: only for simulated cards that do too.
    pub fn in_memory() -> Self {
        Self { path: PathBuf::from("(memory)"), sink: Sink::Memory(Vec::new()), broken: false, jobs: HashMap::new() }
    }

    /// Opens the journal, locks it, and folds its events. One that is not there is made with its first event, so that a
    /// run that is refused leaves none.
    ///
    /// # Errors
    /// The file cannot be used, is in use, or is damaged.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |what| move |source| JournalError::File { path: path.to_owned(), what, source };
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // What can be known now is not left to the first event.
                let folder = folder(path).metadata().map_err(failed("opened"))?;
                if !folder.is_dir() || folder.permissions().readonly() {
                    return Err(failed("opened")(std::io::Error::other("its folder cannot be written to")));
                }
                return Ok(Self { path: path.to_owned(), sink: Sink::New, broken: false, jobs: HashMap::new() });
            }
            Err(error) => return Err(failed("opened")(error)),
        };
        lock(path, &file)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed("read"))?;
        // Its name is durable before its first event, also where the run that made the file died in between.
        if text.is_empty() {
            sync_folder(path).map_err(failed("made durable"))?;
        }
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let half = text.get(whole..).unwrap_or_default();
        if !half.is_empty() {
            // Only what a power cut can have left of an event of ours: another file than a journal loses nothing.
            if !(half.starts_with(EVENT) || EVENT.starts_with(half)) || half.len() > LONGEST {
                let line = text.iter().filter(|&&byte| byte == b'\n').count() + 1;
                return Err(JournalError::Order { path: path.to_owned(), line, why: "it is not an event" });
            }
            file.set_len(whole as u64).map_err(failed("mended"))?;
            text.truncate(whole);
        }
        file.seek(SeekFrom::End(0)).map_err(failed("read"))?;

        let mut journal = Self { path: path.to_owned(), sink: Sink::File(file), broken: false, jobs: HashMap::new() };
        for (index, line) in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            let event = serde_json::from_slice(line).map_err(|source| JournalError::Line {
                path: path.to_owned(),
                line: index + 1,
                source,
            })?;
            journal.fold(&event).map_err(|why| JournalError::Order { path: path.to_owned(), line: index + 1, why })?;
        }
        Ok(journal)
    }

    /// Makes the file of a journal that was not there when it was opened.
    ///
    /// # Errors
    /// It cannot be made, or another run has made one meanwhile: its events were not folded here.
    fn make(&mut self) -> Result<(), JournalError> {
        if !matches!(self.sink, Sink::New) {
            return Ok(());
        }
        let path = self.path.as_path();
        let failed = |what| move |source| JournalError::File { path: path.to_owned(), what, source };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed("made"))?;
        lock(path, &file)?;
        if file.metadata().map_err(failed("read"))?.len() > 0 {
            return Err(JournalError::InUse(path.to_owned()));
        }
        // Its name is durable before its first event.
        sync_folder(path).map_err(failed("made durable"))?;
        self.sink = Sink::File(file);
        Ok(())
    }

    /// A name for a new job: the record's id and the number of the attempt.
    pub fn next_job(&self, record: &str) -> String {
        format!("{record}#{}", self.next_attempt(record))
    }

    /// The number of the next attempt to make a card of this record, from 1.
    pub fn next_attempt(&self, record: &str) -> usize {
        self.jobs.values().filter(|job| job.record == record).count() + 1
    }

    /// Whether a record may be taken up: no live or good job has it.
    ///
    /// # Errors
    /// [`JournalError::RecordDone`], [`JournalError::Doubt`].
    pub fn admit_record(&self, record: &str) -> Result<(), JournalError> {
        for (name, job) in self.jobs.iter().filter(|(_, job)| job.record == record) {
            match job.state() {
                State::Good => {
                    return Err(JournalError::RecordDone { record: record.to_owned(), job: name.clone() });
                }
                State::InDoubt => {
                    return Err(JournalError::Doubt { what: format!("record {record}"), job: name.clone() });
                }
                State::Untouched | State::Spoiled | State::Refused => {}
            }
        }
        Ok(())
    }

    /// Whether a chip may be used: it is no other job's card, good, spoiled or in doubt.
    ///
    /// # Errors
    /// [`JournalError::ChipDone`], [`JournalError::Doubt`].
    pub fn admit_chip(&self, chip: &str) -> Result<(), JournalError> {
        let same = |job: &Job| job.chip.as_deref().is_some_and(|held| chip_id::same(held, chip));
        for (name, job) in self.jobs.iter().filter(|(_, job)| same(job)) {
            match job.state() {
                State::InDoubt => {
                    return Err(JournalError::Doubt { what: format!("chip {chip}"), job: name.clone() });
                }
                state @ (State::Good | State::Spoiled) => {
                    return Err(JournalError::ChipDone {
                        chip: chip.to_owned(),
                        state: state.name(),
                        job: name.clone(),
                    });
                }
                State::Untouched | State::Refused => {}
            }
        }
        Ok(())
    }

    /// Writes an event and makes it durable. When this returns, a power cut cannot take it back.
    ///
    /// # Errors
    /// [`JournalError::File`]; nothing may be done then on the strength of the event.
    pub fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        self.make()?;
        let path = self.path.clone();
        let failed = |what| move |source| JournalError::File { path, what, source };
        let mut line = serde_json::to_string(event).map_err(|e| failed.clone()("written")(e.into()))?;
        line.push('\n');
        if std::mem::replace(&mut self.broken, true) {
            return Err(failed("written")(std::io::Error::other("an earlier write has failed")));
        }
        match &mut self.sink {
            Sink::File(file) => {
                file.write_all(line.as_bytes()).map_err(failed.clone()("written"))?;
                file.sync_data().map_err(failed("made durable"))?;
            }
            Sink::Memory(lines) => lines.push(line),
            Sink::New => return Err(failed("written")(std::io::Error::other("it was not made"))),
        }
        self.broken = false;
        self.fold(event).map_err(|why| JournalError::Order { path: self.path.clone(), line: 0, why })
    }

    fn fold(&mut self, event: &Event) -> Result<(), &'static str> {
        if let Event::Opened { job, record, .. } = event {
            let new = Job { record: record.clone(), chip: None, begun: false, settled: None };
            return match self.jobs.insert(job.clone(), new) {
                None => Ok(()),
                Some(_) => Err("a job is opened twice"),
            };
        }
        let job = self.jobs.get_mut(event.job()).ok_or("an event of a job that was never opened")?;
        if job.settled.is_some() {
            return Err("an event of a job that is settled");
        }
        match event {
            Event::Opened { .. } | Event::Did { .. } => {}
            Event::Chip { chip, .. } => job.chip = Some(chip.clone()),
            Event::AboutTo { .. } => job.begun = true,
            Event::Settled { state, .. } => job.settled = Some(State::find(state).ok_or("there is no such state")?),
        }
        Ok(())
    }
}

/// Locks the journal's file for this run.
fn lock(path: &Path, file: &File) -> Result<(), JournalError> {
    let failed = |what| move |source| JournalError::File { path: path.to_owned(), what, source };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => return Err(failed("locked")(source)),
    }
    // A device or a pipe keeps nothing, and may never come to its end.
    match file.metadata().map_err(failed("read"))?.is_file() {
        true => Ok(()),
        false => Err(failed("used")(std::io::Error::other("it is not a regular file"))),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a new file's name durable, where the system lets a folder be opened.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder(path))?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn opened(job: &str, record: &str) -> Event {
        Event::Opened { job: job.into(), record: record.into(), profile: "00".into() }
    }

    fn settled(job: &str, state: State) -> Event {
        Event::Settled { job: job.into(), state: state.name().into(), code: None }
    }

    fn fresh() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        (folder, path)
    }

    #[test]
    fn a_job_that_died_in_a_step_is_in_doubt_after_reopening() {
        let (_folder, path) = fresh();
        let mut journal = Journal::open(&path).unwrap();
        journal.append(&opened("r#1", "r")).unwrap();
        journal.append(&Event::Chip { job: "r#1".into(), chip: "c".into() }).unwrap();
        journal.append(&Event::AboutTo { job: "r#1".into(), step: "store".into() }).unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert!(matches!(journal.admit_record("r"), Err(JournalError::Doubt { .. })));
        assert!(matches!(journal.admit_chip("c"), Err(JournalError::Doubt { .. })));
        journal.admit_record("other").unwrap();
    }

    #[test]
    fn a_good_record_is_not_made_again_and_its_chip_not_used_again() {
        let (_folder, path) = fresh();
        let mut journal = Journal::open(&path).unwrap();
        journal.append(&opened("r#1", "r")).unwrap();
        journal.append(&Event::Chip { job: "r#1".into(), chip: "c".into() }).unwrap();
        journal.append(&settled("r#1", State::Good)).unwrap();
        assert!(matches!(journal.admit_record("r"), Err(JournalError::RecordDone { .. })));
        assert!(matches!(journal.admit_chip("c"), Err(JournalError::ChipDone { .. })));
        assert_eq!(journal.next_job("r"), "r#2");
    }

    #[test]
    fn a_spoiled_record_goes_on_other_stock_and_an_untouched_chip_is_a_blank_again() {
        let (_folder, path) = fresh();
        let mut journal = Journal::open(&path).unwrap();
        for (job, record, chip, state) in [("a#1", "a", "c1", State::Spoiled), ("b#1", "b", "c2", State::Untouched)] {
            journal.append(&opened(job, record)).unwrap();
            journal.append(&Event::Chip { job: job.into(), chip: chip.into() }).unwrap();
            journal.append(&settled(job, state)).unwrap();
            journal.admit_record(record).unwrap();
        }
        assert!(journal.admit_chip("c1").is_err());
        journal.admit_chip("c2").unwrap();
    }

    #[test]
    fn a_half_line_is_cut_off_and_a_damaged_line_is_refused() {
        let (_folder, path) = fresh();
        let mut journal = Journal::open(&path).unwrap();
        journal.append(&opened("r#1", "r")).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [whole.as_slice(), b"{\"event\":\"about"].concat()).unwrap();
        drop(Journal::open(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        std::fs::write(&path, [whole.as_slice(), b"{\"event\":\"about\"}\n"].concat()).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Line { line: 2, .. })));
        std::fs::write(&path, [whole.as_slice(), whole.as_slice()].concat()).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Order { line: 2, .. })));
    }

    #[test]
    fn two_runs_cannot_have_it_open() {
        let (_folder, path) = fresh();
        let mut first = Journal::open(&path).unwrap();
        first.append(&opened("r#1", "r")).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::InUse(_))));
    }

    #[test]
    fn a_journal_is_made_with_its_first_event() {
        let (_folder, path) = fresh();
        drop(Journal::open(&path).unwrap());
        assert!(!path.exists());
        let mut journal = Journal::open(&path).unwrap();
        journal.append(&opened("r#1", "r")).unwrap();
        journal.append(&settled("r#1", State::Good)).unwrap();
        drop(journal);
        assert!(Journal::open(&path).unwrap().admit_record("r").is_err());
        assert!(Journal::open(&path.join("below")).is_err());
    }

    /// Both runs saw no journal: the second one has not seen the first one's events, and writes nothing.
    #[test]
    fn of_two_runs_that_make_the_journal_only_the_first_goes_on() {
        for first_has_ended in [false, true] {
            let (_folder, path) = fresh();
            let (mut first, mut second) = (Journal::open(&path).unwrap(), Journal::open(&path).unwrap());
            first.append(&opened("r#1", "r")).unwrap();
            let first = Some(first).filter(|_| !first_has_ended);
            let before = std::fs::read(&path).unwrap();
            assert!(matches!(second.append(&opened("r#1", "r")), Err(JournalError::InUse(_))));
            assert_eq!(std::fs::read(&path).unwrap(), before);
            drop(first);
        }
    }
}
