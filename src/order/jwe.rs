//! Encrypted card data: JWE in compact serialization, two ways of key management, one cipher, by an allow-list.
//! // RFC 7516, RFC 7518

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::json::Node;
use super::site::{JweFile, Site};
use crate::base::Secret;
use crate::base::crypto::{NONCE, TAG, gcm_open};
use crate::base::fault::{Code, Fault};
use crate::keys::{JweAlgorithm, KeyError, KeyStore, Purpose};

/// Longest compact serialization: ten TLV blocks of 20,000 digits and what stands beside them.
const MAX_JWE: usize = 512 * 1024;
/// Longest protected header in base64url.
const MAX_HEADER: usize = 4096;
/// Longest of `apu` and `apv`, decoded.
const MAX_PARTY: usize = 256;

/// An encrypted text that was taken apart and not yet opened.
pub struct Jwe<'a> {
    protected: &'a str,
    kid: String,
    enc: String,
    management: Management,
    iv: [u8; NONCE],
    ciphertext: Vec<u8>,
    tag: [u8; TAG],
}

/// How the content key is agreed on.
pub enum Management {
    /// ECDH-ES on P-256, direct. // RFC 7518 §4.6
    EcdhEs {
        /// The sender's ephemeral point, uncompressed: 04, x, y.
        point: [u8; 65],
        /// PartyUInfo.
        apu: Vec<u8>,
        /// PartyVInfo.
        apv: Vec<u8>,
    },
    /// RSA-OAEP with SHA-256. // RFC 7518 §4.3
    RsaOaep256 {
        /// The content key under the recipient's key.
        encrypted_key: Vec<u8>,
    },
}

/// Why encrypted data does not open.
#[derive(Debug, thiserror::Error)]
pub enum JweError {
    /// It is no JWE in compact serialization.
    #[error("it is no JWE in compact serialization: {0}")]
    Form(&'static str),
    /// The header asks for something that is not accepted here.
    #[error("{0}")]
    Header(&'static str),
    /// `kid`, `alg` and `enc` are not together on this site's list.
    #[error("its kid, alg and enc are not together on this site's list")]
    Unlisted,
    /// The key store did not give the content key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The tag does not match.
    #[error("it does not open: it was changed, or encrypted for another key")]
    Tag,
}

impl Fault for JweError {
    fn code(&self) -> Code {
        match self {
            // What the key store lacks is no fault of the one who sent the order.
            JweError::Key(error) => error.code(),
            _ => Code::OrderCrypto,
        }
    }
}

impl<'a> Jwe<'a> {
    /// Takes a compact serialization apart. Nothing of it is trusted yet.
    ///
    /// # Errors
    /// It has not the form, or its header asks for what is never accepted.
    pub fn parse(text: &'a str) -> Result<Self, JweError> {
        if text.len() > MAX_JWE {
            return Err(JweError::Form("it is too long"));
        }
        let mut parts = text.split('.');
        let five = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(protected), Some(key), Some(iv), Some(ciphertext), Some(tag), None) = five else {
            return Err(JweError::Form("it has not five parts"));
        };
        if protected.len() > MAX_HEADER {
            return Err(JweError::Form("its header is too long"));
        }
        let header = Node::parse(&decode(protected)?).map_err(|_| JweError::Form("its header is no JSON"))?;
        let management = management(&header, decode(key)?)?;
        Ok(Self {
            protected,
            kid: word(&header, "kid")?.to_owned(),
            enc: word(&header, "enc")?.to_owned(),
            management,
            iv: decode(iv)?.try_into().map_err(|_| JweError::Form("its initialization vector has not 12 bytes"))?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?.try_into().map_err(|_| JweError::Form("its tag has not 16 bytes"))?,
        })
    }

    /// How the content key is agreed on.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// Opens it with the one key that the site's list has for its header. Returns the text, and whether the key is a
    /// test key.
    ///
    /// # Errors
    /// The header is not listed, the key is not there, or the text does not open.
    pub fn open(&self, site: &Site, store: &dyn KeyStore) -> Result<(Secret<Vec<u8>>, bool), JweError> {
        let rule = self.rule(site.jwe()).ok_or(JweError::Unlisted)?;
        let key = store.open(&rule.key, Purpose::Jwe)?;
        let how = match &self.management {
            Management::EcdhEs { point, apu, apv } => JweAlgorithm::EcdhEs { epk: point, apu, apv },
            Management::RsaOaep256 { encrypted_key } => JweAlgorithm::RsaOaep256 { encrypted_key },
        };
        let content_key = match store.jwe_content_key(&key, how) {
            Ok(content_key) => content_key,
            // An ephemeral key that is no point of the curve; an encrypted key that does not open gives a random one.
            Err(KeyError::NotForIt(_)) => return Err(JweError::Tag),
            Err(error) => return Err(error.into()),
        };
        let aad = self.protected.as_bytes();
        let clear = gcm_open(content_key.expose(), &self.iv, aad, &self.ciphertext, &self.tag);
        Ok((Secret::new(clear.map_err(|_| JweError::Tag)?), key.is_test()))
    }

    fn rule<'s>(&self, rules: &'s [JweFile]) -> Option<&'s JweFile> {
        let alg = match self.management {
            Management::EcdhEs { .. } => "ECDH-ES",
            Management::RsaOaep256 { .. } => "RSA-OAEP-256",
        };
        rules.iter().find(|rule| rule.kid == self.kid && rule.alg == alg && rule.enc == self.enc)
    }
}

/// base64url without padding, and without bits that nothing stands for.
fn decode(part: &str) -> Result<Vec<u8>, JweError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JweError::Form("a part is not base64url"))
}

fn word<'n>(header: &'n Node, name: &'static str) -> Result<&'n str, JweError> {
    header.text(name).ok_or(JweError::Header("its header lacks alg, enc or kid"))
}

fn management(header: &Node, encrypted_key: Vec<u8>) -> Result<Management, JweError> {
    // Compression tells of the plaintext's length; an extension that must be understood is not.
    if header.get("zip").is_some() {
        return Err(JweError::Header("compressed texts are not accepted"));
    }
    if header.get("crit").is_some() {
        return Err(JweError::Header("it has critical extensions, which are not known here"));
    }
    match word(header, "alg")? {
        "ECDH-ES" if !encrypted_key.is_empty() => Err(JweError::Form("ECDH-ES has no encrypted key")),
        "ECDH-ES" => {
            Ok(Management::EcdhEs { point: point(header)?, apu: party(header, "apu")?, apv: party(header, "apv")? })
        }
        "RSA-OAEP-256" if encrypted_key.is_empty() => Err(JweError::Form("the encrypted key is missing")),
        "RSA-OAEP-256" => Ok(Management::RsaOaep256 { encrypted_key }),
        _ => Err(JweError::Header("its alg is neither ECDH-ES nor RSA-OAEP-256")),
    }
}

/// The ephemeral key. Whether it is a point of the curve is for the one who multiplies it. // RFC 7518 §4.6.1.1
fn point(header: &Node) -> Result<[u8; 65], JweError> {
    let epk = header.get("epk").ok_or(JweError::Header("ECDH-ES needs epk"))?;
    if epk.text("kty") != Some("EC") || epk.text("crv") != Some("P-256") {
        return Err(JweError::Header("its epk is not on P-256"));
    }
    let mut point = vec![4];
    for name in ["x", "y"] {
        let part = decode(epk.text(name).ok_or(JweError::Header("its epk lacks x or y"))?)?;
        if part.len() != 32 {
            return Err(JweError::Header("x and y of epk have 32 bytes"));
        }
        point.extend(part);
    }
    point.try_into().map_err(|_| JweError::Header("its epk is no point"))
}

fn party(header: &Node, name: &str) -> Result<Vec<u8>, JweError> {
    match header.get(name) {
        None => Ok(Vec::new()),
        Some(node) => {
            let info = decode(node.as_text().ok_or(JweError::Header("apu and apv are text"))?)?;
            if info.len() > MAX_PARTY { Err(JweError::Header("apu or apv is too long")) } else { Ok(info) }
        }
    }
}
