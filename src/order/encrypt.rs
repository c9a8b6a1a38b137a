//! Card data encrypted for a site, as [`Jwe`](super::Jwe) opens it: orders of laboratories. // RFC 7516 §5.1

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::base::crypto::gcm_seal;
use crate::base::{Chance, Secret};
use crate::keys::{KeyError, KeyTransport, PublicKey};

/// Encrypts a text for the holder of a key pair, in compact serialization: ECDH-ES or RSA-OAEP-256, as the key is, with
/// A256GCM. `kid` names the key.
///
/// # Errors
/// As [`PublicKey::content_key`].
pub fn encrypt(
    text: &Secret<Vec<u8>>,
    kid: &str,
    recipient: &PublicKey,
    chance: &mut Chance,
) -> Result<String, KeyError> {
    let new = recipient.content_key(chance)?;
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (header, encrypted_key) = match &new.way {
        KeyTransport::EcdhEs(point) => {
            let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
            let epk = json!({ "kty": "EC", "crv": "P-256", "x": part(x), "y": part(y) });
            (json!({ "alg": "ECDH-ES", "enc": "A256GCM", "kid": kid, "epk": epk }), &[][..])
        }
        KeyTransport::RsaOaep256(encrypted) => {
            (json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid }), encrypted.as_slice())
        }
    };
    let protected = part(header.to_string().as_bytes());
    let iv = chance.bytes()?;
    let (ciphertext, tag) = gcm_seal(new.key.expose(), &iv, protected.as_bytes(), text.expose())
        .map_err(|source| KeyError::Crypto { name: kid.to_owned(), source })?;
    Ok([protected, part(encrypted_key), part(&iv), part(&ciphertext), part(&tag)].join("."))
}
