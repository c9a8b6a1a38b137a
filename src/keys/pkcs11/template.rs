//! The attributes that keys have in a token.

use std::ffi::c_ulong;

use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::types::Ulong;
use openssl::bn::BigNumRef;
use openssl::pkey::{PKey, Private};

use super::identity::{self, Part};
use super::usages::{self, Usage};
use crate::base::Secret;
use crate::base::crypto::Cipher;
use crate::keys::{Algorithm, KeyInfo, Purpose};

/// The curve P-256 by its name. // SEC 2 §A.2.1
pub(super) const P256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

/// What a token can do beyond what every token can.
#[derive(Clone, Copy, Default)]
pub(super) struct Abilities {
    /// Its own mechanism of ISO 9797-1 algorithm 3.
    pub(super) retail_mac: Option<MechanismType>,
    /// Whether it unwraps keys under triple DES keys, in ECB and CBC mode.
    pub(super) unwraps_tdes: bool,
    /// Whether it unwraps keys under AES keys, in ECB and CBC mode.
    pub(super) unwraps_aes: bool,
}

/// Whether an object stays in the token, and whether its value may be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// A key object of the token: it stays there.
    Token,
    /// A session object that cannot be read.
    Session,
    /// A session object that is sealed for a card next, for which it is read.
    ToSeal,
}

/// The attributes that say what a key object may do. They are compared when it is opened.
pub(super) struct Shape {
    pub(super) flags: Vec<Attribute>,
    pub(super) mechanisms: Vec<MechanismType>,
}

impl Shape {
    /// As a template. CKA_MODIFIABLE comes last: SoftHSM takes nothing after it in a derivation.
    pub(super) fn template(&self) -> Vec<Attribute> {
        let mechanisms = Attribute::AllowedMechanisms(self.mechanisms.clone());
        let last = [mechanisms, Attribute::Copyable(false), Attribute::Modifiable(false)];
        self.flags.iter().cloned().chain(last).collect()
    }

    /// Whether the token itself makes ISO 9797-1 algorithm 3 with it.
    pub(super) fn makes_macs(&self) -> bool {
        self.flags.contains(&Attribute::Sign(true)) && self.flags.contains(&Attribute::Class(ObjectClass::SECRET_KEY))
    }
}

/// The shapes that a key may have: first the one that it is given in this token, then those that it was given before the
/// site named a mechanism, or the token unwrapped.
pub(super) fn shapes(purpose: Purpose, algorithm: Algorithm, derived: bool, stay: Stay, can: Abilities) -> Vec<Shape> {
    let all = usages::of(purpose, algorithm, derived);
    let unwraps = match algorithm.cipher() {
        Some(Cipher::Tdes) => can.unwraps_tdes,
        Some(Cipher::Aes) => can.unwraps_aes,
        None => false,
    };
    let mut variants = Vec::new();
    for own_mac in [can.retail_mac, None] {
        for unwraps in [unwraps, false] {
            let kept = |usage: &&Usage| match usage {
                Usage::Mac => own_mac.is_some(),
                Usage::Unwrap => unwraps,
                _ => true,
            };
            let usages: Vec<Usage> = all.iter().filter(kept).copied().collect();
            if !variants.iter().any(|(seen, _)| *seen == usages) {
                variants.push((usages, own_mac));
            }
        }
    }
    variants.into_iter().map(|(usages, own_mac)| shape(algorithm, &usages, stay, own_mac)).collect()
}

fn shape(algorithm: Algorithm, usages: &[Usage], stay: Stay, own_mac: Option<MechanismType>) -> Shape {
    let has = |usage| usages.contains(&usage);
    let (class, kind) = class_and_type(algorithm);
    let mut flags = vec![
        Attribute::Class(class),
        Attribute::KeyType(kind),
        Attribute::Token(stay == Stay::Token),
        Attribute::Private(true),
        Attribute::Sensitive(stay != Stay::ToSeal),
        Attribute::Extractable(stay == Stay::ToSeal),
        Attribute::Decrypt(has(Usage::Decrypt)),
        Attribute::Sign(has(Usage::Sign) || has(Usage::Mac)),
        Attribute::Derive(has(Usage::Derive) || has(Usage::DeriveCbc)),
        Attribute::Unwrap(has(Usage::Unwrap)),
    ];
    match class {
        ObjectClass::PRIVATE_KEY => flags.push(Attribute::SignRecover(false)),
        _ => flags.extend([Attribute::Encrypt(has(Usage::Encrypt)), Attribute::Verify(false), Attribute::Wrap(false)]),
    }
    let mut mechanisms = usages::mechanisms(algorithm, usages);
    mechanisms.extend(own_mac.filter(|_| has(Usage::Mac)));
    Shape { flags, mechanisms }
}

/// The companion of a two-key triple DES key, its left half twice: CBC encryption is all that it does.
pub(super) fn companion(stay: Stay) -> Shape {
    let shape = shape(Algorithm::Tdes2, &[Usage::Encrypt], stay, None);
    Shape { mechanisms: vec![MechanismType::DES3_CBC], ..shape }
}

/// Whether a key makes ISO 9797-1 algorithm 3 by a companion: its purpose asks for such MACs, and the token has no
/// mechanism of its own.
pub(super) fn needs_companion(purpose: Purpose, algorithm: Algorithm, derived: bool, can: Abilities) -> bool {
    can.retail_mac.is_none() && usages::of(purpose, algorithm, derived).contains(&Usage::Mac)
}

/// The objects of a key that stays in the token, by its value; none if the value is no such key.
pub(super) fn of_value(
    info: &KeyInfo,
    value: &Secret<Vec<u8>>,
    description: &[u8],
    can: Abilities,
) -> Option<Vec<Vec<Attribute>>> {
    let named = |shape: &Shape, part: Part, secret: Vec<Attribute>| {
        let label = Attribute::Label(info.name.clone().into_bytes());
        let id = Attribute::Id(identity::of(part, info, description));
        [vec![label, id], secret, shape.template()].concat()
    };
    let shape = shapes(info.purpose, info.algorithm, false, Stay::Token, can).into_iter().next()?;
    match info.algorithm {
        Algorithm::Rsa | Algorithm::P256 => {
            let (private, public) = pair(info.algorithm, value)?;
            Some(vec![named(&shape, Part::Key, private), named(&public_half(info.algorithm), Part::Key, public)])
        }
        _ => {
            let key = named(&shape, Part::Key, cipher_key(info.algorithm, value)?);
            let left = match needs_companion(info.purpose, info.algorithm, false, can) {
                true => Some(named(&companion(Stay::Token), Part::Left, left_half(value)?)),
                false => None,
            };
            Some([Some(key), left].into_iter().flatten().collect())
        }
    }
}

/// The value of a cipher's key; none if it has another length.
pub(super) fn cipher_key(algorithm: Algorithm, value: &Secret<Vec<u8>>) -> Option<Vec<Attribute>> {
    (value.len() == algorithm.key_length()).then(|| vec![Attribute::Value(value.expose().clone())])
}

/// The left half of a two-key triple DES key, twice.
pub(super) fn left_half(value: &Secret<Vec<u8>>) -> Option<Vec<Attribute>> {
    let half = value.expose().get(..8)?;
    Some(vec![Attribute::Value([half, half].concat())])
}

/// The length of a key whose value is made in the token. Triple DES keys have one already.
pub(super) fn length(algorithm: Algorithm) -> Option<Attribute> {
    let aes = algorithm.cipher() == Some(Cipher::Aes);
    aes.then(|| Attribute::ValueLen(Ulong::from(algorithm.key_length() as c_ulong)))
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

fn class_and_type(algorithm: Algorithm) -> (ObjectClass, KeyType) {
    match algorithm {
        Algorithm::Tdes2 => (ObjectClass::SECRET_KEY, KeyType::DES2),
        Algorithm::Tdes3 => (ObjectClass::SECRET_KEY, KeyType::DES3),
        Algorithm::Aes128 | Algorithm::Aes192 | Algorithm::Aes256 => (ObjectClass::SECRET_KEY, KeyType::AES),
        Algorithm::Rsa => (ObjectClass::PRIVATE_KEY, KeyType::RSA),
        Algorithm::P256 => (ObjectClass::PRIVATE_KEY, KeyType::EC),
    }
}

/// A public half is there to be read, and does nothing in the token.
fn public_half(algorithm: Algorithm) -> Shape {
    let (_, kind) = class_and_type(algorithm);
    let flags = vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(kind),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Encrypt(false),
        Attribute::Verify(false),
        Attribute::VerifyRecover(false),
        Attribute::Wrap(false),
        Attribute::Derive(false),
    ];
    let mechanism = if algorithm == Algorithm::Rsa { MechanismType::RSA_X_509 } else { MechanismType::ECDH1_DERIVE };
    Shape { flags, mechanisms: vec![mechanism] }
}

/// The values of a key pair's private and public object.
pub(super) fn pair(algorithm: Algorithm, value: &Secret<Vec<u8>>) -> Option<(Vec<Attribute>, Vec<Attribute>)> {
    let key = PKey::private_key_from_pkcs8(value.expose()).ok()?;
    match algorithm {
        Algorithm::Rsa => rsa_pair(&key),
        _ => p256_pair(&key),
    }
}

fn rsa_pair(key: &PKey<Private>) -> Option<(Vec<Attribute>, Vec<Attribute>)> {
    let rsa = key.rsa().ok()?;
    let part = |number: Option<&BigNumRef>| number.map(BigNumRef::to_vec);
    let public = vec![Attribute::Modulus(rsa.n().to_vec()), Attribute::PublicExponent(rsa.e().to_vec())];
    let private = vec![
        Attribute::PrivateExponent(rsa.d().to_vec()),
        Attribute::Prime1(part(rsa.p())?),
        Attribute::Prime2(part(rsa.q())?),
        Attribute::Exponent1(part(rsa.dmp1())?),
        Attribute::Exponent2(part(rsa.dmq1())?),
        Attribute::Coefficient(part(rsa.iqmp())?),
    ];
    Some(([public.clone(), private].concat(), public))
}

fn p256_pair(key: &PKey<Private>) -> Option<(Vec<Attribute>, Vec<Attribute>)> {
    let ec = key.ec_key().ok()?;
    let mut context = openssl::bn::BigNumContext::new().ok()?;
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let point = ec.public_key().to_bytes(ec.group(), form, &mut context).ok()?;
    let private = vec![Attribute::EcParams(P256.to_vec()), Attribute::Value(ec.private_key().to_vec_padded(32).ok()?)];
    let public = vec![
        Attribute::EcParams(P256.to_vec()),
        // An octet string around the point.
        Attribute::EcPoint([&[0x04, point.len() as u8], point.as_slice()].concat()),
    ];
    Some((private, public))
}
