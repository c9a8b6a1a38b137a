//! The keys of a key file while it is changed.

use std::collections::HashSet;

use super::tr31::{self, ArrivedKey, Tr31Error};
use super::{Algorithm, Kcv, KeyError, KeyHeader, KeyInfo, Purpose, SoftwareStore, Weakness, weak};
use crate::base::crypto::KcvMethod;
use crate::base::{Secret, Warning};

/// Longest name of a key.
const LONGEST_NAME: usize = 64;

/// Of record keys, and live data keys.
const NO_AES_ZERO: &str = "record keys and live data keys have no check value by aes-zero: it gives away bytes of their \
    GHASH key; use cmac";

/// Which field of a key is wrong, and why.
pub(super) type Wrong = (&'static str, &'static str);

/// The keys of a file, open for change.
#[derive(Default)]
pub struct Unsealed {
    keys: Vec<(KeyInfo, Secret<Vec<u8>>)>,
    names: HashSet<String>,
}

/// What is told of a key that is added.
#[derive(Clone)]
pub struct NewKey {
    /// Unique in the file.
    pub name: String,
    /// Whose key it is, or between whom.
    pub zone: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Version, 0 to 255.
    pub version: u8,
    /// Of a KMC: the KMCID of its cards.
    pub kmcid: Option<[u8; 6]>,
    /// How its check value is made; [`Algorithm::check_value`] where nothing is said.
    pub kcv_method: Option<KcvMethod>,
    /// The check value that it must have, where one is known.
    pub expected: Option<Vec<u8>>,
    /// Whether it is a test key.
    pub test: bool,
}

impl Unsealed {
    /// What may be told of its keys.
    pub fn infos(&self) -> impl Iterator<Item = &KeyInfo> {
        self.keys.iter().map(|(info, _)| info)
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (&KeyInfo, &Secret<Vec<u8>>)> {
        self.keys.iter().map(|(info, value)| (info, value))
    }

    /// Whether these are the same keys, in the same order.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.keys.len() == other.keys.len()
            && self
                .each()
                .zip(other.each())
                .all(|((info, value), (meant, other))| info == meant && value.equals(other.expose()))
    }

    /// Removes a key.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] if there is none of this name.
    pub fn remove(&mut self, name: &str) -> Result<(), KeyError> {
        let at = self.infos().position(|info| info.name == name);
        let at = at.ok_or_else(|| KeyError::unknown(name, self.infos()))?;
        self.keys.remove(at);
        self.names.remove(name);
        Ok(())
    }

    /// A store of these keys.
    pub fn into_store(self) -> SoftwareStore {
        SoftwareStore::new(self.keys)
    }

    /// Its weak keys.
    pub fn warnings(&self) -> Vec<Warning> {
        let weak = |(info, value)| weak::of(info, value).and_then(|weakness| weak::warning(info, weakness));
        self.each().filter_map(weak).collect()
    }

    /// A store of the same keys, to use some while others are added.
    pub fn to_store(&self) -> SoftwareStore {
        let copy = |(info, value): (&KeyInfo, &Secret<Vec<u8>>)| (info.clone(), Secret::new(value.expose().clone()));
        SoftwareStore::new(self.each().map(copy).collect())
    }

    /// Adds a key by its value: as it is, or PKCS#8 of a key pair. Its check value is computed.
    ///
    /// # Errors
    /// [`KeyError::Refused`] by the field that is wrong, [`KeyError::Value`] where the value is no such key,
    /// [`KeyError::Kcv`] where another check value was expected.
    pub fn add(&mut self, new: &NewKey, algorithm: Algorithm, value: Secret<Vec<u8>>) -> Result<&KeyInfo, KeyError> {
        self.add_with(new, algorithm, value, None)
    }

    fn add_with(
        &mut self,
        new: &NewKey,
        algorithm: Algorithm,
        value: Secret<Vec<u8>>,
        header: Option<KeyHeader>,
    ) -> Result<&KeyInfo, KeyError> {
        let refused = |(field, why)| KeyError::Refused { name: new.name.clone(), field, why };
        let (method, length) = match new.kcv_method {
            None => algorithm.check_value(),
            Some(method) => (method, if method == KcvMethod::Cmac { 5 } else { algorithm.check_value().1 }),
        };
        let length = new.expected.as_ref().map_or(length, Vec::len);
        let mut info = KeyInfo {
            name: new.name.clone(),
            zone: new.zone.clone(),
            purpose: new.purpose,
            version: new.version,
            algorithm,
            // Not known yet; whatever has the right length passes the checks of form.
            kcv: Kcv { method, value: vec![0; length] },
            test: new.test,
            kmcid: new.kmcid,
            header,
        };
        self.check(&info, &value).map_err(refused)?;
        match weak::of(&info, &value) {
            Some(Weakness::GhashKey) => return Err(refused(("kcv_method", NO_AES_ZERO))),
            weakness => weak::refuse_live(&info, weakness)?,
        }
        let alone = SoftwareStore::new(vec![(info.clone(), Secret::new(value.expose().clone()))]);
        alone.test_whole(&info)?;
        info.kcv.value = alone.check_value(&info)?;
        match &new.expected {
            Some(expected) if *expected != info.kcv.value => {
                let stated = Kcv { method, value: expected.clone() };
                return Err(KeyError::Kcv { name: new.name.clone(), stated, seen: info.kcv });
            }
            _ => {}
        }
        self.push(info, value).map_err(refused)?;
        self.infos().last().ok_or_else(|| KeyError::Unknown(new.name.clone().into()))
    }

    /// Adds a key that has come in a key block.
    ///
    /// # Errors
    /// As [`Unsealed::add`], and [`KeyError::Tr31`] if its usage does not allow the purpose, or its KBPK is weaker than
    /// the key and that is not accepted.
    pub fn add_arrived(
        &mut self,
        new: &NewKey,
        arrived: ArrivedKey,
        accept_weak_kbpk: bool,
    ) -> Result<&KeyInfo, KeyError> {
        let algorithm = arrived.algorithm()?;
        arrived.purpose(Some(new.purpose))?;
        if arrived.has_weak_kbpk() && !accept_weak_kbpk {
            return Err(Tr31Error::WeakKbpk.into());
        }
        let header = arrived.header().kept();
        let new = NewKey { test: arrived.is_test(), ..new.clone() };
        let value = arrived.into_value().ok_or_else(|| KeyError::Value { name: new.name.clone() })?;
        self.add_with(&new, algorithm, value, Some(header))
    }

    /// Adds a key with all that is told of it. Its check value is not compared.
    pub(super) fn push(&mut self, info: KeyInfo, value: Secret<Vec<u8>>) -> Result<(), Wrong> {
        self.check(&info, &value)?;
        self.names.insert(info.name.clone());
        self.keys.push((info, value));
        Ok(())
    }

    fn check(&self, info: &KeyInfo, value: &Secret<Vec<u8>>) -> Result<(), Wrong> {
        let good = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
        if info.name.is_empty() || info.name.len() > LONGEST_NAME || !info.name.chars().all(good) {
            return Err(("name", "a name has 1 to 64 letters, digits and - . _ /"));
        }
        if self.names.contains(&info.name) {
            return Err(("name", "duplicate name"));
        }
        if !(3..=8).contains(&info.kcv.value.len()) {
            return Err(("kcv", "3 to 8 bytes in hexadecimal"));
        }
        if info.algorithm.cipher().is_some() && value.len() != info.algorithm.key_length() {
            return Err(("value", "it has not the length of the algorithm"));
        }
        if !info.algorithm.has_check_value(info.kcv.method) {
            return Err(("kcv_method", "the algorithm has no such check value"));
        }
        if !info.purpose.takes(info.algorithm) {
            return Err(("algorithm", "no key of this purpose is of this algorithm (docs/keys.md)"));
        }
        if info.kmcid.is_some() && info.purpose != Purpose::Kmc {
            return Err(("kmcid", "only a kmc has one"));
        }
        if let Some(header) = &info.header {
            if !header.is_well_formed() {
                return Err(("header", "it is not the header of a key block"));
            }
            if !tr31::purposes(&header.usage).contains(&info.purpose) {
                return Err(("header", "its key usage is not one of the purpose (docs/keys.md)"));
            }
        }
        // All that are in it agree.
        if self.infos().next().is_some_and(|other| other.test != info.test) {
            return Err(("test", "a file holds test keys or live keys, never both"));
        }
        Ok(())
    }
}
