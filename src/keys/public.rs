//! The public half of a key pair, for others: PEM, JWK, modulus and exponent.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::PointConversionForm;
use openssl::pkey::{PKey, Public};
use serde_json::{Value, json};

use super::Purpose;

/// Length of a coordinate of P-256, in bytes.
const COORDINATE: i32 = 32;

/// The public half of a key pair.
pub struct PublicKey(PKey<Public>);

impl PublicKey {
    /// Of SubjectPublicKeyInfo (DER).
    pub(super) fn from_info(der: &[u8]) -> Option<Self> {
        PKey::public_key_from_der(der).ok().map(Self)
    }

    /// SubjectPublicKeyInfo in PEM. // RFC 7468 §13
    pub fn pem(&self) -> Option<String> {
        String::from_utf8(self.0.public_key_to_pem().ok()?).ok()
    }

    /// Modulus and exponent of an RSA key, without zeros in front.
    pub fn modulus_and_exponent(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let rsa = self.0.rsa().ok()?;
        Some((rsa.n().to_vec(), rsa.e().to_vec()))
    }

    /// The point of a key on P-256, uncompressed: 04, x, y.
    pub(super) fn point(&self) -> Option<[u8; 65]> {
        let ec = self.0.ec_key().ok()?;
        let mut context = BigNumContext::new().ok()?;
        let form = PointConversionForm::UNCOMPRESSED;
        ec.public_key().to_bytes(ec.group(), form, &mut context).ok()?.try_into().ok()
    }

    /// A JSON Web Key; a recipient's key of encrypted orders says its algorithm. // RFC 7517 §4, RFC 7518 §6.2, §6.3
    pub fn jwk(&self, name: &str, purpose: Purpose) -> Option<Value> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (mut jwk, algorithm) = match self.modulus_and_exponent() {
            Some((n, e)) => (json!({ "kty": "RSA", "kid": name, "n": text(&n), "e": text(&e) }), "RSA-OAEP-256"),
            None => {
                let ec = self.0.ec_key().ok()?;
                let (mut x, mut y) = (BigNum::new().ok()?, BigNum::new().ok()?);
                let mut context = BigNumContext::new().ok()?;
                ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).ok()?;
                let part = |number: &BigNum| number.to_vec_padded(COORDINATE).ok().map(|bytes| text(&bytes));
                (json!({ "kty": "EC", "kid": name, "crv": "P-256", "x": part(&x)?, "y": part(&y)? }), "ECDH-ES")
            }
        };
        if let (Purpose::Jwe, Some(members)) = (purpose, jwk.as_object_mut()) {
            members.insert("use".to_owned(), "enc".into());
            members.insert("alg".to_owned(), algorithm.into());
        }
        Some(jwk)
    }
}
