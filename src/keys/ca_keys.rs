//! Certification authorities' public keys: where a terminal's trust begins. docs/ca-keys.md describes the file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::crypto::RsaPublic;
use crate::base::emv::certificate::{MonthYear, ca_key_hash};
use crate::base::fault::{Code, Fault};

/// Longest modulus in bytes. // EMV B2 §B2.1
const LONGEST: usize = 248;
const EXPONENT: &str = "a CA key's exponent is 03 or 010001";

/// A CA's public key.
#[derive(Clone, PartialEq, Eq)]
pub struct CaKey {
    rid: [u8; 5],
    index: u8,
    key: RsaPublic,
    expiry: Option<MonthYear>,
    test: bool,
}

impl CaKey {
    /// A key of a scheme (by the first five bytes of its AIDs) and index (tag 8F).
    ///
    /// # Errors
    /// What is wrong, in words: a modulus beyond EMV's 248 bytes, an exponent that EMV does not have.
    pub fn new(
        rid: [u8; 5],
        index: u8,
        key: RsaPublic,
        expiry: Option<MonthYear>,
        test: bool,
    ) -> Result<Self, &'static str> {
        if key.length() > LONGEST {
            return Err("a CA key has 248 bytes at most");
        }
        if !is_exponent(key.exponent()) {
            return Err(EXPONENT);
        }
        Ok(Self { rid, index, key, expiry, test })
    }

    /// Registered application provider identifier: the first five bytes of the scheme's AIDs.
    pub fn rid(&self) -> [u8; 5] {
        self.rid
    }

    /// Index, tag 8F.
    pub fn index(&self) -> u8 {
        self.index
    }

    /// The key.
    pub fn key(&self) -> &RsaPublic {
        &self.key
    }

    /// Last month in which it is valid, where that is known.
    pub fn expiry(&self) -> Option<MonthYear> {
        self.expiry
    }

    /// Whether it certifies test cards only.
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// SHA-1 over RID, index, modulus and exponent.
    pub fn hash(&self) -> [u8; 20] {
        ca_key_hash(self.rid, self.index, &self.key)
    }
}

/// The CA keys of a file.
#[derive(Clone, Default)]
pub struct CaKeys(Vec<CaKey>);

/// What is wrong with a file of CA keys.
#[derive(Debug, thiserror::Error)]
pub enum CaKeysError {
    /// Not such a file.
    #[error("it is not a file of CA keys of version 1: {0}")]
    Syntax(String),
    /// Something that a field cannot be.
    #[error("{path}: {why}")]
    Field {
        /// Where, e.g. `keys[2].modulus`.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A key whose hash is another.
    #[error("{path}: the key of RID {rid} with index {index:02X} has the hash {seen}, not {stated}: a digit is wrong")]
    Hash {
        /// Where.
        path: String,
        /// The key's RID.
        rid: String,
        /// The key's index.
        index: u8,
        /// As computed.
        seen: String,
        /// As it stands in the file.
        stated: String,
    },
}

impl Fault for CaKeysError {
    fn code(&self) -> Code {
        Code::CaKeys
    }
}

/// A file of CA keys. All values are public.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaKeysFile {
    /// Version of this format: 1.
    perso_ca_keys: u32,
    /// The keys; RID and index are unique.
    keys: Vec<CaKeyFile>,
}

/// A CA's public key.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CaKeyFile {
    /// Registered application provider identifier, ten hexadecimal digits.
    rid: String,
    /// Index, two hexadecimal digits (tag 8F).
    index: String,
    /// Modulus, hexadecimal.
    modulus: String,
    /// Public exponent, `03` or `010001`.
    exponent: String,
    /// SHA-1 over RID, index, modulus and exponent, as the scheme publishes it.
    hash: String,
    /// Last month in which it is valid, `YYYY-MM`; absent where the scheme states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
    /// Whether it certifies test cards only.
    test: bool,
}

impl CaKeys {
    /// These keys; of two with the same RID and index the first counts.
    pub fn new(keys: Vec<CaKey>) -> Self {
        Self(keys)
    }

    /// Reads a file. Every hash is checked.
    ///
    /// # Errors
    /// The first thing that is wrong, with its path.
    pub fn parse(bytes: &[u8]) -> Result<Self, CaKeysError> {
        let file: CaKeysFile = serde_json::from_slice(bytes).map_err(|error| CaKeysError::Syntax(error.to_string()))?;
        if file.perso_ca_keys != 1 {
            return Err(CaKeysError::Syntax(format!("perso_ca_keys is {}", file.perso_ca_keys)));
        }
        let mut keys: Vec<CaKey> = Vec::new();
        for (at, entry) in file.keys.iter().enumerate() {
            let path = format!("keys[{at}]");
            let key = entry.read(&path)?;
            if keys.iter().any(|other| (other.rid, other.index) == (key.rid, key.index)) {
                return Err(CaKeysError::Field { path, why: "RID and index stand there twice".to_owned() });
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// The file of these keys.
    pub fn to_file(&self) -> CaKeysFile {
        CaKeysFile { perso_ca_keys: 1, keys: self.0.iter().map(CaKeyFile::of).collect() }
    }

    /// The key of a scheme with this index.
    pub fn find(&self, rid: [u8; 5], index: u8) -> Option<&CaKey> {
        self.0.iter().find(|key| (key.rid, key.index) == (rid, index))
    }

    /// All of them.
    pub fn keys(&self) -> &[CaKey] {
        &self.0
    }
}

impl CaKeyFile {
    fn of(key: &CaKey) -> Self {
        Self {
            rid: hex::encode_upper(key.rid),
            index: hex::encode_upper([key.index]),
            modulus: hex::encode_upper(key.key.modulus()),
            exponent: hex::encode_upper(key.key.exponent()),
            hash: hex::encode_upper(key.hash()),
            expiry: key.expiry.map(|expiry| expiry.to_string()),
            test: key.test,
        }
    }

    fn read(&self, path: &str) -> Result<CaKey, CaKeysError> {
        let wrong = |field: &str, why: String| CaKeysError::Field { path: format!("{path}.{field}"), why };
        let bytes = |field: &str, text: &str| hex::decode(text).map_err(|error| wrong(field, error.to_string()));
        let rid = bytes("rid", &self.rid)?.try_into().map_err(|_| wrong("rid", "a RID has 5 bytes".to_owned()))?;
        let index = match bytes("index", &self.index)?.as_slice() {
            [index] => *index,
            _ => return Err(wrong("index", "an index has one byte".to_owned())),
        };
        let (modulus, exponent) = (bytes("modulus", &self.modulus)?, bytes("exponent", &self.exponent)?);
        if !is_exponent(&exponent) {
            return Err(wrong("exponent", EXPONENT.to_owned()));
        }
        let key = RsaPublic::new(&modulus, &exponent).map_err(|error| wrong("modulus", error.to_string()))?;
        let expiry = self.expiry.as_deref().map(|text| {
            text.parse().map_err(|()| wrong("expiry", format!("{text:?} is no month YYYY-MM of 1950 to 2049")))
        });
        let key = CaKey::new(rid, index, key, expiry.transpose()?, self.test)
            .map_err(|why| wrong("modulus", why.to_owned()))?;
        if bytes("hash", &self.hash)? != key.hash() {
            return Err(CaKeysError::Hash {
                path: format!("{path}.hash"),
                rid: hex::encode_upper(rid),
                index,
                seen: hex::encode_upper(key.hash()),
                stated: self.hash.to_ascii_uppercase(),
            });
        }
        Ok(key)
    }
}

/// Whether EMV lets a CA key have this exponent. // EMV Book 2 §11.1
fn is_exponent(exponent: &[u8]) -> bool {
    matches!(exponent, [3] | [1, 0, 1])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../tests/samples/ca-keys.test.json");

    fn refused(text: &str) -> String {
        let error = CaKeys::parse(text.as_bytes()).err().unwrap();
        assert_eq!(error.code(), Code::CaKeys);
        error.to_string()
    }

    #[test]
    fn the_sample_is_read_and_written_again() {
        let keys = CaKeys::parse(SAMPLE.as_bytes()).unwrap();
        assert!(keys.keys().len() >= 3 && keys.keys().iter().all(CaKey::is_test));
        let visa = keys.find([0xA0, 0, 0, 0, 0x03], 0x92).unwrap();
        assert_eq!(hex::encode_upper(visa.hash()), "429C954A3859CEF91295F663C963E582ED6EB253");
        assert!(keys.find([0xA0, 0, 0, 0, 0x03], 0x93).is_none());
        assert_eq!(serde_json::to_string_pretty(&keys.to_file()).unwrap() + "\n", SAMPLE);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (from, to, says) in [
            ("\"perso_ca_keys\": 1", "\"perso_ca_keys\": 2", "perso_ca_keys is 2"),
            ("\"test\": true", "\"tset\": true", "unknown field"),
            ("\"index\": \"92\"", "\"index\": \"9\"", "keys[0].index: Odd number"),
            ("\"index\": \"92\"", "\"index\": \"9200\"", "keys[0].index: an index has one byte"),
            ("\"index\": \"92\"", "\"index\": \"93\"", "keys[0].hash: the key of RID A000000003 with index 93 has"),
            ("\"rid\": \"A000000003\"", "\"rid\": \"A0000000\"", "keys[0].rid: a RID has 5 bytes"),
            ("\"modulus\": \"99", "\"modulus\": \"98", "keys[0].hash: "),
            ("\"modulus\": \"99", "\"modulus\": \"00", "keys[0].modulus: a modulus has"),
            ("\"exponent\": \"03\"", "\"exponent\": \"05\"", "keys[0].exponent: a CA key's exponent"),
            ("\"exponent\": \"03\"", "\"exponent\": \"02\"", "keys[0].exponent: a CA key's exponent"),
            ("\"hash\": \"429C", "\"hash\": \"429G", "keys[0].hash: Invalid character"),
            ("\"hash\": \"429C", "\"expiry\": \"2050-01\", \"hash\": \"429C", "keys[0].expiry: \"2050-01\" is no"),
            ("\"hash\": \"429C", "\"expiry\": \"+202-01\", \"hash\": \"429C", "keys[0].expiry"),
        ] {
            let text = SAMPLE.replacen(from, to, 1);
            assert_ne!(text, SAMPLE, "{from}");
            let said = refused(&text);
            assert!(said.contains(says), "{to}: {said}");
        }
        let twice = SAMPLE.replacen(
            "    {",
            &format!(
                "{},\n    {{",
                SAMPLE.split("\n    }").next().unwrap().split_once("[\n").unwrap().1.to_owned() + "\n    }"
            ),
            1,
        );
        assert!(refused(&twice).contains("keys[1]: RID and index stand there twice"));
        let long = SAMPLE.replacen("\"modulus\": \"99", &format!("\"modulus\": \"99{}", "99".repeat(100)), 1);
        assert!(refused(&long).contains("248 bytes at most"));
    }
}
