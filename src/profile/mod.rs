//! A card product: everything that is the same for every card of it. `card-profiles/README.md` teaches the format.

mod aids;
mod chip;
mod file;
mod names;
mod peek;
pub mod prepare;
mod read_back;
mod sense;
mod subject;
mod verification;
mod warnings;

use crate::base::Code;
use crate::base::crypto::sha256;
use crate::keys::{CardPadding, Diversification};

pub use chip::{Identity, SequenceCounter};
pub use file::ProfileFile;
pub use names::ProfileKey;
pub use peek::{is_toml, peek_name};
pub use read_back::{ReadBack, Shown};
pub use verification::{CryptogramKind, Verification};

/// A profile that is well formed and makes sense.
#[derive(Debug, Clone)]
pub struct Profile {
    file: ProfileFile,
    channel: Channel,
    masters: Masters,
    domain: Vec<u8>,
    applications: Vec<ApplicationRule>,
    dgis: Vec<DgiRule>,
    read_too: Vec<u16>,
    recipe: Option<prepare::Recipe>,
    hash: [u8; 32],
}

#[derive(Debug, Clone)]
struct Masters {
    names: Vec<String>,
    diversification: Diversification,
}

/// The secure channel that the card product has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// Protocol and options.
    pub protocol: Protocol,
    /// Security level: P1 of EXTERNAL AUTHENTICATE.
    pub level: u8,
    /// Key version to ask for: P1 of INITIALIZE UPDATE.
    pub key_version: u8,
    /// What to do where the card's challenge is not the pseudo-random one.
    pub check_challenge: CheckChallenge,
}

/// Protocol and options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// SCP02.
    Scp02 {
        /// The `i` parameter.
        i: u8,
    },
    /// SCP03.
    Scp03 {
        /// The `i` parameter.
        i: u8,
        /// Challenges, cryptograms and MACs of 16 bytes instead of 8.
        s16: bool,
    },
}

/// What to do where the card's challenge is not the pseudo-random one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckChallenge {
    /// Do not look.
    Off,
    /// Go on and say so.
    #[default]
    Warn,
    /// End before EXTERNAL AUTHENTICATE.
    Refuse,
}

/// What the product says of a data grouping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DgiRule {
    dgis: (u16, u16),
    name: String,
    sealed: bool,
    padding: CardPadding,
    mandatory: bool,
    max: usize,
    read_back: ReadBack,
    kcv_of: Option<u16>,
    applications: Vec<Vec<u8>>,
}

/// An application of the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationRule {
    aid: Vec<u8>,
    name: String,
    interface: Interface,
    kernel: Option<u8>,
    counter: Option<Vec<u8>>,
}

/// The interface over which something can be reached.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Interface {
    /// Contacts only.
    Contact,
    /// The antenna only.
    Contactless,
    /// Either.
    #[default]
    Both,
}

impl Interface {
    /// Whether it can be reached in a contactless reader, or in one with contacts.
    pub fn is_reached(self, contactless: bool) -> bool {
        match self {
            Interface::Contact => !contactless,
            Interface::Contactless => contactless,
            Interface::Both => true,
        }
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Interface::Contact => "contact",
            Interface::Contactless => "contactless",
            Interface::Both => "both",
        }
    }
}

/// Something wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, e.g. `channel.level`.
    pub path: String,
    /// Catalogue code.
    pub code: Code,
    /// What is wrong.
    pub message: String,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let file: ProfileFile = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
            let path = if at == 0 { "(file)".to_owned() } else { format!("line {at}") };
            vec![Problem { path, code: Code::ProfileSyntax, message: error.message().to_owned() }]
        })?;
        sense::make(file)
    }

    /// Its name; records refer to it.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// What it is, in a few words.
    pub fn title(&self) -> &str {
        &self.file.title
    }

    /// SHA-256 of the profile as it was understood: the file's shape with every default filled in, as canonical JSON
    /// (RFC 8785). Comments, order and formatting do not change it; anything that changes a card does.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// What may be proven on a card of the product, and how.
    pub fn verification(&self) -> Verification<'_> {
        Verification::of(&self.file.verify, self.recipe.as_ref())
    }

    /// The secure channel.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// AID of the issuer security domain; empty where the card selects it by default.
    pub fn domain(&self) -> &[u8] {
        &self.domain
    }

    /// Names of the master keys, one of which must fit the card.
    pub fn masters(&self) -> &[String] {
        &self.masters.names
    }

    /// How the card's keys come from the master key.
    pub fn diversification(&self) -> Diversification {
        self.masters.diversification
    }

    /// The applications that a card of this product has, in no order; none where any will do.
    pub fn applications(&self) -> &[ApplicationRule] {
        &self.applications
    }

    /// The interface over which an application can be selected once it is personalized.
    pub fn interface(&self, aid: &[u8]) -> Interface {
        self.applications.iter().find(|app| app.aid == aid).map_or(Interface::Both, |app| app.interface)
    }

    /// AID of the application whose transaction counter an application uses: its own, if it has one.
    pub fn counter<'a>(&'a self, aid: &'a [u8]) -> &'a [u8] {
        let stated = self.applications.iter().find(|app| app.aid == aid).and_then(|app| app.counter.as_deref());
        stated.unwrap_or(aid)
    }

    /// Where a terminal finds the objects of a record, as the recipe says.
    pub fn record_use(&self, aid: &[u8], dgi: u16) -> Option<prepare::RecordUse> {
        let app = self.recipe()?.applications().iter().find(|app| app.aid == aid)?;
        let grouping = app.groupings.iter().find(|grouping| grouping.dgi == dgi)?;
        grouping.record().map(|_| grouping.read)
    }

    /// Whether another application uses the same transaction counter.
    pub fn shares_counter(&self, aid: &[u8]) -> bool {
        let own = self.counter(aid);
        self.applications.iter().any(|app| app.aid != aid && self.counter(&app.aid) == own)
    }

    /// The rule of a grouping in an application: one that names the application before one that does not; the one with its
    /// number, else the narrowest range that holds it.
    pub fn dgi(&self, aid: &[u8], dgi: u16) -> Option<&DgiRule> {
        let holding = self.dgis.iter().filter(|rule| rule.holds(dgi) && rule.is_for(aid));
        holding.min_by_key(|rule| (rule.applications.is_empty(), rule.dgis.1 - rule.dgis.0))
    }

    /// All rules.
    pub fn dgis(&self) -> &[DgiRule] {
        &self.dgis
    }

    /// The grouping that the card compares this one with: keys and their check values.
    pub fn checked_with(&self, aid: &[u8], dgi: u16) -> Option<u16> {
        let own = self.dgi(aid, dgi).and_then(|rule| rule.kcv_of);
        let others = || self.dgis.iter().filter(|rule| rule.is_for(aid));
        own.or_else(|| others().find(|rule| rule.kcv_of == Some(dgi)).map(|rule| rule.dgis.0))
    }

    /// STORE DATA: P1 says that the data is in DGI format.
    pub fn dgi_format(&self) -> bool {
        self.file.store_data.p1 == file::P1Coding::Gp
    }

    /// STORE DATA: as many groupings in a command as fit.
    pub fn packed(&self) -> bool {
        self.file.store_data.packing == file::Packing::Packed
    }

    /// STORE DATA: a grouping may go on in the next command.
    pub fn spanning(&self) -> bool {
        self.file.store_data.spanning
    }

    /// STORE DATA: the most that Lc may be.
    pub fn max_command(&self) -> usize {
        self.file.store_data.max_command
    }

    /// STORE DATA: the card expects an Le.
    pub fn le(&self) -> bool {
        self.file.store_data.le
    }

    /// SCP03: the counter advances for commands without data too.
    pub fn counter_without_data(&self) -> bool {
        self.file.quirks.counter_without_data
    }

    /// The ATR of a blank, hexadecimal, `..` for any byte.
    pub fn blank_atr(&self) -> Option<&str> {
        self.file.blank.atr.as_deref()
    }

    /// The ATR that a contactless reader makes for a blank, hexadecimal, `..` for any byte.
    pub fn blank_contactless_atr(&self) -> Option<&str> {
        self.file.blank.contactless_atr.as_deref()
    }

    /// The life cycle of a blank. // GPC 2.3.1 table 11-6
    pub fn blank_life_cycle(&self) -> Option<u8> {
        self.file.blank.life_cycle.map(file::LifeCycle::byte)
    }

    /// What tells one chip from another.
    pub fn identity(&self) -> Identity {
        self.file.blank.identity.unwrap_or_default()
    }

    /// How the sequence counter of the secure channel moves.
    pub fn sequence_counter(&self) -> SequenceCounter {
        self.file.quirks.sequence_counter
    }

    /// Every application of the record can be selected before the first is begun.
    pub fn blank_has_applets(&self) -> bool {
        self.file.blank.applets.unwrap_or(true)
    }

    /// Whether a card of this product has an antenna.
    pub fn is_dual_interface(&self) -> bool {
        let contactless =
            |rule: &DgiRule| matches!(rule.read_back, ReadBack::FciContactless | ReadBack::GpoContactless);
        self.dgis.iter().any(contactless)
            || self.applications.iter().any(|app| app.interface == Interface::Contactless)
            || self.file.blank.contactless_atr.is_some()
    }

    /// CPLC fields of a blank: name and hexadecimal value, `..` for any byte.
    pub fn blank_cplc(&self) -> impl Iterator<Item = (&str, &str)> {
        self.file.blank.cplc.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Tags that are read with GET DATA beside those that were loaded, and must be there.
    pub fn read_too(&self) -> &[u16] {
        &self.read_too
    }

    /// Where every value of a card comes from; none where records of this product come from elsewhere.
    pub fn recipe(&self) -> Option<&prepare::Recipe> {
        self.recipe.as_ref()
    }

    /// How PANs of this product begin; none where it does not say.
    pub fn pan_prefixes(&self) -> &[String] {
        &self.file.rules.pan_prefixes
    }

    /// Application versions that this product has beside those that every kernel knows.
    pub fn versions(&self) -> Vec<[u8; 2]> {
        self.file.rules.versions.iter().filter_map(|text| hex::decode(text).ok()?.try_into().ok()).collect()
    }

    /// The card's life cycle after an equal read-back.
    pub fn final_life_cycle(&self) -> Option<u8> {
        self.file.end.life_cycle.map(file::LifeCycle::byte)
    }
}

impl ApplicationRule {
    /// Its AID.
    pub fn aid(&self) -> &[u8] {
        &self.aid
    }

    /// What it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The contactless kernel that processes it, if the product states one.
    pub fn kernel(&self) -> Option<u8> {
        self.kernel
    }
}

impl DgiRule {
    /// Whether the rule is for this application.
    pub fn is_for(&self, aid: &[u8]) -> bool {
        self.applications.is_empty() || self.applications.iter().any(|named| named == aid)
    }

    /// Whether the rule is for this grouping.
    pub fn holds(&self, dgi: u16) -> bool {
        (self.dgis.0..=self.dgis.1).contains(&dgi)
    }

    /// The first number it is for.
    pub fn first(&self) -> u16 {
        self.dgis.0
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Enciphered under the card's DEK.
    pub fn sealed(&self) -> bool {
        self.sealed
    }

    /// Padding that the card expects before encryption.
    pub fn padding(&self) -> CardPadding {
        self.padding
    }

    /// Every record must hold it.
    pub fn mandatory(&self) -> bool {
        self.mandatory
    }

    /// Most bytes of its value, without padding.
    pub fn max(&self) -> usize {
        self.max
    }

    /// How it is read back.
    pub fn read_back(&self) -> ReadBack {
        self.read_back
    }
}

fn hash(file: &ProfileFile) -> Option<[u8; 32]> {
    json_canon::to_vec(file).ok().map(|json| sha256(&json))
}
