//! What the journal refuses, or cannot do.

use std::path::PathBuf;

use crate::base::fault::{Code, Fault};

/// What the journal refuses, or cannot do.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read, written or made durable.
    #[error("the journal {path} cannot be {what}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Another run has the journal open.
    #[error("the journal {0} is in use by another run")]
    InUse(PathBuf),
    /// A line that is not an event.
    #[error("the journal {path} is damaged at line {line}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// Events that cannot follow one another.
    #[error("the journal {path} is damaged at line {line}: {why}")]
    Order {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// In words.
        why: &'static str,
    },
    /// The record has become a good card.
    #[error("record {record} became a good card in job {job}")]
    RecordDone {
        /// The record's id.
        record: String,
        /// The job that made it.
        job: String,
    },
    /// An earlier job with this record or chip is in doubt.
    #[error("job {job} with {what} is in doubt")]
    Doubt {
        /// `record …` or `chip …`.
        what: String,
        /// The job in doubt.
        job: String,
    },
    /// The chip is settled: good or spoiled.
    #[error("chip {chip} was settled as {state} in job {job}")]
    ChipDone {
        /// Chip identity.
        chip: String,
        /// `good` or `spoiled`.
        state: &'static str,
        /// The job.
        job: String,
    },
}

impl Fault for JournalError {
    fn code(&self) -> Code {
        match self {
            JournalError::File { .. } => Code::LedgerWrite,
            JournalError::InUse(_) => Code::LedgerBusy,
            JournalError::Line { .. } | JournalError::Order { .. } => Code::LedgerSyntax,
            JournalError::RecordDone { .. } => Code::LedgerRecord,
            JournalError::Doubt { .. } => Code::LedgerDoubt,
            JournalError::ChipDone { .. } => Code::LedgerCard,
        }
    }
}
