//! How a job has ended, as values. `result.rs` alone makes text of them.

use super::login::Login;
use super::state::State;
use crate::base::chance::Instant;
use crate::base::codec::tlv::Tag;
use crate::base::emv::rules;
use crate::base::fault::Code;
use crate::card::apdu::StatusWord;
use crate::keys::KeyInfo;
use crate::record::StripeMade;

/// How a job has ended, and what it has shown.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What has become of order and card.
    pub state: State,
    /// Code of the fault or of the first finding.
    pub code: Option<Code>,
    /// The fault that ended the job.
    pub fault: Option<JobFault>,
    /// Whether the card was a simulated one.
    pub simulated: bool,
    /// The job's name in the journal.
    pub job: Option<String>,
    /// Record and profile.
    pub subject: Option<Subject>,
    /// The keys that were used.
    pub keys: Vec<KeyInfo>,
    /// The chip, once it was identified.
    pub chip: Option<ChipSeen>,
    /// Why it was one card from the first command to the last.
    pub same_card: Option<SameCard>,
    /// The secure channels that were opened.
    pub channels: Vec<Login>,
    /// Every exchange with the card.
    pub steps: Vec<Step>,
    /// What is not as it should be. Empty on a good card.
    pub findings: Vec<Finding>,
    /// What was read back and is equal, or was proven.
    pub proven: Vec<Evidence>,
    /// What was loaded and cannot be read back.
    pub not_proven: Vec<Evidence>,
    /// Transaction counters that the proof at the end has used.
    pub counters: Vec<Counter>,
    /// What the consistency rules say of the record.
    pub rules: Vec<rules::Outcome>,
    /// Start.
    pub started: Instant,
    /// Microseconds from start to end, without waiting for a reader or a card.
    pub micros: u64,
}

/// The fault that ended a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFault {
    /// Catalogue code.
    pub code: Code,
    /// What has happened, with its causes.
    pub message: String,
    /// What to do next.
    pub next: String,
}

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The record's id.
    pub record: String,
    /// PAN, first six and last four digits.
    pub pan: Option<String>,
    /// Whether the card is a sample, never to be used.
    pub sample: bool,
    /// Name of the profile.
    pub profile: String,
    /// Hash of the profile.
    pub profile_hash: [u8; 32],
    /// Where the magnetic stripe is made.
    pub stripe: StripeMade,
    /// How many tracks were checked against the chip.
    pub tracks: usize,
    /// What a feeder does to a good card, in this order.
    pub feeder: Vec<FeederTask>,
}

/// Work for a feeder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeederTask {
    /// `stripe` or `print`.
    pub kind: &'static str,
    /// What is encoded or printed, without values.
    pub parts: Vec<String>,
}

/// The chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipSeen {
    /// Its identity; none if the product has none.
    pub id: Option<String>,
    /// Where the identity comes from: `cplc`, `key-data`, `initialize-update` or `none`.
    pub source: &'static str,
    /// The answer to reset.
    pub atr: Vec<u8>,
}

/// Why it was one card from the first command to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameCard {
    /// Where the chip's identity comes from.
    pub identity: &'static str,
    /// The sequence counter from login to login: `risen`, `one-login`, `not-returned` or `constant`.
    pub sequence_counter: &'static str,
    /// Both in words.
    pub rests_on: String,
}

/// One exchange with the card, or a reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Name of the command.
    pub command: &'static str,
    /// Class, instruction and parameters; none of a reset.
    pub header: Option<[u8; 4]>,
    /// Status word; none if the link broke.
    pub sw: Option<StatusWord>,
    /// Microseconds from command to answer.
    pub micros: u64,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Catalogue code.
    pub code: Code,
    /// AID of the application.
    pub aid: Vec<u8>,
    /// Where it was found, e.g. `SFI 2 record 1`.
    pub at: String,
    /// The data element or the data groupings.
    pub object: Object,
    /// Name of the data element.
    pub name: String,
    /// What differs; PAN, names and tracks masked.
    pub what: String,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A data element.
    Tag(Tag),
    /// The data groupings (DGI) of one STORE DATA command.
    Groupings(Vec<u16>),
}

/// A data grouping that was loaded, and how it is known to be right, or why it cannot be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// AID of the application.
    pub aid: Vec<u8>,
    /// The data grouping.
    pub dgi: u16,
    /// Its name in the profile.
    pub name: String,
    /// How it is proven, or why it is not.
    pub how: String,
}

/// The transaction counter of an application of a card that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// AID of the application.
    pub aid: Vec<u8>,
    /// ATC (9F36) of the transaction that proved the card; none if the card does not return it.
    pub atc: Option<Vec<u8>>,
    /// Whether a cryptogram was asked for.
    pub cryptogram_made: bool,
}
