//! Private keys of two parts: an issuer's RSA key, and recipients' keys of encrypted orders.

use std::sync::Arc;

use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::encrypt::Decrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use zeroize::Zeroize;

use super::pkcs8::{P256, RSA_ENCRYPTION, p256, within};
use super::{Algorithm, JweAlgorithm};
use crate::base::Secret;
use crate::base::crypto::{RsaPublic, is_unchanged, sha256};

/// Moduli that are taken, in bits. EMV goes up to 1984, JWE asks for 2048 at least.
const MODULUS_BITS: std::ops::RangeInclusive<u32> = 512..=4096;
/// RFC 7518 §4.3: a recipient's RSA key has 2048 bits at least.
pub(super) const LEAST_JWE_BITS: u32 = 2048;
/// Length of the content key of A256GCM.
pub(super) const CONTENT_KEY: usize = 32;

/// A private key in this process. OpenSSL wipes the key itself when it goes, not all of its copies (docs/threat-model.md).
#[derive(Clone)]
pub(super) struct PrivateKey(Arc<Pair>);

enum Pair {
    Rsa(Rsa<Private>),
    P256(EcKey<Private>),
}

/// Why an operation with a private key gave nothing. The library's own words might tell an attacker too much.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PrivateKeyError {
    /// The key is of another kind than the operation.
    Kind,
    /// What was given is not for this key.
    NotForIt,
}

impl From<ErrorStack> for PrivateKeyError {
    fn from(_: ErrorStack) -> Self {
        PrivateKeyError::NotForIt
    }
}

/// A content key that opens no text, from OpenSSL's random source.
///
/// # Errors
/// The source fails.
pub(super) fn random_content_key() -> Result<Secret<Vec<u8>>, PrivateKeyError> {
    let mut key = zeroize::Zeroizing::new(vec![0; CONTENT_KEY]);
    openssl::rand::rand_bytes(&mut key)?;
    Ok(Secret::new(std::mem::take(&mut *key)))
}

impl PrivateKey {
    /// Reads a PKCS#8 key (DER) of this algorithm that passed [`PrivateKey::is_good`] before it was stored. OpenSSL is given
    /// the numbers alone: of a key in PKCS#8 it makes copies that it does not wipe.
    pub(super) fn read(der: &Secret<Vec<u8>>, algorithm: Algorithm) -> Option<Self> {
        let pair = match algorithm {
            Algorithm::Rsa => {
                let rsa = Rsa::private_key_from_der(within(der, RSA_ENCRYPTION)?).ok()?;
                let bits = rsa.n().num_bits() as u32;
                let fits = MODULUS_BITS.contains(&bits) && bits.is_multiple_of(8) && is_unchanged(&rsa).ok()?;
                fits.then_some(Pair::Rsa(rsa))?
            }
            Algorithm::P256 => Pair::P256(p256(within(der, P256)?)?),
            _ => return None,
        };
        Some(Self(Arc::new(pair)))
    }

    /// Whether it passes every test: for an RSA key the full prime tests, which [`PrivateKey::read`] does not repeat.
    pub(super) fn is_good(&self) -> bool {
        match &*self.0 {
            Pair::Rsa(rsa) => rsa.check_key().unwrap_or(false),
            Pair::P256(_) => true,
        }
    }

    /// SubjectPublicKeyInfo, DER.
    pub(super) fn public_info(&self) -> Result<Vec<u8>, PrivateKeyError> {
        Ok(match &*self.0 {
            Pair::Rsa(rsa) => rsa.public_key_to_der()?,
            Pair::P256(ec) => EcKey::from_public_key(ec.group(), ec.public_key())?.public_key_to_der()?,
        })
    }

    /// PKCS#8, DER.
    pub(super) fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
        let key = match &*self.0 {
            Pair::Rsa(rsa) => PKey::from_rsa(rsa.clone()),
            Pair::P256(ec) => PKey::from_ec_key(ec.clone()),
        };
        Ok(Secret::new(key?.private_key_to_pkcs8()?))
    }

    /// The block, raised to the private exponent. It must be as long as the modulus, and below it.
    pub(super) fn rsa_raw(&self, block: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
        let rsa = self.rsa()?;
        let mut out = vec![0; rsa.size() as usize];
        if block.len() != out.len() {
            return Err(PrivateKeyError::NotForIt);
        }
        rsa.private_encrypt(block, &mut out, Padding::NONE)?;
        Ok(out)
    }

    /// The public half of an RSA key.
    pub(super) fn rsa_public(&self) -> Result<RsaPublic, PrivateKeyError> {
        let rsa = self.rsa()?;
        RsaPublic::new(&rsa.n().to_vec(), &rsa.e().to_vec()).map_err(|_| PrivateKeyError::Kind)
    }

    fn rsa(&self) -> Result<&Rsa<Private>, PrivateKeyError> {
        match &*self.0 {
            Pair::Rsa(rsa) => Ok(rsa),
            Pair::P256(_) => Err(PrivateKeyError::Kind),
        }
    }

    /// The content key of an encrypted text.
    pub(super) fn content_key(&self, how: &JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
        match (how, &*self.0) {
            (JweAlgorithm::EcdhEs { epk, apu, apv }, Pair::P256(own)) => {
                Ok(concat_kdf(&agree(own, epk)?, b"A256GCM", CONTENT_KEY, apu, apv))
            }
            (JweAlgorithm::RsaOaep256 { encrypted_key }, Pair::Rsa(own)) => decrypt_oaep(own, encrypted_key),
            _ => Err(PrivateKeyError::Kind),
        }
    }

    /// ECDH with a point of P-256: see [`agree`].
    pub(super) fn agree(&self, point: &[u8]) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
        match &*self.0 {
            Pair::P256(own) => agree(own, point),
            Pair::Rsa(_) => Err(PrivateKeyError::Kind),
        }
    }
}

/// ECDH: the shared point's x, 32 bytes. A point that is not on the curve is refused. // SP 800-56A §5.7.1.2
fn agree(own: &EcKey<Private>, point: &[u8]) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let point = EcPoint::from_bytes(&group, point, &mut *BigNumContext::new()?)?;
    let peer = EcKey::from_public_key(&group, &point)?;
    peer.check_key()?;
    let peer = PKey::from_ec_key(peer)?;
    let own = PKey::from_ec_key(own.clone())?;
    let mut deriver = Deriver::new(&own)?;
    deriver.set_peer(&peer)?;
    Ok(Secret::new(deriver.derive_to_vec()?))
}

/// RSA-OAEP with SHA-256 in both places. // RFC 7518 §4.3
fn decrypt_oaep(own: &Rsa<Private>, ciphertext: &[u8]) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
    if (own.n().num_bits() as u32) < LEAST_JWE_BITS {
        return Err(PrivateKeyError::Kind);
    }
    let own = PKey::from_rsa(own.clone())?;
    let mut decrypter = Decrypter::new(&own)?;
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    decrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
    decrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
    let mut out = vec![0; decrypter.decrypt_len(ciphertext)?];
    let length = match decrypter.decrypt(ciphertext, &mut out) {
        Ok(length) => length,
        Err(error) => {
            out.zeroize();
            return Err(error.into());
        }
    };
    out.get_mut(length..).unwrap_or_default().zeroize();
    out.truncate(length);
    let out = Secret::new(out);
    if out.len() == CONTENT_KEY { Ok(out) } else { Err(PrivateKeyError::NotForIt) }
}

/// Whether it is a point of P-256, written in full, and not the one at infinity. // SP 800-56A §5.6.2.3.3
pub(super) fn is_point(point: &[u8]) -> bool {
    point.len() == 65 && p256_info(point).is_some()
}

/// SubjectPublicKeyInfo of a point of P-256.
pub(super) fn p256_info(point: &[u8]) -> Option<Vec<u8>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).ok()?;
    let point = EcPoint::from_bytes(&group, point, &mut *BigNumContext::new().ok()?).ok()?;
    let key = EcKey::from_public_key(&group, &point).ok()?;
    key.check_key().ok()?;
    PKey::from_ec_key(key).ok()?.public_key_to_der().ok()
}

/// SubjectPublicKeyInfo of an RSA key.
pub(super) fn rsa_info(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes| BigNum::from_slice(bytes).ok();
    let rsa = Rsa::from_public_components(number(modulus)?, number(exponent)?).ok()?;
    PKey::from_rsa(rsa).ok()?.public_key_to_der().ok()
}

/// A content key of up to 32 bytes from a shared secret, in one round of SHA-256. // RFC 7518 §4.6.2
pub(super) fn concat_kdf(
    shared: &Secret<Vec<u8>>,
    enc: &[u8],
    length: usize,
    apu: &[u8],
    apv: &[u8],
) -> Secret<Vec<u8>> {
    let counted = |data: &[u8]| [&(data.len() as u32).to_be_bytes(), data].concat();
    let bits = (length as u32 * 8).to_be_bytes();
    let info = [counted(enc), counted(apu), counted(apv), bits.to_vec()].concat();
    let input = Secret::new([&1u32.to_be_bytes(), shared.expose().as_slice(), &info].concat());
    Secret::new(sha256(input.expose()).into_iter().take(length).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use openssl::encrypt::Encrypter;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    /// A key pair on P-256 by its parts.
    fn pair(x: &str, y: &str, d: &str) -> (Vec<u8>, PrivateKey) {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let point = [vec![4], bytes(x), bytes(y)].concat();
        let public = EcPoint::from_bytes(&group, &point, &mut BigNumContext::new().unwrap()).unwrap();
        let d = BigNum::from_slice(&bytes(d)).unwrap();
        let key = PKey::from_ec_key(EcKey::from_private_components(&group, &d, &public).unwrap()).unwrap();
        let der = Secret::new(key.private_key_to_pkcs8().unwrap());
        assert!(PrivateKey::read(&der, Algorithm::Rsa).is_none());
        (point, PrivateKey::read(&der, Algorithm::P256).unwrap())
    }

    /// RFC 7518, appendix C: Alice's ephemeral key, Bob's key, and what comes of them on both sides.
    #[test]
    fn agreement_of_rfc_7518() {
        let (alice_point, alice) = pair(
            "808D060082C176EED3E776A4AC598CC8672C1779F974EECC9B03411CA5B9495D",
            "48B5BFC527DFCE53D6AC7115237D031CCFF87A0570B77350A9E503EE7305A69B",
            "D3F3716913D4310A0026DE741B3F18893AFC8114F0C84682BA677E313A13988A",
        );
        let (bob_point, bob) = pair(
            "C1E349CB61EC70248CE801034C3834E1B88EBE1161CB25AF38741F785FCFC4C4",
            "7BC96708EF80952B53F8D2555FE72B841ED04588628B1D378A594939500EC9C9",
            "5449836690D75CAF29F0DD029DDB31B3DDB8ABA9D2D515C5012465E817D4A9DC",
        );
        for (own, other) in [(&alice, &bob_point), (&bob, &alice_point)] {
            let Ok(shared) = own.agree(other) else { panic!("no agreement") };
            assert!(shared.equals(&bytes("9E56D91D817135D372834283BF84269CFB316EA3DA806A48F6DAA7798CFE90C4")));
            let key = concat_kdf(&shared, b"A128GCM", 16, b"Alice", b"Bob");
            assert!(key.equals(&bytes("56AA8DEAF8236D205C2228CD71A7101A")));
        }
        // Off the curve, at infinity, cut, and of another curve's length.
        let mut off = alice_point.clone();
        off.iter_mut().last().into_iter().for_each(|last| *last ^= 1);
        for point in [off.as_slice(), &[0], &[], alice_point.get(..64).unwrap(), &[4; 97]] {
            let refused = bob.content_key(&JweAlgorithm::EcdhEs { epk: point, apu: b"", apv: b"" }).err();
            assert!(refused == Some(PrivateKeyError::NotForIt), "{}", hex::encode(point));
        }
        let other = bob.content_key(&JweAlgorithm::RsaOaep256 { encrypted_key: &[0; 256] }).err();
        assert!(other == Some(PrivateKeyError::Kind));
    }

    fn rsa(bits: u32) -> (PKey<Private>, PrivateKey) {
        let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
        let der = Secret::new(key.private_key_to_pkcs8().unwrap());
        assert!(PrivateKey::read(&der, Algorithm::P256).is_none());
        let read = PrivateKey::read(&der, Algorithm::Rsa).unwrap();
        (key, read)
    }

    fn oaep(key: &PKey<Private>, text: &[u8], label_hash: MessageDigest) -> Vec<u8> {
        let mut encrypter = Encrypter::new(key).unwrap();
        encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        encrypter.set_rsa_oaep_md(label_hash).unwrap();
        encrypter.set_rsa_mgf1_md(label_hash).unwrap();
        let mut out = vec![0; encrypter.encrypt_len(text).unwrap()];
        let length = encrypter.encrypt(text, &mut out).unwrap();
        out.truncate(length);
        out
    }

    #[test]
    fn content_keys_under_rsa() {
        let (key, own) = rsa(2048);
        let open = |encrypted_key: &[u8]| own.content_key(&JweAlgorithm::RsaOaep256 { encrypted_key });
        assert!(open(&oaep(&key, &[7; 32], MessageDigest::sha256())).is_ok_and(|key| key.equals(&[7; 32])));
        let short = oaep(&key, &[7; 31], MessageDigest::sha256());
        let other_hash = oaep(&key, &[7; 32], MessageDigest::sha1());
        for wrong in [short.as_slice(), &other_hash, &[], &[1; 255], &[0xFF; 256]] {
            assert!(open(wrong).err() == Some(PrivateKeyError::NotForIt), "{}", wrong.len());
        }
        let agreement = own.content_key(&JweAlgorithm::EcdhEs { epk: &[4; 65], apu: b"", apv: b"" }).err();
        assert!(agreement == Some(PrivateKeyError::Kind));
    }

    #[test]
    fn short_rsa_keys_are_no_recipients() {
        let (key, own) = rsa(1024);
        let encrypted = oaep(&key, &[7; 32], MessageDigest::sha256());
        let refused = own.content_key(&JweAlgorithm::RsaOaep256 { encrypted_key: &encrypted }).err();
        assert!(refused == Some(PrivateKeyError::Kind));
    }

    #[test]
    fn rsa_key_with_a_changed_part_is_refused() {
        let good = Rsa::generate(1024).unwrap();
        assert!(is_unchanged(&good).unwrap());
        let own = |number: &openssl::bn::BigNumRef| number.to_owned().unwrap();
        for changed in 0..8 {
            let (p, q) = (good.p().unwrap(), good.q().unwrap());
            let (dp, dq, q_inverse) = (good.dmp1().unwrap(), good.dmq1().unwrap(), good.iqmp().unwrap());
            let mut parts = [good.n(), good.e(), good.d(), p, q, dp, dq, q_inverse].map(own);
            parts.get_mut(changed).unwrap().add_word(2).unwrap();
            let [n, e, d, p, q, dp, dq, q_inverse] = parts;
            let rsa = Rsa::from_private_components(n, e, d, p, q, dp, dq, q_inverse).unwrap();
            assert!(!is_unchanged(&rsa).is_ok_and(|unchanged| unchanged), "part {changed}");
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for algorithm in Algorithm::ALL {
            assert!(PrivateKey::read(&Secret::new(vec![0x30; 40]), algorithm).is_none());
        }
    }
}
