//! A test CA: certifies issuers' keys for cards of a laboratory. Its keys are marked, and no terminal outside trusts them.
//! docs/ca-keys.md describes its file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::ca_keys::{CaKey, CaKeys};
use super::file::MARK;
use crate::base::crypto::{RsaError, RsaPrivate, RsaPublic};
use crate::base::emv::certificate::{IssueError, Issued, MonthYear, Subject, sign_issuer};
use crate::base::fault::{Code, Fault};
use crate::base::{Chance, Secret};

/// A CA for tests.
pub struct TestCa {
    rid: [u8; 5],
    index: u8,
    expiry: MonthYear,
    key: RsaPrivate,
}

/// Why a test CA did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TestCaError {
    /// Not a file of a test CA. The parser's words are not passed on: they might quote the key.
    #[error("it is not a file of a test CA of version 1 (line {line}, column {column})")]
    Syntax {
        /// Line of the first fault.
        line: usize,
        /// Column of the first fault.
        column: usize,
    },
    /// The file does not say that it is for tests.
    #[error("the file of a test CA must say \"test_keys\": {MARK:?}")]
    Unmarked,
    /// Something that a field cannot be.
    #[error("{field}: {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A certificate that would be valid longer than the key that it rests on.
    #[error("the certificate would be valid to {certificate}, the CA's key is to {ca}")]
    Outlives {
        /// Last month of the certificate.
        certificate: MonthYear,
        /// Last month of the CA's key.
        ca: MonthYear,
    },
    /// The key cannot be made, or is none.
    #[error("the key of the test CA: {0}")]
    Key(#[from] RsaError),
    /// The certificate cannot be made.
    #[error("{0}")]
    Issue(#[from] IssueError<RsaError>),
}

impl Fault for TestCaError {
    fn code(&self) -> Code {
        match self {
            TestCaError::Issue(IssueError::Signer(_) | IssueError::Unfit(_)) => Code::ProgramFault,
            TestCaError::Key(RsaError::Chance(_) | RsaError::Stuck(_) | RsaError::Library(_)) => Code::ProgramFault,
            TestCaError::Issue(_) | TestCaError::Outlives { .. } => Code::OperatorInput,
            _ => Code::CaKeys,
        }
    }
}

/// The file of a test CA.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCaFile {
    /// Version of this format: 1.
    perso_test_ca: u32,
    /// The mark of test keys, word for word.
    test_keys: String,
    /// Registered application provider identifier, ten hexadecimal digits.
    rid: String,
    /// Index, two hexadecimal digits (tag 8F).
    index: String,
    /// Last month in which the key is valid, `YYYY-MM`.
    expiry: String,
    /// Public exponent, `03` or `010001`.
    exponent: String,
    /// The first prime, hexadecimal.
    p: String,
    /// The second prime, hexadecimal.
    q: String,
}

impl Drop for TestCaFile {
    fn drop(&mut self) {
        self.p.zeroize();
        self.q.zeroize();
    }
}

impl TestCa {
    /// Makes a CA with a new key of so many bits (1984 at most; schemes have 1408 and 1984) and exponent 3.
    ///
    /// # Errors
    /// [`TestCaError::Key`], [`TestCaError::Field`].
    pub fn generate(
        rid: [u8; 5],
        index: u8,
        expiry: MonthYear,
        bits: usize,
        chance: &mut Chance,
    ) -> Result<Self, TestCaError> {
        Self::new(rid, index, expiry, RsaPrivate::generate(bits, 3, chance)?)
    }

    fn new(rid: [u8; 5], index: u8, expiry: MonthYear, key: RsaPrivate) -> Result<Self, TestCaError> {
        let ca = Self { rid, index, expiry, key };
        ca.checked().map_err(|why| TestCaError::Field { field: "p, q", why: why.to_owned() })?;
        Ok(ca)
    }

    /// Its public key as a terminal of the laboratory takes it.
    ///
    /// # Errors
    /// Never for a CA that was made here: its key was checked then.
    fn checked(&self) -> Result<CaKey, &'static str> {
        CaKey::new(self.rid, self.index, self.key.public().clone(), Some(self.expiry), true)
    }

    /// Its public key, marked as a test key, as a file of CA keys holds it.
    pub fn ca_keys(&self) -> CaKeys {
        CaKeys::new(self.checked().into_iter().collect())
    }

    /// Certifies an issuer's key. `issuer_id` is the first 3 to 8 digits of the PANs, filled with F.
    ///
    /// # Errors
    /// [`TestCaError::Issue`], [`TestCaError::Outlives`].
    pub fn certify(&self, issuer_id: [u8; 4], subject: Subject, key: &RsaPublic) -> Result<Issued, TestCaError> {
        if subject.expiry > self.expiry {
            return Err(TestCaError::Outlives { certificate: subject.expiry, ca: self.expiry });
        }
        Ok(sign_issuer(self.key.public(), issuer_id, subject, key, |block| self.key.raw(block))?)
    }

    /// Reads its file.
    ///
    /// # Errors
    /// The first thing that is wrong; no text of the file is quoted.
    pub fn parse(bytes: &[u8]) -> Result<Self, TestCaError> {
        let file: TestCaFile = serde_json::from_slice(bytes)
            .map_err(|error| TestCaError::Syntax { line: error.line(), column: error.column() })?;
        if file.perso_test_ca != 1 {
            return Err(TestCaError::Syntax { line: 1, column: 1 });
        }
        if file.test_keys != MARK {
            return Err(TestCaError::Unmarked);
        }
        let wrong = |field, why: &str| TestCaError::Field { field, why: why.to_owned() };
        let bytes = |field, text: &str| hex::decode(text).map_err(|_| wrong(field, "it is not hexadecimal"));
        let rid = bytes("rid", &file.rid)?.try_into().map_err(|_| wrong("rid", "a RID has 5 bytes"))?;
        let &[index] = bytes("index", &file.index)?.as_slice() else {
            return Err(wrong("index", "an index has one byte"));
        };
        let expiry = file.expiry.parse().map_err(|()| wrong("expiry", "it is no month YYYY-MM"))?;
        let prime = |field, text: &str| bytes(field, text).map(Secret::new);
        let (p, q) = (prime("p", &file.p)?, prime("q", &file.q)?);
        Self::new(rid, index, expiry, RsaPrivate::from_primes(&p, &q, &bytes("exponent", &file.exponent)?)?)
    }

    /// The text of its file. It holds the private key, in the clear: of tests only.
    ///
    /// # Errors
    /// [`TestCaError::Key`].
    pub fn to_text(&self) -> Result<Secret<String>, TestCaError> {
        let file = TestCaFile {
            perso_test_ca: 1,
            test_keys: MARK.to_owned(),
            rid: hex::encode_upper(self.rid),
            index: hex::encode_upper([self.index]),
            expiry: self.expiry.to_string(),
            exponent: hex::encode_upper(self.key.public().exponent()),
            p: hex::encode_upper(self.key.p()?.expose()),
            q: hex::encode_upper(self.key.q()?.expose()),
        };
        let text = serde_json::to_string_pretty(&file);
        Ok(Secret::new(text.map_err(|_| TestCaError::Syntax { line: 0, column: 0 })? + "\n"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::base::crypto::sha256;
    use crate::base::emv::certificate::open_issuer;

    fn chance(seed: u8) -> Chance {
        let mut count = 0u32;
        Chance::new(move |buffer| {
            for piece in buffer.chunks_mut(32) {
                count += 1;
                piece.copy_from_slice(&sha256(&[&[seed], count.to_be_bytes().as_slice()].concat())[..piece.len()]);
            }
            Ok(())
        })
    }

    fn month(year: u16) -> MonthYear {
        MonthYear::new(year, 12).unwrap()
    }

    const RID: [u8; 5] = [0xA0, 0, 0, 0x09, 0x99];
    const ISSUER: [u8; 4] = [0x41, 0x23, 0x45, 0xFF];

    fn ca() -> TestCa {
        TestCa::generate(RID, 0xF1, month(2031), 1152, &mut chance(1)).unwrap()
    }

    #[test]
    fn it_certifies_issuers_and_survives_its_file() {
        let issuer = RsaPrivate::generate(1024, 3, &mut chance(2)).unwrap();
        let subject = Subject { expiry: month(2030), serial: [1, 2, 3] };
        let ca = ca();
        let text = ca.to_text().unwrap();
        let again = TestCa::parse(text.expose().as_bytes()).unwrap();
        let made = again.certify(ISSUER, subject, issuer.public()).unwrap();
        assert_eq!(made, ca.certify(ISSUER, subject, issuer.public()).unwrap());
        let keys = ca.ca_keys();
        let public = keys.find(RID, 0xF1).unwrap();
        assert!(public.is_test() && public.expiry() == Some(month(2031)));
        let opened = open_issuer(public.key(), &made.certificate, &made.remainder, &made.exponent).unwrap();
        assert_eq!((&opened.key, opened.serial, opened.issuer_id), (issuer.public(), [1, 2, 3], ISSUER));
        assert!(
            !serde_json::to_string(&keys.to_file()).unwrap().contains(&hex::encode_upper(ca.key.p().unwrap().expose()))
        );
    }

    #[test]
    fn what_it_does_not_do_is_said() {
        let ca = ca();
        let issuer = RsaPrivate::generate(1408, 3, &mut chance(2)).unwrap();
        let certify = |year, key: &RsaPublic| {
            let subject = Subject { expiry: month(year), serial: [0; 3] };
            ca.certify(ISSUER, subject, key).unwrap_err()
        };
        let outlives = TestCaError::Outlives { certificate: month(2032), ca: month(2031) };
        assert_eq!(certify(2032, ca.key.public()).to_string(), outlives.to_string());
        let longer = certify(2030, issuer.public());
        assert!(matches!(&longer, TestCaError::Issue(IssueError::Longer { subject: 176, signer: 144 })));
        assert_eq!(longer.code(), Code::OperatorInput);
        let none = TestCa::generate(RID, 0, month(2030), 1024, &mut Chance::fixed(vec![])).err().unwrap();
        assert_eq!(none.code(), Code::ProgramFault);
        let long = TestCa::generate(RID, 0, month(2030), 2048, &mut chance(1)).err().unwrap();
        assert_eq!(long.to_string(), "p, q: a CA key has 248 bytes at most");
    }

    #[test]
    fn a_broken_file_is_refused_without_quoting_it() {
        let text = ca().to_text().unwrap();
        let prime = hex::encode_upper(ca().key.p().unwrap().expose());
        for (from, to, says) in [
            ("\"perso_test_ca\": 1", "\"perso_test_ca\": 2", "not a file of a test CA of version 1"),
            ("\"p\"", "\"P\"", "(line 8, column 5)"),
            ("TEST KEYS", "KEYS", "must say"),
            ("A000000999", "A0000009", "rid: a RID has 5 bytes"),
            ("\"F1\"", "\"F\"", "index: it is not hexadecimal"),
            ("\"F1\"", "\"F1F1\"", "index: an index has one byte"),
            ("2031-12", "2031-13", "expiry: it is no month YYYY-MM"),
            ("\"03\"", "\"05\"", "p, q: a CA key's exponent"),
            (prime.as_str(), &prime.replacen(&prime[..2], "FF", 1), "the factors are not two different primes"),
            (prime.as_str(), "00", "the key of the test CA"),
        ] {
            let spoiled = text.expose().replacen(from, to, 1);
            assert_ne!(&spoiled, text.expose(), "{from}");
            let error = TestCa::parse(spoiled.as_bytes()).err().unwrap();
            assert!(error.to_string().contains(says), "{to}: {error}");
            assert!(!error.to_string().contains(&prime[8..24]));
            assert_eq!(error.code(), Code::CaKeys);
        }
    }
}
