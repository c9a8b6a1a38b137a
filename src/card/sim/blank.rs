//! What a simulated card is made of, and its file.
//!
//! One JSON file holds the card: what its maker wrote and what has been done to it since. It holds clear keys, which
//! is why it says at its top that it is a test card.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use zeroize::{Zeroize, Zeroizing};

use crate::base::Secret;
use crate::card::transport::LinkError;

/// What stands at the top of every simulated card's file.
pub const MARK: &str = "test card: holds clear test keys, never a real card's";

/// Largest file that is read.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Bytes, written as hexadecimal digits. Prints its length only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Hex(pub Vec<u8>);

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode_upper(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut bytes = Self(vec![0; text.len() / 2]);
        hex::decode_to_slice(text.as_bytes(), &mut bytes.0).map_err(serde::de::Error::custom)?;
        Ok(bytes)
    }
}

/// They may be a key or a grouping.
impl Drop for Hex {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Into<Vec<u8>>> From<T> for Hex {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

/// A card as its maker delivers it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blank {
    /// Answer to reset.
    pub atr: Hex,
    /// Card production life cycle data, 42 bytes.
    pub cplc: Hex,
    /// Key diversification data, 10 bytes: KMCID and chip serial number.
    pub kdd: Hex,
    /// AID of the issuer security domain.
    pub domain: Hex,
    /// The key sets; the first is the one that version 00 asks for.
    pub key_sets: Vec<KeySet>,
    /// AIDs of the EMV applications that are installed.
    pub applications: Vec<Hex>,
    /// What a reader makes of it over its antenna; none: it has no antenna.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contactless_atr: Option<Hex>,
    /// Talks T=0: answers to commands with data are fetched with GET RESPONSE.
    #[serde(default)]
    pub t0: bool,
    /// Free memory in bytes, non-volatile and volatile, as FF21 tells it; none: it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<[u32; 2]>,
    /// Takes extended APDUs.
    #[serde(default)]
    pub extended: bool,
    /// Refuses a command that expects data and carries no Le, as T=1 cards do.
    #[serde(default = "yes")]
    pub strict_le: bool,
    /// Answers GET PROCESSING OPTIONS in format 1 (80) instead of 2 (77).
    #[serde(default)]
    pub gpo_format_1: bool,
    /// SCP02: an error carries an R-MAC too.
    #[serde(default)]
    pub r_mac_on_errors: bool,
    /// Has no card data (GET DATA 66).
    #[serde(default)]
    pub no_card_data: bool,
    /// Failed authentications before a key set is blocked.
    #[serde(default = "ten")]
    pub attempts: u32,
    /// Card challenges come from this, where they are random.
    #[serde(default)]
    pub seed: u64,
    /// Draws its challenge although its `i` says that it is computed.
    #[serde(default)]
    pub ignores_challenge_option: bool,
    /// Every card challenge is this where it is not computed: for published sessions.
    #[serde(default)]
    pub fixed_challenge: Option<Hex>,
    /// How its EMV applications differ from others.
    #[serde(default)]
    pub emv: EmvOptions,
}

/// How EMV applications differ.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmvOptions {
    /// What application is of which kind, by AID in capital hexadecimal digits; without it the cryptogram version
    /// number tells.
    pub applets: BTreeMap<String, Applet>,
    /// The records, as grouping numbers, whose objects the contactless answer to GET PROCESSING OPTIONS carries, by AID;
    /// without it those that no AFL names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub answer_records: BTreeMap<String, Vec<String>>,
    /// Whose transaction counter an application uses, by AID; without it each has its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shared_counters: BTreeMap<String, String>,
    /// READ RECORD needs GET PROCESSING OPTIONS first, except in the directory.
    pub options_first: bool,
    /// PIN blocks come in ISO 9564 format 1 when it is personalized; else in format 2.
    pub pin_format_1: bool,
    /// Bytes of the MAC of PUT DATA and UPDATE RECORD, 4 to 8; with the other scripts the length tells itself.
    pub script_mac: u8,
}

impl Default for EmvOptions {
    fn default() -> Self {
        Self {
            applets: BTreeMap::new(),
            answer_records: BTreeMap::new(),
            shared_counters: BTreeMap::new(),
            options_first: false,
            pin_format_1: false,
            script_mac: 8,
        }
    }
}

impl Blank {
    /// Identifier of a contactless card, 7 bytes: the same for the card whenever it is asked. // ISO 14443-3 §6.5.4
    pub(super) fn uid(&self) -> Vec<u8> {
        // 04: a manufacturer's code (ISO 7816-6); the rest is peculiar to the card.
        let own = crate::base::crypto::sha256(&self.kdd.0);
        [&[0x04], own.get(..6).unwrap_or_default()].concat()
    }

    /// AID of the load file that an application comes from: the domain's RID and the application's number.
    pub(super) fn load_file(&self, at: usize) -> Vec<u8> {
        let registered = self.domain.0.get(..5).unwrap_or(&self.domain.0);
        [registered, b"SIM", &[at as u8 + 1]].concat()
    }
}

fn yes() -> bool {
    true
}

fn ten() -> u32 {
    10
}

/// A kind of application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Applet {
    /// As Visa's: cryptogram version number at byte 2 of the issuer application data, or at byte 1 of their form of 32
    /// bytes.
    Vsdc,
    /// As Mastercard's: cryptogram version number at byte 1.
    Mchip,
    /// EMV alone: common session keys, everything in the cryptogram.
    Plain,
}

/// One key set of the security domain.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    /// Key version number.
    pub version: u8,
    /// 2 or 3.
    pub scp: u8,
    /// The `i` parameter as the card answers it.
    pub i: u8,
    /// SCP03: challenges, cryptograms and MACs of 16 bytes.
    #[serde(default)]
    pub s16: bool,
    /// K-ENC.
    pub enc: Hex,
    /// K-MAC.
    pub mac: Hex,
    /// K-DEK.
    pub dek: Hex,
    /// Sequence counter.
    #[serde(default)]
    pub counter: u32,
    /// Failed authentications since the last good one.
    #[serde(default)]
    pub failed: u32,
}

/// What has been done to a card.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Life cycle of the card. // GPC 2.3.1 §5.1.1
    pub life_cycle: u8,
    /// CARD BLOCK: no application can be selected any more.
    #[serde(default)]
    pub blocked: bool,
    /// The applications, in the blank's order.
    pub applications: Vec<Application>,
    /// The last commands that were handed to the card, 1,024 at most.
    pub diary: Vec<Entry>,
    /// How many commands were handed to it, those that have left the diary included.
    #[serde(default)]
    pub commands: u64,
}

/// Most entries of the diary: the file is written after each exchange. A job takes some 60.
pub const DIARY: usize = 1024;

impl State {
    /// Enters a command; the oldest leaves a full diary.
    pub(super) fn note(&mut self, entry: Entry) {
        self.commands = self.commands() + 1;
        self.diary.push(entry);
        let surplus = self.diary.len().saturating_sub(DIARY);
        self.diary.drain(..surplus);
    }

    /// How many commands were handed to the card; a file of an earlier version has the diary alone.
    pub(super) fn commands(&self) -> u64 {
        self.commands.max(self.diary.len() as u64)
    }
}

/// An application.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Whether it is personalized.
    pub personalized: bool,
    /// What has been stored, clear, by DGI in hexadecimal.
    pub groupings: BTreeMap<String, Hex>,
    /// Application transaction counter.
    pub atc: u16,
    /// PIN tries left.
    pub tries: u8,
    /// APPLICATION BLOCK, or its counter has come to its end.
    #[serde(default)]
    pub blocked: bool,
    /// Its counter when the issuer was last authenticated; none: as it was personalized.
    #[serde(default)]
    pub last_online: Option<u16>,
    /// Script commands since then.
    #[serde(default)]
    pub scripts: u8,
    /// One of them failed.
    #[serde(default)]
    pub script_failed: bool,
    /// The log, the latest first.
    #[serde(default)]
    pub log: Vec<Hex>,
}

/// One command handed to the card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Instruction byte.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// Whether the card has executed it; not where the power was cut before.
    pub executed: bool,
    /// What it answered.
    pub sw: u16,
}

/// The file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFile {
    /// The mark.
    pub simulated_card: String,
    /// What the maker wrote.
    pub blank: Blank,
    /// What has been done since.
    pub state: State,
}

impl CardFile {
    /// A fresh card.
    pub fn fresh(blank: Blank) -> Self {
        let applications = blank.applications.iter().map(|_| Application::default()).collect();
        let state = State { life_cycle: 0x01, blocked: false, applications, diary: Vec::new(), commands: 0 };
        Self { simulated_card: MARK.to_owned(), blank, state }
    }

    /// Reads a card's file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(path: &Path) -> Result<Self, LinkError> {
        let wrong = |why: String| LinkError::Simulator(format!("{}: {why}", path.display()));
        let failed = |error: std::io::Error| wrong(error.to_string());
        let opened = std::fs::File::open(path).map_err(failed)?;
        if !opened.metadata().map_err(failed)?.is_file() {
            return Err(wrong("it is not a regular file".into()));
        }
        // A buffer that grows would leave copies of keys; one byte more shows the end.
        let size = opened.metadata().map_err(failed)?.len().min(MAX_FILE);
        let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
        opened.take(MAX_FILE + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_FILE {
            return Err(wrong(format!("it is larger than {MAX_FILE} bytes, which no simulated card is")));
        }
        // The parser's words are not passed on: they might quote a key or a PAN.
        let shape = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            wrong(format!("it is not of a simulated card's shape, at line {line} column {column}"))
        };
        // Editors of other systems write a byte order mark.
        let json = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
        let file: Self = serde_json::from_slice(json).map_err(shape)?;
        file.check().map_err(|why| wrong(why.to_owned()))?;
        Ok(file)
    }

    fn check(&self) -> Result<(), &'static str> {
        let Blank { cplc, kdd, key_sets, applications, .. } = &self.blank;
        let key_fits = |set: &KeySet| {
            [&set.enc, &set.mac, &set.dek].iter().all(|key| match set.scp {
                2 => key.0.len() == 16,
                3 => matches!(key.0.len(), 16 | 24 | 32),
                _ => false,
            })
        };
        match () {
            () if self.simulated_card != MARK => Err("it is not marked as a test card"),
            () if cplc.0.len() != 42 => Err("blank.cplc has not 42 bytes"),
            () if kdd.0.len() != 10 => Err("blank.kdd has not 10 bytes"),
            () if key_sets.is_empty() => Err("blank.key_sets is empty"),
            () if !key_sets.iter().all(key_fits) => Err("blank.key_sets holds a key that its protocol does not take"),
            () if applications.len() != self.state.applications.len() => {
                Err("blank.applications and state.applications differ")
            }
            () if !(4..=8).contains(&self.blank.emv.script_mac) => Err("blank.emv.script_mac is not 4 to 8"),
            () if applications.iter().any(|aid| !(5..=16).contains(&aid.0.len())) => {
                Err("an AID has not 5 to 16 bytes")
            }
            () => Ok(()),
        }
    }

    /// Writes the file whole or not at all, so that a power cut leaves the card before or after, never between.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), LinkError> {
        let wrong = |error: std::io::Error| LinkError::Simulator(format!("{}: {error}", path.display()));
        let text = Secret::of_pretty_json(self).map_err(|error| wrong(error.into()))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let mut file = std::fs::File::create(&beside).map_err(wrong)?;
        file.write_all(text.expose()).and_then(|()| file.sync_data()).map_err(wrong)?;
        std::fs::rename(&beside, path).map_err(wrong)
    }
}
