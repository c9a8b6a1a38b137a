//! Private keys of two parts: an issuer's RSA key, and recipients' keys of encrypted orders.

use std::sync::Arc;

use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::encrypt::Decrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::{Padding, Rsa};
use zeroize::Zeroize;

use super::{Algorithm, JweAlgorithm};
use crate::base::Secret;
use crate::base::crypto::{RsaPublic, is_unchanged, sha256};

/// Moduli that are taken, in bits. EMV goes up to 1984, JWE asks for 2048 at least.
const MODULUS_BITS: std::ops::RangeInclusive<u32> = 512..=4096;
/// RFC 7518 §4.3: a recipient's RSA key has 2048 bits at least.
pub(super) const LEAST_JWE_BITS: u32 = 2048;
/// Length of the content key of A256GCM.
pub(super) const CONTENT_KEY: usize = 32;

/// The algorithm identifier of RSA keys: rsaEncryption, without parameters. // RFC 8017 annex A.1
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
/// Tags of DER. // X.690 §8
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// A private key in this process. OpenSSL wipes the key itself when it goes, not all of its copies (docs/threat-model.md).
#[derive(Clone)]
pub(super) struct PrivateKey {
    key: Arc<PKey<Private>>,
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
    /// Reads a PKCS#8 key (DER) of this algorithm that passed [`PrivateKey::is_good`] before it was stored.
    pub(super) fn read(der: &Secret<Vec<u8>>, algorithm: Algorithm) -> Option<Self> {
        // From PKCS#1: of a key in PKCS#8, OpenSSL makes copies that it does not wipe.
        if algorithm == Algorithm::Rsa {
            let rsa = Rsa::private_key_from_der(rsa_within(der)?).ok()?;
            let bits = rsa.n().num_bits() as u32;
            let fits = MODULUS_BITS.contains(&bits) && bits.is_multiple_of(8) && is_unchanged(&rsa).ok()?;
            return fits.then(|| Some(Self { key: Arc::new(PKey::from_rsa(rsa).ok()?) }))?;
        }
        let key = PKey::private_key_from_pkcs8(der.expose()).ok()?;
        let ec = key.ec_key().ok()?;
        let fits = algorithm == Algorithm::P256
            && ec.group().curve_name() == Some(Nid::X9_62_PRIME256V1)
            && ec.check_key().is_ok();
        fits.then(|| Self { key: Arc::new(key) })
    }

    /// Whether it passes every test: for an RSA key the full prime tests, which [`PrivateKey::read`] does not repeat.
    pub(super) fn is_good(&self) -> bool {
        self.rsa().is_err() || self.rsa().is_ok_and(|rsa| rsa.check_key().unwrap_or(false))
    }

    /// SubjectPublicKeyInfo, DER.
    pub(super) fn public_info(&self) -> Result<Vec<u8>, PrivateKeyError> {
        Ok(self.key.public_key_to_der()?)
    }

    /// PKCS#8, DER.
    pub(super) fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
        Ok(Secret::new(self.key.private_key_to_pkcs8()?))
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

    fn rsa(&self) -> Result<Rsa<Private>, PrivateKeyError> {
        self.key.rsa().map_err(|_| PrivateKeyError::Kind)
    }

    /// The content key of an encrypted text.
    pub(super) fn content_key(&self, how: &JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
        match (how, self.key.id()) {
            (JweAlgorithm::EcdhEs { epk, apu, apv }, Id::EC) => {
                Ok(concat_kdf(&self.agree(epk)?, b"A256GCM", CONTENT_KEY, apu, apv))
            }
            (JweAlgorithm::RsaOaep256 { encrypted_key }, Id::RSA) => self.decrypt_oaep(encrypted_key),
            _ => Err(PrivateKeyError::Kind),
        }
    }

    /// ECDH: the shared point's x, 32 bytes. A point that is not on the curve is refused. // SP 800-56A §5.7.1.2
    pub(super) fn agree(&self, point: &[u8]) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let point = EcPoint::from_bytes(&group, point, &mut *BigNumContext::new()?)?;
        let peer = EcKey::from_public_key(&group, &point)?;
        peer.check_key()?;
        let peer = PKey::from_ec_key(peer)?;
        let mut deriver = Deriver::new(&self.key)?;
        deriver.set_peer(&peer)?;
        Ok(Secret::new(deriver.derive_to_vec()?))
    }

    /// RSA-OAEP with SHA-256 in both places. // RFC 7518 §4.3
    fn decrypt_oaep(&self, ciphertext: &[u8]) -> Result<Secret<Vec<u8>>, PrivateKeyError> {
        if self.key.bits() < LEAST_JWE_BITS {
            return Err(PrivateKeyError::Kind);
        }
        let mut decrypter = Decrypter::new(&self.key)?;
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
}

/// A private key as TR-31 carries it (PKCS#1, or SEC 1 with the curve's name) in PKCS#8.
pub(super) fn to_pkcs8(value: &Secret<Vec<u8>>, algorithm: Algorithm) -> Option<Secret<Vec<u8>>> {
    let key = match algorithm {
        Algorithm::Rsa => PKey::from_rsa(Rsa::private_key_from_der(value.expose()).ok()?),
        Algorithm::P256 => PKey::from_ec_key(EcKey::private_key_from_der(value.expose()).ok()?),
        _ => return None,
    };
    key.ok()?.private_key_to_pkcs8().ok().map(Secret::new)
}

/// The RSA key (PKCS#1) in a PKCS#8 key. // RFC 5208 §5
fn rsa_within(value: &Secret<Vec<u8>>) -> Option<&[u8]> {
    let (info, _) = element(value.expose(), SEQUENCE)?;
    let (_, rest) = element(info, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (key, _) = element(rest, OCTET_STRING)?;
    (algorithm == RSA_ENCRYPTION).then_some(key)
}

/// The length of the modulus of an RSA key in PKCS#8, which is not opened for it. // RFC 8017 annex A.1.2
pub(super) fn modulus_bits(value: &Secret<Vec<u8>>) -> Option<usize> {
    let (key, _) = element(rsa_within(value)?, SEQUENCE)?;
    let (_, rest) = element(key, INTEGER)?;
    let (modulus, _) = element(rest, INTEGER)?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let modulus = modulus.get(first..)?;
    Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
}

/// A DER element of this tag at the start, and what follows it. // X.690 §8.1, §10.1
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[seen, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if seen == tag { rest.split_at_checked(length) } else { None }
}

/// The inverse of [`to_pkcs8`].
pub(super) fn from_pkcs8(value: &Secret<Vec<u8>>, algorithm: Algorithm) -> Option<Secret<Vec<u8>>> {
    let key = PKey::private_key_from_pkcs8(value.expose()).ok()?;
    let der = match algorithm {
        Algorithm::Rsa => key.rsa().ok()?.private_key_to_der(),
        Algorithm::P256 => key.ec_key().ok()?.private_key_to_der(),
        _ => return None,
    };
    der.ok().map(Secret::new)
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
    fn modulus_bits_are_read_without_opening_the_key() {
        for bits in [512, 768, 1016, 1024, 1400, 1408, 1984, 2048, 4096] {
            // Any numbers of the right length will do: nothing is computed with them.
            let number = |bits: u32| {
                let mut number = BigNum::new().unwrap();
                number.set_bit(bits as i32 - 1).unwrap();
                number
            };
            let small = || BigNum::from_u32(3).unwrap();
            let half = || number(bits / 2);
            let rsa = Rsa::from_private_components(
                number(bits),
                small(),
                number(bits - 1),
                half(),
                half(),
                half(),
                half(),
                half(),
            );
            let der = PKey::from_rsa(rsa.unwrap()).unwrap().private_key_to_pkcs8().unwrap();
            assert_eq!(modulus_bits(&Secret::new(der.clone())), Some(bits as usize));
            for length in 0..60 {
                assert_eq!(modulus_bits(&Secret::new(der.iter().take(length).copied().collect())), None, "{length}");
            }
        }
        for wrong in [&[][..], &[0x30], &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF], &[0x30, 0x80], &[0x02, 0x01, 0x00]] {
            assert_eq!(modulus_bits(&Secret::new(wrong.to_vec())), None);
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        for algorithm in Algorithm::ALL {
            assert!(PrivateKey::read(&Secret::new(vec![0x30; 40]), algorithm).is_none());
        }
    }
}
