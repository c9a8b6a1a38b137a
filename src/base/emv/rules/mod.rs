//! Consistency rules for the data of a payment application.
//!
//! A rule looks at one application over one interface, as much of it as its stage can see, and answers with one
//! [`Verdict`]. What it cannot see is skipped with the reason; a rule never guesses. No verdict quotes a value of a PAN,
//! a track or a PIN. The simulated card does not use this: it judges what it stores by itself.

mod authentication;
mod directory;
mod elements;
mod identity;
mod issuer;
mod kernel;
mod lists;
mod practice;
mod structure;
mod subject;

use std::fmt;

pub use super::date::{century, last_day};
pub use subject::{Certificates, Certified, Cvm, DirectoryEntry, Locator, Place, Subject, Tracks};

use subject::View;

use crate::base::fault::Code;

/// Where in the river a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A record or an order is looked at; no key, no card.
    Check,
    /// Data preparation: everything is known but the card.
    Prepare,
    /// Before a card is personalized.
    Run,
    /// A card has been read.
    Verify,
}

impl Stage {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Check => "check",
            Stage::Prepare => "prepare",
            Stage::Run => "run",
            Stage::Verify => "verify",
        }
    }
}

/// How much a broken rule matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// A terminal may get along; whoever made the data should know.
    Warning,
    /// The data is refused.
    Error,
}

impl Severity {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One way in which a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How much it matters.
    pub severity: Severity,
    /// Where it shows.
    pub place: Place,
    /// What is wrong, without any value.
    pub what: String,
}

/// What a rule has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of the rule was looked at, and holds.
    Passed,
    /// The rule is broken, in at least one way.
    Failed(Vec<Failure>),
    /// The rule is about something that this application does not have.
    NotApplicable(String),
    /// The rule, or a part of it, could not be looked at, and why. What could be looked at holds.
    Skipped(String),
}

/// A rule's verdict on one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The rule.
    pub rule: u8,
    /// The application and interface it was asked about.
    pub subject: String,
    /// What it says.
    pub verdict: Verdict,
}

/// One row of the table of rules.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its number: 7 for R7.
    pub number: u8,
    /// What must hold, in one sentence.
    pub title: &'static str,
    /// The stages that it is asked at.
    pub stages: &'static [Stage],
    /// The code of a record that breaks it.
    pub code: Code,
    judge: fn(&View<'_>, &mut Findings),
}

const ANSWER_NOT_SEEN: &str = "the GET PROCESSING OPTIONS response is not available at this stage";

const ALL_STAGES: &[Stage] = &[Stage::Check, Stage::Prepare, Stage::Run, Stage::Verify];

macro_rules! rules {
    ($($number:literal, $code:ident, $judge:path, $title:literal;)*) => {
        /// Every rule, in order.
        pub const RULES: &[Rule] = &[
            $(Rule { number: $number, title: $title, stages: ALL_STAGES, code: Code::$code, judge: $judge },)*
        ];
    };
}

rules! {
    1, RecordContradiction, identity::pan, "The PAN of 5A is the PAN of 57. EMV B3 annex A.";
    2, RecordContradiction, identity::track_equivalent, "57 agrees with expiry (5F24) and service code (5F30). EMV B3 annex A.";
    3, RecordContradiction, identity::track_form, "57 and 9F6B are digits with one D, filled with F, of at most 19 bytes; 56 is track 1 data. EMV B3 annex A.";
    4, RecordContradiction, identity::pan_form, "The PAN has a right check digit, and begins as the product's PANs do. ISO/IEC 7812-1.";
    5, RecordContradiction, identity::dates, "The expiry is a date that has not passed, on the last day of its month, and not before the effective date. EMV B3 §10.4.3, annex A.";
    6, RecordContradiction, identity::name, "The name on the chip (5F20) is the name on track 1. ISO/IEC 7813 §5.1.";
    7, RecordDgi, structure::locator, "Every record of the AFL is there, and no record is there for nothing. EMV B3 §10.2.";
    8, RecordTlv, structure::records, "Records of the files 1 to 10 are one template 70, and no object comes twice in answer, records, FCI or internal data. EMV B3 §7.1, §10.2.";
    9, RecordDgi, structure::mandatory, "The records hold PAN (5A), expiry (5F24), CDOL1 (8C) and CDOL2 (8D); a contactless application has a way to make a cryptogram. EMV B3 §7.2.";
    10, RecordContradiction, authentication::profile, "What the AIP promises of offline data authentication is there, and nothing else. EMV B3 §7.2, §10.3.";
    11, RecordContradiction, authentication::certificates, "The certificates can be recovered, are not larger than what signs them, and outlive the card. EMV B2 §5.3, §6.3, §6.4.";
    12, RecordContradiction, authentication::tag_list, "The static data authentication tag list (9F4A) names the AIP only. EMV B3 §10.3.";
    13, RecordContradiction, lists::cardholder, "The cardholder verification that the AIP and the CVM list promise is there. EMV B3 §10.5.";
    14, RecordContradiction, lists::cvm_list, "The CVM list has a possible length, and a currency where amounts matter. EMV B3 annex C3.";
    15, RecordContradiction, lists::cdols, "CDOL1 and CDOL2 are data object lists, not too long, and ask for what a cryptogram needs. EMV B3 §5.4, §6.5.5.";
    16, RecordContradiction, lists::usage, "The issuer's country (5F28) is there where the usage control (9F07) needs it. EMV B3 §10.4.2, annex C2.";
    17, RecordContradiction, lists::preferred_name, "A preferred name (9F12) comes with its code table (9F11). EMV B1 §12.4.";
    18, RecordContradiction, lists::pdol, "The PDOL (9F38) asks only for what terminals know. EMV B3 §5.4, annex A.";
    19, RecordContradiction, lists::log, "The log entry (9F4D) of the FCI names a file for logs, and there is a log format (9F4F). EMV B3 annex D.";
    20, RecordContradiction, structure::directory, "The application is selected by its own AID, and directories name what is on the card. EMV B1 §11.3, §12.2.";
    21, RecordContradiction, identity::chip_cvv, "57, 9F1F, 56 and 9F6B hold the chip's own card verification value, not the stripe's. ISO/IEC 7813 §5.2.";
    22, RecordContradiction, identity::sequence_number, "The PAN sequence number (5F34) is the one of the keys, and the keys have their check values. EMV B2 annex A1.4, CPS 1.1 annex A.";
    23, RecordTlv, structure::sizes, "Records, FCI and the answer to GET PROCESSING OPTIONS fit into an answer. EMV B3 §6.5.8, §6.5.11, B1 §11.3.4.";
    24, RecordContradiction, identity::service_code, "The service code says that the card has a chip (2 or 6). ISO/IEC 7813 table 4.";
    25, RecordContradiction, lists::version, "The application version (9F08) is one that kernels know. EMV B3 §10.4.1.";
    26, RecordContradiction, identity::pin_rules, "The service code's PIN rules go with the CVM list. ISO/IEC 7813 table 4.";
    27, RecordContradiction, kernel::counters, "Applications with one PAN, sequence number and key share one transaction counter. EMV B2 §8.1.2.";
    28, RecordContradiction, kernel::kernel_2, "Kernel 2 finds EMV mode in the AIP, PAN (5A), expiry (5F24) and CDOL1 (8C). EMV C-2 §6.6.";
    29, RecordContradiction, kernel::kernel_3, "Kernel 3 finds 9F66 in the PDOL, 57, and for fDDA 9F69 of version 01. EMV C-3 §5.4, §5.6.";
    36, RecordContradiction, issuer::answer, "The card takes the issuer's answer in exactly one way, EXTERNAL AUTHENTICATE (AIP) or 91 in CDOL2, and CDOL2 asks for all of it. EMV B2 §8.2, B3 §10.9.";
    37, RecordContradiction, issuer::action_codes, "The issuer action codes go with the AIP: a failed ODA method goes online or declines, and Denial holds no bit that every transaction sets. EMV B3 §10.7, annex C5.";
    38, RecordContradiction, issuer::covered, "PDOL and CDOL1 ask for every element that the cryptogram version covers, and no list changes its length. EMV B2 §8.1, B3 §5.4.";
    39, RecordContradiction, issuer::issuer_data, "The issuer application data (9F10) have the form of their cryptogram version, and the version is known. EMV B3 annex A.";
    40, RecordContradiction, elements::asked, "Data object lists ask for known elements in their own lengths. EMV B3 §5.4.";
    41, RecordContradiction, elements::forms, "Every known data element has the length and format of the dictionary. EMV B3 §4.3, annex A.";
    42, RecordContradiction, directory::file, "The PSE's 88 names a file that is there. EMV B1 §11.3.4, §12.2.3.";
    43, RecordContradiction, directory::entries, "The directory names whole AIDs, with priorities that differ and are those of the FCIs. EMV B1 §12.2.3, §12.4.";
    44, RecordContradiction, practice::unusual, "Effective date, usage control, CVM list, AIP and card transaction qualifiers hold nothing unusual. EMV B3 §10.4, §10.5, annexes C1 to C3.";
    45, RecordContradiction, practice::counter, "The transaction counter (9F36) leaves transactions, and the last online one (9F13) is not beyond it. EMV B3 §10.6.3, annex A.";
    46, RecordContradiction, practice::pin_tries, "PIN try counter and limit (9010) are 1 to 15 tries, the counter not above the limit. EMV B3 §10.5.1, CPS 1.1 annex A.";
}

/// Every rule of a stage on one subject, in order.
pub fn all(stage: Stage, subject: &Subject<'_>) -> Vec<Outcome> {
    let view = View::new(stage, subject);
    let asked = RULES.iter().filter(|rule| rule.stages.contains(&stage));
    asked
        .map(|rule| {
            let mut findings = Findings::default();
            (rule.judge)(&view, &mut findings);
            Outcome { rule: rule.number, subject: subject.name.clone(), verdict: findings.verdict() }
        })
        .collect()
}

/// The rule with this number.
pub fn find(number: u8) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.number == number)
}

impl Outcome {
    /// The ways in which the rule is broken.
    pub fn failures(&self) -> &[Failure] {
        match &self.verdict {
            Verdict::Failed(failures) => failures,
            _ => &[],
        }
    }

    /// Whether the rule is broken in a way that refuses the data.
    pub fn refuses(&self) -> bool {
        self.failures().iter().any(|failure| failure.severity == Severity::Error)
    }
}

impl Verdict {
    /// `passed`, `failed`, `not applicable` or `skipped`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::NotApplicable(_) => "not applicable",
            Verdict::Skipped(_) => "skipped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{} {}: {}", self.rule, self.subject, self.verdict.name())?;
        match &self.verdict {
            Verdict::Passed => Ok(()),
            Verdict::NotApplicable(why) | Verdict::Skipped(why) => write!(f, ", {why}"),
            Verdict::Failed(failures) => {
                failures.iter().try_for_each(|it| write!(f, "; {} ({}): {}", it.place, it.severity.name(), it.what))
            }
        }
    }
}

/// What a rule gathers while it looks.
#[derive(Default)]
struct Findings {
    looked: bool,
    failures: Vec<Failure>,
    unseen: Vec<String>,
    absent: Option<String>,
}

impl Findings {
    /// A part of the rule was looked at: it holds, or this is what is wrong.
    fn hold(&mut self, holds: bool, severity: Severity, place: Place, what: &str) {
        self.looked = true;
        if !holds {
            self.failures.push(Failure { severity, place, what: what.to_owned() });
        }
    }

    /// A part of the rule that refuses the data where it does not hold.
    fn must(&mut self, holds: bool, place: Place, what: &str) {
        self.hold(holds, Severity::Error, place, what);
    }

    /// A part of the rule that warns where it does not hold.
    fn should(&mut self, holds: bool, place: Place, what: &str) {
        self.hold(holds, Severity::Warning, place, what);
    }

    /// An object that has to be there; an answer that is not seen may hold it.
    fn hold_there(&mut self, there: Option<bool>, severity: Severity, tag: u32, what: &str) {
        match there {
            Some(there) => self.hold(there, severity, Place::Tag(tag), what),
            None => self.unseen(ANSWER_NOT_SEEN),
        }
    }

    /// The same of an object without which the data is refused.
    fn must_have(&mut self, view: &View<'_>, tag: u32, what: &str) {
        self.hold_there(view.there(tag), Severity::Error, tag, what);
    }

    /// A part of the rule cannot be seen from here.
    fn unseen(&mut self, why: &str) {
        if !self.unseen.iter().any(|held| held == why) {
            self.unseen.push(why.to_owned());
        }
    }

    /// The rule is about something that is not there. Said only where nothing else was looked at.
    fn absent(&mut self, why: &str) {
        self.absent.get_or_insert_with(|| why.to_owned());
    }

    fn verdict(self) -> Verdict {
        match () {
            () if !self.failures.is_empty() => Verdict::Failed(self.failures),
            () if !self.unseen.is_empty() => Verdict::Skipped(self.unseen.join("; ")),
            () if self.looked => Verdict::Passed,
            () => Verdict::NotApplicable(self.absent.unwrap_or_else(|| "nothing of it is there".into())),
        }
    }
}
