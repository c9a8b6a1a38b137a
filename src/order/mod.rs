//! What has been asked for: the orders that banks' systems send, each mapped to one order of ours.
//!
//! A D1 order with encrypted card data, a Pismo reissue with the card's data, a Mastercard-shaped order and our own
//! file go in; an [`Order`] comes out, or every problem with its path and code. Nothing here knows a card, a record or a
//! profile: what an order must know of them comes in as a [`Site`]. `docs/orders.md` tells of the formats,
//! `docs/fields.md` where each property goes.

mod access;
mod block;
mod card_data;
mod catalogue;
mod context;
mod d1;
mod d1_shape;
mod dates;
mod encrypt;
mod file;
mod intake;
mod json;
mod jwe;
mod mastercard;
mod members;
mod naming;
mod own_shape;
mod parts;
mod pin;
mod pin_form;
mod pismo;
mod pismo_shape;
mod problem;
pub mod rules;
mod scheme;
mod sense;
mod shape;
mod site;
mod site_names;
mod tracks;
mod view;

use crate::base::emv::Pan;
use crate::base::{Secret, Warning};

pub use block::{BlockMac, TlvBlock};
pub use catalogue::{CatalogueFile, CatalogueProduct};
pub use encrypt::encrypt;
pub use file::OrderFile;
pub use intake::{Checked, MAX_ORDER, check, source_of};
pub use jwe::{Jwe, JweError, Management};
pub use parts::Part;
pub use pin::ArrivedPin;
pub use pin_form::PinForm;
pub use problem::{D1Answer, D1Code, Problem, Problems, SiteError, d1_answer};
pub use scheme::Scheme;
pub use site::{ExpiryRule, IndexFile, IndexUse, JweFile, PinKeyFile, ProductRule, SelectFile, Site, SiteFile};
pub use site_names::SiteKey;
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
    warnings: Vec<Warning>,
    digest: [u8; 32],
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
    pub(super) expiry_rule: Option<String>,
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
