//! Content keys (A256GCM) for a text that is encrypted for the holder of a key pair. The holder's side is
//! [`KeyStore::jwe_content_key`](super::KeyStore::jwe_content_key). // RFC 7518 §4.3, §4.6

use super::make::p256_pair;
use super::private::{CONTENT_KEY, LEAST_JWE_BITS, PrivateKey, concat_kdf};
use super::{Algorithm, KeyError, PublicKey, oaep};
use crate::base::crypto::RsaPublic;
use crate::base::{Chance, Secret};

/// Why a content key cannot be made: RSA.
const SHORT: &str = "a recipient's RSA key has 2048 bits at least (RFC 7518, section 4.3)";
const NO_RECIPIENT: &str = "the public key is neither an RSA key nor a point of P-256";

/// A new content key, and what travels with the text so that the recipient has it too.
pub struct NewContentKey {
    /// 32 bytes.
    pub key: Secret<Vec<u8>>,
    /// What travels with the text.
    pub way: KeyTransport,
}

/// How the recipient gets the content key.
pub enum KeyTransport {
    /// ECDH-ES: the ephemeral point, uncompressed.
    EcdhEs([u8; 65]),
    /// RSA-OAEP-256: the content key under the recipient's key.
    RsaOaep256(Vec<u8>),
}

impl PublicKey {
    /// A new content key for one text: by ECDH-ES for a key on P-256, by RSA-OAEP-256 for an RSA key.
    ///
    /// # Errors
    /// [`KeyError::Chance`]; [`KeyError::Input`] if it is an RSA key of less than 2048 bits.
    pub fn content_key(&self, chance: &mut Chance) -> Result<NewContentKey, KeyError> {
        match self.modulus_and_exponent() {
            Some((modulus, exponent)) => under_rsa(&modulus, &exponent, chance),
            None => self.agreed(chance),
        }
    }

    fn agreed(&self, chance: &mut Chance) -> Result<NewContentKey, KeyError> {
        let refused = || KeyError::Input(NO_RECIPIENT);
        let peer = self.point().ok_or_else(refused)?;
        let own = PrivateKey::read(&p256_pair(chance)?, Algorithm::P256).ok_or_else(refused)?;
        let shared = own.agree(&peer).map_err(|_| refused())?;
        let info = own.public_info().map_err(|_| refused())?;
        let epk = Self::from_info(&info).and_then(|public| public.point()).ok_or_else(refused)?;
        Ok(NewContentKey {
            key: concat_kdf(&shared, b"A256GCM", CONTENT_KEY, b"", b""),
            way: KeyTransport::EcdhEs(epk),
        })
    }
}

fn under_rsa(modulus: &[u8], exponent: &[u8], chance: &mut Chance) -> Result<NewContentKey, KeyError> {
    let public = RsaPublic::new(modulus, exponent).map_err(|_| KeyError::Input(NO_RECIPIENT))?;
    if public.bits() < LEAST_JWE_BITS as usize {
        return Err(KeyError::Input(SHORT));
    }
    let key = Secret::new(chance.bytes::<CONTENT_KEY>()?.to_vec());
    let encoded = oaep::pad(&key, &chance.bytes()?, public.length()).ok_or(KeyError::Input(SHORT))?;
    let encrypted = public.raw(encoded.expose()).map_err(|_| KeyError::Input(NO_RECIPIENT))?;
    Ok(NewContentKey { key, way: KeyTransport::RsaOaep256(encrypted) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;

    use super::*;
    use crate::keys::JweAlgorithm;

    /// Randomness that repeats itself only after 256 draws.
    fn chance() -> Chance {
        let mut count = 0u8;
        Chance::new(move |buffer| {
            for byte in buffer.iter_mut() {
                count = count.wrapping_mul(5).wrapping_add(29);
                *byte = count;
            }
            Ok(())
        })
    }

    fn public(key: &PKey<openssl::pkey::Private>) -> PublicKey {
        PublicKey::from_info(&key.public_key_to_der().unwrap()).unwrap()
    }

    #[test]
    fn rsa_key_below_2048_bits_is_no_recipient() {
        let key = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let refused = public(&key).content_key(&mut chance()).err().unwrap();
        assert!(matches!(refused, KeyError::Input(SHORT)), "{refused}");
    }

    #[test]
    fn random_source_that_fails_gives_no_content_key() {
        let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
        let ec = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
        let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        for key in [ec, rsa] {
            let failed = public(&key).content_key(&mut Chance::fixed(vec![])).err().unwrap();
            assert!(matches!(failed, KeyError::Chance(_)), "{failed}");
        }
    }

    /// OpenSSL's own decryption, and its own ECDH, give the same content key.
    #[test]
    fn recipient_gets_the_content_key() {
        let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
        let ec = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
        let mut chance = chance();
        for (pair, algorithm) in [(&rsa, Algorithm::Rsa), (&ec, Algorithm::P256)] {
            let made = public(pair).content_key(&mut chance).unwrap();
            let own = PrivateKey::read(&Secret::new(pair.private_key_to_pkcs8().unwrap()), algorithm).unwrap();
            let how = match &made.way {
                KeyTransport::EcdhEs(epk) => JweAlgorithm::EcdhEs { epk, apu: b"", apv: b"" },
                KeyTransport::RsaOaep256(encrypted_key) => JweAlgorithm::RsaOaep256 { encrypted_key },
            };
            assert!(own.content_key(&how).is_ok_and(|key| key.equals(made.key.expose())), "{algorithm}");
            // Another text has another key.
            let other = public(pair).content_key(&mut chance).unwrap();
            assert!(!other.key.equals(made.key.expose()), "{algorithm}");
        }
    }
}
