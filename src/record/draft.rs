//! A record in the making: what data preparation gives, secrets already sealed.

use std::collections::BTreeMap;

use super::file::{
    ApplicationFile, BodyFile, GroupingFile, HeaderFile, MadeFile, MethodFile, PrintFile, ProfileFile, SealedFile,
    StatedFile, StripeFile,
};
use super::seal::{describe, file};
use super::{CryptogramKey, Method, Record, RecordProblems, StripeMade, problem};
use crate::base::fault::{Code, Fault};
use crate::base::{Chance, Secret};
use crate::keys::{KeyStore, Purpose};

/// A record in the making. Nothing of it is checked before [`Draft::seal`], which then checks everything.
pub struct Draft {
    /// Its id: one order, one record.
    pub id: String,
    /// The profile: name, and hash in hexadecimal.
    pub profile: (String, String),
    /// Name of the record key.
    pub record_key: String,
    /// The applications in the order of personalization.
    pub applications: Vec<DraftApplication>,
    /// Where the stripe is made.
    pub stripe: StripeMade,
    /// Tracks 1 to 3 with their sentinels; none where a track stays empty.
    pub tracks: [Option<Secret<String>>; 3],
    /// What is printed.
    pub print: DraftPrint,
    /// What the card's keys for cryptograms were derived with, where there are such keys.
    pub cryptogram_key: Option<CryptogramKey>,
    /// The card's keys for cryptograms came with the order.
    pub foreign_keys: bool,
    /// The card is a sample.
    pub sample: bool,
    /// How the product's rule gave the expiry, in words; none if the order states it.
    pub expiry_rule: Option<String>,
    /// SHA-256 of the order that it was prepared from.
    pub order: Option<[u8; 32]>,
}

/// One application.
pub struct DraftApplication {
    /// Its AID.
    pub aid: Vec<u8>,
    /// How it is reached.
    pub method: Method,
    /// Its groupings in order.
    pub groupings: Vec<(u16, DraftValue)>,
    /// What its keys for cryptograms were derived with, if not with the record's.
    pub cryptogram_key: Option<CryptogramKey>,
}

/// What a grouping holds.
pub enum DraftValue {
    /// The value.
    Clear(Secret<Vec<u8>>),
    /// The value under a transport key. [`KeyStore::seal`] makes it.
    Sealed {
        /// Name of the transport key.
        key: String,
        /// Initial value of CBC.
        iv: Vec<u8>,
        /// Whole blocks.
        ciphertext: Vec<u8>,
        /// Length of the clear value.
        length: usize,
    },
}

/// What is printed.
#[derive(Default)]
pub struct DraftPrint {
    /// PAN, digits.
    pub pan: Option<Secret<String>>,
    /// Expiry, MM/YY.
    pub expiry: Option<String>,
    /// Effective date, MM/YY.
    pub effective: Option<String>,
    /// Lines of names.
    pub names: Vec<Secret<String>>,
    /// The printed card verification value.
    pub cvv2: Option<Secret<String>>,
    /// The card's design.
    pub design: Option<String>,
    /// Free fields.
    pub fields: BTreeMap<String, Secret<String>>,
}

impl Draft {
    /// Seals the record, opens it again and checks it. The file's text, and the record.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path; a key that is not in custody or not for this.
    pub fn seal(&self, store: &dyn KeyStore, chance: &mut Chance) -> Result<(String, Record), RecordProblems> {
        let described = |path: &str, name: &str, purpose: Purpose| {
            let opened =
                store.open(name, purpose).map_err(|error| vec![problem(path, error.code(), error.to_string())]);
            let info = store.keys().iter().find(|info| info.name == name);
            opened.and_then(|key| Ok((key, info.ok_or_else(Vec::new)?)))
        };
        let (record_key, info) = described("header.record_key", &self.record_key, Purpose::Record)?;
        let test = info.test;
        let mut transport_keys = Vec::new();
        for name in self.transport_keys() {
            let (_, info) = described("header.transport_keys", name, Purpose::Transport)?;
            if info.test != test {
                let message = format!("of {name:?} and {:?} one is a test key and one is not", self.record_key);
                return Err(vec![problem("header.transport_keys", Code::KeyLive, message)]);
            }
            transport_keys.push(describe(info));
        }
        let header = HeaderFile {
            id: self.id.clone(),
            profile: ProfileFile { name: self.profile.0.clone(), sha256: self.profile.1.clone() },
            record_key: describe(info),
            transport_keys,
            test,
        };
        let text = file(header, &self.body(), &record_key, store, chance)?;
        let record = Record::open(text.as_bytes(), store)?;
        Ok((text, record))
    }

    /// In the order of their first use.
    fn transport_keys(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (_, value) in self.applications.iter().flat_map(|app| &app.groupings) {
            if let DraftValue::Sealed { key, .. } = value
                && !names.contains(&key.as_str())
            {
                names.push(key);
            }
        }
        names
    }

    fn body(&self) -> BodyFile {
        let [track1, track2, track3] = self.tracks.each_ref().map(shown);
        let print = &self.print;
        BodyFile {
            applications: self.applications.iter().map(DraftApplication::file).collect(),
            stripe: StripeFile {
                made: match self.stripe {
                    StripeMade::Here => MadeFile::Here,
                    StripeMade::Elsewhere => MadeFile::Elsewhere,
                    StripeMade::Nowhere => MadeFile::None,
                },
                track1,
                track2,
                track3,
            },
            print: PrintFile {
                pan: shown(&print.pan),
                expiry: print.expiry.clone(),
                effective: print.effective.clone(),
                names: print.names.iter().map(|name| name.expose().clone()).collect(),
                cvv2: shown(&print.cvv2),
                design: print.design.clone(),
                fields: print.fields.iter().map(|(name, value)| (name.clone(), value.expose().clone())).collect(),
            },
            stated: StatedFile::default(),
            cryptogram_key: self.cryptogram_key.clone(),
            foreign_keys: self.foreign_keys,
            sample: self.sample,
            expiry_rule: self.expiry_rule.clone(),
            order_sha256: self.order.map(hex::encode),
        }
    }
}

/// The body's shape wipes what it holds when it goes.
fn shown(text: &Option<Secret<String>>) -> Option<String> {
    text.as_ref().map(|text| text.expose().clone())
}

impl DraftApplication {
    fn file(&self) -> ApplicationFile {
        ApplicationFile {
            aid: hex::encode_upper(&self.aid),
            method: match &self.method {
                Method::Direct => MethodFile::Direct,
                Method::Through(domain) => MethodFile::Through(hex::encode_upper(domain)),
            },
            groupings: self.groupings.iter().map(|(dgi, value)| grouping(*dgi, value)).collect(),
            groups: Vec::new(),
            tolerate: Vec::new(),
            cryptogram_key: self.cryptogram_key.clone(),
        }
    }
}

fn grouping(dgi: u16, value: &DraftValue) -> GroupingFile {
    let (value, sealed) = match value {
        DraftValue::Clear(value) => (Some(hex::encode_upper(value.expose())), None),
        DraftValue::Sealed { key, iv, ciphertext, length } => (
            None,
            Some(SealedFile {
                key: key.clone(),
                iv: Some(hex::encode_upper(iv)),
                length: *length,
                ciphertext: hex::encode_upper(ciphertext),
            }),
        ),
    };
    GroupingFile { dgi: format!("{dgi:04X}"), value, sealed, secret: None }
}
