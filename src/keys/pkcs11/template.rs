//! The attributes that keys have in a token.

use std::ffi::c_ulong;

use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::types::Ulong;
use openssl::bn::BigNumRef;
use openssl::pkey::{PKey, Private};

use super::{KEY, LEFT};
use crate::base::Secret;
use crate::keys::{Algorithm, KeyInfo, Purpose};

/// The curve P-256 by its name. // SEC 2 §A.2.1
pub(super) const P256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

/// The objects of a key that stays in the token, by its value; none where the value is no such key.
pub(super) fn of_value(info: &KeyInfo, value: &Secret<Vec<u8>>) -> Option<Vec<Vec<Attribute>>> {
    let named = |mut template: Vec<Attribute>, id: &[u8]| {
        template.extend([Attribute::Label(info.name.clone().into_bytes()), Attribute::Id(id.to_vec())]);
        template
    };
    let kept = |template: Vec<Attribute>| [kept(true), template].concat();
    match info.algorithm {
        Algorithm::Rsa | Algorithm::P256 => {
            let (private, public) = pair(info.purpose, info.algorithm, value)?;
            let public = [vec![Attribute::Token(true), Attribute::Private(false)], public].concat();
            Some(vec![named(kept(private), KEY), named(public, KEY)])
        }
        _ => {
            let (key, left) = cipher_key(info.purpose, info.algorithm, value)?;
            let left = left.map(|left| named(kept(left), LEFT));
            Some([Some(named(kept(key), KEY)), left].into_iter().flatten().collect())
        }
    }
}

/// What holds for every key that must not leave: whoever has it can use it, and nobody can read it.
pub(super) fn kept(in_token: bool) -> Vec<Attribute> {
    vec![
        Attribute::Token(in_token),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
    ]
}

/// A cipher's key, and its left half twice where it is a two-key triple DES key that makes MACs.
pub(super) fn cipher_key(
    purpose: Purpose,
    algorithm: Algorithm,
    value: &Secret<Vec<u8>>,
) -> Option<(Vec<Attribute>, Option<Vec<Attribute>>)> {
    if value.len() != algorithm.key_length() {
        return None;
    }
    let mut key = secret(algorithm);
    key.extend(uses(purpose));
    key.push(Attribute::Value(value.expose().clone()));
    let makes_macs = matches!(purpose, Purpose::Cvk | Purpose::Mac | Purpose::ImkCvc);
    if algorithm != Algorithm::Tdes2 || !makes_macs {
        return Some((key, None));
    }
    let half = value.expose().get(..8)?;
    let mut left = secret(Algorithm::Tdes2);
    left.extend([Attribute::Encrypt(true), Attribute::Decrypt(false), Attribute::Derive(false)]);
    left.extend([Attribute::Wrap(false), Attribute::Unwrap(false), Attribute::Sign(false), Attribute::Verify(false)]);
    left.push(Attribute::Value([half, half].concat()));
    Some((key, Some(left)))
}

/// Of a key that is derived in the token. It may be read: what a card gets is sealed for it outside.
pub(super) fn derived(algorithm: Algorithm) -> Vec<Attribute> {
    let mut template = secret(algorithm);
    if algorithm.cipher() == Some(crate::base::crypto::Cipher::Aes) {
        template.push(Attribute::ValueLen(Ulong::from(algorithm.key_length() as c_ulong)));
    }
    template.extend([
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Derive(true),
    ]);
    template
}

/// A shared secret: 32 bytes, to be read.
pub(super) fn shared_secret() -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::ValueLen(Ulong::from(32 as c_ulong)),
        Attribute::Token(false),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
    ]
}

fn secret(algorithm: Algorithm) -> Vec<Attribute> {
    let kind = match algorithm {
        Algorithm::Tdes2 => KeyType::DES2,
        Algorithm::Tdes3 => KeyType::DES3,
        _ => KeyType::AES,
    };
    vec![Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(kind)]
}

/// What a key of a purpose may do. All encipher, for their check values; none wraps or unwraps.
fn uses(purpose: Purpose) -> [Attribute; 7] {
    let decipher =
        matches!(purpose, Purpose::Kek | Purpose::Zpk | Purpose::Transport | Purpose::Data | Purpose::Record);
    let derive = matches!(
        purpose,
        Purpose::Kmc
            | Purpose::Kbpk
            | Purpose::Transport
            | Purpose::ImkAc
            | Purpose::ImkSmc
            | Purpose::ImkSmi
            | Purpose::ImkDac
            | Purpose::ImkIdn
            | Purpose::ImkCvc
    );
    [
        Attribute::Encrypt(true),
        Attribute::Decrypt(decipher),
        Attribute::Derive(derive),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
    ]
}

/// A key pair's private and public object.
pub(super) fn pair(
    purpose: Purpose,
    algorithm: Algorithm,
    value: &Secret<Vec<u8>>,
) -> Option<(Vec<Attribute>, Vec<Attribute>)> {
    let key = PKey::private_key_from_pkcs8(value.expose()).ok()?;
    match algorithm {
        Algorithm::Rsa => rsa_pair(purpose, &key),
        _ => p256_pair(&key),
    }
}

fn rsa_pair(purpose: Purpose, key: &PKey<Private>) -> Option<(Vec<Attribute>, Vec<Attribute>)> {
    let rsa = key.rsa().ok()?;
    let part = |number: Option<&BigNumRef>| number.map(BigNumRef::to_vec);
    let (modulus, exponent) = (rsa.n().to_vec(), rsa.e().to_vec());
    let private = vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Sign(purpose == Purpose::IssuerRsa),
        Attribute::Decrypt(purpose == Purpose::Jwe),
        Attribute::Unwrap(false),
        Attribute::Modulus(modulus.clone()),
        Attribute::PublicExponent(exponent.clone()),
        Attribute::PrivateExponent(rsa.d().to_vec()),
        Attribute::Prime1(part(rsa.p())?),
        Attribute::Prime2(part(rsa.q())?),
        Attribute::Exponent1(part(rsa.dmp1())?),
        Attribute::Exponent2(part(rsa.dmq1())?),
        Attribute::Coefficient(part(rsa.iqmp())?),
    ];
    let public = vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Modulus(modulus),
        Attribute::PublicExponent(exponent),
    ];
    Some((private, public))
}

fn p256_pair(key: &PKey<Private>) -> Option<(Vec<Attribute>, Vec<Attribute>)> {
    let ec = key.ec_key().ok()?;
    let mut context = openssl::bn::BigNumContext::new().ok()?;
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let point = ec.public_key().to_bytes(ec.group(), form, &mut context).ok()?;
    let private = vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Derive(true),
        Attribute::Sign(false),
        Attribute::Unwrap(false),
        Attribute::EcParams(P256.to_vec()),
        Attribute::Value(ec.private_key().to_vec_padded(32).ok()?),
    ];
    let public = vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::EcParams(P256.to_vec()),
        // An octet string around the point.
        Attribute::EcPoint([&[0x04, point.len() as u8], point.as_slice()].concat()),
    ];
    Some((private, public))
}
