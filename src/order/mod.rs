//! What has been asked for: the orders that banks' systems send, each mapped to one order of ours.
//!
//! A D1 order with encrypted card data, a Pismo reissue with the card's data, a Mastercard-shaped order and our own
//! file go in; an [`Order`] comes out, or every problem with its path and code. Nothing here knows a card, a record or a
//! profile: what an order must know of them comes in as a [`Site`]. `docs/orders.md` tells of the formats,
//! `docs/fields.md` where each property goes.

mod block;
mod d1;
mod d1_shape;
mod file;
mod intake;
mod json;
mod jwe;
mod mastercard;
mod parts;
mod pin;
mod pismo;
mod pismo_shape;
mod problem;
pub mod rules;
mod scheme;
mod sense;
mod shape;
mod site;
mod tracks;
mod view;

use crate::base::Secret;
use crate::base::emv::Pan;

pub use block::{BlockMac, TlvBlock};
pub use file::OrderFile;
pub use intake::{Checked, MAX_ORDER, check, source_of};
pub use jwe::{Jwe, JweError, Management};
pub use parts::Part;
pub use pin::{ArrivedPin, PinForm};
pub use problem::{D1Answer, D1Code, Problem, Problems, d1_answer};
pub use scheme::Scheme;
pub use site::{IndexFile, IndexUse, JweFile, PinKeyFile, ProductRule, SelectFile, Site, SiteError, SiteFile};
pub use view::{OrderView, view};

/// An order that was read, opened and makes sense for this site.
pub struct Order {
    test: bool,
    source: Source,
    identity: Identity,
    issuance: Issuance,
    channel: Channel,
    station: Option<String>,
    center: Option<String>,
    product: Product,
    chip: Chip,
    stripe: Stripe,
    print: Print,
    fulfilment: Vec<Line>,
    report: Vec<Line>,
}

/// Where an order comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Our own order file.
    Own,
    /// The Thales D1 order API.
    D1,
    /// A Pismo card reissue.
    Pismo,
    /// Mastercard Processing.
    Mastercard,
}

impl Source {
    /// As it is configured and shown.
    pub fn name(self) -> &'static str {
        match self {
            Source::Own => "own",
            Source::D1 => "d1",
            Source::Pismo => "pismo",
            Source::Mastercard => "mastercard",
        }
    }
}

/// Why a card is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Issuance {
    /// A first card.
    Creation,
    /// The one before expires.
    Renewal,
    /// The one before was lost, stolen or damaged.
    Replacement,
}

impl Issuance {
    /// As it is written in our own orders.
    pub fn name(self) -> &'static str {
        match self {
            Issuance::Creation => "creation",
            Issuance::Renewal => "renewal",
            Issuance::Replacement => "replacement",
        }
    }

    /// The one with this name; capitals do not count.
    pub fn find(name: &str) -> Option<Self> {
        let all = [Issuance::Creation, Issuance::Renewal, Issuance::Replacement];
        all.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }
}

/// Who makes the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A station in a branch (D1: INSTANT).
    Instant,
    /// A bank's or partner's center (D1: CENTRAL).
    Central,
    /// The platform's own factory (D1: THALES).
    Factory,
}

impl Channel {
    /// As it is written in our own orders.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Instant => "instant",
            Channel::Central => "central",
            Channel::Factory => "factory",
        }
    }

    /// The one with this name.
    pub fn find(name: &str) -> Option<Self> {
        [Channel::Instant, Channel::Central, Channel::Factory].into_iter().find(|it| it.name() == name)
    }
}

/// Whose order it is. A renewal of the same card is another operation, and so another order.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    pub(super) issuer: String,
    pub(super) card: String,
    pub(super) operation: String,
    pub(super) received: String,
}

/// What product the card becomes.
pub struct Product {
    pub(super) profile: String,
    pub(super) scheme: Scheme,
    pub(super) contactless: Option<bool>,
    pub(super) applications: Option<u32>,
    pub(super) sample: bool,
    pub(super) keys: Vec<KeyIndex>,
    pub(super) pin_length: Option<u8>,
    pub(super) generate_pvv: bool,
}

/// Keys that an order names by index.
#[derive(Clone)]
pub struct KeyIndex {
    /// What for.
    pub r#use: IndexUse,
    /// As the order has it.
    pub index: String,
    /// Names in the key store, from the site's configuration; empty where no site was given.
    pub names: Vec<String>,
}

/// What goes into the chip.
pub struct Chip {
    pub(super) pan: Pan,
    pub(super) psn: u8,
    pub(super) expiry: String,
    pub(super) effective: String,
    pub(super) encoded_name: Option<Secret<String>>,
    pub(super) service_code: Option<String>,
    pub(super) icvv: Option<Secret<String>>,
    pub(super) par: Option<Secret<String>>,
    pub(super) pin: Option<ArrivedPin>,
    pub(super) blocks: Vec<TlvBlock>,
}

/// What goes onto the magnetic stripe.
pub struct Stripe {
    pub(super) wanted: bool,
    pub(super) cvv: Option<Secret<String>>,
    pub(super) pvv: Pvv,
    pub(super) tracks: Vec<(u8, Secret<String>)>,
}

/// The PIN verification value of the tracks.
pub enum Pvv {
    /// As the order gives it.
    Given(Secret<String>),
    /// To be computed under the PIN verification key that the order names.
    Computed,
    /// 0000: the order gives none and names no key. // D1 cardData.pvv
    Zero,
}

/// What is printed.
pub struct Print {
    pub(super) names: Vec<Secret<String>>,
    pub(super) cvv2: Option<Secret<String>>,
    pub(super) lines: Vec<Line>,
}

/// Something that is passed on by its name.
pub struct Line {
    /// As the order calls it.
    pub name: String,
    /// As it arrived.
    pub value: Secret<String>,
    /// A counter of the issuer's, where it is one.
    pub(super) counter: bool,
}

impl Line {
    pub(super) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Secret::new(value.into()), counter: false }
    }
}

impl Order {
    /// Whether it is test data.
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// Where it comes from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Whose order it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Why the card is issued.
    pub fn issuance(&self) -> Issuance {
        self.issuance
    }

    /// Who makes the card.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The station that makes it, where the order names one.
    pub fn station(&self) -> Option<&str> {
        self.station.as_deref()
    }

    /// The center that makes it, where the order names one.
    pub fn center(&self) -> Option<&str> {
        self.center.as_deref()
    }

    /// What product it becomes.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// What goes into the chip.
    pub fn chip(&self) -> &Chip {
        &self.chip
    }

    /// What goes onto the stripe.
    pub fn stripe(&self) -> &Stripe {
        &self.stripe
    }

    /// What is printed.
    pub fn print(&self) -> &Print {
        &self.print
    }

    /// How it reaches the cardholder.
    pub fn fulfilment(&self) -> &[Line] {
        &self.fulfilment
    }

    /// What is only told back.
    pub fn report(&self) -> &[Line] {
        &self.report
    }

    /// Which plastic of this card it is, as the issuer counts. No PAN sequence number.
    pub fn plastic_sequence(&self) -> Option<u32> {
        self.counter(parts::PLASTIC_SEQUENCE)
    }

    /// How often the card was issued again, as the issuer counts. Neither PAN sequence number nor plastic sequence.
    pub fn track_number(&self) -> Option<u32> {
        self.counter(parts::TRACK_NUMBER)
    }

    fn counter(&self, name: &str) -> Option<u32> {
        let line = self.report.iter().find(|line| line.counter && line.name == name)?;
        line.value.expose().parse().ok()
    }
}

impl Identity {
    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The card.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// The operation.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// When it was received.
    pub fn received(&self) -> &str {
        &self.received
    }
}

impl Product {
    /// Name of the card profile.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// The card network.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it works without contacts, where the order says so.
    pub fn contactless(&self) -> Option<bool> {
        self.contactless
    }

    /// Payment applications, where the order says how many.
    pub fn applications(&self) -> Option<u32> {
        self.applications
    }

    /// Whether the card is a sample, to be marked as one everywhere.
    pub fn is_sample(&self) -> bool {
        self.sample
    }

    /// The keys that the order names by index for this use.
    pub fn keys(&self, r#use: IndexUse) -> Option<&KeyIndex> {
        self.keys.iter().find(|key| key.r#use == r#use)
    }

    /// Digits of the PIN, where the order says how many.
    pub fn pin_length(&self) -> Option<u8> {
        self.pin_length
    }

    /// Whether the issuer asks for a PIN verification value in the tracks.
    pub fn generate_pvv(&self) -> bool {
        self.generate_pvv
    }
}

impl Chip {
    /// The PAN.
    pub fn pan(&self) -> &Pan {
        &self.pan
    }

    /// PAN sequence number (5F34), 0 to 99.
    pub fn psn(&self) -> u8 {
        self.psn
    }

    /// Last month (5F24), YYMM.
    pub fn expiry(&self) -> &str {
        &self.expiry
    }

    /// First day (5F25), YYMMDD.
    pub fn effective(&self) -> &str {
        &self.effective
    }

    /// The name as it is encoded (5F20 and track 1).
    pub fn encoded_name(&self) -> Option<&Secret<String>> {
        self.encoded_name.as_ref()
    }

    /// Service code (5F30), where order or tracks give one.
    pub fn service_code(&self) -> Option<&str> {
        self.service_code.as_deref()
    }

    /// The chip's card verification value, where the order gives one.
    pub fn icvv(&self) -> Option<&Secret<String>> {
        self.icvv.as_ref()
    }

    /// Payment account reference (9F24).
    pub fn par(&self) -> Option<&Secret<String>> {
        self.par.as_ref()
    }

    /// The PIN as it arrived.
    pub fn pin(&self) -> Option<&ArrivedPin> {
        self.pin.as_ref()
    }

    /// Prepared TLV blocks, in order.
    pub fn blocks(&self) -> &[TlvBlock] {
        &self.blocks
    }
}

impl Stripe {
    /// Whether the card must have one.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Its card verification value, where the order gives one.
    pub fn cvv(&self) -> Option<&Secret<String>> {
        self.cvv.as_ref()
    }

    /// The PIN verification value.
    pub fn pvv(&self) -> &Pvv {
        &self.pvv
    }

    /// The tracks that are given and used as they are: number, and text with its sentinels.
    pub fn tracks(&self) -> &[(u8, Secret<String>)] {
        &self.tracks
    }
}

impl Print {
    /// The names, one a line.
    pub fn names(&self) -> &[Secret<String>] {
        &self.names
    }

    /// The printed card verification value, where the order gives one.
    pub fn cvv2(&self) -> Option<&Secret<String>> {
        self.cvv2.as_ref()
    }

    /// Everything else, by name.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}
