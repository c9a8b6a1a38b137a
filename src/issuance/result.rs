//! The result of a job as programs read it. No secret, no full PAN; one documented schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Warning;
use crate::base::emv::rules::{self, Verdict};

/// Version of the result's shape.
pub const VERSION: u32 = 1;

/// What `perso run --format json` prints.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Version of this shape: 1.
    pub perso_result: u32,
    /// `good`, `untouched`, `spoiled`, `in-doubt` or `refused`.
    pub state: String,
    /// What the person at the reader does with the card.
    pub action: String,
    /// Whether the card was a simulated one.
    pub simulated: bool,
    /// The job's name in the journal.
    pub job: Option<String>,
    /// The record.
    pub record: Option<RecordRef>,
    /// The profile.
    pub profile: Option<ProfileRef>,
    /// The program that did it.
    pub program: ProgramRef,
    /// The keys that were used, never their values.
    pub keys: Vec<KeyRef>,
    /// The chip, where it could be identified.
    pub chip: Option<ChipRef>,
    /// What it rests on that one card was in the reader from the first command to the last; absent if the chip could not be
    /// identified.
    #[serde(default)]
    pub same_card: Option<SameCardRef>,
    /// The secure channels that were opened.
    pub channels: Vec<ChannelRef>,
    /// Every exchange with the card.
    pub steps: Vec<StepRef>,
    /// What read-back or the card's refusals have shown. Empty on a good card.
    pub findings: Vec<Finding>,
    /// What was read back and is equal.
    pub proven: Vec<Evidence>,
    /// What was loaded and cannot be read back.
    pub loaded_not_proven: Vec<Evidence>,
    /// Transaction counters (ATC) that the proof at the end of the job has used; none where it made no transaction.
    #[serde(default)]
    pub counters: Vec<CounterRef>,
    /// What became of the magnetic stripe, and whether its tracks were checked.
    pub stripe: Option<String>,
    /// What the consistency rules say of the record before a card is touched.
    pub rules: Vec<RuleRef>,
    /// What is left to be done to a good card by a feeder, in this order; nothing in every other state.
    pub feeder: Vec<FeederJob>,
    /// What ended the job, where it was a fault.
    pub fault: Option<FaultRef>,
    /// Warnings; the job went on.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// Microseconds from start to end.
    pub micros: u64,
}

/// The transaction counter of an application of a card that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CounterRef {
    /// AID, hexadecimal.
    pub aid: String,
    /// Counter (9F36) of the transaction that was begun to prove the card, hexadecimal: the card's next one is higher. Absent
    /// where the card does not tell it.
    pub atc: Option<String>,
    /// Whether a cryptogram was asked for in it.
    pub cryptogram_made: bool,
}

/// A consistency rule's verdict on one application over one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleRef {
    /// The rule, e.g. `R7`; `perso explain R7` says what it is about.
    pub rule: String,
    /// AID and interface.
    pub subject: String,
    /// `passed`, `failed`, `not applicable` or `skipped`.
    pub verdict: String,
    /// `error` or `warning`, where it failed.
    pub severity: Option<String>,
    /// Why, where it did not pass: without any value.
    pub why: Option<String>,
}

impl RuleRef {
    /// An outcome as it is shown.
    pub fn of(outcome: &rules::Outcome) -> Self {
        let failures = outcome.failures();
        let why = match &outcome.verdict {
            Verdict::Passed => None,
            Verdict::NotApplicable(why) | Verdict::Skipped(why) => Some(why.clone()),
            Verdict::Failed(_) => {
                let each = failures.iter().map(|failure| format!("{}: {}", failure.place, failure.what));
                Some(each.collect::<Vec<_>>().join("; "))
            }
        };
        Self {
            rule: format!("R{}", outcome.rule),
            subject: outcome.subject.clone(),
            verdict: outcome.verdict.name().into(),
            severity: failures.iter().map(|failure| failure.severity).max().map(|it| it.name().into()),
            why,
        }
    }
}

/// A job for the feeder: this program does not drive one, so it says what is to be done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeederJob {
    /// `stripe` or `print`.
    pub kind: String,
    /// What is to be encoded or printed, without values.
    pub parts: Vec<String>,
}

/// The record a result is about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordRef {
    /// The record's id.
    pub id: String,
    /// PAN, first six and last four digits.
    pub pan: Option<String>,
    /// Whether the card is a sample, never to be used.
    #[serde(default)]
    pub sample: bool,
}

impl RecordRef {
    /// A word for people, where it is a sample.
    pub fn mark(&self) -> &'static str {
        if self.sample { ", a SAMPLE" } else { "" }
    }
}

/// The profile a result is about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileRef {
    /// Name.
    pub name: String,
    /// SHA-256 of the parsed profile as canonical JSON.
    pub sha256: String,
}

/// The program a result comes from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramRef {
    /// Version.
    pub version: String,
    /// SHA-256 of the executable, where it could be read.
    pub sha256: Option<String>,
}

impl ProgramRef {
    /// This program, its executable not hashed.
    pub fn unhashed() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").into(), sha256: None }
    }
}

/// A key that was used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct KeyRef {
    /// Name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Version; of a KMC the key version number.
    pub version: u8,
    /// Check value, hexadecimal.
    pub kcv: String,
    /// How the check value is made.
    pub kcv_method: String,
    /// Whether it is a test key.
    pub test: bool,
}

/// The chip.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipRef {
    /// Identity: CPLC fabricator, type, fabrication date, serial and batch; else the key diversification data; `none` if the
    /// profile says that the product has none.
    pub id: String,
    /// ATR, hexadecimal.
    pub atr: String,
}

/// What it rests on that one card was in the reader from the first command to the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SameCardRef {
    /// Where the chip's identity comes from: `cplc`, `key-data`, `initialize-update` or `none`.
    pub identity: String,
    /// Whether the journal refuses this chip for another record. It cannot if the product has no identity.
    pub one_card_once: bool,
    /// The card's sequence counter from login to login: `risen`, `one-login` (no key set was used twice), `not-returned` (by
    /// the card) or `constant` (by the profile).
    pub sequence_counter: String,
    /// Both in words.
    pub rests_on: String,
}

/// A secure channel.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelRef {
    /// AID of the application or security domain.
    pub aid: String,
    /// Protocol with `i` and mode, e.g. `SCP03 i=70 S8`.
    pub protocol: String,
    /// Security level, hexadecimal.
    pub level: String,
    /// Key version number that the card answered with, hexadecimal.
    pub kvn: String,
    /// Key diversification data that the card answered with, hexadecimal.
    pub kdd: String,
    /// Name of the master key.
    pub master: String,
    /// Check values of the card's keys ENC, MAC and DEK, hexadecimal.
    pub kcvs: Vec<String>,
    /// What the check of the card's challenge said, where it said something.
    pub challenge: Option<String>,
}

/// One exchange.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRef {
    /// Number, from 1.
    pub n: u32,
    /// Name of the command.
    pub command: String,
    /// Class, instruction and parameters, hexadecimal; absent for a reset.
    pub header: Option<String>,
    /// Status word, hexadecimal; absent where the link broke.
    pub sw: Option<String>,
    /// Microseconds from command to answer.
    pub micros: u64,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Catalogue code.
    pub code: String,
    /// AID of the application.
    pub aid: String,
    /// Where it was found, e.g. `SFI 2 record 1`.
    pub at: String,
    /// Tag or data grouping, hexadecimal.
    pub tag: String,
    /// Name of the data element.
    pub name: String,
    /// What differs; PAN, names and tracks masked.
    pub what: String,
}

/// Something loaded, and how it is known to be right, or why it cannot be known.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// AID of the application.
    pub aid: String,
    /// Data grouping, hexadecimal.
    pub dgi: String,
    /// Its name in the profile.
    pub name: String,
    /// How it is proven, or why it is not.
    pub how: String,
}

/// A fault.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultRef {
    /// Catalogue code; `perso explain CODE` tells more.
    pub code: String,
    /// Where it comes from.
    pub family: String,
    /// What has happened, with its causes.
    pub message: String,
    /// Whether doing it again can help.
    pub retry: bool,
    /// What to do next.
    pub next: String,
}

impl FaultRef {
    /// Of an error, with its causes one after the other.
    pub fn of(error: &dyn crate::base::Fault) -> Self {
        let entry = error.code().entry();
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // A transparent wrapper says what its cause says.
            if !message.ends_with(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self {
            code: entry.code.into(),
            family: entry.family.name().into(),
            message,
            retry: entry.retry,
            next: error.next(),
        }
    }
}
