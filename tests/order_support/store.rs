//! A key store with every purpose that an order asks for. The recipients' keys of encrypted orders are OpenSSL's.

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::encrypt::{Decrypter, Encrypter};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::Padding;
use perso::base::Secret;
use perso::base::crypto::{self, CryptoError, KcvMethod, NONCE, TAG};
use perso::keys::{
    Algorithm, CardForm, Derivation, JweAlgorithm, Kcv, KeyError, KeyHandle, KeyInfo, KeyStore, Purpose, Sealed,
    SoftwareStore,
};

use super::{EC, RSA};

pub struct OrderStore {
    inner: SoftwareStore,
}

const KEYS: &[(&str, Purpose, Algorithm)] = &[
    ("lab-order-ec", Purpose::Jwe, Algorithm::Aes256),
    ("lab-order-rsa", Purpose::Jwe, Algorithm::Aes256),
    ("lab-zpk", Purpose::Zpk, Algorithm::Tdes2),
    ("lab-pek", Purpose::Zpk, Algorithm::Aes128),
    ("lab-kek", Purpose::Kek, Algorithm::Tdes2),
    ("lab-issuer-rsa", Purpose::IssuerRsa, Algorithm::Aes256),
    ("lab-imk-ac", Purpose::ImkAc, Algorithm::Tdes2),
    ("lab-imk-smi", Purpose::ImkSmi, Algorithm::Tdes2),
    ("lab-imk-smc", Purpose::ImkSmc, Algorithm::Tdes2),
    ("lab-pvk", Purpose::Pvk, Algorithm::Tdes2),
    ("lab-cvk", Purpose::Cvk, Algorithm::Tdes2),
];

impl OrderStore {
    pub fn new() -> Self {
        let key = |(name, purpose, algorithm): &(&str, Purpose, Algorithm)| {
            let value: Vec<u8> = (1..).map(|byte| byte * 7).take(algorithm.key_length()).collect();
            let method =
                if algorithm.cipher() == crypto::Cipher::Tdes { KcvMethod::DesZero } else { KcvMethod::AesOnes };
            let kcv = crypto::kcv(&value, method, algorithm.cipher() == crypto::Cipher::Tdes, 3).unwrap();
            let info = KeyInfo {
                name: (*name).into(),
                zone: "lab".into(),
                purpose: *purpose,
                version: 1,
                algorithm: *algorithm,
                kcv: Kcv { method, value: kcv },
                test: true,
                kmcid: None,
            };
            (info, Secret::new(value))
        };
        Self { inner: SoftwareStore::new(KEYS.iter().map(key).collect()) }
    }
}

impl KeyStore for OrderStore {
    fn keys(&self) -> &[KeyInfo] {
        self.inner.keys()
    }

    fn open(&self, name: &str, purpose: Purpose) -> Result<KeyHandle, KeyError> {
        self.inner.open(name, purpose)
    }

    fn derive(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<KeyHandle, KeyError> {
        self.inner.derive(from, how)
    }

    fn session_key(&self, from: &KeyHandle, how: &Derivation<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        self.inner.session_key(from, how)
    }

    fn retail_mac(&self, key: &KeyHandle, data: &[u8]) -> Result<[u8; 8], KeyError> {
        self.inner.retail_mac(key, data)
    }

    fn jwe_content_key(&self, key: &KeyHandle, how: JweAlgorithm<'_>) -> Result<Secret<Vec<u8>>, KeyError> {
        let wrong = || KeyError::Crypto { name: key.name().into(), source: CryptoError::Tag };
        match (key.name(), how) {
            ("lab-order-ec", JweAlgorithm::EcdhEs { epk, apu, apv }) => {
                Ok(Secret::new(agree(epk, apu, apv).ok_or_else(wrong)?))
            }
            ("lab-order-rsa", JweAlgorithm::RsaOaep256 { encrypted_key }) => {
                Ok(Secret::new(unwrap(encrypted_key).ok_or_else(wrong)?))
            }
            _ => Err(wrong()),
        }
    }

    fn duplicate(&self, key: &KeyHandle) -> Result<KeyHandle, KeyError> {
        self.inner.duplicate(key)
    }

    fn kcv(&self, key: &KeyHandle, method: KcvMethod, length: usize) -> Result<Vec<u8>, KeyError> {
        self.inner.kcv(key, method, length)
    }

    fn reseal(
        &self,
        from: &KeyHandle,
        sealed: &Sealed<'_>,
        to: &KeyHandle,
        form: CardForm,
    ) -> Result<Vec<u8>, KeyError> {
        self.inner.reseal(from, sealed, to, form)
    }

    fn seal(&self, key: &KeyHandle, iv: &[u8], value: &Secret<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
        self.inner.seal(key, iv, value)
    }

    fn open_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &[u8],
        tag: &[u8; TAG],
    ) -> Result<Secret<Vec<u8>>, KeyError> {
        self.inner.open_body(key, nonce, header, body, tag)
    }

    fn seal_body(
        &self,
        key: &KeyHandle,
        nonce: &[u8; NONCE],
        header: &[u8],
        body: &Secret<Vec<u8>>,
    ) -> Result<(Vec<u8>, [u8; TAG]), KeyError> {
        self.inner.seal_body(key, nonce, header, body)
    }

    fn expose_test_key(&self, key: &KeyHandle) -> Result<Secret<Vec<u8>>, KeyError> {
        self.inner.expose_test_key(key)
    }
}

/// ECDH, then Concat KDF for A256GCM. // RFC 7518 §4.6.2
fn agree(epk: &[u8], apu: &[u8], apv: &[u8]) -> Option<Vec<u8>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).ok()?;
    let mut context = BigNumContext::new().ok()?;
    let point = EcPoint::from_bytes(&group, epk, &mut context).ok()?;
    let public = PKey::from_ec_key(EcKey::from_public_key(&group, &point).ok()?).ok()?;
    shared(&EC, &public, apu, apv)
}

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

fn unwrap(encrypted_key: &[u8]) -> Option<Vec<u8>> {
    let mut decrypter = Decrypter::new(&RSA).ok()?;
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP).ok()?;
    decrypter.set_rsa_oaep_md(MessageDigest::sha256()).ok()?;
    decrypter.set_rsa_mgf1_md(MessageDigest::sha256()).ok()?;
    let mut out = vec![0; decrypter.decrypt_len(encrypted_key).ok()?];
    let length = decrypter.decrypt(encrypted_key, &mut out).ok()?;
    out.truncate(length);
    Some(out)
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
