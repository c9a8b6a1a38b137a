//! The sender's side of encrypted orders, with OpenSSL.

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey};
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::Padding;
use perso::base::crypto;

use super::{EC, RSA};

/// ECDH, then Concat KDF for A256GCM. // RFC 7518 §4.6.2
fn shared(own: &PKey<Private>, peer: &PKey<Public>, apu: &[u8], apv: &[u8]) -> Option<Vec<u8>> {
    let mut deriver = openssl::derive::Deriver::new(own).ok()?;
    deriver.set_peer(peer).ok()?;
    let mut info = 1u32.to_be_bytes().to_vec();
    info.extend(deriver.derive_to_vec().ok()?);
    for part in [b"A256GCM".as_slice(), apu, apv] {
        info.extend((part.len() as u32).to_be_bytes());
        info.extend(part);
    }
    info.extend(256u32.to_be_bytes());
    Some(crypto::sha256(&info).to_vec())
}

/// The sender's side: an ephemeral point, and the key that comes of it.
pub fn agree_anew(apu: &[u8], apv: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let ephemeral = EcKey::generate(&group).unwrap();
    let mut context = BigNumContext::new().unwrap();
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let point = ephemeral.public_key().to_bytes(&group, form, &mut context).unwrap();
    let peer = PKey::public_key_from_der(&EC.public_key_to_der().unwrap()).unwrap();
    (point, shared(&PKey::from_ec_key(ephemeral).unwrap(), &peer, apu, apv).unwrap())
}

/// The sender's side of RSA-OAEP-256.
pub fn wrap(content_key: &[u8]) -> Vec<u8> {
    let mut encrypter = Encrypter::new(&RSA).unwrap();
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    encrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
    encrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
    let mut out = vec![0; encrypter.encrypt_len(content_key).unwrap()];
    let length = encrypter.encrypt(content_key, &mut out).unwrap();
    out.truncate(length);
    out
}
