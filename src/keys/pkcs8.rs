//! Private keys as they are written down: PKCS#8 (DER), and within it PKCS#1 or SEC 1.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

use super::Algorithm;
use crate::base::Secret;

/// The algorithm identifier of RSA keys: rsaEncryption, without parameters. // RFC 8017 annex A.1
pub(super) const RSA_ENCRYPTION: &[u8] =
    &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
/// Tags of DER. // X.690 §8
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
/// Curve and public key in SEC 1. // RFC 5915 §3
const CURVE: u8 = 0xA0;
const PUBLIC_KEY: u8 = 0xA1;

/// The algorithm identifier of keys on P-256: id-ecPublicKey, prime256v1. // RFC 5480 §2.1.1
pub(super) const P256: &[u8] =
    &[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

/// A private key as TR-31 carries it (PKCS#1, or SEC 1 with the curve's name) in PKCS#8.
pub(super) fn to_pkcs8(value: &Secret<Vec<u8>>, algorithm: Algorithm) -> Option<Secret<Vec<u8>>> {
    let key = match algorithm {
        Algorithm::Rsa => PKey::from_rsa(Rsa::private_key_from_der(value.expose()).ok()?),
        Algorithm::P256 => PKey::from_ec_key(EcKey::private_key_from_der(value.expose()).ok()?),
        _ => return None,
    };
    key.ok()?.private_key_to_pkcs8().ok().map(Secret::new)
}

/// The key (PKCS#1, or SEC 1) in a PKCS#8 key of this algorithm. // RFC 5208 §5
pub(super) fn within<'a>(value: &'a Secret<Vec<u8>>, wanted: &[u8]) -> Option<&'a [u8]> {
    let (info, _) = element(value.expose(), SEQUENCE)?;
    let (_, rest) = element(info, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (key, _) = element(rest, OCTET_STRING)?;
    (algorithm == wanted).then_some(key)
}

/// A key on P-256 in SEC 1, whose public key may be absent. // RFC 5915 §3
pub(super) fn p256(key: &[u8]) -> Option<EcKey<Private>> {
    let (key, _) = element(key, SEQUENCE)?;
    let (_, rest) = element(key, INTEGER)?;
    let (number, mut rest) = element(rest, OCTET_STRING)?;
    if let Some((curve, after)) = element(rest, CURVE) {
        // Without id-ecPublicKey.
        (curve == P256.get(9..)?).then_some(())?;
        rest = after;
    }
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).ok()?;
    let mut context = BigNumContext::new_secure().ok()?;
    // OpenSSL wipes each copy of such a number.
    let mut d = BigNum::new_secure().ok()?;
    d.copy_from_slice(number).ok()?;
    let mut own = EcPoint::new(&group).ok()?;
    own.mul_generator2(&group, &d, &mut context).ok()?;
    let key = EcKey::from_private_components(&group, &d, &own).ok();
    d.clear();
    if let Some((point, _)) = element(rest, PUBLIC_KEY) {
        // No bits are unused.
        let (bits, _) = element(point, BIT_STRING)?;
        let stated = EcPoint::from_bytes(&group, bits.strip_prefix(&[0])?, &mut context).ok()?;
        stated.eq(&group, &own, &mut context).ok()?.then_some(())?;
    }
    key.filter(|key| key.check_key().is_ok())
}

/// The length of the modulus of an RSA key in PKCS#8, which is not opened for it. // RFC 8017 annex A.1.2
pub(super) fn modulus_bits(value: &Secret<Vec<u8>>) -> Option<usize> {
    modulus_bits_of(within(value, RSA_ENCRYPTION)?)
}

/// The same of one in PKCS#1.
pub(super) fn modulus_bits_of(key: &[u8]) -> Option<usize> {
    let (key, _) = element(key, SEQUENCE)?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
}
