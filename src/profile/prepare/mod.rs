//! What a profile says of data preparation: where every value of a card comes from.

pub(super) mod file;
mod offset;
mod sense;

pub use file::{Derived, GroupingDerived, Only, OrderField, Secrets};

pub use self::offset::Offset;

use self::file::{BlocksMac, DateOrder, OptionName, OwnKeysFile, PinBlockName, PrepareFile, PvvName, StripeName};
use crate::base::codec::tlv::Tag;
use crate::keys::BlockForm;
use crate::keys::issuer::CardKeyMethod;

/// Data preparation for a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    record_key: String,
    transport_key: String,
    applications: Vec<AppRecipe>,
    blocks: Vec<(Tag, u16)>,
    offset: Option<Offset>,
    dac: Option<[u8; 2]>,
    file: PrepareFile,
}

/// What keys are for in data preparation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Issuer master key for application cryptograms.
    ImkAc,
    /// Issuer master key for the MAC of scripts.
    ImkSmi,
    /// Issuer master key for the encipherment of scripts.
    ImkSmc,
    /// Issuer master key for dynamic card verification codes.
    ImkCvc,
    /// Card verification key.
    Cvk,
    /// PIN verification key, for a PVV.
    Pvk,
    /// PIN verification key of the IBM 3624 method, for an offset.
    Pvk3624,
    /// The issuer's RSA key.
    Issuer,
}

/// Where the stripe is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StripePlace {
    /// At another station.
    Elsewhere,
    /// At this one.
    Here,
    /// The card has none.
    Nowhere,
}

/// The stripe's patterns, and those of the chip's image of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Track 1 between its sentinels.
    Track1,
    /// Track 2 between its sentinels.
    Track2,
    /// Discretionary data of 57.
    Chip2,
    /// Discretionary data of track 1 on the chip.
    Chip1,
    /// Track 1 as the antenna shows it.
    Contactless1,
}

/// An application's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRecipe {
    /// Its AID.
    pub aid: Vec<u8>,
    /// AID of the security domain that it is personalized through.
    pub through: Option<Vec<u8>>,
    /// Application interchange profile over the contacts.
    pub aip: Option<[u8; 2]>,
    /// Application interchange profile over the antenna.
    pub aip_contactless: Option<[u8; 2]>,
    /// Its own PAN sequence number; the order's otherwise.
    pub psn: Option<u8>,
    keys: OwnKeysFile,
    /// The groupings in order.
    pub groupings: Vec<GroupingRecipe>,
}

/// A grouping's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupingRecipe {
    /// Its number.
    pub dgi: u16,
    /// What fills it.
    pub content: Content,
    /// Records only: where a terminal finds its objects.
    pub read: RecordUse,
    /// Records only: it takes part in offline data authentication.
    pub signed: bool,
    /// When it is made at all.
    pub only: Option<Only>,
}

/// Where a terminal finds the objects of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordUse {
    /// The AFL over the contacts names the record.
    pub contact: bool,
    /// The AFL over the contactless interface names the record.
    pub contactless: bool,
    /// The contactless answer to GET PROCESSING OPTIONS carries its objects.
    pub answer: bool,
}

impl RecordUse {
    /// Whether the AFL over an interface names the record.
    pub fn is_located(self, contactless: bool) -> bool {
        if contactless { self.contactless } else { self.contact }
    }
}

/// What fills a grouping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Objects, within a template where there is one.
    Objects(Option<Tag>, Vec<Object>),
    /// A value that is the same for every card.
    Fixed(Vec<u8>),
    /// A value that is computed.
    Derived(GroupingDerived),
    /// A secret.
    Secret(Secrets),
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its tag.
    pub tag: Tag,
    /// Where its value comes from.
    pub source: Source,
    /// Left out where the source has nothing.
    pub optional: bool,
}

/// Where an object's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The same for every card.
    Fixed(Vec<u8>),
    /// A field of the order.
    Order(OrderField),
    /// Computed.
    Derived(Derived),
    /// Objects within a template.
    Put(Vec<Object>),
}

impl Recipe {
    /// The roles whose keys give a card its three: for cryptograms, script MAC and script encipherment.
    pub const ICC_KEYS: [Role; 3] = [Role::ImkAc, Role::ImkSmi, Role::ImkSmc];

    /// Name of the key that seals records.
    pub fn record_key(&self) -> &str {
        &self.record_key
    }

    /// Name of the key that seals secret groupings.
    pub fn transport_key(&self) -> &str {
        &self.transport_key
    }

    /// The applications in the order of personalization.
    pub fn applications(&self) -> &[AppRecipe] {
        &self.applications
    }

    /// The grouping that a tag of a prepared TLV block goes to.
    pub fn block_grouping(&self, tag: Tag) -> Option<u16> {
        self.blocks.iter().find(|(held, _)| *held == tag).map(|(_, dgi)| *dgi)
    }

    /// How the data of prepared TLV blocks arrives.
    pub fn block_form(&self) -> BlockForm {
        BlockForm {
            enciphered: self.file.blocks_enciphered,
            mac_over_enciphered: self.file.blocks_mac == BlocksMac::Enciphered,
            padded: self.file.blocks_padded,
        }
    }

    /// Name of the key in a role, where an order does not name another.
    pub fn key(&self, role: Role) -> Option<&str> {
        let keys = &self.file.keys;
        match role {
            Role::ImkAc => keys.imk_ac.as_deref(),
            Role::ImkSmi => keys.imk_smi.as_deref(),
            Role::ImkSmc => keys.imk_smc.as_deref(),
            Role::ImkCvc => keys.imk_cvc.as_deref(),
            Role::Cvk => keys.cvk.as_deref(),
            Role::Pvk => keys.pvk.as_deref(),
            Role::Pvk3624 => keys.pvk_3624.as_deref(),
            Role::Issuer => keys.issuer.as_deref(),
        }
    }

    /// The product's issuer master key for cryptograms, or else that of the first application with one of its own.
    pub fn any_imk_ac(&self) -> Option<&str> {
        self.key(Role::ImkAc).or_else(|| self.applications.iter().find_map(|app| app.key(Role::ImkAc)))
    }

    /// How a card's symmetric keys are derived.
    pub fn icc_key(&self) -> CardKeyMethod {
        match self.file.make.icc_key {
            OptionName::A => CardKeyMethod::A,
            OptionName::B => CardKeyMethod::B,
        }
    }

    /// Bits of the card's RSA keys.
    pub fn rsa_bits(&self) -> usize {
        self.file.make.rsa_bits
    }

    /// Public exponent of the card's RSA keys.
    pub fn rsa_exponent(&self) -> u32 {
        self.file.make.rsa_exponent
    }

    /// Whether the card stores its PIN in format 1; format 2 otherwise. // ISO 9564-1
    pub fn pin_block_is_iso1(&self) -> bool {
        self.file.make.pin_block == PinBlockName::Iso1
    }

    /// PIN tries, 1 to 15.
    pub fn pin_tries(&self) -> u8 {
        self.file.make.pin_tries
    }

    /// PIN verification key index.
    pub fn pvki(&self) -> u8 {
        self.file.make.pvki
    }

    /// Whether a PVV is computed even where the order names no key for it.
    pub fn computes_pvv(&self) -> bool {
        self.file.make.pvv == PvvName::Computed
    }

    /// How an offset of the IBM 3624 method is made, where the product has one.
    pub fn offset(&self) -> Option<&Offset> {
        self.offset.as_ref()
    }

    /// Digits of the card verification values of stripe and chip, where the product says it.
    pub fn cvv_digits(&self) -> Option<usize> {
        self.file.make.cvv_digits
    }

    /// Digits of the printed card verification value, where the product says it.
    pub fn cvv2_digits(&self) -> Option<usize> {
        self.file.make.cvv2_digits
    }

    /// Data authentication code of signed static data, where the product has one for all its cards. // EMV B2 §5.1
    pub fn dac(&self) -> Option<[u8; 2]> {
        self.dac
    }

    /// Service code of the stripe where the order has none.
    pub fn service_code(&self) -> Option<&str> {
        self.file.make.service_code.as_deref()
    }

    /// Where the stripe is made.
    pub fn stripe(&self) -> StripePlace {
        match self.file.make.stripe {
            StripeName::Elsewhere => StripePlace::Elsewhere,
            StripeName::Here => StripePlace::Here,
            StripeName::None => StripePlace::Nowhere,
        }
    }

    /// Whether the printed value is computed over MMYY; over YYMM otherwise.
    pub fn cvv2_over_mmyy(&self) -> bool {
        self.file.make.cvv2_expiry == DateOrder::Mmyy
    }

    /// A pattern, where the product has it.
    pub fn pattern(&self, pattern: Pattern) -> Option<&str> {
        let patterns = &self.file.patterns;
        match pattern {
            Pattern::Track1 => patterns.track1.as_deref(),
            Pattern::Track2 => patterns.track2.as_deref(),
            Pattern::Chip2 => patterns.chip2.as_deref(),
            Pattern::Chip1 => patterns.chip1.as_deref(),
            Pattern::Contactless1 => patterns.contactless1.as_deref(),
        }
    }

    /// Whether any grouping asks for this secret.
    pub fn asks_for(&self, secret: Secrets) -> bool {
        let groupings = self.applications.iter().flat_map(|app| &app.groupings);
        groupings.into_iter().any(|grouping| grouping.content == Content::Secret(secret))
    }

    /// Whether any object is computed so.
    pub fn derives(&self, derived: Derived) -> bool {
        self.applications.iter().flat_map(|app| &app.groupings).any(|grouping| grouping.derives(derived))
    }

    /// Whether eight random bytes stand behind the PIN block, for cards with AES keys. // CPS 2.0 §3.4.4
    pub fn pin_block_is_wide(&self) -> bool {
        self.file.make.pin_block_wide
    }
}

impl AppRecipe {
    /// Whether terminals pay with it, over any interface: directories have no AIP.
    pub fn is_payment(&self) -> bool {
        self.aip.is_some() || self.aip_contactless.is_some()
    }

    /// Name of the issuer master key in a role, if the application has one of its own.
    pub fn key(&self, role: Role) -> Option<&str> {
        match role {
            Role::ImkAc => self.keys.imk_ac.as_deref(),
            Role::ImkSmi => self.keys.imk_smi.as_deref(),
            Role::ImkSmc => self.keys.imk_smc.as_deref(),
            Role::ImkCvc => self.keys.imk_cvc.as_deref(),
            Role::Cvk | Role::Pvk | Role::Pvk3624 | Role::Issuer => None,
        }
    }

    /// Application interchange profile over an interface.
    pub fn aip(&self, contactless: bool) -> Option<[u8; 2]> {
        if contactless { self.aip_contactless } else { self.aip }
    }
}

impl GroupingRecipe {
    /// Whether one of its objects is computed so.
    pub fn derives(&self, derived: Derived) -> bool {
        fn within(objects: &[Object], derived: Derived) -> bool {
            objects.iter().any(|object| match &object.source {
                Source::Derived(held) => *held == derived,
                Source::Put(inner) => within(inner, derived),
                Source::Fixed(_) | Source::Order(_) => false,
            })
        }
        matches!(&self.content, Content::Objects(_, objects) if within(objects, derived))
    }

    /// Whether terminals see its objects over the contactless interface alone.
    pub fn is_contactless_only(&self) -> bool {
        !self.read.contact && (self.read.contactless || self.read.answer)
    }

    /// SFI and number of a record that no AFL over an interface names on purpose: the other AFL, the answer to GET
    /// PROCESSING OPTIONS or nothing shows it.
    pub fn unlocated_record(&self, contactless: bool) -> Option<(u8, u8)> {
        self.record().filter(|_| !self.read.is_located(contactless))
    }

    /// The template that its objects stand in: the recipe's, or that of records which terminals read. // EMV B3 §6.5.11
    pub fn template(&self) -> Option<Tag> {
        let of_records = || matches!(self.record(), Some((1..=10, _))).then(|| Tag::of(0x70));
        match &self.content {
            Content::Objects(template, _) => template.or_else(of_records),
            _ => of_records(),
        }
    }

    /// SFI and number, of a record.
    pub fn record(&self) -> Option<(u8, u8)> {
        let [sfi, number] = self.dgi.to_be_bytes();
        (0x01..=0x1E).contains(&sfi).then_some((sfi, number))
    }
}

pub(super) use sense::recipe;
