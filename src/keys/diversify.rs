//! From a master key to a card's keys.

use crate::base::crypto::{Cipher, KcvMethod};

use super::{Derivation, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose};

/// A card's static keys, in custody.
#[derive(Debug)]
pub struct CardKeys {
    /// K-ENC.
    pub enc: KeyHandle,
    /// K-MAC.
    pub mac: KeyHandle,
    /// K-DEK.
    pub dek: KeyHandle,
}

impl CardKeys {
    /// The check values of ENC, MAC and DEK as GlobalPlatform makes them, three bytes each. // GPC 2.3.1 §B.6, GPC-D §4.1.4
    ///
    /// # Errors
    /// Keys of another store.
    pub fn check_values(&self, store: &dyn KeyStore) -> Result<[Vec<u8>; 3], KeyError> {
        let one = |key: &KeyHandle| {
            let method = match key.algorithm().cipher() {
                Some(Cipher::Tdes) => KcvMethod::DesZero,
                _ => KcvMethod::AesOnes,
            };
            store.kcv(key, method, 3)
        };
        Ok([one(&self.enc)?, one(&self.mac)?, one(&self.dek)?])
    }
}

/// How card keys come from a master key and the card's key diversification data (KDD).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Diversification {
    /// The master key is all three keys: test cards.
    None,
    /// EMV CPS: triple DES over six bytes of the KDD from `offset` on (4 with nearly every card). // CPS 1.1 §4.1.2
    EmvCps {
        /// First of the six bytes, 0 to 4.
        offset: usize,
    },
    /// VISA2: triple DES over bytes 0-1 and 4-7 of the KDD.
    Visa2,
    /// VISA, as some tools name it: triple DES over bytes 0-3 and 8-9 of the KDD.
    Visa1,
    /// KDF3: SP 800-108 with AES-CMAC over the KDD.
    Kdf3,
}

impl Diversification {
    /// All of them, EMV CPS with every offset.
    pub const ALL: [Diversification; 9] = [
        Diversification::None,
        Diversification::EmvCps { offset: 0 },
        Diversification::EmvCps { offset: 1 },
        Diversification::EmvCps { offset: 2 },
        Diversification::EmvCps { offset: 3 },
        Diversification::EmvCps { offset: 4 },
        Diversification::Visa1,
        Diversification::Visa2,
        Diversification::Kdf3,
    ];

    /// As it is written on command lines and in reports; an offset follows `emv-cps:`.
    pub fn name(self) -> String {
        match self {
            Diversification::None => "none".into(),
            Diversification::EmvCps { offset } => format!("emv-cps:{offset}"),
            Diversification::Visa1 => "visa1".into(),
            Diversification::Visa2 => "visa2".into(),
            Diversification::Kdf3 => "kdf3".into(),
        }
    }

    /// The method of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Whether keys of this cipher can be diversified so.
    pub fn suits(self, cipher: Cipher) -> bool {
        match self {
            Diversification::None => true,
            Diversification::Kdf3 => cipher == Cipher::Aes,
            _ => cipher == Cipher::Tdes,
        }
    }
}

/// Diversifies a master key.
///
/// # Errors
/// The master key's cipher is not the method's.
pub fn card_keys(
    store: &dyn KeyStore,
    master: &KeyHandle,
    method: &Diversification,
    kdd: &[u8; 10],
) -> Result<CardKeys, KeyError> {
    card_keys_by(store, master, method, kdd, false)
}

/// As [`card_keys`], of a test key: [`KeyStore::expose_test_key`] shows them, also from a token.
///
/// # Errors
/// As [`card_keys`], and [`KeyError::Live`].
pub fn card_keys_to_show(
    store: &dyn KeyStore,
    master: &KeyHandle,
    method: &Diversification,
    kdd: &[u8; 10],
) -> Result<CardKeys, KeyError> {
    if !master.is_test() {
        return Err(KeyError::Live(master.name().to_owned()));
    }
    card_keys_by(store, master, method, kdd, true)
}

fn card_keys_by(
    store: &dyn KeyStore,
    master: &KeyHandle,
    method: &Diversification,
    kdd: &[u8; 10],
    to_show: bool,
) -> Result<CardKeys, KeyError> {
    let derive = |how: &Derivation<'_>| match to_show {
        true => store.derive_to_seal(master, how),
        false => store.derive(master, how),
    };
    let key = |number: u8| match method {
        Diversification::None => store.duplicate(master),
        Diversification::EmvCps { offset } => {
            let six: Vec<u8> = kdd.iter().skip((*offset).min(4)).take(6).copied().collect();
            derive(&Derivation::Ecb(&two_halves(&six, number)))
        }
        Diversification::Visa2 => {
            let six: Vec<u8> = kdd.iter().take(2).chain(kdd.iter().skip(4).take(4)).copied().collect();
            derive(&Derivation::Ecb(&two_halves(&six, number)))
        }
        Diversification::Visa1 => {
            let six: Vec<u8> = kdd.iter().take(4).chain(kdd.iter().skip(8).take(2)).copied().collect();
            derive(&Derivation::Ecb(&two_halves(&six, number)))
        }
        Diversification::Kdf3 => {
            let length = master.algorithm().key_length();
            let message = |block: usize| [&[block as u8, 0, 0, 0, number, 0], kdd.as_slice()].concat();
            let messages: Vec<Vec<u8>> = (1..=length.div_ceil(16)).map(message).collect();
            derive(&Derivation::Cmac { messages: &messages, length })
        }
    };
    Ok(CardKeys { enc: key(1)?, mac: key(2)?, dek: key(3)? })
}

/// The left half is marked F0, the right half 0F.
fn two_halves(six: &[u8], number: u8) -> Vec<u8> {
    [six, &[0xF0, number], six, &[0x0F, number]].concat()
}

/// Whether a key is a master key for cards with this KDD and key version.
pub fn is_chosen(info: &KeyInfo, method: Diversification, kdd: &[u8; 10], kvn: u8) -> bool {
    let for_stock = method == Diversification::None || info.kmcid.is_none_or(|kmcid| kdd.starts_with(&kmcid));
    info.purpose == Purpose::Kmc && info.version == kvn && for_stock
}

/// The one master key among `names` that is for cards with this KMCID (the KDD's first six bytes) and key version.
/// Without diversification the KDD says nothing of the key, and the KMCID is ignored.
///
/// # Errors
/// [`KeyError::NoMatch`] where none is, or more than one.
pub fn select_kmc(
    store: &dyn KeyStore,
    names: &[String],
    method: Diversification,
    kdd: &[u8; 10],
    kvn: u8,
) -> Result<KeyHandle, KeyError> {
    let fits = |info: &&KeyInfo| names.contains(&info.name) && is_chosen(info, method, kdd, kvn);
    let mut matching = store.keys().iter().filter(fits);
    match (matching.next(), matching.next()) {
        (Some(only), None) => store.open(&only.name, Purpose::Kmc),
        (first, _) => Err(KeyError::NoMatch {
            how_many: if first.is_none() { "none" } else { "more than one" },
            kmcid: hex::encode_upper(kdd.iter().take(6).copied().collect::<Vec<_>>()),
            kvn,
            names: names.join(", "),
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::base::crypto::KcvMethod;
    use crate::keys::{Algorithm, Kcv, SoftwareStore};

    #[test]
    fn kmcid_is_ignored_without_diversification_only() {
        let info = KeyInfo {
            name: "master".into(),
            zone: String::new(),
            purpose: Purpose::Kmc,
            version: 1,
            algorithm: Algorithm::Tdes2,
            kcv: Kcv { method: KcvMethod::DesZero, value: vec![0x8B, 0xAF, 0x47] },
            test: true,
            kmcid: Some([1, 2, 3, 4, 5, 6]),
            header: None,
        };
        let store = SoftwareStore::new(vec![(info, Secret::from_hex("404142434445464748494A4B4C4D4E4F").unwrap())]);
        let names = ["master".to_owned()];
        let (its, other) = ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [9, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        for method in Diversification::ALL {
            let chosen = |kdd, kvn| select_kmc(&store, &names, method, kdd, kvn).is_ok();
            assert!(chosen(&its, 1), "{}", method.name());
            assert_eq!(chosen(&other, 1), method == Diversification::None, "{}", method.name());
            assert!(!chosen(&its, 2), "{}: the version counts always", method.name());
        }
    }
}
