//! Usages and mechanisms that a key has in a token, by its purpose: one table. docs/keys.md shows the same.

use cryptoki::mechanism::MechanismType;

use crate::base::crypto::Cipher;
use crate::keys::pkcs11_derive::{AES_ECB_ENCRYPT_DATA, DES3_CBC_ENCRYPT_DATA, DES3_ECB_ENCRYPT_DATA, mechanism_type};
use crate::keys::{Algorithm, Purpose};

/// A usage that a purpose needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// Enciphers in ECB and CBC mode. Every symmetric key has it: check values and CMAC are computed so.
    Encrypt,
    /// Deciphers in ECB and CBC mode; of RSA keys the raw operation.
    Decrypt,
    /// AES-GCM.
    Gcm,
    /// Derives keys by ECB encryption; of EC keys by ECDH.
    Derive,
    /// Derives keys by CBC encryption.
    DeriveCbc,
    /// Unwraps keys in ECB and CBC mode, if the token offers that.
    Unwrap,
    /// ISO 9797-1 algorithm 3: the token's own mechanism, else a companion key.
    Mac,
    /// The raw RSA operation of a signature.
    Sign,
}

use Usage::{Decrypt, Derive, DeriveCbc, Encrypt, Gcm, Mac, Sign, Unwrap};

/// Purpose, usages of its key, usages of a key that is derived from it.
pub(super) const TABLE: [(Purpose, &[Usage], &[Usage]); 19] = [
    (Purpose::Kmc, &[Encrypt, Derive, DeriveCbc], &[Encrypt, Derive, DeriveCbc]),
    (Purpose::Record, &[Encrypt, Decrypt, Gcm], &[]),
    (Purpose::Transport, &[Encrypt, Decrypt], &[]),
    (Purpose::Kek, &[Encrypt, Decrypt, Unwrap], &[]),
    (Purpose::Kbpk, &[Encrypt, Derive], &[Encrypt, Decrypt]),
    (Purpose::Zpk, &[Encrypt, Decrypt], &[]),
    (Purpose::ImkAc, &[Encrypt, Derive], &[Encrypt, Derive, Mac]),
    (Purpose::ImkSmc, &[Encrypt, Derive], &[Encrypt, Derive]),
    (Purpose::ImkSmi, &[Encrypt, Derive], &[Encrypt, Derive, Mac]),
    (Purpose::ImkDac, &[Encrypt, Derive], &[Encrypt]),
    (Purpose::ImkIdn, &[Encrypt, Derive], &[Encrypt]),
    (Purpose::ImkCvc, &[Encrypt, Derive], &[Encrypt, Mac]),
    (Purpose::Cvk, &[Encrypt, Mac], &[]),
    (Purpose::Pvk3624, &[Encrypt], &[]),
    (Purpose::Pvk, &[Encrypt], &[]),
    (Purpose::Mac, &[Encrypt, Mac], &[]),
    (Purpose::Data, &[Encrypt, Decrypt], &[]),
    (Purpose::IssuerRsa, &[Sign], &[]),
    (Purpose::Jwe, &[Decrypt, Derive], &[]),
];

/// The usages of a key: of its own, or of one that is derived from a key of this purpose.
pub(super) fn of(purpose: Purpose, algorithm: Algorithm, derived: bool) -> Vec<Usage> {
    let row = TABLE.iter().find(|(of, ..)| *of == purpose);
    let usages = row.map_or(&[][..], |(_, own, of_derived)| match (derived, of_derived) {
        (false, _) => own,
        // A card's key that was in a record: its check value.
        (true, []) => &[Encrypt],
        (true, usages) => usages,
    });
    let fits = |usage: &&Usage| match algorithm {
        Algorithm::Rsa => matches!(usage, Sign | Decrypt),
        Algorithm::P256 => **usage == Derive,
        // Algorithm 3 exists for two-key triple DES only.
        _ => **usage != Mac || algorithm == Algorithm::Tdes2,
    };
    usages.iter().filter(fits).copied().collect()
}

/// The mechanisms that these usages are made of.
pub(super) fn mechanisms(algorithm: Algorithm, usages: &[Usage]) -> Vec<MechanismType> {
    let mut all = Vec::new();
    for usage in usages {
        all.extend(match (algorithm.cipher(), usage) {
            (Some(Cipher::Tdes), Encrypt | Decrypt | Unwrap) => vec![MechanismType::DES3_ECB, MechanismType::DES3_CBC],
            (Some(Cipher::Aes), Encrypt | Decrypt | Unwrap) => vec![MechanismType::AES_ECB, MechanismType::AES_CBC],
            (Some(Cipher::Aes), Gcm) => vec![MechanismType::AES_GCM],
            (Some(Cipher::Tdes), Derive) => vec![mechanism_type(DES3_ECB_ENCRYPT_DATA)],
            (Some(Cipher::Tdes), DeriveCbc) => vec![mechanism_type(DES3_CBC_ENCRYPT_DATA)],
            (Some(Cipher::Aes), Derive) => vec![mechanism_type(AES_ECB_ENCRYPT_DATA)],
            (Some(Cipher::Aes), DeriveCbc) => vec![MechanismType::AES_CBC_ENCRYPT_DATA],
            (None, Sign | Decrypt) => vec![MechanismType::RSA_X_509],
            (None, Derive) => vec![MechanismType::ECDH1_DERIVE],
            _ => Vec::new(),
        });
    }
    let mut seen: Vec<MechanismType> = Vec::new();
    all.into_iter().for_each(|mechanism| {
        if !seen.contains(&mechanism) {
            seen.push(mechanism)
        }
    });
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purpose_has_a_row_and_every_symmetric_key_has_check_values() {
        for purpose in Purpose::ALL {
            assert_eq!(TABLE.iter().filter(|(of, ..)| *of == purpose).count(), 1, "{purpose}");
            for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| purpose.takes(*algorithm)) {
                let usages = of(purpose, algorithm, false);
                assert!(!usages.is_empty(), "{purpose} {algorithm}");
                assert_eq!(usages.contains(&Encrypt), algorithm.cipher().is_some(), "{purpose} {algorithm}");
                assert!(!mechanisms(algorithm, &usages).is_empty(), "{purpose} {algorithm}");
                let derived = of(purpose, algorithm, true);
                assert_eq!(derived.contains(&Encrypt), algorithm.cipher().is_some(), "{purpose} {algorithm}");
            }
        }
    }
}
