//! The prepared record: everything that a device needs for one card.
//!
//! The header is clear: identity, profile, keys. The body is AES-256-GCM under a record key with the header as
//! associated data. Inside the body, secret groupings are sealed once more under a transport key, so that opening a
//! record shows no key and no PIN.

mod check;
mod draft;
mod file;
mod open;
mod seal;
mod subject;
mod view;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Secret;
use crate::base::emv::Pan;
use crate::base::fault::Code;
use crate::keys::issuer::CardKeyMethod;

pub use draft::{Draft, DraftApplication, DraftPrint, DraftValue};
pub use file::{BodyFile, ClearFile, RecordFile, StatedFile};
pub use open::peek;
pub use seal::{clear_profile_name, seal};
pub use view::{RecordView, view};

/// Groupings that hold AIP and AFL: for contacts, and those that products use for the antenna. // CPS 1.1 annex A
const LOCATORS: [u16; 4] = [0x9104, 0x9105, 0x9207, 0xB104];

/// Largest record that is read, in bytes.
pub const MAX_RECORD: usize = 4 * 1024 * 1024;

/// A record that was opened and is whole.
pub struct Record {
    header: Header,
    applications: Vec<Application>,
    stripe: Stripe,
    print: Print,
    stated: StatedFile,
    cryptogram_key: Option<CryptogramKey>,
    foreign_keys: bool,
    sample: bool,
    expiry_rule: Option<String>,
    order_sha256: Option<String>,
}

/// What the card's keys for cryptograms were derived with: names, no values.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CryptogramKey {
    /// Name of the issuer master key (purpose imk-ac).
    pub imk_ac: String,
    /// How the card's key comes from it: option `a` or `b`.
    #[serde(rename = "card_key")]
    pub method: CardKeyMethod,
}

/// The clear part of a record.
#[derive(Debug, Clone)]
pub struct Header {
    id: String,
    profile_name: String,
    profile_sha256: String,
    record_key: String,
    transport_keys: Vec<String>,
    test: bool,
}

/// One application to be personalized.
pub struct Application {
    aid: Vec<u8>,
    method: Method,
    groupings: Vec<Grouping>,
    groups: Vec<Vec<u16>>,
    tolerated: Vec<u16>,
    cryptogram_key: Option<CryptogramKey>,
}

/// How an application is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// It opens the secure channel itself.
    Direct,
    /// Through the security domain with this AID.
    Through(Vec<u8>),
}

/// A data grouping.
pub struct Grouping {
    dgi: u16,
    content: Content,
}

/// What a grouping holds.
pub enum Content {
    /// The value.
    Clear(Secret<Vec<u8>>),
    /// The value under a transport key.
    Sealed(SealedValue),
}

/// A value under a transport key.
pub struct SealedValue {
    key: String,
    iv: Option<Vec<u8>>,
    ciphertext: Vec<u8>,
    length: usize,
}

/// The magnetic stripe.
pub struct Stripe {
    made: StripeMade,
    tracks: Vec<(u8, Secret<Vec<u8>>)>,
}

/// Where the stripe is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StripeMade {
    /// At this station.
    Here,
    /// At another one.
    Elsewhere,
    /// The card has none, or it stays empty.
    Nowhere,
}

/// What is printed on the card.
pub struct Print {
    pan: Option<Pan>,
    names: usize,
    design: Option<String>,
    expiry: bool,
    effective: bool,
    cvv2: bool,
    fields: usize,
}

impl Print {
    /// What is to be printed, in words without any value but the design's name; empty where nothing is.
    pub fn parts(&self) -> Vec<String> {
        let counted = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("one {one}")),
            count => Some(format!("{count} {many}")),
        };
        let named = |there: bool, name: &str| there.then(|| name.to_owned());
        [
            named(self.pan.is_some(), "PAN"),
            named(self.expiry, "expiry"),
            named(self.effective, "effective date"),
            counted(self.names, "line of names", "lines of names"),
            named(self.cvv2, "card verification value"),
            counted(self.fields, "free field", "free fields"),
            self.design.as_ref().map(|design| format!("design {design}")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// One thing that is wrong with a record. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a path into the record.
    pub path: String,
    /// Catalogue code.
    pub code: Code,
    /// What is wrong.
    pub message: String,
}

/// Everything that is wrong with a record.
pub type RecordProblems = Vec<Problem>;

impl Record {
    /// Its id: one order, one record.
    pub fn id(&self) -> &str {
        &self.header.id
    }

    /// The clear part.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The applications, in order.
    pub fn applications(&self) -> &[Application] {
        &self.applications
    }

    /// The magnetic stripe.
    pub fn stripe(&self) -> &Stripe {
        &self.stripe
    }

    /// What is printed on the card.
    pub fn print(&self) -> &Print {
        &self.print
    }

    /// Facts that the record states beside the profile; they must be equal there.
    pub fn stated(&self) -> &StatedFile {
        &self.stated
    }

    /// What the card's keys for cryptograms were derived with; none where whoever made the record did not say.
    pub fn cryptogram_key(&self) -> Option<&CryptogramKey> {
        self.cryptogram_key.as_ref()
    }

    /// The same of one application, which may have keys of its own.
    pub fn cryptogram_key_of(&self, aid: &[u8]) -> Option<&CryptogramKey> {
        let app = self.applications.iter().find(|app| app.aid == aid);
        app.and_then(|app| app.cryptogram_key.as_ref()).or(self.cryptogram_key.as_ref())
    }

    /// Whether the card's keys for cryptograms came with the order, so that no issuer master key here proves them.
    pub fn has_foreign_keys(&self) -> bool {
        self.foreign_keys
    }

    /// Whether the card is a sample, never to be used.
    pub fn is_sample(&self) -> bool {
        self.sample
    }

    /// How the product's rule gave the expiry, in words; none if the order states it.
    pub fn expiry_rule(&self) -> Option<&str> {
        self.expiry_rule.as_deref()
    }

    /// Whether it was prepared from the order with this SHA-256.
    pub fn is_of_order(&self, digest: &[u8; 32]) -> bool {
        self.order_sha256.as_ref().is_some_and(|held| held.eq_ignore_ascii_case(&hex::encode(digest)))
    }

    /// The PAN, first six and last four digits.
    pub fn masked_pan(&self) -> Option<String> {
        self.print.pan.as_ref().map(ToString::to_string)
    }

    /// Names of the record key and the transport keys.
    pub fn key_names(&self) -> Vec<String> {
        std::iter::once(&self.header.record_key).chain(&self.header.transport_keys).cloned().collect()
    }
}

impl Header {
    /// Name of the profile it was prepared for.
    pub fn profile_name(&self) -> &str {
        &self.profile_name
    }

    /// Hash of that profile, hexadecimal.
    pub fn profile_sha256(&self) -> &str {
        &self.profile_sha256
    }

    /// Whether it was made with test keys.
    pub fn is_test(&self) -> bool {
        self.test
    }
}

impl Application {
    /// Its AID.
    pub fn aid(&self) -> &[u8] {
        &self.aid
    }

    /// How it is reached.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The groupings, in order.
    pub fn groupings(&self) -> &[Grouping] {
        &self.groupings
    }

    /// Groupings that travel together.
    pub fn groups(&self) -> &[Vec<u16>] {
        &self.groups
    }

    /// Groupings that the card may refuse with 6A88.
    pub fn tolerated(&self) -> &[u16] {
        &self.tolerated
    }

    /// The value of a clear grouping.
    pub fn clear_value(&self, dgi: u16) -> Option<&[u8]> {
        self.groupings.iter().find(|grouping| grouping.dgi == dgi).and_then(|grouping| match &grouping.content {
            Content::Clear(value) => Some(value.expose().as_slice()),
            Content::Sealed(_) => None,
        })
    }
}

impl Grouping {
    /// Its number.
    pub fn dgi(&self) -> u16 {
        self.dgi
    }

    /// What it holds.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Bytes of its value, without padding.
    pub fn length(&self) -> usize {
        match &self.content {
            Content::Clear(value) => value.len(),
            Content::Sealed(value) => value.length,
        }
    }
}

impl SealedValue {
    /// Name of the transport key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The initial value; none for ECB.
    pub fn iv(&self) -> Option<&[u8]> {
        self.iv.as_deref()
    }

    /// The ciphertext.
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    /// Length of the clear value.
    pub fn length(&self) -> usize {
        self.length
    }
}

impl Stripe {
    /// Where it is made.
    pub fn made(&self) -> StripeMade {
        self.made
    }

    /// Numbers of the tracks that the record holds.
    pub fn tracks(&self) -> Vec<u8> {
        self.tracks.iter().map(|(number, _)| *number).collect()
    }
}

fn problem(path: impl Into<String>, code: Code, message: impl Into<String>) -> Problem {
    Problem { path: path.into(), code, message: message.into() }
}
