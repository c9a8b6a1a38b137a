//! What `perso verify --format json` prints. No secret, no full PAN; one documented schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Code;
use crate::issuance::result::{Evidence, Finding, KeyRef, ProfileRef, ProgramRef, RecordRef, StepRef};

/// Version of the shape.
pub const VERSION: u32 = 1;

/// What a terminal and an issuer host would say of a card.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyResult {
    /// Version of this shape: 1.
    pub perso_verify: u32,
    /// `passed`, or `findings` where a check has failed or the card differs from the record.
    pub verdict: String,
    /// Whether the card was a simulated one.
    pub simulated: bool,
    /// `contact` or `contactless`.
    pub interface: String,
    /// The answer to reset, hexadecimal.
    pub atr: String,
    /// The record that the card was compared with.
    pub record: Option<RecordRef>,
    /// The profile.
    pub profile: Option<ProfileRef>,
    /// The program that did it.
    pub program: ProgramRef,
    /// The keys that were used, never their values.
    pub keys: Vec<KeyRef>,
    /// The applications that were found.
    pub applications: Vec<ApplicationRef>,
    /// How often GET PROCESSING OPTIONS was sent: each moves an application's transaction counter (ATC) by one; a card may
    /// count one that it refuses, or not.
    pub transactions: u32,
    /// Every check.
    pub checks: Vec<CheckRef>,
    /// Where the card is not as the record says.
    pub findings: Vec<Finding>,
    /// What of the record is proven on the card, and how.
    pub proven: Vec<Evidence>,
    /// What of the record is not proven, and why.
    pub loaded_not_proven: Vec<Evidence>,
    /// Every exchange with the card.
    pub steps: Vec<StepRef>,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// Microseconds from start to end.
    pub micros: u64,
}

/// An application on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationRef {
    /// AID, hexadecimal.
    pub aid: String,
    /// Why it was looked for: `PSE`, `PPSE`, `given` (the record names it) or `candidate`.
    pub found: String,
    /// Transaction counter (9F36) of the transaction that was begun, hexadecimal; absent where the card does not tell it.
    pub atc: Option<String>,
    /// PIN tries left when the application was read; absent where the card does not tell it.
    pub pin_tries: Option<u8>,
    /// Whether a cryptogram was asked for.
    pub cryptogram_made: bool,
    /// Whether a PIN try was made.
    pub pin_tried: bool,
    /// Whether the CA key that was used is for test cards; absent where none was found.
    pub test_ca: Option<bool>,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRef {
    /// The card, or AID and interface.
    pub subject: String,
    /// Its name; of a consistency rule its number, e.g. `R7`.
    pub check: String,
    /// `passed`, `failed`, `not applicable` or `skipped`.
    pub outcome: String,
    /// `error` or `warning`, where it failed. A warning is no finding.
    pub severity: Option<String>,
    /// Catalogue code, where it failed.
    pub code: Option<String>,
    /// Why, where it did not pass: without any value.
    pub why: Option<String>,
}

/// How a check has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed(Code, String),
    /// There is nothing to check.
    NotApplicable(String),
    /// It could not be checked.
    Skipped(String),
}

impl CheckRef {
    pub(super) fn new(subject: &str, check: &str, ended: Ended) -> Self {
        let (outcome, code, why) = match ended {
            Ended::Passed => ("passed", None, None),
            Ended::Failed(code, why) => ("failed", Some(code.name().to_owned()), Some(why)),
            Ended::NotApplicable(why) => ("not applicable", None, Some(why)),
            Ended::Skipped(why) => ("skipped", None, Some(why)),
        };
        let severity = code.is_some().then(|| "error".to_owned());
        Self { subject: subject.to_owned(), check: check.to_owned(), outcome: outcome.to_owned(), severity, code, why }
    }

    /// Whether it is a finding.
    pub fn is_finding(&self) -> bool {
        self.outcome == "failed" && self.severity.as_deref() == Some("error")
    }
}
